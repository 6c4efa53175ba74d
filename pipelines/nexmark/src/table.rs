//! Events as Arrow columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Builder, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::{Event, Result, event};

/// Rows of the table that q13 joins with.
pub const SIDE_ROWS: i64 = 10_000;

/// Events of one epoch, by table.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Who registered.
    pub person: RecordBatch,
    /// What was put up for sale.
    pub auction: RecordBatch,
    /// What was offered.
    pub bid: RecordBatch,
}

impl Tables {
    /// Name and rows of each table.
    pub fn named(&self) -> [(&'static str, &RecordBatch); 3] {
        [("person", &self.person), ("auction", &self.auction), ("bid", &self.bid)]
    }
}

/// The first `events` events, cut into epochs of `epoch_events`; the last may be smaller.
///
/// # Errors
/// None in practice: columns and schemas are made side by side.
pub fn cut(events: u64, epoch_events: u64) -> Result<Vec<Tables>> {
    let epoch_events = epoch_events.max(1);
    let starts = (0..events.div_ceil(epoch_events)).map(|epoch| epoch * epoch_events);
    starts.map(|start| tables(start, events.min(start + epoch_events))).collect()
}

/// The bounded table of q13: a text for each `key` from 0 to [`SIDE_ROWS`].
///
/// # Errors
/// None in practice, as for [`cut`].
pub fn side_input() -> Result<RecordBatch> {
    let mut side = Columns::new(&[("key", Kind::Number), ("value", Kind::Text)]);
    for key in 0..SIDE_ROWS {
        side.row([Cell::Number(key), Cell::Text(&key.to_string())]);
    }
    side.finish()
}

fn tables(start: u64, end: u64) -> Result<Tables> {
    use Kind::{Number, Text, Time};
    let mut persons = Columns::new(&[
        ("id", Number),
        ("name", Text),
        ("email_address", Text),
        ("credit_card", Text),
        ("city", Text),
        ("state", Text),
        ("date_time", Time),
        ("extra", Text),
    ]);
    let mut auctions = Columns::new(&[
        ("id", Number),
        ("item_name", Text),
        ("description", Text),
        ("initial_bid", Number),
        ("reserve", Number),
        ("date_time", Time),
        ("expires", Time),
        ("seller", Number),
        ("category", Number),
        ("extra", Text),
    ]);
    let mut bids = Columns::new(&[
        ("auction", Number),
        ("bidder", Number),
        ("price", Number),
        ("channel", Text),
        ("url", Text),
        ("date_time", Time),
        ("extra", Text),
    ]);
    for number in start..end {
        match event(number) {
            Event::Person(person) => persons.row(person.cells()),
            Event::Auction(auction) => auctions.row(auction.cells()),
            Event::Bid(bid) => bids.row(bid.cells()),
        }
    }
    Ok(Tables { person: persons.finish()?, auction: auctions.finish()?, bid: bids.finish()? })
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Number,
    Time,
    Text,
}

/// A value of an event; a time is a number of milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Number(i64),
    Text(&'a str),
}

enum Column {
    Number(Int64Builder),
    Time(TimestampMillisecondBuilder),
    Text(StringBuilder),
}

struct Columns {
    schema: SchemaRef,
    columns: Vec<Column>,
}

impl Columns {
    fn new(columns: &[(&str, Kind)]) -> Self {
        let field = |(name, kind): &(&str, Kind)| {
            let data_type = match kind {
                Kind::Number => DataType::Int64,
                Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
                Kind::Text => DataType::Utf8,
            };
            Field::new(*name, data_type, false)
        };
        let column = |(_, kind): &(&str, Kind)| match kind {
            Kind::Number => Column::Number(Int64Builder::new()),
            Kind::Time => Column::Time(TimestampMillisecondBuilder::new()),
            Kind::Text => Column::Text(StringBuilder::new()),
        };
        Self {
            schema: Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())),
            columns: columns.iter().map(column).collect(),
        }
    }

    fn row<const N: usize>(&mut self, cells: [Cell<'_>; N]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (Column::Number(values), Cell::Number(value)) => values.append_value(value),
                (Column::Time(values), Cell::Number(value)) => values.append_value(value),
                (Column::Text(values), Cell::Text(value)) => values.append_value(value),
                _ => unreachable!("cells stand in the order of the columns"),
            }
        }
    }

    fn finish(self) -> Result<RecordBatch> {
        let arrays = self.columns.into_iter().map(|column| match column {
            Column::Number(mut values) => Arc::new(values.finish()) as ArrayRef,
            Column::Time(mut values) => Arc::new(values.finish()),
            Column::Text(mut values) => Arc::new(values.finish()),
        });
        Ok(RecordBatch::try_new(self.schema, arrays.collect())?)
    }
}
