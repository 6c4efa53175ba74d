//! Events as text, for programs in other languages.

use std::io::{self, Write};

use crate::table::Cell;
use crate::{Event, event};

/// Writes the first `events` events, a line each and in order: `p`, `a` or `b` for person, auction or bid,
/// then the columns as in [`crate::Tables`], all divided by commas. No value holds a comma, a quote or a line
/// end; times are milliseconds since 1970.
///
/// # Errors
/// When `out` can't be written.
pub fn write_events(events: u64, out: &mut impl Write) -> io::Result<()> {
    for number in 0..events {
        match event(number) {
            Event::Person(person) => line(out, "p", &person.cells())?,
            Event::Auction(auction) => line(out, "a", &auction.cells())?,
            Event::Bid(bid) => line(out, "b", &bid.cells())?,
        }
    }
    out.flush()
}

fn line(out: &mut impl Write, table: &str, cells: &[Cell<'_>]) -> io::Result<()> {
    write!(out, "{table}")?;
    for cell in cells {
        match cell {
            Cell::Number(value) => write!(out, ",{value}")?,
            Cell::Text(value) => write!(out, ",{value}")?,
        }
    }
    writeln!(out)
}
