//! A cursor over one JSON text, already known to be UTF-8.

use super::{Result, Undecodable};

/// As deep as serde_json goes.
const DEPTH_MAX: usize = 128;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(message: &'a [u8]) -> Result<Self> {
        let text = std::str::from_utf8(message)
            .map_err(|error| Undecodable::new(format!("not UTF-8: {error}")))?;
        Ok(Self { text, bytes: message, at: 0 })
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        self.at += count;
    }

    /// The next byte that is no white space, not taken.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes `byte` if it comes next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected(&format!("{:?}", byte as char))) }
    }

    /// Takes `literal` if it comes next exactly as written, without white space.
    #[inline]
    pub(super) fn take_exactly(&mut self, literal: &[u8]) -> bool {
        let taken = starts_with(self.rest(), literal);
        self.at += if taken { literal.len() } else { 0 };
        taken
    }

    /// Takes `null` if it comes next.
    #[inline]
    pub(super) fn take_null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.take_exactly(b"null")
    }

    /// After a value inside `[]` or `{}`: whether another follows.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool> {
        let found = self.peek();
        if found == Some(b',') || found == Some(close) {
            self.at += 1;
            return Ok(found == Some(b','));
        }
        Err(self.unexpected(&format!("\",\" or {:?}", close as char)))
    }

    /// A string's content. Without escapes it is borrowed from the message, else made in `scratch`.
    #[inline]
    pub(super) fn string<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str>
    where
        'a: 's,
    {
        self.expect(b'"')?;
        let start = self.at;
        self.at += plain_length(self.rest());
        match self.bytes.get(self.at) {
            Some(b'"') => {
                let content = &self.text[start..self.at];
                self.at += 1;
                Ok(content)
            }
            Some(b'\\') => {
                self.at = start;
                self.unescape(scratch)?;
                Ok(scratch)
            }
            Some(_) => Err(Undecodable::new("a control character inside a string")),
            None => Err(Undecodable::new("a string does not end")),
        }
    }

    #[cold]
    fn unescape(&mut self, scratch: &mut String) -> Result<()> {
        scratch.clear();
        loop {
            let plain = plain_length(self.rest());
            scratch.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 1,
                Some(_) => return Err(Undecodable::new("a control character inside a string")),
                None => return Err(Undecodable::new("a string does not end")),
            }
            let escape = self.bytes.get(self.at).copied();
            self.at += 1;
            scratch.push(match escape {
                Some(b'"') => '"',
                Some(b'\\') => '\\',
                Some(b'/') => '/',
                Some(b'b') => '\u{8}',
                Some(b'f') => '\u{c}',
                Some(b'n') => '\n',
                Some(b'r') => '\r',
                Some(b't') => '\t',
                Some(b'u') => self.unicode_escape()?,
                _ => return Err(Undecodable::new("an unknown escape inside a string")),
            });
        }
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let first = self.four_hex_digits()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.take_exactly(b"\\u") {
                    return Err(Undecodable::new("half a surrogate pair inside a string"));
                }
                let second = self.four_hex_digits()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(Undecodable::new("half a surrogate pair inside a string"));
                }
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code)
            .ok_or_else(|| Undecodable::new("half a surrogate pair inside a string"))
    }

    fn four_hex_digits(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self
                .bytes
                .get(self.at)
                .and_then(|byte| (*byte as char).to_digit(16))
                .ok_or_else(|| Undecodable::new("\\u is not followed by four hex digits"))?;
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// Steps over any value; it must still be JSON.
    pub(super) fn skip(&mut self, scratch: &mut String) -> Result<()> {
        self.skip_at(scratch, 0)
    }

    fn skip_at(&mut self, scratch: &mut String, depth: usize) -> Result<()> {
        if depth == DEPTH_MAX {
            return Err(Undecodable::new(format!("nested deeper than {DEPTH_MAX}")));
        }
        match self.peek() {
            Some(b'"') => self.string(scratch).map(drop),
            Some(b'{') => {
                self.at += 1;
                if self.take(b'}') {
                    return Ok(());
                }
                loop {
                    self.peek();
                    self.string(scratch)?;
                    self.expect(b':')?;
                    self.skip_at(scratch, depth + 1)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            Some(b'[') => {
                self.at += 1;
                if self.take(b']') {
                    return Ok(());
                }
                loop {
                    self.skip_at(scratch, depth + 1)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let length = super::text::number_length(self.rest())?;
                self.at += length;
                Ok(())
            }
            _ if self.take_exactly(b"true")
                || self.take_exactly(b"false")
                || self.take_exactly(b"null") =>
            {
                Ok(())
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Nothing but white space may be left.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the message")),
        }
    }

    #[cold]
    pub(super) fn unexpected(&mut self, wanted: &str) -> Box<Undecodable> {
        let at = self.at;
        Undecodable::new(match self.text[at.min(self.text.len())..].chars().next() {
            Some(found) => format!("{wanted} expected at byte {at}, found {found:?}"),
            None => format!("{wanted} expected, but the message ends"),
        })
    }
}

/// `[u8]::starts_with` without a call into the C library: names of fields are short.
#[inline]
fn starts_with(bytes: &[u8], literal: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..literal.len()) else { return false };
    let (Some(end), Some(literal_end)) = (bytes.last_chunk::<8>(), literal.last_chunk::<8>())
    else {
        return bytes.iter().zip(literal).all(|(one, other)| one == other);
    };
    let (words, literal_words) = (bytes.as_chunks::<8>().0, literal.as_chunks::<8>().0);
    let same =
        |one: &[u8; 8], other: &[u8; 8]| u64::from_le_bytes(*one) == u64::from_le_bytes(*other);
    same(end, literal_end) && words.iter().zip(literal_words).all(|(one, other)| same(one, other))
}

/// Bytes before the next quote, backslash or control character.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let stops = has_zero(word ^ (ONES * b'"' as u64))
            | has_zero(word ^ (ONES * b'\\' as u64))
            | below_space(word);
        if stops != 0 {
            return index * 8 + (stops.trailing_zeros() / 8) as usize;
        }
    }
    let stop = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F));
    words.len() * 8 + stop.unwrap_or(tail.len())
}

