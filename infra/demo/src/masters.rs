//! What the data set lacks, derived from it and a seed: names, prices in rupees, costs, taxes,
//! vendors, lead times, reorder levels. Nothing here is measured; all of it is repeatable.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::Datelike;
use chrono::{Days, NaiveDate, NaiveDateTime, Weekday};
use millrace_events::{
    CategoryId, CustomerId, Percent, ProductId, PromotionId, Quantity, Rate, ShopId, VendorId,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::Dataset;
use crate::dataset::{ProductRow, Week};

/// A dollar of the data set in rupees.
pub const RUPEES_PER_DOLLAR: i64 = 80;
/// The biggest manufacturers have a vendor each, the others share these many.
const VENDORS_OWN: usize = 16;
const VENDORS_SHARED: i64 = 8;
const SPACE: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_0064_656d_6f00_0001);

/// The same natural key gives the same id, so that loading twice is loading once.
#[must_use]
pub fn id(kind: &str, key: impl std::fmt::Display) -> Uuid {
    Uuid::new_v5(&SPACE, format!("{kind}:{key}").as_bytes())
}

#[must_use]
pub fn product_id(key: i64) -> ProductId {
    ProductId(id("product", key))
}
#[must_use]
pub fn shop_id(store: i64) -> ShopId {
    ShopId(id("shop", store))
}
#[must_use]
pub fn customer_id(household: i64) -> CustomerId {
    CustomerId(id("customer", household))
}
#[must_use]
pub fn category_id(path: &str) -> CategoryId {
    CategoryId(id("category", path))
}
#[must_use]
pub fn promotion_id(week: Week, store: i64) -> PromotionId {
    PromotionId(id("promotion", format_args!("{week}/{store}")))
}

#[derive(Clone, Debug)]
pub struct VendorMaster {
    pub vendor_id: VendorId,
    pub code: String,
    pub name: String,
    pub lead_time_days: i32,
}

#[derive(Clone, Debug)]
pub struct ProductMaster {
    pub key: i64,
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub department: String,
    pub category: CategoryId,
    pub brand: String,
    pub barcode: String,
    pub package_size: Option<String>,
    pub price: Rate,
    pub cost: Rate,
    pub tax_rate: Percent,
    pub vendor: usize,
    pub reorder_level: Quantity,
    /// Units in a case as it is delivered.
    pub pack: i64,
}

#[derive(Debug)]
pub struct Masters {
    pub vendors: Vec<VendorMaster>,
    pub products: BTreeMap<i64, ProductMaster>,
    /// Path, parent's path; parents first.
    pub categories: Vec<(String, Option<String>)>,
    shift_days: i64,
}

impl Masters {
    /// # Errors
    /// A decimal that does not fit.
    pub fn derive(dataset: &Dataset, seed: u64, today: NaiveDate) -> Result<Self> {
        let facts = sales_facts(dataset);
        let (vendors, vendor_of) = derive_vendors(dataset, &facts, seed);
        let mut products = BTreeMap::new();
        let mut categories: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (key, row) in &dataset.products {
            let department = title(&row.department);
            let path = format!("{department} / {}", title(&row.category));
            categories.insert(department.clone(), None);
            categories.insert(path.clone(), Some(department));
            let product =
                derive_product(row, &facts[key], &path, vendor_of[&row.manufacturer_id], seed)?;
            products.insert(*key, product);
        }
        Ok(Self {
            vendors,
            products,
            categories: categories.into_iter().collect(),
            shift_days: shift_to_yesterday(dataset, today),
        })
    }

    /// A time of the data set in our days: whole weeks later, so that weekdays stay.
    #[must_use]
    pub fn shifted(&self, at: NaiveDateTime) -> NaiveDateTime {
        at + chrono::Duration::days(self.shift_days)
    }

    /// First and last day of a week of the data set, in our days. Week 1 ends on the first Sunday.
    #[must_use]
    pub fn week_days(&self, week: Week) -> (NaiveDate, NaiveDate) {
        let first_monday =
            NaiveDate::from_isoywd_opt(2017, 1, Weekday::Mon).expect("2017 has a first week");
        let starts = first_monday + chrono::Duration::days(7 * (week - 2) + self.shift_days);
        (starts, starts + Days::new(6))
    }
}

/// How a product sold over the scope.
#[derive(Default)]
struct SalesFacts {
    units: i64,
    unit_cents: Vec<i64>,
    shop_weeks: std::collections::HashSet<(i64, Week)>,
}

fn sales_facts(dataset: &Dataset) -> HashMap<i64, SalesFacts> {
    let mut facts: HashMap<i64, SalesFacts> = HashMap::new();
    for basket in &dataset.baskets {
        for line in &basket.lines {
            let fact = facts.entry(line.product_id).or_default();
            fact.units += line.quantity;
            fact.unit_cents.push((line.paid_cents + line.discount_cents) / line.quantity);
            fact.shop_weeks.insert((basket.store_id, basket.week));
        }
    }
    facts
}

