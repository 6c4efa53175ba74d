//! What a line comes to.
//!
//! The declared rule: a line is rounded to the minor unit, half away from zero. CGST and SGST are
//! each half of the tax and equal. Where prices include tax, the line's total is exactly what the
//! shelf says, and the taxable amount is what is left. The document is rounded to the cash unit of
//! its currency, and the difference is posted as round-off.

use millrace_events::{Amount, Percent, Quantity, Rate};
use rust_decimal::{Decimal, RoundingStrategy};

/// A line's amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    pub taxable: Amount,
    pub cgst: Amount,
    pub sgst: Amount,
    pub total: Amount,
}

/// Price times quantity, before discount.
pub(crate) fn gross(unit_price: Rate, quantity: Quantity) -> Amount {
    unit_price.times(quantity)
}

/// Splits what the customer owes for a line (`net`, after discount) into base and tax.
pub(crate) fn split(net: Amount, tax_rate: Percent, net_includes_tax: bool) -> Priced {
    let rate = tax_rate.decimal();
    let half = if net_includes_tax {
        let base = net.decimal() * Decimal::ONE_HUNDRED / (Decimal::ONE_HUNDRED + rate);
        Amount::rounded((net.decimal() - base) / Decimal::TWO)
    } else {
        Amount::rounded(net.decimal() * rate / Decimal::ONE_HUNDRED / Decimal::TWO)
    };
    let taxable = if net_includes_tax { net - half - half } else { net };
    Priced { taxable, cgst: half, sgst: half, total: taxable + half + half }
}

/// The sum of a document in whole cash units of its currency.
pub(crate) fn to_cash_unit(sum: Amount, currency: &str) -> Amount {
    match currency {
        "INR" => Amount::rounded(
            sum.decimal().round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero),
        ),
        _ => sum,
    }
}

/// The part of `whole` that `quantity` of `of` units bear.
pub(crate) fn share(whole: Amount, quantity: Quantity, of: Quantity) -> Amount {
    if quantity == of {
        return whole;
    }
    Amount::rounded(whole.decimal() * quantity.decimal() / of.decimal())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().expect("amount")
    }

    fn priced(taxable: &str, half: &str, total: &str) -> Priced {
        let half = amount(half);
        Priced { taxable: amount(taxable), cgst: half, sgst: half, total: amount(total) }
    }

    #[test]
    fn tax_is_added_or_found_inside() {
        let eighteen = Percent::from(18);
        assert_eq!(split(amount("100"), eighteen, false), priced("100", "9", "118"));
        assert_eq!(split(amount("118"), eighteen, true), priced("100", "9", "118"));
        assert_eq!(
            split(amount("10.05"), Percent::from(5), false),
            priced("10.05", "0.25", "10.55")
        );
        assert_eq!(split(amount("99.99"), eighteen, true), priced("84.73", "7.63", "99.99"));
        assert_eq!(split(amount("5"), Percent::ZERO, true), priced("5", "0", "5"));
    }

    #[test]
    fn rupees_are_whole_and_other_currencies_are_not_touched() {
        assert_eq!(to_cash_unit(amount("10.50"), "INR"), amount("11"));
        assert_eq!(to_cash_unit(amount("10.49"), "INR"), amount("10"));
        assert_eq!(to_cash_unit(amount("10.49"), "USD"), amount("10.49"));
    }

    proptest! {
        #[test]
        fn a_line_adds_up(paise in 0_i64..100_000_000, rate in 0_i64..40_000, inside: bool) {
            let net = Amount::rounded(Decimal::new(paise, 2));
            let line = split(net, Percent::rounded(Decimal::new(rate, 3)), inside);
            prop_assert_eq!(line.total, line.taxable + line.cgst + line.sgst);
            prop_assert_eq!(line.cgst, line.sgst);
            prop_assert!(!line.taxable.is_negative() && !line.cgst.is_negative());
            prop_assert_eq!(if inside { line.total } else { line.taxable }, net);
        }
    }
}
