//! One client's stream: the subscription's updates under the client's filter, as events.
//!
//! Nothing is queued for a client: it is asked for the next event when its socket takes more, and
//! one that reads too slowly finds its changes gone and gets a `reset` and a snapshot.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{FutureExt, Stream};
use metrics::{counter, histogram};
use millrace_events::Position;
use millrace_kernel::Clock;
use millrace_views::{
    PipelineHandle, StreamPlace, Subscription, Update, View, ViewChange, ViewSnapshot,
};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use super::change::fold;
use super::filter::Filter;
use super::read::blocking;
use super::slot::Slot;
use super::{rows, sse};
use crate::identity::ACCESS_SECONDS;
use crate::{Error, GatewayState};

const HEARTBEAT: Duration = Duration::from_secs(1);
/// No stream outlives the access token it was opened with by more than a token's life.
const LIFETIME: Duration = Duration::from_secs(ACCESS_SECONDS.unsigned_abs());
/// While views change faster than changes are retained, as in a replay, a snapshot this often will do.
const RESET_PAUSE: Duration = Duration::from_millis(500);
/// Epochs taken into one event; the rest comes with the next.
const EPOCHS_PER_EVENT: usize = 1_000;

/// Everything a stream needs while it lasts.
pub(super) struct Follower {
    pipeline: PipelineHandle,
    view: Arc<View>,
    /// Places of the key columns.
    key: Vec<usize>,
    filter: Filter,
    subscription: Subscription,
    clock: Arc<dyn Clock>,
    pace: Duration,
    shutdown: CancellationToken,
    /// Since the last pause the client was told to begin anew.
    was_reset: bool,
    /// The client has everything up to here, in this life of the database, and the newest event in it was
    /// committed at …
    position: u64,
    incarnation: u32,
    as_of: Option<DateTime<Utc>>,
    _slot: Slot,
}

#[derive(Serialize)]
struct SnapshotHead<'a> {
    view: &'a str,
    position: u64,
    as_of: Option<DateTime<Utc>>,
    key: &'a [String],
    columns: Vec<&'a str>,
}

#[derive(Serialize)]
struct ChangeHead {
    position: u64,
    as_of: Option<DateTime<Utc>>,
}

impl Follower {
    pub(super) fn new(
        gateway: &GatewayState,
        pipeline: PipelineHandle,
        view: Arc<View>,
        filter: Filter,
        subscription: Subscription,
        slot: Slot,
    ) -> Result<Self, Error> {
        let key = view.key.iter().map(|name| view.schema.index_of(name));
        Ok(Self {
            pipeline,
            key: key.collect::<Result<_, _>>()?,
            incarnation: subscription.incarnation(),
            view,
            filter,
            subscription,
            clock: Arc::clone(gateway.kernel().clock()),
            pace: gateway.options().stream_pace,
            shutdown: gateway.shutdown().clone(),
            was_reset: false,
            position: 0,
            as_of: None,
            _slot: slot,
        })
    }

    /// `first` and whatever else is there already, as events; none when nothing passes the filter.
    async fn events(&mut self, first: Option<Update>) -> Result<Vec<Bytes>, Error> {
        // A change can be had before its epoch is published: once there is none left, all of this
        // position have been told.
        let published = self.pipeline.published()?;
        let mut events = Vec::new();
        let mut changes: Vec<Arc<ViewChange>> = Vec::new();
        let mut next = first;
        let mut is_drained = false;
        while !is_drained && changes.len() < EPOCHS_PER_EVENT {
            let Some(update) = next.take() else {
                next = self.subscription.next().now_or_never().transpose()?;
                is_drained = next.is_none();
                continue;
            };
            match update {
                Update::Change(change) => changes.push(change),
                Update::Reset { reason } => {
                    changes.clear();
                    self.was_reset = true;
                    counter!("millrace_stream_resets_total", "view" => self.view.name.clone())
                        .increment(1);
                    events.push(sse::event(
                        "reset",
                        None,
                        json!({"reason": reason}).to_string().as_bytes(),
                    ));
                }
                Update::Snapshot(snapshot) => {
                    changes.clear();
                    events.push(self.snapshot(snapshot).await?);
                }
            }
        }
        if let Some(last) = changes.last() {
            self.reached(last.position.0, last.as_of);
        }
        if is_drained {
            self.reached(published.position.0, published.as_of);
        }
        if !changes.is_empty() {
            events.extend(self.change(&changes)?);
        }
        Ok(events)
    }

