//! A command and how it is run.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{self, Either};
use millrace_events::{ShopId, Token};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::Instrument;

use crate::connections::Lent;
use crate::idempotency::{Claim, Claimed};
use crate::{Context, Done, Error, Kernel, Permission, Result, Tx, Validate};

/// First wait before a command is run again; doubled each time, with jitter.
const BACKOFF: Duration = Duration::from_millis(4);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// A permission a command needs, at a shop where it concerns one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub permission: Permission,
    pub shop: Option<ShopId>,
}

impl Need {
    #[must_use]
    pub fn any_shop(permission: Permission) -> Self {
        Self { permission, shop: None }
    }

    #[must_use]
    pub fn at(permission: Permission, shop: ShopId) -> Self {
        Self { permission, shop: Some(shop) }
    }
}

/// One write, whole.
pub trait Command: Serialize + Validate + Send + Sync {
    type Output: Serialize + DeserializeOwned + Send;

    /// `context.verb_noun`, for metrics and the idempotency table.
    const NAME: &'static str;
    /// The schema that keeps its idempotency keys and takes its events.
    const SCHEMA: &'static str;

    /// Everything the actor must be allowed; checked before anything is read.
    fn needs(&self) -> Vec<Need>;

    /// Does it. May be run several times, each time from the start in a new transaction, and be given
    /// up when it turns out that it was done before.
    fn execute(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Output>> + Send;
}

impl Kernel {
    /// Checks and runs a command in one transaction.
    ///
    /// # Errors
    /// Whatever refuses it; then nothing of it remains.
    pub async fn run<C: Command>(&self, context: &Context, command: &C) -> Result<Done<C::Output>> {
        let started = Instant::now();
        let span = tracing::info_span!("command", name = C::NAME);
        let outcome = self.attempt_until_settled(context, command).instrument(span).await;
        let result = match &outcome {
            Ok(done) if done.is_replay() => "replayed",
            Ok(_) => "done",
            Err(error) => error.code(),
        };
        metrics::counter!("millrace_commands_total", "command" => C::NAME, "result" => result)
            .increment(1);
        metrics::histogram!("millrace_command_seconds", "command" => C::NAME)
            .record(started.elapsed().as_secs_f64());
        outcome
    }

    async fn attempt_until_settled<C: Command>(
        &self,
        context: &Context,
        command: &C,
    ) -> Result<Done<C::Output>> {
        command.check()?;
        for need in command.needs() {
            context.actor.require(need.permission, need.shop)?;
        }
        let claim = Claim::new(context, command)?;
        let mut retry = 0;
        loop {
            match self.attempt(context, command, claim.as_ref()).await {
                Err(error) if error.is_transient() && retry < self.settings().retries_max => {
                    retry += 1;
                    metrics::counter!("millrace_command_retries_total", "command" => C::NAME)
                        .increment(1);
                    tracing::debug!(retry, %error, "running the command again");
                    tokio::time::sleep(backoff(retry)).await;
                }
                settled => return settled,
            }
        }
    }

    async fn attempt<C: Command>(
        &self,
        context: &Context,
        command: &C,
        claim: Option<&Claim>,
    ) -> Result<Done<C::Output>> {
        // Dead connections to throw away before the server is believed to be gone.
        let mut left = self.settings().connections_max;
        loop {
            let connection = self.connections().acquire().await?;
            let mut tx = Tx::on(Arc::clone(&connection), context.clone(), C::SCHEMA);
            match work(context, command, claim, &connection, &mut tx).await {
                Err(Unworked::Dead(_)) if left > 0 => left -= 1,
                Err(Unworked::Dead(error) | Unworked::Refused(error)) => return Err(error),
                // What the command has asked by then goes with the connection.
                Err(Unworked::Done { response, token }) => {
                    return Ok(Done::replayed(response, token));
                }
                Ok(Ok(output)) => {
                    let response = claim.map(|_| serde_json::to_string(&output)).transpose()?;
                    let token = tx.commit(claim.zip(response.as_deref())).await?;
                    return Ok(Done::fresh(output, response, token));
                }
                Ok(Err(error)) => {
                    tx.roll_back();
                    return Err(error);
                }
            }
        }
    }
}

/// Why a command's work does not count.
enum Unworked {
    /// The connection had ended.
    Dead(Error),
    /// The transaction did not begin, or the key is another's or in use.
    Refused(Error),
    /// The key's command was done before.
    Done { response: String, token: Token },
}

impl From<Error> for Unworked {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(database) if database.is_unreachable() => Self::Dead(database.into()),
            error => Self::Refused(error),
        }
    }
}

/// Begins, takes the key and does the command's work. All three are sent together: what the command
/// asks first is on its way before the key is known to be free. It gets no answer until it is, and
/// whatever it has asked is undone if it is not.
async fn work<C: Command>(
    context: &Context,
    command: &C,
    claim: Option<&Claim>,
    connection: &Lent,
    tx: &mut Tx,
) -> Result<Result<C::Output>, Unworked> {
    let take = match claim {
        Some(claim) => Some((claim, claim.prepare(connection).await?)),
        None => None,
    };
    let opening = async {
        let begin = async { Ok::<_, Error>(connection.batch_execute("begin").await?) };
        let claimed = async {
            match &take {
                Some((claim, statement)) => claim.take(context, connection, statement).await,
                None => Ok(Claimed::Fresh),
            }
        };
        match future::try_join(begin, claimed).await? {
            ((), Claimed::Fresh) => {
                connection.open();
                Ok(())
            }
            ((), Claimed::Done { response, token }) => Err(Unworked::Done { response, token }),
        }
    };
    // The first of the two is always asked first.
    match future::select(pin!(opening), pin!(command.execute(tx))).await {
        Either::Left((opened, working)) => {
            opened?;
            Ok(working.await)
        }
        Either::Right((worked, opening)) => {
            opening.await?;
            Ok(worked)
        }
    }
}

fn backoff(retry: u32) -> Duration {
    let ceiling = BACKOFF.saturating_mul(1 << retry.min(16)).min(BACKOFF_MAX);
    ceiling.mul_f64(rand::random_range(0.5..1.0))
}
