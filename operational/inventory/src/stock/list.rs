//! `GET /api/v1/inventory/stock`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::{Amount, ProductId, Quantity, ShopId};
use millrace_kernel::http::{Filter, ListColumn};
use millrace_kernel::{Context, Json, Kernel, ListQuery, ListSpec, Permission, Problem, Result};
use utoipa::ToSchema;

const STOCK: ListSpec = ListSpec {
    select: "select shop_id, product_id, on_hand, value from inventory.stock",
    columns: &[
        ListColumn::new("shop_id", Filter::Uuid),
        ListColumn::new("product_id", Filter::Uuid),
        ListColumn::new("on_hand", Filter::None),
        ListColumn::new("value", Filter::None),
    ],
    sort: "shop_id:asc",
    key: "product_id",
};

/// A product on hand at a shop.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what PostgreSQL writes")]
struct Stock {
    shop_id: ShopId,
    product_id: ProductId,
    on_hand: Quantity,
    /// What it has cost.
    value: Amount,
}

/// Stock on hand, in pages, at the shops the caller may see.
#[utoipa::path(
    get,
    path = "/api/v1/inventory/stock",
    tag = "inventory",
    params(
        ("page" = Option<i64>, Query), ("limit" = Option<i64>, Query),
        ("sort" = Option<String>, Query, description = "field:asc or field:desc"),
        ("shop_id" = Option<String>, Query), ("product_id" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = inline(millrace_kernel::http::PageOf<Stock>)),
        (status = "4XX", body = Problem)
    ),
)]
pub(crate) async fn list_stock(
    State(kernel): State<Kernel>,
    context: Context,
    query: ListQuery,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::StockRead, None)?;
    let page = query.fetch_in_shops(kernel.pool(), &STOCK, context.actor.shop_scope()).await?;
    Ok(Json(page))
}
