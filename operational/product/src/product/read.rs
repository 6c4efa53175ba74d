//! `GET /api/v1/products/{id}`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::ProductId;
use millrace_kernel::http::etag;
use millrace_kernel::{Context, Error, Id, Json, Kernel, Permission, Problem, Result};
use serde_json::value::RawValue;

use super::update::Updated;

/// One product; its ETag is what a change must name.
#[utoipa::path(
    get,
    path = "/api/v1/products/{id}",
    tag = "products",
    params(("id" = ProductId, Path)),
    responses((status = 200, body = Updated), (status = "4XX", body = Problem)),
)]
pub(crate) async fn read_product(
    State(kernel): State<Kernel>,
    context: Context,
    Id(product_id): Id<ProductId>,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::ProductRead, None)?;
    let row: Option<(i64, String)> = sqlx::query_as(
        "select version, row_to_json(p)::text from (select product_id, sku, name, category_id, brand, \
         unit, barcode, package_size, price, standard_cost, tax_rate, hsn, vendor_id, reorder_level, \
         is_active, version from product.products where product_id = $1) as p",
    )
    .bind(product_id)
    .fetch_optional(kernel.pool())
    .await?;
    let (version, json) = row.ok_or_else(|| Error::not_found("product", product_id))?;
    Ok((etag(version), Json(RawValue::from_string(json)?)))
}
