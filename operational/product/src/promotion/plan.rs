//! `POST /api/v1/promotions`.

use std::collections::HashSet;

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::NaiveDate;
use millrace_events::event::{PromotionItem, PromotionPlanned};
use millrace_events::{ProductId, PromotionId, ShopId};
use millrace_kernel::{
    BatchCommand, Context, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::SCHEMA;

const ITEMS_MAX: usize = 50_000;
/// A large plan comes as several events, so that none outgrows a message.
const ITEMS_PER_EVENT: usize = 1000;

/// What a shop will promote in a period.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanPromotion {
    /// Chosen by the caller, or made.
    pub promotion_id: Option<PromotionId>,
    pub shop_id: ShopId,
    pub starts_on: NaiveDate,
    /// Inclusive.
    pub ends_on: NaiveDate,
    pub items: Vec<PlannedItem>,
}

/// One product in it, displayed, in the mailer, or both.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedItem {
    pub product_id: ProductId,
    /// Where in the shop.
    pub display: Option<String>,
    /// Where in the mailer.
    pub mailer: Option<String>,
}

/// The plan as recorded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Planned {
    pub promotion_id: PromotionId,
    pub items: usize,
}

impl Validate for PlanPromotion {
    fn validate(&self, errors: &mut FieldErrors) {
        let ordered = self.starts_on <= self.ends_on;
        errors.require(ordered, "ends_on", "before_start", "must not be before starts_on");
        errors.count("items", self.items.len(), ITEMS_MAX);
        let mut seen = HashSet::with_capacity(self.items.len());
        errors.each("items", &self.items, |errors, item| {
            let first = seen.insert(item.product_id);
            errors.require(first, "product_id", "duplicate", "is in the plan already");
            errors.optional_text("display", item.display.as_deref(), 50);
            errors.optional_text("mailer", item.mailer.as_deref(), 50);
        });
    }
}

impl BatchCommand for PlanPromotion {
    type Output = Planned;
    const NAME: &'static str = "product.plan_promotion";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::at(Permission::PromotionWrite, self.shop_id)]
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<Planned>> {
        let mut planned = Vec::with_capacity(items.len());
        for plan in items {
            planned.push(record(plan, tx).await?);
        }
        Ok(planned)
    }
}

async fn record(plan: &PlanPromotion, tx: &mut Tx) -> Result<Planned> {
    let promotion_id = plan.promotion_id.unwrap_or_else(PromotionId::new);
    tx.execute(
        "with promotion as (insert into product.promotions (promotion_id, shop_id, starts_on, ends_on) \
         values ($1, $2, $3, $4)) \
         insert into product.promotion_items (promotion_id, product_id, display, mailer) \
         select $1, product_id, display, mailer \
         from json_populate_recordset(null::product.promotion_items, $5::text::json)",
        &[&promotion_id, &plan.shop_id, &plan.starts_on, &plan.ends_on, &serde_json::to_string(&plan.items)?],
    ).await?;
    for chunk in plan.items.chunks(ITEMS_PER_EVENT) {
        let items = chunk
            .iter()
            .map(|item| PromotionItem {
                product_id: item.product_id,
                display: item.display.clone(),
                mailer: item.mailer.clone(),
            })
            .collect();
        let event = PromotionPlanned {
            promotion_id,
            shop_id: plan.shop_id,
            starts_on: plan.starts_on,
            ends_on: plan.ends_on,
            items,
        };
        tx.append(&event)?;
    }
    Ok(Planned { promotion_id, items: plan.items.len() })
}

/// Plan a promotion.
#[utoipa::path(
    post,
    path = "/api/v1/promotions",
    tag = "products",
    request_body = PlanPromotion,
    responses((status = 201, body = Planned), (status = "4XX", body = Problem)),
)]
pub(crate) async fn plan_promotion(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<PlanPromotion>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
