//! `GET /api/v1/products`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::event::Product;
use millrace_kernel::http::{Filter, ListColumn};
use millrace_kernel::{
    Context, Json, Kernel, ListQuery, ListSpec, Permission, Problem, Result, Versioned,
    VersionedRows,
};

pub(super) const PRODUCTS: VersionedRows = VersionedRows {
    what: "product",
    table: "product.products",
    list: ListSpec {
        select: "select product_id, sku, name, category_id, brand, unit, barcode, package_size, \
                 price, standard_cost, tax_rate, hsn, vendor_id, reorder_level, is_active, version \
                 from product.products",
        columns: &[
            ListColumn::new("sku", Filter::Text),
            ListColumn::new("name", Filter::Text),
            ListColumn::new("barcode", Filter::Text),
            ListColumn::new("brand", Filter::Text),
            ListColumn::new("product_id", Filter::Uuid),
            ListColumn::new("category_id", Filter::Uuid),
            ListColumn::new("vendor_id", Filter::Uuid),
            ListColumn::new("is_active", Filter::Bool),
            ListColumn::new("price", Filter::None),
        ],
        sort: "sku:asc",
        key: "product_id",
    },
};

/// Products, in pages.
#[utoipa::path(
    get,
    path = "/api/v1/products",
    tag = "products",
    params(
        ("page" = Option<i64>, Query), ("limit" = Option<i64>, Query),
        ("sort" = Option<String>, Query, description = "field:asc or field:desc"),
        ("sku" = Option<String>, Query), ("barcode" = Option<String>, Query),
        ("category_id" = Option<String>, Query), ("is_active" = Option<bool>, Query),
    ),
    responses(
        (status = 200, body = inline(millrace_kernel::http::PageOf<Versioned<Product>>)),
        (status = "4XX", body = Problem)
    ),
)]
pub(crate) async fn list_products(
    State(kernel): State<Kernel>,
    context: Context,
    query: ListQuery,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::ProductRead, None)?;
    Ok(Json(query.fetch(kernel.pool(), &PRODUCTS.list).await?))
}
