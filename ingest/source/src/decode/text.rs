//! Numbers, dates, times and ids read from ASCII, exactly or not at all.

use super::{Result, Undecodable};

const DECIMAL_DIGITS_MAX: usize = 38;
/// Digits an `i64` surely holds.
const SHORT_DIGITS: usize = 18;

/// Length of the JSON number at the start of `bytes`.
#[inline]
pub(super) fn number_length(bytes: &[u8]) -> Result<usize> {
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(&bytes[at..]);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return Err(Undecodable::new("not a number"));
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let places = digits(&bytes[at + 1..]);
        if places == 0 {
            return Err(Undecodable::new("a number ends in its point"));
        }
        at += 1 + places;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(bytes.get(at..).unwrap_or_default());
        if exponent == 0 {
            return Err(Undecodable::new("a number ends in its exponent"));
        }
        at += exponent;
    }
    Ok(at)
}

#[inline]
fn digits(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len())
}

/// A JSON number as an integer of `scale` decimal places with at most `precision` digits.
#[inline]
pub(super) fn decimal(number: &[u8], precision: u8, scale: u8) -> Result<i128> {
    let (negative, unsigned) = match number {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, number),
    };
    let mut short: i64 = 0;
    let mut point = None;
    let mut plain = unsigned.len() <= SHORT_DIGITS;
    for (at, byte) in unsigned.iter().enumerate() {
        match byte {
            b'0'..=b'9' => short = short.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')),
            b'.' => point = Some(at),
            _ => plain = false,
        }
    }
    let places = point.map_or(0, |at| unsigned.len() - at - 1);
    let scale = usize::from(scale);
    let magnitude = if plain && places <= scale && unsigned.len() + scale - places <= SHORT_DIGITS {
        i128::from(short * 10_i64.pow((scale - places) as u32))
    } else {
        long_decimal(unsigned, scale)?
    };
    if magnitude >= 10_i128.pow(u32::from(precision)) {
        return Err(Undecodable::new(format!(
            "{} has more than {} digits before the point",
            String::from_utf8_lossy(number),
            usize::from(precision) - scale
        )));
    }
    Ok(if negative { -magnitude } else { magnitude })
}

#[cold]
fn long_decimal(unsigned: &[u8], scale: usize) -> Result<i128> {
    let shown = || String::from_utf8_lossy(unsigned);
    let (mantissa, exponent) = match unsigned.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        None => (unsigned, 0),
        Some(at) => {
            let exponent = std::str::from_utf8(&unsigned[at + 1..]).ok();
            let exponent = exponent.and_then(|text| text.parse::<i32>().ok());
            let exponent = exponent.filter(|exponent| exponent.unsigned_abs() < 1000);
            let exponent = exponent
                .ok_or_else(|| Undecodable::new(format!("{} has an absurd exponent", shown())))?;
            (&unsigned[..at], exponent)
        }
    };
    let places =
        mantissa.iter().position(|byte| *byte == b'.').map_or(0, |at| mantissa.len() - at - 1);
    let mut all: Vec<u8> = mantissa.iter().copied().filter(|byte| *byte != b'.').collect();
    let shift = scale as i32 - places as i32 + exponent;
    if shift >= 0 {
        if all.iter().any(|digit| *digit != b'0') {
            all.resize(all.len() + shift as usize, b'0');
        }
    } else {
        let kept = all.len().saturating_sub(shift.unsigned_abs() as usize);
        if all[kept..].iter().any(|digit| *digit != b'0') {
            return Err(Undecodable::new(format!(
                "{} has more than {scale} decimal places",
                shown()
            )));
        }
        all.truncate(kept);
    }
    let significant = all.iter().position(|digit| *digit != b'0').unwrap_or(all.len());
    if all.len() - significant > DECIMAL_DIGITS_MAX {
        return Err(Undecodable::new(format!("{} has too many digits", shown())));
    }
    Ok(all[significant..].iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0')))
}

/// A JSON number that must be whole.
#[inline]
pub(super) fn integer(number: &[u8]) -> Result<i64> {
    let (negative, unsigned) = match number {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, number),
    };
    let mut value: i64 = 0;
    for byte in unsigned {
        if !byte.is_ascii_digit() {
            return Err(Undecodable::new(format!(
                "{} is not a whole number",
                String::from_utf8_lossy(number)
            )));
        }
        let digit = i64::from(byte - b'0');
        let digit = if negative { -digit } else { digit };
        value =
            value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or_else(|| {
                Undecodable::new(format!(
                    "{} does not fit 64 bits",
                    String::from_utf8_lossy(number)
                ))
            })?;
    }
    Ok(value)
}

