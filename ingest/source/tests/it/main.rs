//! The source, part by part and on a real broker.

mod assemble;
mod broker;
mod decode;
mod given;
mod metrics;
mod restored;
mod source;
mod trace;