fn derive_vendors(
    dataset: &Dataset,
    facts: &HashMap<i64, SalesFacts>,
    seed: u64,
) -> (Vec<VendorMaster>, HashMap<i64, usize>) {
    let mut units: HashMap<i64, i64> = HashMap::new();
    for (key, row) in &dataset.products {
        *units.entry(row.manufacturer_id).or_default() += facts[key].units;
    }
    let mut manufacturers: Vec<i64> = units.keys().copied().collect();
    manufacturers
        .sort_by_key(|manufacturer| (std::cmp::Reverse(units[manufacturer]), *manufacturer));
    let own = manufacturers.len().min(VENDORS_OWN);

    let mut names: Vec<(String, String)> = manufacturers[..own]
        .iter()
        .map(|manufacturer| (format!("M{manufacturer}"), format!("Manufacturer {manufacturer}")))
        .collect();
    names.extend((1..=VENDORS_SHARED).map(|n| (format!("W{n}"), format!("Wholesaler {n}"))));
    let vendors = names
        .into_iter()
        .map(|(code, name)| {
            let mut random = seeded(seed, "vendor", &code);
            VendorMaster {
                vendor_id: VendorId(id("vendor", &code)),
                lead_time_days: random.random_range(2..=9),
                code,
                name,
            }
        })
        .collect();
    let vendor_of = manufacturers
        .iter()
        .enumerate()
        .map(|(rank, manufacturer)| {
            let shared = usize::try_from(manufacturer.rem_euclid(VENDORS_SHARED))
                .expect("a remainder is not negative");
            (*manufacturer, if rank < own { rank } else { own + shared })
        })
        .collect();
    (vendors, vendor_of)
}

fn derive_product(
    row: &ProductRow,
    facts: &SalesFacts,
    category_path: &str,
    vendor: usize,
    seed: u64,
) -> Result<ProductMaster> {
    let mut random = seeded(seed, "product", row.product_id);
    let mut unit_cents = facts.unit_cents.clone();
    unit_cents.sort_unstable();
    let median = unit_cents[unit_cents.len() / 2].max(1);
    let rupees = (median * RUPEES_PER_DOLLAR + 50) / 100;
    let price = Rate::from(rupees.max(1));
    // Groceries earn little, household goods more.
    let cost_share = match row.department.as_str() {
        "DRUG GM" | "COSMETICS" => random.random_range(52..=66),
        "PRODUCE" | "DELI" | "PASTRY" => random.random_range(55..=70),
        _ => random.random_range(68..=82),
    };
    let tax_rate = tax_rate(&row.department);
    let without_tax =
        price.decimal() * Decimal::ONE_HUNDRED / (Decimal::ONE_HUNDRED + tax_rate.decimal());
    let cost =
        Rate::rounded((without_tax * Decimal::from(cost_share) / Decimal::ONE_HUNDRED).round_dp(2));
    let shop_weeks = i64::try_from(facts.shop_weeks.len().max(1))?;
    let weekly = facts.units.div_euclid(shop_weeks) + 1;
    let pack = [1, 6, 12][random.random_range(0..3)];
    let size = row
        .package_size
        .as_deref()
        .map_or_else(String::new, |size| format!(" {}", size.to_lowercase()));
    let private = if row.brand == "Private" { " · own brand" } else { "" };
    Ok(ProductMaster {
        key: row.product_id,
        product_id: product_id(row.product_id),
        sku: format!("P{}", row.product_id),
        name: format!("{}{size}{private}", title(&row.product_type)),
        department: title(&row.department),
        category: category_id(category_path),
        brand: row.brand.clone(),
        barcode: ean13(row.product_id),
        package_size: row.package_size.clone(),
        price,
        cost,
        tax_rate,
        vendor,
        reorder_level: Quantity::from(weekly),
        pack,
    })
}

/// Indian GST as of September 2025, by what the department mostly sells.
fn tax_rate(department: &str) -> Percent {
    let rate = match department {
        "PRODUCE" | "MEAT" | "SEAFOOD" | "FLORAL" => 0,
        "DRUG GM" | "COSMETICS" | "SPIRITS" | "AUTOMOTIVE" | "TOYS" | "PHOTO & VIDEO" => 18,
        _ => 5,
    };
    Percent::from(rate)
}

/// In-store EAN-13: prefix 2, the product's number, the check digit.
fn ean13(product: i64) -> String {
    let body = format!("2{product:011}");
    let sum: u32 = body
        .bytes()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// `FRZN ICE` → `Frzn ice`.
fn title(shouting: &str) -> String {
    let mut letters = shouting.trim().chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + &letters.as_str().to_lowercase()
}

/// Whole weeks that move the data set's last day to yesterday or up to six days before.
fn shift_to_yesterday(dataset: &Dataset, today: NaiveDate) -> i64 {
    let last = dataset.baskets.last().map_or(today, |basket| basket.at.date());
    let yesterday = today.pred_opt().unwrap_or(today);
    (i64::from(yesterday.num_days_from_ce()) - i64::from(last.num_days_from_ce())).div_euclid(7) * 7
}

/// A generator that depends only on the seed and what it is for.
#[must_use]
pub fn seeded(seed: u64, kind: &str, key: impl std::fmt::Display) -> ChaCha8Rng {
    let (high, low) = id(kind, key).as_u64_pair();
    ChaCha8Rng::seed_from_u64(seed ^ high ^ low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_in_store_barcode_has_its_check_digit() {
        assert_eq!(ean13(25_671), "2000000256719");
    }
}
