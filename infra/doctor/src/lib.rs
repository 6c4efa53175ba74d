//! The invariants as running checks, on a system that goes on working meanwhile.
//!
//! Each [`Finding`] is a numbered statement, what was examined, and the rows that violate it. All
//! comparisons with PostgreSQL are made at one place in its log: the consistent point of a
//! temporary slot's snapshot, whose position is looked up in the log itself.
//!
//! For: `millrace doctor` and the tests. Not for: mending.
//!
//! In: PostgreSQL, the log, the pipeline, ClickHouse. Out: a [`Report`].

mod check;
mod error;
mod finding;
mod log;
mod moment;

use millrace_events::Position;
use millrace_source::DeadLetters;
use millrace_views::PipelineHandle;
use secrecy::SecretString;
use serde::Serialize;
use sqlx::PgPool;

pub use error::{Error, Result};
pub use finding::Finding;

use crate::check::Passage;
use crate::log::Log;
use crate::moment::Moment;

/// Examines one running system.
#[derive(Clone, Debug)]
pub struct Doctor {
    /// For plain queries.
    pub pool: PgPool,
    /// The same database, for the replication connection that exports a snapshot.
    pub postgres_url: SecretString,
    pub kafka_brokers: String,
    pub pipeline: PipelineHandle,
    pub dead_letters: DeadLetters,
}

/// What an examination found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// PostgreSQL was compared at this position.
    pub position: Position,
    pub findings: Vec<Finding>,
}

impl Report {
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(Finding::holds)
    }
}

impl Doctor {
    /// Runs every check.
    ///
    /// # Errors
    /// A part that can't be reached; a violated invariant is a finding, not an error, and so is a
    /// pipeline that stands still.
    pub async fn examine(&self) -> Result<Report> {
        let moment = Moment::export(&self.postgres_url).await?;
        let mut reader = moment.reader(&self.pool).await?;
        let late = moment.wait_until_applied(&self.pipeline).await.err();
        let status = self.pipeline.status();
        let (log, audit) = tokio::join!(Log::read(&self.kafka_brokers), self.pipeline.audit());
        let log = log?;
        let letters = self.dead_letters.list(Position::START, usize::MAX).await?;
        let position = log.position_of(moment.lsn);

        let mut findings = vec![
            check::entries_balance(&mut reader).await?,
            check::trial_balances_agree(self, &mut reader, position).await?,
            check::invoices_are_their_lines(&mut reader).await?,
            check::stock_is_its_movements(&mut reader).await?,
            check::stock_is_not_negative(&mut reader).await?,
            check::outbox_is_in_log(&mut reader, &log, &letters, position).await?,
            check::positions_are_gapless(&log, position),
        ];
        drop(reader);
        findings.push(check::views_equal_batch(&audit));
        let passage = Passage { status, late, log_end: log.end(), audit: audit.as_ref().ok() };
        findings.push(check::all_is_accounted_for(passage, &letters));
        findings.push(check::marts_equal_views(self, &audit));
        Ok(Report { position, findings })
    }
}
