//! LIV-1: a resumed stream has no gap, or says `reset`.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use millrace_events::{Position, Token};
use millrace_views::{Pipeline, PipelineHandle, StreamPlace, Subscription, Target, Update};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::events::Business;
use crate::log::Log;
use crate::pipeline::{SOON, feeds, options, runtime};

const VIEW: &str = "live_stock_on_hand";

/// A place in a database that was never restored.
fn place(position: Position) -> StreamPlace {
    StreamPlace { position, incarnation: 1 }
}

/// What a client knows: rows by key.
#[derive(Debug, Default)]
struct Client {
    rows: BTreeMap<String, String>,
    position: Position,
    resets: usize,
}

fn text(batch: &RecordBatch, row: usize, columns: &[String]) -> String {
    let options = FormatOptions::default();
    let cell = |name: &String| {
        let column = batch.column_by_name(name).expect("a column");
        let formatter = ArrayFormatter::try_new(column, &options).expect("a plain type");
        formatter.value(row).to_string()
    };
    columns.iter().map(cell).collect::<Vec<_>>().join("|")
}

impl Client {
    fn put(&mut self, pipeline: &PipelineHandle, batch: &RecordBatch, is_deleted: bool) {
        let view = pipeline.view(VIEW).expect("a view");
        let all: Vec<String> = view.schema.fields().iter().map(|f| f.name().clone()).collect();
        for row in 0..batch.num_rows() {
            let key = text(batch, row, &view.key);
            if is_deleted {
                self.rows.remove(&key).expect("what goes was there");
            } else {
                self.rows.insert(key, text(batch, row, &all));
            }
        }
    }

    fn take(&mut self, pipeline: &PipelineHandle, update: Update) {
        match update {
            Update::Reset { .. } => {
                self.resets += 1;
                self.rows.clear();
            }
            Update::Snapshot(view) => {
                self.rows.clear();
                for batch in view.snapshot.batches().expect("rows") {
                    self.put(pipeline, &batch, false);
                }
                self.position = view.position;
            }
            Update::Change(change) => {
                assert!(change.position > self.position, "positions only grow");
                self.put(pipeline, &change.deletes, true);
                self.put(pipeline, &change.upserts, false);
                self.position = change.position;
            }
        }
    }

    /// Reads until nothing is left to be told.
    async fn catch_up(&mut self, pipeline: &PipelineHandle, stream: &mut Subscription) {
        while let Ok(update) =
            tokio::time::timeout(std::time::Duration::from_millis(20), stream.next()).await
        {
            self.take(pipeline, update.expect("the pipeline runs"));
        }
    }

    fn equals_snapshot(&self, pipeline: &PipelineHandle) {
        let mut now = Client::default();
        now.take(pipeline, Update::Snapshot(pipeline.snapshot(VIEW).expect("a live view")));
        assert_eq!(self.rows, now.rows);
    }
}

#[test]
fn streams_that_come_and_go_end_up_with_the_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    let seed = 21;
    let log = Log::new(seed, 4);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut business = Business::new(seed);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        let mut client = Client::default();
        let mut stream = pipeline.subscribe(VIEW, None).expect("a live view");
        for _ in 0..25 {
            (0..rng.random_range(1..8)).for_each(|_| log.append(business.next()));
            if rng.random_bool(0.5) {
                client.catch_up(&pipeline, &mut stream).await;
            }
            if client.position > Position::START && rng.random_bool(0.5) {
                stream =
                    pipeline.subscribe(VIEW, Some(place(client.position))).expect("a live view");
            }
        }
        pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        client.catch_up(&pipeline, &mut stream).await;
        client.equals_snapshot(&pipeline);
        assert_eq!(client.resets, 0, "everything was retained");
        pipeline.shutdown().await;
    });
}

#[test]
fn a_reader_that_falls_behind_is_reset_and_then_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(22, 2);
    let mut business = Business::new(22);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    runtime().block_on(async {
        let mut options = options(folder.path());
        options.retained_rows_max = 10;
        let pipeline = Pipeline::start(options, feeds(&log)).await.expect("started");
        let mut client = Client::default();
        let mut stream = pipeline.subscribe(VIEW, None).expect("a live view");
        client.catch_up(&pipeline, &mut stream).await;
        (0..60).for_each(|_| log.append(business.next()));
        pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        client.catch_up(&pipeline, &mut stream).await;
        client.equals_snapshot(&pipeline);
        assert_eq!(client.resets, 1);
        pipeline.shutdown().await;
    });
}

#[test]
fn after_a_restart_a_stream_behind_the_checkpoint_is_reset() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(23, 2);
    let mut business = Business::new(23);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    (0..10).for_each(|_| log.append(business.next()));
    runtime().block_on(async {
        let first = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        first.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        first.shutdown().await;
        let second = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        let mut stream = second.subscribe(VIEW, Some(place(Position(3)))).expect("a live view");
        assert!(matches!(stream.next().await.expect("told"), Update::Reset { .. }));
        assert!(matches!(stream.next().await.expect("told"), Update::Snapshot(_)));
        let mut current = second.subscribe(VIEW, Some(place(log.end()))).expect("a live view");
        log.append(business.next());
        let told = tokio::time::timeout(SOON, current.next()).await.expect("in time");
        assert!(matches!(told.expect("told"), Update::Change(_)));
        second.shutdown().await;
    });
}

#[test]
fn a_reader_is_reset_when_the_database_was_restored_though_the_position_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(25, 3);
    let mut business = Business::new(25);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    (0..30).for_each(|_| log.append(business.next()));
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        let (mut watching, mut away) = (Client::default(), Client::default());
        let mut stream = pipeline.subscribe(VIEW, None).expect("a live view");
        watching.catch_up(&pipeline, &mut stream).await;
        away.catch_up(&pipeline, &mut pipeline.subscribe(VIEW, None).expect("a live view")).await;

        log.restore(20);
        log.release();
        let again = Target::Token(Token(log.frontier()));
        while pipeline.wait_for(again, SOON).await.expect("applied").incarnation == 1 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let told = away.position;
        assert_eq!(told, log.end());
        watching.catch_up(&pipeline, &mut stream).await;
        let mut resumed = pipeline.subscribe(VIEW, Some(place(told))).expect("a live view");
        away.catch_up(&pipeline, &mut resumed).await;
        for client in [&watching, &away] {
            assert_eq!((client.resets, client.position), (1, told));
            client.equals_snapshot(&pipeline);
        }
        // What is told now is a place to go on from.
        let now = StreamPlace { position: told, incarnation: resumed.incarnation() };
        let mut stream = pipeline.subscribe(VIEW, Some(now)).expect("a live view");
        away.catch_up(&pipeline, &mut stream).await;
        assert_eq!(away.resets, 1);
        pipeline.shutdown().await;
    });
}
