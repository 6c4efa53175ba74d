//! How large a line may be, so that sums stay far inside what a decimal holds.

use millrace_events::{Quantity, Rate};
use millrace_kernel::FieldErrors;

const QUANTITY_MAX: i64 = 1_000_000;
const RATE_MAX: i64 = 1_000_000_000;

/// Refuses a quantity that is not between zero (exclusive) and a million.
pub fn quantity(errors: &mut FieldErrors, field: &str, quantity: Quantity) {
    errors.require(quantity.is_positive(), field, "not_positive", "must not be zero or negative");
    let fits = quantity <= Quantity::from(QUANTITY_MAX);
    errors.require(fits, field, "too_large", format!("must be at most {QUANTITY_MAX}"));
}

/// Refuses a price or cost that is not between zero and a billion.
pub fn rate(errors: &mut FieldErrors, field: &str, rate: Rate) {
    errors.require(!rate.is_negative(), field, "negative", "must not be negative");
    let fits = rate <= Rate::from(RATE_MAX);
    errors.require(fits, field, "too_large", format!("must be at most {RATE_MAX}"));
}
