//! Which rows of a view a person may see.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use millrace_events::ShopId;
use millrace_kernel::{Actor, Permission};
use millrace_views::View;

use super::filter::Filter;
use crate::Error;

const SHOP: &str = "shop_id";
/// What it takes to see figures that no shop can be told from.
const COMPANY_WIDE: Permission = Permission::LedgerRead;

/// The rows asked for, out of those of the actor's shops.
///
/// Rows are confined by a `shop_id` in the view's key: only then does a row stay with one shop for
/// good, so that a stream never has to tell of a row that went to another.
///
/// # Errors
/// [`Error::ShopForbidden`] when another shop is asked for, [`Error::CompanyWide`], and what
/// [`Filter::parse`] refuses.
pub(crate) fn filter(
    actor: &Actor,
    view: &View,
    schema: &SchemaRef,
    asked: &[(String, String)],
) -> Result<Filter, Error> {
    let mut filter = Filter::parse(&view.name, schema, asked)?;
    if !view.key.iter().any(|column| column == SHOP) {
        return if actor.may(COMPANY_WIDE, None) {
            Ok(filter)
        } else {
            Err(Error::CompanyWide { view: view.name.clone(), permission: COMPANY_WIDE })
        };
    }
    let Some(shops) = actor.shop_scope() else { return Ok(filter) };
    for (_, value) in asked.iter().filter(|(column, _)| column == SHOP) {
        let shop: Option<ShopId> = value.parse().ok();
        if let Some(shop) = shop.filter(|shop| !shops.contains(shop)) {
            return Err(Error::ShopForbidden { shop });
        }
    }
    require_shops(&mut filter, schema, shops)?;
    Ok(filter)
}

/// Of rows that a row somebody may see comes from, those that are not of other shops.
///
/// # Errors
/// What [`Filter::require`] refuses.
pub(crate) fn confine(actor: &Actor, rows: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = rows.schema();
    match actor.shop_scope() {
        Some(shops) if schema.index_of(SHOP).is_ok() => {
            let mut filter = Filter::default();
            require_shops(&mut filter, &schema, shops)?;
            filter.apply(rows)
        }
        _ => Ok(rows.clone()),
    }
}

fn require_shops(filter: &mut Filter, schema: &SchemaRef, shops: &[ShopId]) -> Result<(), Error> {
    let shops: Vec<String> = shops.iter().map(ToString::to_string).collect();
    let values: Vec<&str> = shops.iter().map(String::as_str).collect();
    filter.require(schema, schema.index_of(SHOP)?, &values)
}
