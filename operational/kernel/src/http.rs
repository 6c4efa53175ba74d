//! How commands come in and answers go out over HTTP.

mod body;
mod done;
mod etag;
mod list;
mod problem;

pub use body::Json;
pub use done::{Done, TOKEN_HEADER};
pub use etag::{IfMatch, etag};
pub use list::{Filter, ListColumn, ListQuery, ListSpec, Page, PageOf};
pub use problem::Problem;
