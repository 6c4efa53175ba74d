//! The API told twice: as an OpenAPI 3.1 document and as a page to read.

mod openapi;
mod reference;

pub(crate) use openapi::{complete, describe};
pub(crate) use reference::reference;
