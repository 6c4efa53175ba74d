//! Views against batch SQL, and the pipeline against crashes, slow readers and lost marts.

mod cases;
mod defined;
mod events;
mod log;
mod marts;
mod pipeline;
mod registry;
mod streams;
mod why;
