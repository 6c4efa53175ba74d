//! The past, through the services' commands, in the order it happened.

mod history;
mod masters;
mod progress;

use anyhow::Result;
use millrace_kernel::Kernel;

use crate::{Dataset, Masters, Scope, SupplyPlan};

/// Makes the idempotency keys of one demo: loading again continues where it stopped.
#[derive(Clone, Debug)]
pub struct Key(String);

impl Key {
    #[must_use]
    pub fn new(scope: Scope, seed: u64) -> Self {
        Self(format!("demo/{}/{seed}", scope.as_str()))
    }

    fn of(&self, step: impl std::fmt::Display, number: usize) -> String {
        format!("{}/{step}/{number}", self.0)
    }
}

/// Loads masters, opening stock, deliveries and invoices.
///
/// # Errors
/// The first command that is refused.
pub async fn load(kernel: &Kernel, key: &Key, dataset: &Dataset, masters: &Masters) -> Result<()> {
    masters::load(kernel, key, dataset, masters).await?;
    let supply = SupplyPlan::derive(dataset, masters);
    history::load(kernel, key, dataset, masters, &supply).await
}
