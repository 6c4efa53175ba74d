//! The till: invoices with lines, tax and tenders, and returns against them.
//!
//! One invoice is one transaction: the invoice, the stock it takes, the journal entry it means, its
//! gapless number and its events commit together or not at all.
//!
//! For: pricing a basket, taking payment, taking goods back. Not for: what is on hand (inventory
//! decides), what the books look like (finance), figures over many invoices (views).
//!
//! In: HTTP commands and batches of the same commands. Out: `invoice.issued`, `return.processed`,
//! and through the contexts it calls `stock.moved` and `journal.posted`.

pub mod invoice;
mod price;
pub mod sales_return;
pub mod tender;

use millrace_kernel::{Batch, Context, Done, Kernel, Result, Service};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use invoice::issue::{Invoice, IssueInvoice, IssueLine};
pub use sales_return::process::{ProcessReturn, ReturnedLine};
pub use tender::TenderInput;

pub const SCHEMA: &str = "sales";

pub static SERVICE: Service = Service { schema: SCHEMA, migrator: &sqlx::migrate!(), seed: None };

/// Addresses under `/api/v1`.
pub fn routes() -> OpenApiRouter<Kernel> {
    OpenApiRouter::new()
        .routes(routes!(invoice::issue::issue_invoice))
        .routes(routes!(invoice::read::read_invoice))
        .routes(routes!(sales_return::process::process_return))
}

/// Issues many invoices in one transaction, each by the same rules as alone.
///
/// # Errors
/// As [`Kernel::run`]; a field of the n-th invoice is named `[n].field`.
pub async fn issue_invoices(
    kernel: &Kernel,
    context: &Context,
    invoices: Vec<IssueInvoice>,
) -> Result<Done<Vec<Invoice>>> {
    kernel.run(context, &Batch(invoices)).await
}
