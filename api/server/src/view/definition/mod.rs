//! Views that people define while the system runs: one file a verb.
//!
//! A definition is an event like any other: it goes through the outbox to the log, and the pipeline takes it from
//! there. What is wrong with it is told before.

pub(super) mod create;
pub(super) mod drop;
pub(super) mod read;
pub(super) mod replace;

use millrace_events::event::ViewDefined;
use millrace_kernel::{Command, Context, Done, FieldErrors, Need, Permission, Tx, Validate};
use millrace_views::{DefinitionState, DefinitionStatus, Intent};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, GatewayState};

/// Bytes of a definition.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A view that somebody defined, and how far it is.
#[derive(Serialize, ToSchema)]
#[schema(as = ViewDefinition)]
pub(super) struct Definition {
    name: String,
    /// `live`, `waiting` for others to be filled first, `filling`, or `failed`.
    state: &'static str,
    /// How much of the past is in, while it is filled.
    percent: Option<u8>,
    /// Why it could not be filled, in which case what the view was before goes on; or why it has stopped since.
    problem: Option<String>,
    /// Whether there is something to read: this definition, or the one before.
    is_served: bool,
    /// The position of the event that defined it; of a live view, that from which on it is kept true.
    position: u64,
    /// Header lines and one `select`.
    text: String,
}

impl From<DefinitionStatus> for Definition {
    fn from(status: DefinitionStatus) -> Self {
        let DefinitionStatus { name, text, position, is_served, state } = status;
        let (state, percent, problem) = match state {
            DefinitionState::Live => ("live", None, None),
            DefinitionState::Waiting => ("waiting", None, None),
            DefinitionState::Filling { percent } => ("filling", Some(percent), None),
            DefinitionState::Failed { problem } => ("failed", None, Some(problem)),
        };
        Self { name, state, percent, problem, is_served, position: position.0, text }
    }
}

/// Defines a view.
#[derive(Debug, Serialize)]
struct Define {
    name: String,
    text: String,
}

impl Validate for Define {
    fn validate(&self, errors: &mut FieldErrors) {
        let message = format!("must have at most {TEXT_BYTES_MAX} bytes");
        errors.require(self.text.len() <= TEXT_BYTES_MAX, "text", "too_long", message);
    }
}

impl Command for Define {
    type Output = ViewDefined;
    const NAME: &'static str = "view.define";
    const SCHEMA: &'static str = crate::identity::SERVICE.schema;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::ViewDefine)]
    }

    async fn execute(&self, tx: &mut Tx) -> millrace_kernel::Result<ViewDefined> {
        let defined_by = tx.context().actor.user_id;
        let (name, text) = (self.name.clone(), self.text.clone());
        let event = ViewDefined { name, text, defined_by };
        tx.append(&event)?;
        Ok(event)
    }
}

/// Checks a definition and says it to the log.
async fn define(
    gateway: &GatewayState,
    context: &Context,
    name: String,
    text: String,
    intent: Intent,
) -> Result<Done<ViewDefined>, Error> {
    // First: what views there are is not everybody's to find out by trying.
    context.actor.require(Permission::ViewDefine, None)?;
    let command = Define { name, text };
    command.check()?;
    gateway.require_pipeline()?.check(&command.name, &command.text, intent).await?;
    Ok(gateway.kernel().run(context, &command).await?.accepted())
}
