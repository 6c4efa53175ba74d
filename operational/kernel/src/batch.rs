//! Several commands of one kind in one transaction: for imports and history.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Command, FieldErrors, Need, Result, Tx, Validate};

/// Commands in one batch; the events they append are bounded as well.
const BATCH_MAX: usize = 5000;

/// A command that is written for many at once, with the same outcome as one after the other.
/// Every such type is a [`Command`] too: a batch of one.
pub trait BatchCommand: Serialize + Validate + Send + Sync + Sized {
    type Output: Serialize + DeserializeOwned + Send;
    const NAME: &'static str;
    const SCHEMA: &'static str;

    fn needs(&self) -> Vec<Need>;

    /// Does all of them, in order, or none; one output each.
    fn execute_all(
        items: &[Self],
        tx: &mut Tx,
    ) -> impl Future<Output = Result<Vec<Self::Output>>> + Send;
}

impl<C: BatchCommand> Command for C {
    type Output = C::Output;
    const NAME: &'static str = C::NAME;
    const SCHEMA: &'static str = C::SCHEMA;

    fn needs(&self) -> Vec<Need> {
        BatchCommand::needs(self)
    }

    async fn execute(&self, tx: &mut Tx) -> Result<C::Output> {
        let mut outputs = C::execute_all(std::slice::from_ref(self), tx).await?;
        Ok(outputs.pop().expect("a batch gives one output for each item"))
    }
}

/// Many commands as one: all are done or none.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Batch<C>(pub Vec<C>);

impl<C: Validate> Validate for Batch<C> {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.count("", self.0.len(), BATCH_MAX);
        self.0.validate(errors);
    }
}

impl<C: BatchCommand> Command for Batch<C> {
    type Output = Vec<C::Output>;
    const NAME: &'static str = C::NAME;
    const SCHEMA: &'static str = C::SCHEMA;

    fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> = self.0.iter().flat_map(BatchCommand::needs).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    async fn execute(&self, tx: &mut Tx) -> Result<Self::Output> {
        C::execute_all(&self.0, tx).await
    }
}
