//! Moving average: each unit is worth what all units on hand have cost, divided evenly.

use millrace_events::{Amount, Quantity, Rate};

/// A product on hand at a shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub on_hand: Quantity,
    pub value: Amount,
}

impl Level {
    /// Takes `quantity` (positive) out and tells what it was worth; none when there is not enough.
    /// The last unit takes the whole rest of the value with it.
    pub fn take(&mut self, quantity: Quantity) -> Option<Amount> {
        if quantity > self.on_hand {
            return None;
        }
        let worth = if quantity == self.on_hand {
            self.value
        } else {
            let share = self.value.decimal() * quantity.decimal() / self.on_hand.decimal();
            Amount::rounded(share)
        };
        self.on_hand -= quantity;
        self.value -= worth;
        Some(worth)
    }

    pub fn put(&mut self, quantity: Quantity, worth: Amount) {
        self.on_hand += quantity;
        self.value += worth;
    }
}

/// Value per unit, for showing only: the value is what counts.
pub(crate) fn unit_cost(value: Amount, quantity: Quantity) -> Rate {
    if quantity.is_zero() {
        return Rate::ZERO;
    }
    Rate::rounded(value.decimal() / quantity.decimal())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    proptest! {
        #[test]
        fn value_is_neither_made_nor_lost(
            receipts in prop::collection::vec((1_i64..100_000, 0_i64..10_000_000), 1..20),
            issues in prop::collection::vec(1_i64..50_000, 0..40),
        ) {
            let mut level = Level::default();
            let mut value = Amount::ZERO;
            for (quantity, worth) in receipts {
                let worth = Amount::rounded(Decimal::new(worth, 2));
                level.put(Quantity::rounded(Decimal::new(quantity, 3)), worth);
                value += worth;
            }
            for quantity in issues {
                let before = level;
                match level.take(Quantity::rounded(Decimal::new(quantity, 3))) {
                    Some(worth) => {
                        prop_assert!(!worth.is_negative());
                        value -= worth;
                    }
                    None => prop_assert_eq!(before, level),
                }
                prop_assert_eq!(level.value, value);
                prop_assert!(!level.on_hand.is_negative() && !level.value.is_negative());
                prop_assert!(!level.on_hand.is_zero() || level.value.is_zero());
            }
        }
    }

    #[test]
    fn a_third_each_leaves_nothing_behind() {
        let mut level = Level::default();
        level.put(Quantity::from(3), Amount::from(10));
        let worth: Vec<String> = (0..3)
            .map(|_| level.take(Quantity::from(1)).expect("there is enough").to_string())
            .collect();
        assert_eq!(worth, ["3.33", "3.34", "3.33"]);
        assert_eq!(level, Level::default());
        assert_eq!(unit_cost(Amount::from(10), Quantity::from(3)).to_string(), "3.3333");
    }
}
