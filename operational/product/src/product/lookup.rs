//! What other contexts ask about products, inside their own transaction.

use std::collections::HashMap;

use millrace_events::{Percent, ProductId, Rate};
use millrace_kernel::{Result, Tx, from_row};

/// What a till needs to know of a product.
#[derive(Clone, Debug)]
pub struct Sellable {
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub unit: String,
    pub price: Rate,
    pub standard_cost: Rate,
    pub tax_rate: Percent,
    pub is_active: bool,
}

from_row!(Sellable { product_id, sku, name, unit, price, standard_cost, tax_rate, is_active });

/// The products of these ids, in one query; unknown ids are left out, repeated ones asked for once.
///
/// # Errors
/// [`millrace_kernel::Error::Database`].
pub async fn sellable(
    tx: &Tx,
    mut product_ids: Vec<ProductId>,
) -> Result<HashMap<ProductId, Sellable>> {
    product_ids.sort_unstable();
    product_ids.dedup();
    let rows: Vec<Sellable> = tx
        .fetch_all(
            "select product_id, sku, name, unit, price, standard_cost, tax_rate, is_active \
         from product.products where product_id = any($1)",
            &[&product_ids],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row)).collect())
}
