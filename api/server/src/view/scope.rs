//! Which rows of a view a person may see.

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
    let shops: Vec<String> = shops.iter().map(ToString::to_string).collect();
    let values: Vec<&str> = shops.iter().map(String::as_str).collect();
    filter.require(schema, schema.index_of(SHOP)?, &values)?;
    Ok(filter)
}
