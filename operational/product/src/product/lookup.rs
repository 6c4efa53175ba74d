//! What other contexts ask about products, inside their own transaction.

use std::collections::HashMap;

use millrace_events::{Percent, ProductId, Rate};
use millrace_kernel::{Result, Tx};

/// What a till needs to know of a product.
#[derive(Clone, Debug, sqlx::FromRow)]
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

/// The products of these ids, in one query; unknown ids are left out, repeated ones asked for once.
///
/// # Errors
/// [`millrace_kernel::Error::Database`].
pub async fn sellable(
    tx: &mut Tx,
    mut product_ids: Vec<ProductId>,
) -> Result<HashMap<ProductId, Sellable>> {
    product_ids.sort_unstable();
    product_ids.dedup();
    let rows: Vec<Sellable> = sqlx::query_as(
        "select product_id, sku, name, unit, price, standard_cost, tax_rate, is_active \
         from product.products where product_id = any($1)",
    )
    .bind(product_ids)
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row)).collect())
}
