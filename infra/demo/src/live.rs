//! Time goes on: tills sell baskets like those of the past, buyers restock what the live view calls
//! low, and now and then something comes back. All over HTTP, as a real shop would.

mod client;
mod journal;
mod restock;
mod till;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use chrono::Timelike;
use millrace_kernel::Clock;
use rand::Rng;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use client::{Login, ShopClient};
pub use journal::TillJournal;
pub use till::{Outcome, Sold, issue};

use crate::masters::seeded;
use crate::{Dataset, Masters, TIME_ZONE};

/// Sales under way at once; the others wait their turn.
const TILLS_AT_ONCE: usize = 64;
/// One sale in so many is followed by a return.
const RETURN_ONE_IN: u32 = 60;

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub sold: AtomicU64,
    pub refused: AtomicU64,
    pub returned: AtomicU64,
    pub received: AtomicU64,
}

/// A shop chain that goes on selling.
#[derive(Debug)]
pub struct Live {
    pub client: ShopClient,
    pub dataset: Arc<Dataset>,
    pub masters: Arc<Masters>,
    pub clock: Arc<dyn Clock>,
    /// Invoices a second.
    pub rate: f64,
    pub seed: u64,
    /// Where tills note what was acknowledged.
    pub journal: Option<TillJournal>,
}

impl Live {
    /// Sells until stopped. An unreachable system is tried again, with the same keys.
    ///
    /// # Errors
    /// When a till's journal can't be written.
    pub async fn run(self, tally: Arc<Tally>, stop: CancellationToken) -> Result<()> {
        let restocking = tokio::spawn(restock::run(
            self.client.clone(),
            Arc::clone(&self.masters),
            Arc::clone(&tally),
            stop.clone(),
        ));
        let by_hour = by_hour(&self.dataset);
        let tills = Arc::new(Semaphore::new(TILLS_AT_ONCE));
        let mut random = seeded(self.seed, "live", "baskets");
        let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / self.rate));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let live = Arc::new(self);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let hour = live.clock.now().with_timezone(&TIME_ZONE).hour();
            let baskets = &by_hour[hour as usize];
            let basket = baskets[random.random_range(0..baskets.len())];
            let returns = random.random_ratio(1, RETURN_ONE_IN);
            let till = Arc::clone(&tills).acquire_owned().await?;
            let (live, tally, stop) = (Arc::clone(&live), Arc::clone(&tally), stop.clone());
            tokio::spawn(async move {
                let basket = &live.dataset.baskets[basket];
                let selling = till::sell(&live, basket, returns, &tally);
                if let Some(Err(error)) = stop.run_until_cancelled(selling).await {
                    tracing::warn!(error = format!("{error:#}"), "a sale could not be made");
                }
                drop(till);
            });
        }
        restocking.abort();
        Ok(())
    }
}

/// Baskets by the local hour they were bought in; an hour without any takes all.
fn by_hour(dataset: &Dataset) -> Vec<Vec<usize>> {
    let mut hours: Vec<Vec<usize>> = vec![Vec::new(); 24];
    for (index, basket) in dataset.baskets.iter().enumerate() {
        hours[basket.at.hour() as usize].push(index);
    }
    for hour in &mut hours {
        if hour.is_empty() {
            hour.extend(0..dataset.baskets.len());
        }
    }
    hours
}

impl Tally {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
