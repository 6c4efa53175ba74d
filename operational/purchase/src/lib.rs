//! What is bought: goods received from vendors.
//!
//! For: taking a delivery in, with its stock, its value and the debt it makes, in one transaction.
//! Not for: stock itself (inventory), paying the bill (finance).
//!
//! In: HTTP commands and batches of the same commands. Out: `grn.received`, and through the
//! contexts it calls `stock.moved` and `journal.posted`.

pub mod grn;

use millrace_events::event::GrnReceived;
use millrace_kernel::{Batch, Context, Done, Kernel, Result, Service};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use grn::receive::{ReceiveGoods, ReceiveLine};

pub const SCHEMA: &str = "purchase";

pub static SERVICE: Service = Service { schema: SCHEMA, migrator: &sqlx::migrate!(), seed: None };

/// Addresses under `/api/v1`.
pub fn routes() -> OpenApiRouter<Kernel> {
    OpenApiRouter::new().routes(routes!(grn::receive::receive_grn))
}

/// Takes many deliveries in, in one transaction, each by the same rules as alone.
///
/// # Errors
/// As [`Kernel::run`]; a field of the n-th delivery is named `[n].field`.
pub async fn receive_goods(
    kernel: &Kernel,
    context: &Context,
    deliveries: Vec<ReceiveGoods>,
) -> Result<Done<Vec<GrnReceived>>> {
    kernel.run(context, &Batch(deliveries)).await
}
