//! `GET /api/v1/shops`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::event::ShopOpened;
use millrace_kernel::http::{Filter, ListColumn};
use millrace_kernel::{Context, Json, Kernel, ListQuery, ListSpec, Permission, Problem, Result};

const SHOPS: ListSpec = ListSpec {
    select: "select shop_id, code, name, time_zone, currency, state_code, gstin, prices_include_tax \
             from party.shops",
    columns: &[
        ListColumn::new("code", Filter::Text),
        ListColumn::new("name", Filter::Text),
        ListColumn::new("shop_id", Filter::Uuid),
    ],
    sort: "code:asc",
    key: "shop_id",
};

/// Shops, in pages.
#[utoipa::path(
    get,
    path = "/api/v1/shops",
    tag = "parties",
    params(
        ("page" = Option<i64>, Query), ("limit" = Option<i64>, Query),
        ("sort" = Option<String>, Query, description = "field:asc or field:desc"),
        ("code" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = inline(millrace_kernel::http::PageOf<ShopOpened>)),
        (status = "4XX", body = Problem)
    ),
)]
pub(crate) async fn list_shops(
    State(kernel): State<Kernel>,
    context: Context,
    query: ListQuery,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::PartyRead, None)?;
    Ok(Json(query.fetch(kernel.pool(), &SHOPS).await?))
}
