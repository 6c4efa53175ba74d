//! `POST /api/v1/products`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::ProductId;
use millrace_events::catalogue::ProductCreated;
use millrace_events::event::Product;
use millrace_kernel::{BatchCommand, Context, Json, Kernel, Need, Permission, Problem, Result, Tx};

pub use super::rules::CreateProduct;
use crate::SCHEMA;

impl BatchCommand for CreateProduct {
    type Output = Product;
    const NAME: &'static str = "product.create_product";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::ProductWrite)]
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<Product>> {
        let products: Vec<Product> = items
            .iter()
            .map(|item| item.clone().into_product(item.product_id.unwrap_or_else(ProductId::new)))
            .collect();
        let json = serde_json::to_string(&products)?;
        let now = tx.context().now();
        tx.execute(
            "insert into product.products (product_id, sku, name, category_id, brand, unit, barcode, \
             package_size, price, standard_cost, tax_rate, hsn, vendor_id, reorder_level, is_active, updated_at) \
             select product_id, sku, name, category_id, brand, unit, barcode, package_size, price, \
             standard_cost, tax_rate, hsn, vendor_id, reorder_level, is_active, $2 \
             from json_populate_recordset(null::product.products, $1::text::json)",
            &[&json, &now],
        ).await?;
        for product in &products {
            tx.append(&ProductCreated(product.clone()))?;
        }
        Ok(products)
    }
}

impl CreateProduct {
    pub(super) fn into_product(self, product_id: ProductId) -> Product {
        Product {
            product_id,
            sku: self.sku,
            name: self.name,
            category_id: self.category_id,
            brand: self.brand,
            unit: self.unit,
            barcode: self.barcode,
            package_size: self.package_size,
            price: self.price,
            standard_cost: self.standard_cost,
            tax_rate: self.tax_rate,
            hsn: self.hsn,
            vendor_id: self.vendor_id,
            reorder_level: self.reorder_level,
            is_active: self.is_active,
        }
    }
}

/// Create a product.
#[utoipa::path(
    post,
    path = "/api/v1/products",
    tag = "products",
    request_body = CreateProduct,
    responses((status = 201, body = Product), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create_product(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<CreateProduct>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
