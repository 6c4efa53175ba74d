//! The gateway: one port for REST, live streams, login, documents and the web app.
//!
//! [`Gateway::router`] mounts the write services' routes, the views as JSON and as event streams,
//! logins, `/healthz`, `/metrics`, `/openapi.json`, `/docs` and the embedded web app; [`serve`]
//! answers until told to stop. [`telemetry`] and [`meter`] set up the process's logs, traces and
//! metrics.
//!
//! For: HTTP, who is asking, and what the API says of itself. Not for: business rules (the
//! contexts), keeping views true (`millrace-views`), starting parts (`millrace-local`).
//!
//! In: requests on port 4000, snapshots and changes through a [`millrace_views::PipelineHandle`].
//! Out: answers, streams, spans, metrics; rows of the schema `identity`.

mod document;
mod error;
mod gateway;
pub mod identity;
mod layer;
pub mod meter;
mod operation;
mod options;
mod serve;
pub mod telemetry;
mod view;
mod web;

pub use error::Error;
pub use gateway::{Gateway, GatewayParts, GatewayState};
pub use identity::Identity;
pub use operation::{Part, PartState, Parts};
pub use options::Options;
pub use serve::serve;
