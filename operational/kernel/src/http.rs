//! How commands come in and answers go out over HTTP.

mod body;
mod done;
mod etag;
mod list;
mod params;
mod problem;

pub use body::Json;
pub use done::{Done, TOKEN_HEADER};
pub use etag::{IfMatch, etag};
pub use list::{Filter, ListColumn, ListQuery, ListSpec, Page, PageOf};
pub use params::{Id, Params};
pub use problem::Problem;
