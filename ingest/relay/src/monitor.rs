//! Slot and lag, measured while a relay leads, with an alarm before the disk fills.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{FromRow, PgPool};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::relay::Told;
use crate::{RelayOptions, outbox};

/// Ends the measuring when dropped.
#[derive(Debug)]
pub(crate) struct Monitor([JoinHandle<()>; 2]);

impl Drop for Monitor {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

pub(crate) fn start(
    options: &RelayOptions,
    told: &Told,
    pool: &PgPool,
    received: &Arc<AtomicU64>,
    stalled: &CancellationToken,
) -> Monitor {
    let watch = Watch {
        options: options.clone(),
        told: Arc::clone(told),
        pool: pool.clone(),
        received: Arc::clone(received),
        received_before: 0,
        moved_at: Instant::now(),
        stalled: stalled.clone(),
    };
    let status = told.subscribe();
    Monitor([
        tokio::spawn(watch.run()),
        tokio::spawn(outbox::keep_dropping(options.clone(), pool.clone(), status)),
    ])
}

struct Watch {
    options: RelayOptions,
    told: Told,
    pool: PgPool,
    received: Arc<AtomicU64>,
    /// Where replication was at the last look.
    received_before: u64,
    /// When it was last seen where it should be, or moving towards it.
    moved_at: Instant,
    stalled: CancellationToken,
}

#[derive(FromRow)]
struct Retained {
    /// WAL kept for the slot, in bytes.
    retained: i64,
    /// WAL that may still be written before the slot is lost; none without a limit.
    safe_wal_size: Option<i64>,
    wal_status: Option<String>,
    flushed: i64,
}

const RETAINED: &str = "
    select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as retained,
           safe_wal_size, wal_status,
           pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint as flushed
      from pg_replication_slots where slot_name = $1";

impl Watch {
    async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.options.monitor_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A connection that is dead on the way answers neither here nor on the stream.
            match tokio::time::timeout(self.options.stall_timeout, self.look()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the slot can't be measured"),
                Err(_) => return self.stalled.cancel(),
            }
            if self.moved_at.elapsed() >= self.options.stall_timeout {
                return self.stalled.cancel();
            }
        }
    }

    async fn look(&mut self) -> Result<(), sqlx::Error> {
        let found: Option<Retained> =
            sqlx::query_as(RETAINED).bind(&self.options.slot).fetch_optional(&self.pool).await?;
        let Some(found) = found else { return Ok(()) };
        let oldest_at = self.told.borrow().oldest_unsent_at;
        let oldest_ms = oldest_at
            .and_then(|at| u64::try_from(((self.options.clock)() - at).num_milliseconds()).ok())
            .unwrap_or_default();
        let retained = u64::try_from(found.retained).unwrap_or_default();
        metrics::gauge!("millrace_relay_lag_bytes").set(retained as f64);
        metrics::gauge!("millrace_relay_oldest_unsent_seconds").set(oldest_ms as f64 / 1000.0);
        self.alarm(retained, &found, oldest_ms);
        self.nudge(u64::try_from(found.flushed).unwrap_or_default()).await
    }

    fn alarm(&self, retained: u64, found: &Retained, oldest_ms: u64) {
        let left = found.safe_wal_size.and_then(|left| u64::try_from(left).ok());
        let budget = left.map_or(self.options.retained_bytes_max, |left| left + retained);
        let is_endangered = matches!(found.wal_status.as_deref(), Some("unreserved" | "lost"));
        let is_full = retained.saturating_mul(100)
            >= budget.saturating_mul(self.options.retained_alarm_percent);
        let is_late = u128::from(oldest_ms) >= self.options.lag_alarm.as_millis();
        metrics::gauge!("millrace_relay_alarm", "reason" => "slot")
            .set(if is_full || is_endangered { 1.0 } else { 0.0 });
        metrics::gauge!("millrace_relay_alarm", "reason" => "lag").set(if is_late {
            1.0
        } else {
            0.0
        });
        let alarm = if is_full || is_endangered {
            Some(format!(
                "the slot retains {retained} bytes of WAL of the {budget} there is room for: bring Kafka back, or make room before PostgreSQL's disk is full"
            ))
        } else {
            is_late.then(|| format!("the oldest unsent event is {} s old", oldest_ms / 1000))
        };
        self.told.send_if_modified(|status| {
            status.retained_bytes = retained;
            let changed = status.alarm.is_some() != alarm.is_some();
            match &alarm {
                Some(alarm) if changed => tracing::warn!("{alarm}"),
                None if changed => tracing::info!("the alarm of slot and lag is over"),
                _ => {}
            }
            status.alarm = alarm;
            changed
        });
    }

    /// A flush may end inside a record that nobody completes for a while, and a reader may wait for
    /// that LSN: a flushed message completes it.
    async fn nudge(&mut self, flushed: u64) -> Result<(), sqlx::Error> {
        let received = self.received.load(Ordering::Relaxed);
        let stands_still = received == self.received_before;
        self.received_before = received;
        // While Kafka owes acknowledgements, reading may have stopped on purpose.
        let waits_for_kafka = self.told.borrow().events_in_flight > 0;
        if !stands_still || received >= flushed || waits_for_kafka {
            self.moved_at = Instant::now();
            return Ok(());
        }
        sqlx::query("select pg_logical_emit_message(false, 'millrace', '', true)")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
