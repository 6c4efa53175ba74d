//! `DELETE /api/v1/products/{id}`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::ProductId;
use millrace_events::event::ProductDeleted;
use millrace_kernel::{
    Command, Context, FieldErrors, Id, IfMatch, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::Serialize;

use super::list::PRODUCTS;
use crate::SCHEMA;

/// A product is not sold any more. Its row stays: documents name it.
#[derive(Clone, Debug, Serialize)]
pub struct DeleteProduct {
    pub product_id: ProductId,
    /// The version it deletes; none for any.
    pub version: Option<i64>,
}

impl Validate for DeleteProduct {
    fn validate(&self, _: &mut FieldErrors) {}
}

impl Command for DeleteProduct {
    type Output = ProductDeleted;
    const NAME: &'static str = "product.delete_product";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::ProductWrite)]
    }

    async fn execute(&self, tx: &mut Tx) -> Result<ProductDeleted> {
        PRODUCTS.hold(tx, self.product_id.0, self.version).await?;
        let deleted_at = tx.context().now();
        tx.execute(
            "update product.products set is_active = false, version = version + 1, updated_at = $2 \
             where product_id = $1",
            &[&self.product_id, &deleted_at],
        )
        .await?;
        let event = ProductDeleted { product_id: self.product_id, deleted_at };
        tx.append(&event)?;
        Ok(event)
    }
}

/// Take a product out of sale. `If-Match` says which version.
#[utoipa::path(
    delete,
    path = "/api/v1/products/{id}",
    tag = "products",
    params(("id" = ProductId, Path), ("If-Match" = String, Header, description = "ETag of a read, or *")),
    responses((status = 200, body = ProductDeleted), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete_product(
    State(kernel): State<Kernel>,
    context: Context,
    Id(product_id): Id<ProductId>,
    IfMatch(version): IfMatch,
) -> Result<impl IntoResponse> {
    kernel.run(&context, &DeleteProduct { product_id, version }).await
}
