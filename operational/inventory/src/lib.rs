//! Stock: how much of what is where, what it has cost, and every movement that made it so.
//!
//! For: deciding whether goods can leave, under row locks, and valuing them at moving average. Not
//! for: prices (product), why goods left (the document's context says), forecasts.
//!
//! In: [`apply`] called by sales and purchase inside their transaction, corrections over HTTP.
//! Out: `stock.moved` and `inventory.adjusted` events.

pub mod adjustment;
pub mod limit;
pub mod stock;

use millrace_kernel::{Kernel, Service};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use adjustment::adjust::{AdjustLine, AdjustStock, ReasonCode};
pub use stock::apply::{HeldStock, StockDocument, StockLine, apply, apply_to, hold};

pub const SCHEMA: &str = "inventory";

pub static SERVICE: Service = Service { schema: SCHEMA, migrator: &sqlx::migrate!(), seed: None };

/// Addresses under `/api/v1`.
pub fn routes() -> OpenApiRouter<Kernel> {
    OpenApiRouter::new()
        .routes(routes!(stock::list::list_stock))
        .routes(routes!(adjustment::adjust::adjust_stock))
}
