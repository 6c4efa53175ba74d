//! The loader against a real ClickHouse: repetitions, crashes, changed views, lost tables.

mod given;
mod load;
