//! What every request passes through, the outermost first: observation, panics, time-out, size,
//! and the promise that an error of the API is a problem document.

mod observe;
mod problem;
mod stack;

pub(crate) use problem::is_api;
pub(crate) use stack::apply;
