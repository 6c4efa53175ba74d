//! `POST /api/v1/vendors`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::VendorId;
use millrace_events::event::VendorCreated;
use millrace_kernel::{
    BatchCommand, Context, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SCHEMA, gstin};

const LEAD_TIME_DAYS_MAX: i32 = 365;

/// A vendor who is known from now on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVendor {
    /// Chosen by the caller, or made.
    pub vendor_id: Option<VendorId>,
    /// Unique.
    pub code: String,
    pub name: String,
    pub gstin: Option<String>,
    /// Days from order to receipt, as agreed.
    pub lead_time_days: i32,
}

impl Validate for CreateVendor {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.text("code", &self.code, 64);
        errors.text("name", &self.name, 200);
        gstin::validate(errors, "gstin", self.gstin.as_deref());
        let lead = (0..=LEAD_TIME_DAYS_MAX).contains(&self.lead_time_days);
        errors.require(lead, "lead_time_days", "out_of_range", "must be 0 to 365");
    }
}

impl BatchCommand for CreateVendor {
    type Output = VendorCreated;
    const NAME: &'static str = "party.create_vendor";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::VendorWrite)]
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<VendorCreated>> {
        let vendors: Vec<VendorCreated> = items
            .iter()
            .cloned()
            .map(|item| VendorCreated {
                vendor_id: item.vendor_id.unwrap_or_else(VendorId::new),
                code: item.code,
                name: item.name,
                gstin: item.gstin,
                lead_time_days: item.lead_time_days,
            })
            .collect();
        tx.execute(
            "insert into party.vendors \
             select * from json_populate_recordset(null::party.vendors, $1::text::json)",
            &[&serde_json::to_string(&vendors)?],
        )
        .await?;
        for vendor in &vendors {
            tx.append(vendor)?;
        }
        Ok(vendors)
    }
}

/// Create a vendor.
#[utoipa::path(
    post,
    path = "/api/v1/vendors",
    tag = "parties",
    request_body = CreateVendor,
    responses((status = 201, body = VendorCreated), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create_vendor(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<CreateVendor>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
