//! `POST /api/v1/customers`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::CustomerId;
use millrace_events::catalogue::CustomerCreated;
use millrace_events::event::Customer;
use millrace_kernel::{
    BatchCommand, Context, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SCHEMA, gstin};

/// A customer who is known from now on, or the whole new state of one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCustomer {
    /// Chosen by the caller, or made.
    pub customer_id: Option<CustomerId>,
    /// Unique.
    pub code: String,
    pub name: String,
    pub customer_group: Option<String>,
    /// 7 to 15 digits, with a leading + where it is international.
    pub phone: Option<String>,
    pub email: Option<String>,
    pub gstin: Option<String>,
    /// Whether it can be sold to under its name.
    #[serde(default = "yes")]
    pub is_active: bool,
}

fn yes() -> bool {
    true
}

impl Validate for CreateCustomer {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.text("code", &self.code, 64);
        errors.text("name", &self.name, 200);
        errors.optional_text("customer_group", self.customer_group.as_deref(), 100);
        if let Some(phone) = &self.phone {
            let digits = phone.strip_prefix('+').unwrap_or(phone);
            let dialable =
                (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            errors.require(dialable, "phone", "invalid", "must have 7 to 15 digits");
        }
        if let Some(email) = &self.email {
            let parts = email.split_once('@');
            let complete = parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
            let plain = email.len() <= 254 && !email.contains(char::is_whitespace);
            errors.require(
                complete && plain,
                "email",
                "invalid",
                "must look like name@host.example",
            );
        }
        gstin::validate(errors, "gstin", self.gstin.as_deref());
    }
}

impl BatchCommand for CreateCustomer {
    type Output = Customer;
    const NAME: &'static str = "party.create_customer";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::CustomerWrite)]
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<Customer>> {
        let customers: Vec<Customer> = items
            .iter()
            .map(|item| {
                item.clone().into_customer(item.customer_id.unwrap_or_else(CustomerId::new))
            })
            .collect();
        tx.execute(
            "insert into party.customers \
             (customer_id, code, name, customer_group, phone, email, gstin, is_active) \
             select customer_id, code, name, customer_group, phone, email, gstin, is_active \
             from json_populate_recordset(null::party.customers, $1::text::json)",
            &[&serde_json::to_string(&customers)?],
        )
        .await?;
        for customer in &customers {
            tx.append(&CustomerCreated(customer.clone()))?;
        }
        Ok(customers)
    }
}

impl CreateCustomer {
    pub(super) fn into_customer(self, customer_id: CustomerId) -> Customer {
        Customer {
            customer_id,
            code: self.code,
            name: self.name,
            customer_group: self.customer_group,
            phone: self.phone,
            email: self.email,
            gstin: self.gstin,
            is_active: self.is_active,
        }
    }
}

/// Create a customer.
#[utoipa::path(
    post,
    path = "/api/v1/customers",
    tag = "parties",
    request_body = CreateCustomer,
    responses((status = 201, body = Customer), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create_customer(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<CreateCustomer>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
