//! `DELETE /api/v1/views/{name}`

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use millrace_events::event::ViewDropped;
use millrace_kernel::{Command, Context, FieldErrors, Need, Permission, Problem, Tx, Validate};
use serde::Serialize;

use crate::{Error, GatewayState};

/// Drops a view.
#[derive(Debug, Serialize)]
struct Drop {
    name: String,
}

impl Validate for Drop {
    fn validate(&self, _: &mut FieldErrors) {}
}

impl Command for Drop {
    type Output = ViewDropped;
    const NAME: &'static str = "view.drop";
    const SCHEMA: &'static str = crate::identity::SERVICE.schema;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::ViewDefine)]
    }

    async fn execute(&self, tx: &mut Tx) -> millrace_kernel::Result<ViewDropped> {
        let dropped_by = tx.context().actor.user_id;
        let event = ViewDropped { name: self.name.clone(), dropped_by };
        tx.append(&event)?;
        Ok(event)
    }
}

/// Drop a view
///
/// Only views that were defined while the system ran can be dropped, and only when no other view reads them.
#[utoipa::path(
    delete,
    path = "/api/v1/views/{name}",
    tag = "views",
    operation_id = "drop_view",
    params(("name" = String, Path)),
    responses(
        (status = 202, description = "It is gone once the token that is answered has been reached", body = ViewDropped),
        (status = 404, description = "`unknown_view`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`view_has_readers`, `view_of_product`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::view) async fn drop_view(
    State(gateway): State<GatewayState>,
    Path(name): Path<String>,
    context: Context,
) -> Result<impl IntoResponse, Error> {
    context.actor.require(Permission::ViewDefine, None)?;
    gateway.require_pipeline()?.check_drop(&name)?;
    Ok(gateway.kernel().run(&context, &Drop { name }).await?.accepted())
}
