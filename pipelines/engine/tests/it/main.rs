//! Integration tests of the engine, in one binary.

mod adopt;
mod checkpoint;
mod classes;
mod clock;
mod errors;
mod explain;
mod fixture;
mod journal;
mod lifecycle;
mod limit;
mod oracle;
mod ordered;
mod queries;
mod recompute;
mod snapshot;
mod why;
mod world;
