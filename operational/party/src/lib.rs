//! Who takes part: the shops themselves, customers, vendors.
//!
//! For: identities, tax numbers, the rules of a shop (time zone, currency, whether prices include
//! tax). Not for: balances (finance), what was bought (sales, purchase).
//!
//! In: HTTP commands, batches of the same commands, lookups by other contexts inside their
//! transaction. Out: `shop.opened`, `customer.created`, `customer.updated`,
//! `vendor.created`.

pub mod customer;
pub mod gstin;
pub mod shop;
pub mod vendor;

use millrace_kernel::{Kernel, Service};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use customer::create::CreateCustomer;
pub use customer::lookup::known_customers;
pub use shop::lookup::{Shop, shops};
pub use shop::open::OpenShop;
pub use vendor::create::CreateVendor;
pub use vendor::lookup::known_vendors;

pub const SCHEMA: &str = "party";

pub static SERVICE: Service = Service { schema: SCHEMA, migrator: &sqlx::migrate!(), seed: None };

/// Addresses under `/api/v1`.
pub fn routes() -> OpenApiRouter<Kernel> {
    OpenApiRouter::new()
        .routes(routes!(shop::list::list_shops, shop::open::open_shop))
        .routes(routes!(customer::list::list_customers, customer::create::create_customer))
        .routes(routes!(customer::read::read_customer, customer::update::update_customer))
        .routes(routes!(vendor::create::create_vendor))
}
