//! `PUT /api/v1/customers/{id}`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::CustomerId;
use millrace_events::catalogue::CustomerUpdated;
use millrace_events::event::Customer;
use millrace_kernel::http::etag;
use millrace_kernel::{
    Command, Context, FieldErrors, Id, IfMatch, Json, Kernel, Need, Permission, Problem, Result,
    Tx, Validate, Versioned,
};
use serde::Serialize;

use super::create::CreateCustomer;
use super::list::CUSTOMERS;
use crate::SCHEMA;

/// A customer's whole new state.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateCustomer {
    pub customer_id: CustomerId,
    /// The version it changes; none for any.
    pub version: Option<i64>,
    pub data: CreateCustomer,
}

impl Validate for UpdateCustomer {
    fn validate(&self, errors: &mut FieldErrors) {
        self.data.validate(errors);
        let same = self.data.customer_id.is_none_or(|id| id == self.customer_id);
        errors.require(same, "customer_id", "invalid", "must be the address's id or left out");
    }
}

impl Command for UpdateCustomer {
    type Output = Versioned<Customer>;
    const NAME: &'static str = "party.update_customer";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::CustomerWrite)]
    }

    async fn execute(&self, tx: &mut Tx) -> Result<Versioned<Customer>> {
        CUSTOMERS.hold(tx, self.customer_id.0, self.version).await?;
        let customer = self.data.clone().into_customer(self.customer_id);
        let (version,): (i64,) = tx
            .fetch_one(
                "update party.customers c set code = n.code, name = n.name, \
             customer_group = n.customer_group, phone = n.phone, email = n.email, gstin = n.gstin, \
             is_active = n.is_active, version = c.version + 1 \
             from json_populate_record(null::party.customers, $1::text::json) as n \
             where c.customer_id = n.customer_id returning c.version",
                &[&serde_json::to_string(&customer)?],
            )
            .await?;
        tx.append(&CustomerUpdated(customer.clone()))?;
        Ok(Versioned { version, record: customer })
    }
}

/// Replace a customer's data. `If-Match` says which version.
#[utoipa::path(
    put,
    path = "/api/v1/customers/{id}",
    tag = "parties",
    params(("id" = CustomerId, Path), ("If-Match" = String, Header, description = "ETag of a read, or *")),
    request_body = CreateCustomer,
    responses((status = 200, body = Versioned<Customer>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update_customer(
    State(kernel): State<Kernel>,
    context: Context,
    Id(customer_id): Id<CustomerId>,
    IfMatch(version): IfMatch,
    Json(data): Json<CreateCustomer>,
) -> Result<impl IntoResponse> {
    let command = UpdateCustomer { customer_id, version, data };
    let done = kernel.run(&context, &command).await?;
    let now = done.fresh_output().map(|updated| etag(updated.version));
    Ok((now, done))
}