    fn reached(&mut self, position: u64, as_of: Option<DateTime<Utc>>) {
        if position >= self.position {
            self.position = position;
            self.as_of = as_of;
        }
    }

    /// What the client may go on from.
    fn place(&self) -> StreamPlace {
        StreamPlace { position: Position(self.position), incarnation: self.incarnation }
    }

    async fn snapshot(&mut self, taken: ViewSnapshot) -> Result<Bytes, Error> {
        self.position = taken.position.0;
        self.incarnation = taken.incarnation;
        self.as_of = taken.as_of;
        let (view, filter, place) = (Arc::clone(&self.view), self.filter.clone(), self.place());
        blocking(move || {
            let batches = taken.snapshot.batches()?;
            let kept = batches.iter().map(|batch| filter.apply(batch));
            let kept = kept.collect::<Result<Vec<_>, _>>()?;
            let fields = view.schema.fields().iter();
            let head = SnapshotHead {
                view: &view.name,
                position: taken.position.0,
                as_of: taken.as_of,
                key: &view.key,
                columns: fields.map(|field| field.name().as_str()).collect(),
            };
            let data = rows::object(&head, &[("rows", rows::array(&kept)?)])?;
            Ok(sse::event("snapshot", Some(place), &data))
        })
        .await
    }

    fn change(&self, changes: &[Arc<ViewChange>]) -> Result<Option<Bytes>, Error> {
        let change =
            fold(&self.view.schema, &self.key, &self.filter, changes.iter().map(AsRef::as_ref))?;
        if change.is_empty() {
            return Ok(None);
        }
        if let Some(age) = self.as_of.and_then(|as_of| (self.clock.now() - as_of).to_std().ok()) {
            histogram!("millrace_stream_change_age_seconds").record(age);
        }
        let head = ChangeHead { position: self.position, as_of: self.as_of };
        let arrays = [
            ("upserts", rows::array([&change.upserts])?),
            ("deletes", rows::array([&change.deletes])?),
        ];
        Ok(Some(sse::event("change", Some(self.place()), &rows::object(&head, &arrays)?)))
    }

    fn heartbeat(&self) -> Bytes {
        let data = json!({
            "position": self.position,
            "as_of": self.as_of,
            "server_time": self.clock.now(),
        });
        sse::event("heartbeat", Some(self.place()), data.to_string().as_bytes())
    }
}

/// The events of one client until it leaves, the gateway stops, or the stream's time is over.
pub(super) fn follow(mut follower: Follower) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    async_stream::try_stream! {
        let opened = Instant::now();
        let shutdown = follower.shutdown.clone();
        let mut heartbeats = interval_at(opened + HEARTBEAT, HEARTBEAT);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let update = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = sleep_until(opened + LIFETIME) => break,
                _ = heartbeats.tick() => None,
                update = follower.subscription.next() => Some(update),
            };
            let is_heartbeat = update.is_none();
            let events = match update.transpose() {
                Ok(update) => follower.events(update).await,
                Err(error) => Err(error.into()),
            };
            match events {
                Ok(events) => {
                    for event in events {
                        yield event;
                    }
                }
                // Whoever asks again is told what has become of the view.
                Err(Error::Views(
                    millrace_views::Error::ViewChanged { .. } | millrace_views::Error::ViewStopped { .. },
                )) => break,
                Err(error) => Err(error)?,
            }
            if is_heartbeat {
                yield follower.heartbeat();
                continue;
            }
            // What comes within the pace waits, and is sent as one.
            let pause = if std::mem::take(&mut follower.was_reset) { RESET_PAUSE } else { follower.pace };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = sleep_until(Instant::now() + pause) => {}
            }
        }
    }
}