/// The high bit of each zero byte; bytes after the first zero may be marked wrongly.
#[inline]
const fn has_zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The high bit of each byte below 0x20; bytes after the first such may be marked wrongly.
#[inline]
const fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_stops_at_the_first_special_byte_wherever_it_is() {
        for length in 0..40 {
            for special in [b'"', b'\\', 0x1F, 0x00] {
                let mut bytes = vec![0xC3; length];
                bytes.push(special);
                bytes.extend([b' ', b'"', 0x7F, 0x80, 1, 2, 3, 4, 5]);
                assert_eq!(plain_length(&bytes), length, "{special:#x}");
            }
        }
    }

    #[test]
    fn literals_are_compared_to_their_last_byte() {
        let text = b"abcdefghijklmnopqrstuvwxyz";
        for length in 0..text.len() {
            assert!(starts_with(text, &text[..length]));
            let mut other = text[..=length].to_vec();
            other[length] ^= 1;
            assert!(!starts_with(text, &other), "{length}");
            assert!(!starts_with(&text[..length], &text[..=length]), "{length}");
        }
    }

    #[test]
    fn escapes_read_as_serde_json_reads_them() {
        for json in [r#""a\"b\\c\/\b\f\n\r\t""#, r#""\u00e9\ud83d\ude00x""#, r#""plain é""#] {
            let mut scratch = String::new();
            let mut scanner = Scanner::new(json.as_bytes()).expect("utf-8");
            let expected: String = serde_json::from_str(json).expect("json");
            assert_eq!(scanner.string(&mut scratch).expect("string"), expected);
        }
        for json in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dx""#, r#""\u12g4""#, r#""\x""#, "\"a"]
        {
            let mut scanner = Scanner::new(json.as_bytes()).expect("utf-8");
            assert!(scanner.string(&mut String::new()).is_err(), "{json}");
        }
    }
}
