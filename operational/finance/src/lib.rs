//! The ledger: a chart of accounts and a journal of balanced entries that never change.
//!
//! For: posting what documents mean in money, the trial balance of the books themselves. Not for:
//! deciding what a document means (its context does), reports over time (views answer those).
//!
//! In: [`post`] called by other contexts inside their transaction, manual entries over HTTP.
//! Out: `account.opened` and `journal.posted` events.

pub mod account;
pub mod entry;
pub mod ledger;

use futures::FutureExt;
use millrace_kernel::{Context, Kernel, Service};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use account::chart::Account;
pub use entry::post::{Entry, Posting, post};

pub const SCHEMA: &str = "finance";

pub static SERVICE: Service = Service {
    schema: SCHEMA,
    migrator: &sqlx::migrate!(),
    seed: Some(|kernel| {
        async move {
            kernel.run(&Context::system(&kernel), &account::open::OpenChart).await.map(drop)
        }
        .boxed()
    }),
};

/// Addresses under `/api/v1`.
pub fn routes() -> OpenApiRouter<Kernel> {
    OpenApiRouter::new()
        .routes(routes!(ledger::balance::read_ledgers))
        .routes(routes!(entry::write::write_journal_entry))
}
