//! `GET /api/v1/products/{id}`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::ProductId;
use millrace_events::event::Product;
use millrace_kernel::{Context, Id, Kernel, Permission, Problem, Result, Versioned};

use super::list::PRODUCTS;

/// One product; its ETag is what a change must name.
#[utoipa::path(
    get,
    path = "/api/v1/products/{id}",
    tag = "products",
    params(("id" = ProductId, Path)),
    responses((status = 200, body = Versioned<Product>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn read_product(
    State(kernel): State<Kernel>,
    context: Context,
    Id(product_id): Id<ProductId>,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::ProductRead, None)?;
    PRODUCTS.read(kernel.pool(), product_id.0).await
}