/// `YYYY-MM-DD` as days since 1970-01-01.
#[inline]
pub(super) fn date(text: &[u8]) -> Result<i32> {
    let refused = || {
        Undecodable::new(format!(
            "{:?} is not a date: write YYYY-MM-DD",
            String::from_utf8_lossy(text)
        ))
    };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return Err(refused()) };
    let year = pair(*y1, *y2).zip(pair(*y3, *y4)).map(|(high, low)| high * 100 + low);
    let (Some(year), Some(month), Some(day)) = (year, pair(*m1, *m2), pair(*d1, *d2)) else {
        return Err(refused());
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Err(refused()),
    };
    if day == 0 || day > last {
        return Err(refused());
    }
    Ok(days_from_civil(year as i32, month as i32, day as i32))
}

/// RFC 3339 as microseconds since 1970-01-01T00:00:00Z; finer digits are cut off.
#[inline]
pub(super) fn timestamp(text: &[u8]) -> Result<i64> {
    instant(text).ok_or_else(|| {
        Undecodable::new(format!(
            "{:?} is not a time: write it as RFC 3339, for example 2026-03-01T09:30:00.123Z",
            String::from_utf8_lossy(text)
        ))
    })
}

#[inline]
fn instant(text: &[u8]) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let days = i64::from(date(day).ok()?);
    let ([b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2], mut rest) =
        rest.split_first_chunk::<9>()?
    else {
        return None;
    };
    let (hour, minute, second) = (pair(*h1, *h2)?, pair(*m1, *m2)?, pair(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if let [b'.', fraction @ ..] = rest {
        let count = digits(fraction);
        if count == 0 {
            return None;
        }
        for at in 0..6 {
            let digit = if at < count { fraction[at] - b'0' } else { 0 };
            micros = micros * 10 + i64::from(digit);
        }
        rest = &fraction[count..];
    }
    let offset_minutes = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(*h1, *h2)?, pair(*m1, *m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds =
        days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset_minutes * 60;
    Some(seconds * 1_000_000 + micros)
}

#[inline]
fn pair(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
#[inline]
const fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Whether the text is a UUID as it is always written: 36 characters, lower case.
#[inline]
pub(super) fn is_canonical_uuid(text: &[u8; 36]) -> bool {
    let mut fits = true;
    for (at, byte) in text.iter().enumerate() {
        let hex = byte.wrapping_sub(b'0') < 10 || byte.wrapping_sub(b'a') < 6;
        let hyphen = *byte == b'-';
        fits &= if matches!(at, 8 | 13 | 18 | 23) { hyphen } else { hex };
    }
    fits
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, Utc};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, units) in [
            ("1500.00", 150_000),
            ("-0.05", -5),
            ("7", 700),
            ("1.500", 150),
            ("1e3", 100_000),
            ("12.5e-1", 125),
            ("0e999", 0),
            ("9999999999999999.99", 999_999_999_999_999_999),
        ] {
            assert_eq!(decimal(text.as_bytes(), 18, 2), Ok(units), "{text}");
        }
        for text in ["1.005", "10000000000000000", "1e40", "1e2147483648", "1e-5"] {
            assert!(decimal(text.as_bytes(), 18, 2).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_follow_json() {
        for (text, length) in [("0", 1), ("-12.5,", 5), ("1e+5]", 4), ("10}", 2)] {
            assert_eq!(number_length(text.as_bytes()), Ok(length), "{text}");
        }
        for text in ["", "-", "01", ".5", "5.", "1e", "1e+", "+1"] {
            assert!(number_length(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+5:30",
            "2026-01-01",
        ] {
            assert!(timestamp(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_agree_with_chrono(days in -700_000_i32..2_900_000) {
            let date = NaiveDate::from_epoch_days(days).expect("in range");
            let text = date.format("%Y-%m-%d").to_string();
            prop_assume!(text.len() == 10 && !text.starts_with('-'));
            prop_assert_eq!(super::date(text.as_bytes()), Ok(days));
        }

        #[test]
        fn times_agree_with_chrono(micros in -60_000_000_000_000_000_i64..200_000_000_000_000_000, minutes in -1439_i32..1440) {
            let at = DateTime::<Utc>::from_timestamp_micros(micros).expect("in range");
            let zone = chrono::FixedOffset::east_opt(minutes * 60).expect("an offset");
            prop_assert_eq!(timestamp(at.to_rfc3339().as_bytes()), Ok(micros));
            prop_assert_eq!(timestamp(at.with_timezone(&zone).to_rfc3339().as_bytes()), Ok(micros));
        }

        #[test]
        fn integers_come_back(value: i64) {
            prop_assert_eq!(integer(value.to_string().as_bytes()), Ok(value));
        }
    }
}
