//! `POST /api/v1/inventory/adjust`.

use std::collections::HashSet;

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use millrace_events::event::{AdjustedLine, InventoryAdjusted, MovementReason, StockMoved};
use millrace_events::{AdjustmentId, Amount, ProductId, Quantity, Rate, ShopId};
use millrace_finance::{Account, Entry};
use millrace_kernel::{
    BatchCommand, Context, Error, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use millrace_product::Sellable;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::stock::apply::{StockDocument, StockLine, apply};
use crate::{SCHEMA, limit};

const LINES_MAX: usize = 1000;
const DOCUMENT: &str = "stock_adjustment";

/// Why stock is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// What was there when the books began.
    Opening,
    Count,
    Damage,
    Theft,
    Other,
}

impl ReasonCode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Count => "count",
            Self::Damage => "damage",
            Self::Theft => "theft",
            Self::Other => "other",
        }
    }

    /// Where the other side of the value goes.
    fn account(self) -> Account {
        match self {
            Self::Opening => Account::OpeningEquity,
            _ => Account::StockAdjustment,
        }
    }
}

/// A correction of stock at one shop.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustStock {
    /// Chosen by the caller, or made.
    pub adjustment_id: Option<AdjustmentId>,
    pub shop_id: ShopId,
    pub reason_code: ReasonCode,
    pub note: Option<String>,
    /// When it happened, where that is not now; needs permission `document.backdate`.
    pub adjusted_at: Option<DateTime<Utc>>,
    pub lines: Vec<AdjustLine>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustLine {
    pub product_id: ProductId,
    /// Signed difference.
    pub quantity: Quantity,
    /// What a unit that is added has cost; the product's standard cost where left out. Units that
    /// are taken away leave at moving average.
    pub unit_cost: Option<Rate>,
}

impl Validate for AdjustStock {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.optional_text("note", self.note.as_deref(), 500);
        errors.count("lines", self.lines.len(), LINES_MAX);
        let mut seen = HashSet::with_capacity(self.lines.len());
        errors.each("lines", &self.lines, |errors, line| {
            let first = seen.insert(line.product_id);
            errors.require(first, "product_id", "duplicate", "is on another line already");
            let size = if line.quantity.is_negative() { -line.quantity } else { line.quantity };
            limit::quantity(errors, "quantity", size);
            let opens = self.reason_code != ReasonCode::Opening || line.quantity.is_positive();
            errors.require(opens, "quantity", "not_positive", "must be positive in an opening");
            if let Some(cost) = line.unit_cost {
                limit::rate(errors, "unit_cost", cost);
                let adds = line.quantity.is_positive();
                errors.require(adds, "unit_cost", "invalid", "is for units that are added only");
            }
        });
    }
}

impl BatchCommand for AdjustStock {
    type Output = InventoryAdjusted;
    const NAME: &'static str = "inventory.adjust_stock";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        Need::document(Permission::StockAdjust, self.shop_id, self.adjusted_at)
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<InventoryAdjusted>> {
        let shop_ids: Vec<ShopId> = items.iter().map(|item| item.shop_id).collect();
        let shops = millrace_party::shops(tx, &shop_ids).await?;
        let lines = items.iter().flat_map(|item| &item.lines);
        let product_ids = lines.map(|line| line.product_id).collect();
        let products = millrace_product::sellable(tx, product_ids).await?;
        let context = tx.context();
        let mut errors = FieldErrors::default();
        let mut documents = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            errors.of_batch(index, items.len(), |errors| {
                context.refuse_future(errors, "adjusted_at", item.adjusted_at);
                errors.each("lines", &item.lines, |errors, line| {
                    let known = products.contains_key(&line.product_id);
                    errors.require(known, "product_id", "unknown", "is not a product");
                });
            });
            let shop =
                shops.get(&item.shop_id).ok_or_else(|| Error::not_found("shop", item.shop_id))?;
            let moved_at = item.adjusted_at.unwrap_or(context.now());
            let lines =
                item.lines.iter().map(|line| line.stock_line(products.get(&line.product_id)));
            documents.push(StockDocument {
                shop_id: item.shop_id,
                reason: match item.reason_code {
                    ReasonCode::Opening => MovementReason::Opening,
                    _ => MovementReason::Adjustment,
                },
                document_type: DOCUMENT,
                document_id: item.adjustment_id.unwrap_or_else(AdjustmentId::new).0,
                business_date: shop.business_time(moved_at).0,
                moved_at,
                lines: lines.collect(),
            });
        }
        errors.into_result()?;
        let moved = apply(tx, &documents).await?;
        let entries = items
            .iter()
            .zip(&moved)
            .map(|(item, moved)| entry(item.reason_code, moved, &shops[&item.shop_id].currency));
        millrace_finance::post(tx, entries.collect())?;
        record(tx, items, &moved).await
    }
}

impl AdjustLine {
    fn stock_line(&self, product: Option<&Sellable>) -> StockLine {
        let product_id = self.product_id;
        if self.quantity.is_negative() {
            return StockLine::Out { product_id, quantity: -self.quantity };
        }
        let standard = product.map_or(Rate::ZERO, |product| product.standard_cost);
        let value = self.unit_cost.unwrap_or(standard).times(self.quantity);
        StockLine::In { product_id, quantity: self.quantity, value }
    }
}

fn entry(reason: ReasonCode, moved: &StockMoved, currency: &str) -> Entry {
    let values = moved.movements.iter().map(|movement| movement.value);
    let (added, taken): (Vec<Amount>, Vec<Amount>) = values.partition(|value| !value.is_negative());
    let mut entry =
        Entry::new(moved.shop_id, currency, moved.business_date, DOCUMENT, moved.document_id);
    for value in [added.into_iter().sum::<Amount>(), taken.into_iter().sum()] {
        entry.debit(Account::Inventory, value);
        entry.credit(reason.account(), value);
    }
    entry
}

async fn record(
    tx: &mut Tx,
    items: &[AdjustStock],
    moved: &[StockMoved],
) -> Result<Vec<InventoryAdjusted>> {
    let adjusted: Vec<InventoryAdjusted> = items
        .iter()
        .zip(moved)
        .map(|(item, moved)| InventoryAdjusted {
            adjustment_id: AdjustmentId(moved.document_id),
            shop_id: item.shop_id,
            reason_code: item.reason_code.as_str().to_owned(),
            note: item.note.clone(),
            business_date: moved.business_date,
            adjusted_at: moved.moved_at,
            lines: moved
                .movements
                .iter()
                .map(|movement| AdjustedLine {
                    product_id: movement.product_id,
                    quantity: movement.quantity,
                    unit_cost: movement.unit_cost,
                })
                .collect(),
        })
        .collect();
    let actor = tx.context().actor.user_id;
    tx.execute(
        "insert into inventory.adjustments (adjustment_id, shop_id, reason_code, note, \
             business_date, adjusted_at, actor_id) \
         select adjustment_id, shop_id, reason_code, note, business_date, adjusted_at, $2 \
         from json_populate_recordset(null::inventory.adjustments, $1::text::json)",
        &[&serde_json::to_string(&adjusted)?, &actor],
    )
    .await?;
    for event in &adjusted {
        tx.append(event)?;
    }
    Ok(adjusted)
}

/// Correct stock.
#[utoipa::path(
    post,
    path = "/api/v1/inventory/adjust",
    tag = "inventory",
    request_body = AdjustStock,
    responses((status = 201, body = InventoryAdjusted), (status = "4XX", body = Problem)),
)]
pub(crate) async fn adjust_stock(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<AdjustStock>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
