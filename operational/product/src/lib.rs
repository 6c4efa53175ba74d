//! Master data of goods: products, their categories, and the promotions planned for them.
//!
//! For: what can be sold, at which list price and tax rate. Not for: how much of it there is
//! (inventory), what it was sold for (sales).
//!
//! In: HTTP commands, batches of the same commands, lookups by other contexts inside their
//! transaction. Out: `product.*`, `category.*` and `promotion.*` events.

pub mod category;
pub mod product;
pub mod promotion;

use millrace_kernel::{Kernel, Service};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use category::create::CreateCategory;
pub use product::create::CreateProduct;
pub use product::lookup::{Sellable, sellable};
pub use promotion::plan::PlanPromotion;

pub const SCHEMA: &str = "product";

pub static SERVICE: Service = Service { schema: SCHEMA, migrator: &sqlx::migrate!(), seed: None };

/// Addresses under `/api/v1`.
pub fn routes() -> OpenApiRouter<Kernel> {
    OpenApiRouter::new()
        .routes(routes!(product::list::list_products, product::create::create_product))
        .routes(routes!(
            product::read::read_product,
            product::update::update_product,
            product::delete::delete_product
        ))
        .routes(routes!(category::list::list_categories, category::create::create_category))
        .routes(routes!(promotion::plan::plan_promotion))
}
