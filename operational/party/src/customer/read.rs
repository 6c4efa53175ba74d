//! `GET /api/v1/customers/{id}`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::CustomerId;
use millrace_events::event::Customer;
use millrace_kernel::{Context, Id, Kernel, Permission, Problem, Result, Versioned};

use super::list::CUSTOMERS;

/// One customer; its ETag is what a change must name.
#[utoipa::path(
    get,
    path = "/api/v1/customers/{id}",
    tag = "parties",
    params(("id" = CustomerId, Path)),
    responses((status = 200, body = Versioned<Customer>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn read_customer(
    State(kernel): State<Kernel>,
    context: Context,
    Id(customer_id): Id<CustomerId>,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::PartyRead, None)?;
    CUSTOMERS.read(kernel.pool(), customer_id.0).await
}
