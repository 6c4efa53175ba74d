//! `POST /api/v1/shops`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::ShopId;
use millrace_events::event::ShopOpened;
use millrace_kernel::{
    BatchCommand, Context, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SCHEMA, gstin};

/// Leaves ten of the sixteen characters a tax document's number may have.
const CODE_LENGTH_MAX: usize = 6;

/// A shop that can sell from now on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenShop {
    /// Chosen by the caller, or made.
    pub shop_id: Option<ShopId>,
    /// 1 to 6 of A–Z and 0–9; unique; part of document numbers.
    pub code: String,
    pub name: String,
    /// IANA name, for example Asia/Kolkata; decides the business date.
    pub time_zone: String,
    /// ISO 4217.
    pub currency: String,
    /// Two-digit GST state code of the place of business.
    pub state_code: String,
    pub gstin: Option<String>,
    /// Whether list prices include tax.
    pub prices_include_tax: bool,
}

impl Validate for OpenShop {
    fn validate(&self, errors: &mut FieldErrors) {
        let code = &self.code;
        let plain = code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        let fits = (1..=CODE_LENGTH_MAX).contains(&code.len()) && plain;
        errors.require(fits, "code", "invalid", "must have 1 to 6 characters of A–Z and 0–9");
        errors.text("name", &self.name, 100);
        let zone = self.time_zone.parse::<chrono_tz::Tz>().is_ok();
        errors.require(zone, "time_zone", "unknown", "must be an IANA time zone like Asia/Kolkata");
        let currency =
            self.currency.len() == 3 && self.currency.bytes().all(|b| b.is_ascii_uppercase());
        errors.require(currency, "currency", "invalid", "must be an ISO 4217 code like INR");
        let state =
            self.state_code.len() == 2 && self.state_code.bytes().all(|b| b.is_ascii_digit());
        errors.require(state, "state_code", "invalid", "must be a two-digit GST state code");
        gstin::validate(errors, "gstin", self.gstin.as_deref());
        if let Some(gstin) = &self.gstin {
            let same = gstin.starts_with(&self.state_code);
            errors.require(same, "gstin", "other_state", "must begin with the shop's state code");
        }
    }
}

impl BatchCommand for OpenShop {
    type Output = ShopOpened;
    const NAME: &'static str = "party.open_shop";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::ShopWrite)]
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<ShopOpened>> {
        let shops: Vec<ShopOpened> = items
            .iter()
            .cloned()
            .map(|item| ShopOpened {
                shop_id: item.shop_id.unwrap_or_else(ShopId::new),
                code: item.code,
                name: item.name,
                time_zone: item.time_zone,
                currency: item.currency,
                state_code: item.state_code,
                gstin: item.gstin,
                prices_include_tax: item.prices_include_tax,
            })
            .collect();
        tx.execute(
            "insert into party.shops \
             select * from json_populate_recordset(null::party.shops, $1::text::json)",
            &[&serde_json::to_string(&shops)?],
        )
        .await?;
        for shop in &shops {
            tx.append(shop)?;
        }
        Ok(shops)
    }
}

/// Open a shop.
#[utoipa::path(
    post,
    path = "/api/v1/shops",
    tag = "parties",
    request_body = OpenShop,
    responses((status = 201, body = ShopOpened), (status = "4XX", body = Problem)),
)]
pub(crate) async fn open_shop(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<OpenShop>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
