//! `GET /api/v1/categories`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::event::CategoryCreated;
use millrace_kernel::http::{Filter, ListColumn};
use millrace_kernel::{Context, Json, Kernel, ListQuery, ListSpec, Permission, Problem, Result};

const CATEGORIES: ListSpec = ListSpec {
    select: "select category_id, name, parent_id from product.categories",
    columns: &[
        ListColumn::new("name", Filter::Text),
        ListColumn::new("category_id", Filter::Uuid),
        ListColumn::new("parent_id", Filter::Uuid),
    ],
    sort: "name:asc",
    key: "category_id",
};

/// Categories, in pages.
#[utoipa::path(
    get,
    path = "/api/v1/categories",
    tag = "products",
    params(
        ("page" = Option<i64>, Query), ("limit" = Option<i64>, Query),
        ("sort" = Option<String>, Query, description = "field:asc or field:desc"),
        ("parent_id" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = inline(millrace_kernel::http::PageOf<CategoryCreated>)),
        (status = "4XX", body = Problem)
    ),
)]
pub(crate) async fn list_categories(
    State(kernel): State<Kernel>,
    context: Context,
    query: ListQuery,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::ProductRead, None)?;
    Ok(Json(query.fetch(kernel.pool(), &CATEGORIES).await?))
}
