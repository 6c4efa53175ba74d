//! Opening stock and deliveries that let every basket of the past be sold.
//!
//! The data set has no stock. Deliveries are planned knowing the demand to come, so the past has
//! no stock-outs: the history shows what was sold, not what could not be.

use std::collections::BTreeMap;

use millrace_events::Quantity;

use crate::dataset::Week;
use crate::{Dataset, Masters};

/// Weeks of demand a delivery brings beyond the present week.
const COVER_WEEKS: Week = 3;

/// Units of one product for one shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supply {
    pub product: i64,
    pub units: i64,
}

/// One vendor's delivery to one shop before a week begins.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub store: i64,
    pub vendor: usize,
    pub week: Week,
    pub lines: Vec<Supply>,
}

#[derive(Debug, Default)]
pub struct SupplyPlan {
    /// By shop.
    pub opening: BTreeMap<i64, Vec<Supply>>,
    /// By week.
    pub deliveries: BTreeMap<Week, Vec<Delivery>>,
}

impl SupplyPlan {
    #[must_use]
    pub fn derive(dataset: &Dataset, masters: &Masters) -> Self {
        let mut demand: BTreeMap<(i64, i64), BTreeMap<Week, i64>> = BTreeMap::new();
        for basket in &dataset.baskets {
            for line in &basket.lines {
                let weeks = demand.entry((basket.store_id, line.product_id)).or_default();
                *weeks.entry(basket.week).or_default() += line.quantity;
            }
        }
        let Some(first_week) = dataset.baskets.iter().map(|basket| basket.week).min() else {
            return Self::default();
        };
        let mut plan = Self::default();
        let mut deliveries: BTreeMap<(Week, i64, usize), Vec<Supply>> = BTreeMap::new();
        for ((store, product), weeks) in demand {
            let master = &masters.products[&product];
            let reserve = units(master.reorder_level);
            let upcoming = |week: Week| -> i64 {
                weeks.range(week..=week + COVER_WEEKS).map(|(_, n)| n).sum()
            };
            let mut on_hand = in_packs(upcoming(first_week) + reserve, master.pack);
            plan.opening.entry(store).or_default().push(Supply { product, units: on_hand });
            for (&week, &sold) in &weeks {
                if on_hand - sold < reserve {
                    let arriving = in_packs(upcoming(week) + reserve - on_hand, master.pack);
                    on_hand += arriving;
                    deliveries
                        .entry((week, store, master.vendor))
                        .or_default()
                        .push(Supply { product, units: arriving });
                }
                on_hand -= sold;
            }
        }
        for ((week, store, vendor), lines) in deliveries {
            plan.deliveries.entry(week).or_default().push(Delivery { store, vendor, week, lines });
        }
        plan
    }
}

fn in_packs(units: i64, pack: i64) -> i64 {
    (units.max(1) + pack - 1) / pack * pack
}

fn units(quantity: Quantity) -> i64 {
    i64::try_from(quantity.decimal().trunc().mantissa()).expect("a reorder level is a small number")
}
