//! What is around the payload: read in the same pass, checked against the message's headers.

use uuid::Uuid;

use super::column::{Fields, Text};
use super::scan::Scanner;
use super::{Result, Undecodable, text};

/// What the headers and the catalogue say the envelope has to say.
pub(super) struct Expected<'a> {
    pub(super) event_id: Uuid,
    pub(super) event_type: &'a str,
    pub(super) version: &'a str,
}

/// The columns an envelope fills.
pub(super) struct Target<'a> {
    pub(super) event_id: &'a mut Text,
    pub(super) source_service: &'a mut Text,
    pub(super) payload: &'a mut Fields,
}

/// The envelope's fields in the order they are written, and what compact JSON writes between the
/// value before and theirs.
static FIELDS: [(&str, &[u8]); 7] = [
    ("event_id", b",\"event_id\":"),
    ("event_type", b",\"event_type\":"),
    ("version", b",\"version\":"),
    ("timestamp", b",\"timestamp\":"),
    ("trace_id", b",\"trace_id\":"),
    ("source_service", b",\"source_service\":"),
    ("payload", b",\"payload\":"),
];

/// Reads one envelope and appends one row to the target; gives the event's time in microseconds.
/// After an error the target's columns may differ in length: cut back.
pub(super) fn read(
    message: &[u8],
    expected: &Expected<'_>,
    target: Target<'_>,
    scratch: &mut String,
) -> Result<i64> {
    let mut scanner = Scanner::new(message)?;
    scanner.expect(b'{')?;
    let mut seen = 0_u32;
    let mut next = 0;
    let mut is_first = true;
    let mut event_at = 0;
    loop {
        let found = match FIELDS.get(next) {
            Some((_, member)) if scanner.take_exactly(&member[usize::from(is_first)..]) => {
                Some(next)
            }
            _ if is_first && scanner.take(b'}') => break,
            _ if !is_first && !scanner.more(b'}')? => break,
            _ => {
                let key = scanner.string(scratch)?;
                let found = FIELDS.iter().position(|(name, _)| *name == key);
                scanner.expect(b':')?;
                found
            }
        };
        is_first = false;
        let Some(index) = found else {
            scanner.skip(scratch)?;
            continue;
        };
        let name = FIELDS[index].0;
        if seen & (1 << index) != 0 {
            return Err(Undecodable::new("given twice").within(name));
        }
        seen |= 1 << index;
        next = index + 1;
        let read = match index {
            0 => same_id(&mut scanner, scratch, expected.event_id),
            1 => same(&mut scanner, scratch, expected.event_type),
            2 => same(&mut scanner, scratch, expected.version),
            3 => scanner
                .string(scratch)
                .and_then(|at| text::timestamp(at.as_bytes()))
                .map(|at| event_at = at),
            4 => scanner.string(scratch).map(drop),
            5 => target.source_service.read(&mut scanner, scratch),
            _ => target.payload.read(&mut scanner, scratch),
        };
        if let Err(error) = read {
            return Err(error.within(name));
        }
    }
    scanner.end()?;
    if let Some(missing) = (0..FIELDS.len()).find(|index| seen & (1 << index) == 0) {
        return Err(Undecodable::new("missing").within(FIELDS[missing].0));
    }
    let mut buffer = Uuid::encode_buffer();
    target.event_id.push(expected.event_id.hyphenated().encode_lower(&mut buffer).as_bytes());
    Ok(event_at)
}

fn same_id(scanner: &mut Scanner<'_>, scratch: &mut String, expected: Uuid) -> Result<()> {
    let found = scanner.string(scratch)?;
    if Uuid::try_parse(found) == Ok(expected) {
        return Ok(());
    }
    Err(Undecodable::new(format!("{found:?}, but the header says {expected}")))
}

fn same(scanner: &mut Scanner<'_>, scratch: &mut String, expected: &str) -> Result<()> {
    let found = scanner.string(scratch)?;
    if found == expected {
        return Ok(());
    }
    Err(Undecodable::new(format!("{found:?}, but {expected:?} is what can be decoded")))
}
