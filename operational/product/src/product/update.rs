//! `PUT /api/v1/products/{id}`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::ProductId;
use millrace_events::catalogue::ProductUpdated;
use millrace_events::event::Product;
use millrace_kernel::http::etag;
use millrace_kernel::{
    Command, Context, FieldErrors, Id, IfMatch, Json, Kernel, Need, Permission, Problem, Result,
    Tx, Validate, Versioned,
};
use serde::Serialize;

use super::list::PRODUCTS;
use super::rules::CreateProduct;
use crate::SCHEMA;

/// A product's whole new state.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateProduct {
    pub product_id: ProductId,
    /// The version it changes; none for any.
    pub version: Option<i64>,
    pub data: CreateProduct,
}

impl Validate for UpdateProduct {
    fn validate(&self, errors: &mut FieldErrors) {
        self.data.validate(errors);
        let same = self.data.product_id.is_none_or(|id| id == self.product_id);
        errors.require(same, "product_id", "invalid", "must be the address's id or left out");
    }
}

impl Command for UpdateProduct {
    type Output = Versioned<Product>;
    const NAME: &'static str = "product.update_product";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::ProductWrite)]
    }

    async fn execute(&self, tx: &mut Tx) -> Result<Versioned<Product>> {
        PRODUCTS.hold(tx, self.product_id.0, self.version).await?;
        let product = self.data.clone().into_product(self.product_id);
        let json = serde_json::to_string(&product)?;
        let now = tx.context().now();
        let (version,): (i64,) = tx.fetch_one(
            "update product.products p set sku = n.sku, name = n.name, category_id = n.category_id, \
             brand = n.brand, unit = n.unit, barcode = n.barcode, package_size = n.package_size, \
             price = n.price, standard_cost = n.standard_cost, tax_rate = n.tax_rate, hsn = n.hsn, \
             vendor_id = n.vendor_id, reorder_level = n.reorder_level, is_active = n.is_active, \
             version = p.version + 1, updated_at = $2 \
             from json_populate_record(null::product.products, $1::text::json) as n \
             where p.product_id = n.product_id returning p.version",
            &[&json, &now],
        ).await?;
        tx.append(&ProductUpdated(product.clone()))?;
        Ok(Versioned { version, record: product })
    }
}

/// Replace a product's data. `If-Match` says which version.
#[utoipa::path(
    put,
    path = "/api/v1/products/{id}",
    tag = "products",
    params(("id" = ProductId, Path), ("If-Match" = String, Header, description = "ETag of a read, or *")),
    request_body = CreateProduct,
    responses((status = 200, body = Versioned<Product>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update_product(
    State(kernel): State<Kernel>,
    context: Context,
    Id(product_id): Id<ProductId>,
    IfMatch(version): IfMatch,
    Json(data): Json<CreateProduct>,
) -> Result<impl IntoResponse> {
    let command = UpdateProduct { product_id, version, data };
    let done = kernel.run(&context, &command).await?;
    let now = done.fresh_output().map(|updated| etag(updated.version));
    Ok((now, done))
}
