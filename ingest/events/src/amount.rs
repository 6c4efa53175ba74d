//! Decimals with a fixed scale. No float ever holds money or stock.
//!
//! In JSON they are numbers written exactly (`1500.00`) and are read from a number of at most 15
//! significant digits or from a string of any length, so that no reader's double can change them.

use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use arrow::datatypes::DataType;
use postgres_types::{FromSql, ToSql};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::{Column, Error};

/// The digits an IEEE double carries through text and back unchanged.
const EXACT_DOUBLE_DIGITS: u32 = 15;

macro_rules! fixed_decimal {
    ($(#[$doc:meta])* $name:ident, digits $digits:literal, scale $scale:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, ToSql, FromSql)]
        #[sqlx(transparent)]
        #[postgres(transparent)]
        pub struct $name(Decimal);

        impl $name {
            /// Digits after the point.
            pub const SCALE: u32 = $scale;
            /// Digits in all.
            pub const DIGITS: u32 = $digits;
            pub const ZERO: Self = Self(Decimal::ZERO);

            /// The value, refused when it has more decimal places or digits than fit.
            ///
            /// # Errors
            /// [`Error::Scale`] or [`Error::Range`].
            pub fn new(value: Decimal) -> Result<Self, Error> {
                let mut exact = value.normalize();
                if exact.scale() > Self::SCALE {
                    return Err(Error::Scale { value: value.to_string(), scale: Self::SCALE });
                }
                if exact.abs().trunc() >= Decimal::from(10_i64.pow(Self::DIGITS - Self::SCALE)) {
                    return Err(Error::Range {
                        value: value.to_string(),
                        digits: Self::DIGITS,
                        scale: Self::SCALE,
                    });
                }
                exact.rescale(Self::SCALE);
                Ok(Self(exact))
            }

            /// The value rounded half away from zero to this type's scale.
            #[must_use]
            pub fn rounded(value: Decimal) -> Self {
                let mut exact = value
                    .round_dp_with_strategy(Self::SCALE, RoundingStrategy::MidpointAwayFromZero);
                exact.rescale(Self::SCALE);
                Self(exact)
            }

            #[must_use]
            pub fn decimal(self) -> Decimal {
                self.0
            }

            #[must_use]
            pub fn is_zero(self) -> bool {
                self.0.is_zero()
            }

            #[must_use]
            pub fn is_negative(self) -> bool {
                self.0 < Decimal::ZERO
            }

            #[must_use]
            pub fn is_positive(self) -> bool {
                self.0 > Decimal::ZERO
            }
        }

        impl From<i64> for $name {
            fn from(whole: i64) -> Self {
                Self::rounded(Decimal::from(whole))
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                let value = Decimal::from_str_exact(text).map_err(|_| Error::Range {
                    value: text.to_owned(),
                    digits: Self::DIGITS,
                    scale: Self::SCALE,
                })?;
                Self::new(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match Digits::of(self.0, Self::SCALE) {
                    Some(digits) => f.write_str(digits.as_str()),
                    None => write!(f, "{:.*}", Self::SCALE as usize, self.0),
                }
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
                values.fold(Self::ZERO, Add::add)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text: Cow<'_, str>;
                let digits = Digits::of(self.0, Self::SCALE);
                match &digits {
                    Some(digits) => text = Cow::Borrowed(digits.as_str()),
                    None => text = Cow::Owned(self.to_string()),
                }
                let raw: &RawValue =
                    serde_json::from_str(&text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = deserializer.deserialize_any(DecimalVisitor { scale: Self::SCALE })?;
                Self::new(value).map_err(de::Error::custom)
            }
        }

        impl Column for $name {
            fn data_type() -> DataType {
                DataType::Decimal128($digits, $scale)
            }
            fn json_schema() -> serde_json::Value {
                serde_json::json!({"type": "number", "multipleOf": 1.0 / 10_f64.powi($scale)})
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::Number)
                    .description(Some(concat!("A decimal of at most ", $scale, " places; a string is taken too")))
                    .into()
            }
        }
        impl utoipa::ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

fixed_decimal!(
    /// Money in the document's currency: 2 decimal places.
    Amount, digits 18, scale 2
);
fixed_decimal!(
    /// Money per unit (price, cost): 4 decimal places.
    Rate, digits 18, scale 4
);
fixed_decimal!(
    /// A count or measure of goods in the product's unit: 3 decimal places.
    Quantity, digits 18, scale 3
);
fixed_decimal!(
    /// A rate in per cent: 18 is 18 %.
    Percent, digits 9, scale 3
);

impl Rate {
    /// Price or cost of `quantity` units, rounded half away from zero to the minor unit.
    #[must_use]
    pub fn times(self, quantity: Quantity) -> Amount {
        Amount::rounded(self.0 * quantity.0)
    }
}

impl Percent {
    /// This share of `amount`, rounded half away from zero to the minor unit.
    #[must_use]
    pub fn of(self, amount: Amount) -> Amount {
        Amount::rounded(amount.0 * self.0 / Decimal::ONE_HUNDRED)
    }
}

/// A decimal's text with all places of its scale, on the stack: each line sold writes a dozen.
struct Digits {
    bytes: [u8; Self::BYTES],
    from: usize,
}

impl Digits {
    /// Sign, 20 digits, point.
    const BYTES: usize = 22;

    /// None for more digits than any of the types here has.
    fn of(mut value: Decimal, scale: u32) -> Option<Self> {
        value.rescale(scale);
        let mut left = u64::try_from(value.mantissa().unsigned_abs()).ok()?;
        let mut digits = Self { bytes: [0; Self::BYTES], from: Self::BYTES };
        let mut places = 0;
        while left > 0 || places <= scale {
            if places == scale && scale > 0 {
                digits.push(b'.');
            }
            digits.push(b'0' + u8::try_from(left % 10).expect("a digit"));
            left /= 10;
            places += 1;
        }
        if value.is_sign_negative() && !value.is_zero() {
            digits.push(b'-');
        }
        Some(digits)
    }

    fn push(&mut self, byte: u8) {
        self.from -= 1;
        self.bytes[self.from] = byte;
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.from..]).expect("digits are ASCII")
    }
}

struct DecimalVisitor {
    scale: u32,
}

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number")
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Decimal, E> {
        Ok(Decimal::from(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
        Ok(Decimal::from(value))
    }
    /// The shortest text of a double is what was written, as long as that had at most 15 digits.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Decimal, E> {
        let whole_digits = i32::try_from(EXACT_DOUBLE_DIGITS - self.scale).map_err(E::custom)?;
        if value.abs() >= 10_f64.powi(whole_digits) {
            return Err(E::custom(format!(
                "{value} has more digits than a JSON reader keeps: write it as a string"
            )));
        }
        self.visit_str(&value.to_string())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        Decimal::from_str_exact(text)
            .map_err(|_| E::custom(format!("{text:?} is not a decimal number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_exact_both_ways() {
        let amount: Amount = serde_json::from_str("1500.1").expect("number");
        assert_eq!(serde_json::to_string(&amount).expect("json"), "1500.10");
        let text: Amount = serde_json::from_str("\"9999999999999999.99\"").expect("string");
        assert_eq!(serde_json::to_string(&text).expect("json"), "9999999999999999.99");
    }

    #[test]
    fn text_has_all_places_and_the_sign() {
        for text in ["0.00", "0.05", "-0.05", "7.00", "-123.40", "9999999999999999.99"] {
            let amount: Amount = text.parse().expect("amount");
            assert_eq!(amount.to_string(), text);
        }
        assert_eq!((-Amount::ZERO).to_string(), "0.00");
        let sum: Amount =
            ["9999999999999999.99"; 40].map(|text| text.parse().expect("amount")).into_iter().sum();
        assert_eq!(sum.to_string(), "399999999999999999.60");
        assert_eq!(serde_json::to_string(&sum).expect("json"), "399999999999999999.60");
    }

    #[test]
    fn what_would_be_rounded_is_refused() {
        let places = serde_json::from_str::<Amount>("1.005").unwrap_err().to_string();
        assert!(places.contains("more than 2 decimal places"), "{places}");
        let digits = serde_json::from_str::<Amount>("99999999999999.99").unwrap_err().to_string();
        assert!(digits.contains("as a string"), "{digits}");
    }

    #[test]
    fn half_a_paisa_rounds_away_from_zero() {
        let rate: Rate = "0.125".parse().expect("rate");
        assert_eq!(rate.times(Quantity::from(1)).to_string(), "0.13");
        assert_eq!(rate.times(Quantity::from(-1)).to_string(), "-0.13");
    }
}
