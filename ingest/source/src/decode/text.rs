//! Numbers, dates, times and ids read from ASCII, exactly or not at all.

use super::{Result, Undecodable};

/// Digits an `i64` surely holds.
const SHORT_DIGITS: usize = 18;

/// Powers of ten up to the last that an `i64` surely holds.
const POWERS: [i64; SHORT_DIGITS + 1] = {
    let mut powers = [1; SHORT_DIGITS + 1];
    let mut at = 1;
    while at <= SHORT_DIGITS {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

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

/// Mantissa, decimal places and length of the number at the start of `bytes`, if it is a plain one:
/// no exponent, at most 18 digits.
#[inline]
fn plain_number(bytes: &[u8]) -> Option<(i64, usize, usize)> {
    let start = usize::from(bytes.first() == Some(&b'-'));
    let mut at = start;
    let mut value: i64 = 0;
    let mut digits_at = |at: &mut usize| {
        let from = *at;
        while let Some(digit) = bytes.get(*at).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
        {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
            *at += 1;
        }
        *at - from
    };
    let whole = digits_at(&mut at);
    let mut places = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        places = digits_at(&mut at);
        if places == 0 {
            return None;
        }
    }
    let is_plain = whole > 0
        && (whole == 1 || bytes[start] != b'0')
        && whole + places <= SHORT_DIGITS
        && !matches!(bytes.get(at), Some(b'e' | b'E'));
    is_plain.then(|| (if start == 1 { -value } else { value }, places, at))
}

/// The JSON number at the start of `bytes`, as an integer of `scale` decimal places with at most
/// `precision` digits, and its length.
#[inline]
pub(super) fn decimal(bytes: &[u8], precision: u8, scale: u8) -> Result<(i128, usize)> {
    let (precision, scale) = (usize::from(precision), usize::from(scale));
    if let Some((value, places, length)) = plain_number(bytes)
        && places <= scale
        && let Some(value) = value.checked_mul(POWERS[scale - places])
        && value.unsigned_abs() < POWERS[precision.min(SHORT_DIGITS)].unsigned_abs()
    {
        return Ok((i128::from(value), length));
    }
    long_decimal(bytes, precision, scale)
}

#[cold]
fn long_decimal(bytes: &[u8], precision: usize, scale: usize) -> Result<(i128, usize)> {
    let number = &bytes[..number_length(bytes)?];
    let (negative, unsigned) = match number {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, number),
    };
    let shown = || String::from_utf8_lossy(number);
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
    if all.len() - significant > precision {
        let digits = precision - scale;
        return Err(Undecodable::new(format!(
            "{} has more than {digits} digits before the point",
            shown()
        )));
    }
    let magnitude =
        all[significant..].iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
    Ok((if negative { -magnitude } else { magnitude }, number.len()))
}

/// The JSON number at the start of `bytes`, which must be whole, and its length.
#[inline]
pub(super) fn integer(bytes: &[u8]) -> Result<(i64, usize)> {
    match plain_number(bytes) {
        Some((value, 0, length)) => Ok((value, length)),
        _ => long_integer(bytes),
    }
}

#[cold]
fn long_integer(bytes: &[u8]) -> Result<(i64, usize)> {
    let number = &bytes[..number_length(bytes)?];
    let shown = || String::from_utf8_lossy(number);
    if number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return Err(Undecodable::new(format!("{} is not a whole number", shown())));
    }
    let value = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    let value =
        value.ok_or_else(|| Undecodable::new(format!("{} does not fit 64 bits", shown())))?;
    Ok((value, number.len()))
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
        let micro_digits = fraction[..count].iter().chain(std::iter::repeat(&b'0')).take(6);
        micros = micro_digits.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
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
            assert_eq!(decimal(text.as_bytes(), 18, 2), Ok((units, text.len())), "{text}");
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
            let text = value.to_string();
            prop_assert_eq!(integer(text.as_bytes()), Ok((value, text.len())));
        }
    }
}
