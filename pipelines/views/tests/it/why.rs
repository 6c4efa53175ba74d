//! The events behind rows of the ERP's own views.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use millrace_views::{Error, Pipeline, Serve, Target};

use crate::events::Business;
use crate::log::Log;
use crate::pipeline::{SOON, feeds, options, runtime};

fn cells(rows: &RecordBatch, row: usize) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let cell = |column: &arrow::array::ArrayRef| {
        let cells = ArrayFormatter::try_new(column.as_ref(), &options).expect("a type with a text");
        cells.value(row).to_string()
    };
    rows.columns().iter().map(cell).collect()
}

#[test]
fn every_live_view_explains_its_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(4, 5);
    let mut business = Business::new(4);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    (0..60).for_each(|_| log.append(business.next()));
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        let mut explained = 0;
        for view in pipeline.views().iter().filter(|view| view.serve == Serve::Live) {
            let rows = pipeline.snapshot(&view.name).expect("a live view").snapshot.batches();
            let rows = rows.expect("rows");
            let Some(rows) = rows.iter().find(|rows| rows.num_rows() > 0) else { continue };
            let names: Vec<String> =
                rows.schema().fields().iter().map(|field| field.name().clone()).collect();
            let row = cells(rows, rows.num_rows() / 2);
            let pairs = names.iter().cloned().zip(row.iter().cloned());
            let key = pairs.filter(|(name, _)| view.key.contains(name)).collect();
            let reason = pipeline.why(&view.name, key).await.expect("it is found");
            assert_eq!(reason.position, log.end());
            let because = reason.because;
            assert_eq!(because.rows.num_rows(), 1, "{}", view.name);
            assert_eq!(cells(&because.rows, 0), row, "{}", view.name);
            let inputs: BTreeSet<&str> = because
                .origins
                .iter()
                .filter(|origin| origin.reader == view.name)
                .map(|origin| origin.name.as_str())
                .collect();
            assert_eq!(inputs, view.reads.iter().map(String::as_str).collect(), "{}", view.name);
            let has_events =
                because.origins.iter().any(|origin| !origin.is_view && origin.rows.num_rows() > 0);
            assert!(has_events, "{}", view.name);
            explained += 1;
        }
        assert!(explained >= 6, "{explained} views have rows");
        let incomplete = pipeline.why("live_sales_by_shop_day", Vec::new()).await;
        assert!(matches!(incomplete, Err(Error::KeyIncomplete { .. })), "{incomplete:?}");
        let unserved = pipeline.why("int_stock_by_product", Vec::new()).await;
        assert!(matches!(unserved, Err(Error::NotServed { .. })), "{unserved:?}");
        pipeline.shutdown().await;
    });
}
