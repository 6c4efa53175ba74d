//! Shops, vendors, customers, categories, products, promotions: through the services' commands.

use anyhow::{Context as _, Result};
use millrace_kernel::{Batch, BatchCommand, Context, Kernel};
use millrace_party::{CreateCustomer, CreateVendor, OpenShop};
use millrace_product::promotion::plan::PlannedItem;
use millrace_product::{CreateCategory, CreateProduct, PlanPromotion};

use super::progress;
use crate::masters::{Masters, category_id, customer_id, product_id, promotion_id, shop_id};
use crate::{Dataset, Key};

/// Commands in one transaction: far below the bound on outbox rows.
const CHUNK: usize = 1000;
/// A plan is a large command: few in one transaction.
const PROMOTIONS_CHUNK: usize = 8;
/// Maharashtra.
const STATE_CODE: &str = "27";

/// Runs everything; what was loaded before is recognised by its key and left alone.
///
/// # Errors
/// The first command that is refused.
pub async fn load(kernel: &Kernel, key: &Key, dataset: &Dataset, masters: &Masters) -> Result<()> {
    let step = Step { kernel, key };
    step.run("shops", shops(dataset), CHUNK).await?;
    step.run("vendors", vendors(masters), CHUNK).await?;
    step.run("customers", customers(dataset), CHUNK).await?;
    step.run("categories", categories(masters), CHUNK).await?;
    step.run("products", products(masters), CHUNK).await?;
    step.run("promotions", promotions(dataset, masters), PROMOTIONS_CHUNK).await
}

struct Step<'a> {
    kernel: &'a Kernel,
    key: &'a Key,
}

impl Step<'_> {
    async fn run<C: BatchCommand + Clone>(
        &self,
        name: &'static str,
        commands: Vec<C>,
        chunk: usize,
    ) -> Result<()> {
        let bar = progress::bar(name, commands.len(), name);
        for (number, chunk) in commands.chunks(chunk).enumerate() {
            let context = Context::system(self.kernel).with_key(self.key.of(name, number));
            self.kernel
                .run(&context, &Batch(chunk.to_vec()))
                .await
                .with_context(|| format!("loading the demo's {name}, part {number}"))?;
            bar.inc(chunk.len() as u64);
        }
        progress::finish(&bar);
        Ok(())
    }
}

fn shops(dataset: &Dataset) -> Vec<OpenShop> {
    let shop = |store: &i64| OpenShop {
        shop_id: Some(shop_id(*store)),
        code: format!("S{store}"),
        name: format!("Store {store}"),
        time_zone: crate::TIME_ZONE.name().into(),
        currency: "INR".into(),
        state_code: STATE_CODE.into(),
        gstin: None,
        prices_include_tax: true,
    };
    dataset.stores.iter().map(shop).collect()
}

fn vendors(masters: &Masters) -> Vec<CreateVendor> {
    let vendor = |vendor: &crate::masters::VendorMaster| CreateVendor {
        vendor_id: Some(vendor.vendor_id),
        code: vendor.code.clone(),
        name: vendor.name.clone(),
        gstin: None,
        lead_time_days: vendor.lead_time_days,
    };
    masters.vendors.iter().map(vendor).collect()
}

fn customers(dataset: &Dataset) -> Vec<CreateCustomer> {
    let customer = |(household, composition): (&i64, &Option<String>)| CreateCustomer {
        customer_id: Some(customer_id(*household)),
        code: format!("H{household}"),
        name: format!("Household {household}"),
        customer_group: composition.clone(),
        phone: None,
        email: None,
        gstin: None,
        is_active: true,
    };
    dataset.households.iter().map(customer).collect()
}

fn categories(masters: &Masters) -> Vec<CreateCategory> {
    let category = |(path, parent): &(String, Option<String>)| CreateCategory {
        category_id: Some(category_id(path)),
        name: path.rsplit(" / ").next().unwrap_or(path).to_owned(),
        parent_id: parent.as_deref().map(category_id),
    };
    // Parents first: a batch is done in order.
    let (roots, children): (Vec<_>, Vec<_>) =
        masters.categories.iter().partition(|(_, parent)| parent.is_none());
    roots.into_iter().chain(children).map(category).collect()
}

fn products(masters: &Masters) -> Vec<CreateProduct> {
    let product = |product: &crate::masters::ProductMaster| CreateProduct {
        product_id: Some(product.product_id),
        sku: product.sku.clone(),
        name: product.name.clone(),
        category_id: product.category,
        brand: Some(product.brand.clone()),
        unit: "EA".into(),
        barcode: Some(product.barcode.clone()),
        package_size: product.package_size.clone(),
        price: product.price,
        standard_cost: product.cost,
        tax_rate: product.tax_rate,
        hsn: None,
        vendor_id: Some(masters.vendors[product.vendor].vendor_id),
        reorder_level: product.reorder_level,
        is_active: true,
    };
    masters.products.values().map(product).collect()
}

fn promotions(dataset: &Dataset, masters: &Masters) -> Vec<PlanPromotion> {
    let plan = |((week, store), rows): (&(i64, i64), &Vec<crate::dataset::PromotionRow>)| {
        let (starts_on, ends_on) = masters.week_days(*week);
        let item = |row: &crate::dataset::PromotionRow| PlannedItem {
            product_id: product_id(row.product_id),
            display: row.display.clone(),
            mailer: row.mailer.clone(),
        };
        PlanPromotion {
            promotion_id: Some(promotion_id(*week, *store)),
            shop_id: shop_id(*store),
            starts_on,
            ends_on,
            items: rows.iter().map(item).collect(),
        }
    };
    dataset.promotions.iter().map(plan).collect()
}
