//! Views over HTTP: listed, read page by page, followed live.

mod change;
mod definition;
mod explain;
mod filter;
mod follow;
mod kind;
mod list;
mod page;
mod query;
mod read;
mod rows;
mod scope;
mod slot;
mod sse;
mod stream;
mod why;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::GatewayState;

pub(crate) use slot::Slots;

pub(crate) fn routes() -> OpenApiRouter<GatewayState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, definition::create::create))
        .routes(routes!(read::read, definition::replace::replace, definition::drop::drop_view))
        .routes(routes!(definition::read::read))
        .routes(routes!(stream::stream))
        .routes(routes!(explain::explain))
        .routes(routes!(why::why))
}

/// Header with the position an answer is true at.
const POSITION_HEADER: &str = "millrace-position";
