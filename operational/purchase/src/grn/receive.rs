//! `POST /api/v1/purchases/grn`.

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, NaiveDate, Utc};
use millrace_events::event::{GrnLine, GrnReceived, MovementReason};
use millrace_events::{GrnId, ProductId, PurchaseOrderId, Quantity, Rate, ShopId, VendorId};
use millrace_finance::{Account, Entry};
use millrace_inventory::{StockDocument, StockLine, limit};
use millrace_kernel::numbers::{Series, next_numbers};
use millrace_kernel::{
    BatchCommand, Context, Error, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use millrace_party::Shop;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store;
use crate::SCHEMA;

const LINES_MAX: usize = 1000;
const DOCUMENT: &str = "grn";

/// A vendor's delivery to a shop.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveGoods {
    /// Chosen by the caller, or made.
    pub grn_id: Option<GrnId>,
    pub shop_id: ShopId,
    pub vendor_id: VendorId,
    pub purchase_order_id: Option<PurchaseOrderId>,
    /// When it came, where that is not now; needs permission `document.backdate`.
    pub received_at: Option<DateTime<Utc>>,
    pub lines: Vec<ReceiveLine>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// Without tax.
    pub unit_cost: Rate,
    /// As printed on the goods; kept with the note.
    pub batch: Option<String>,
    pub expires_on: Option<NaiveDate>,
}

impl Validate for ReceiveGoods {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.count("lines", self.lines.len(), LINES_MAX);
        errors.each("lines", &self.lines, |errors, line| {
            limit::quantity(errors, "quantity", line.quantity);
            limit::rate(errors, "unit_cost", line.unit_cost);
            errors.optional_text("batch", line.batch.as_deref(), 64);
        });
    }
}

impl BatchCommand for ReceiveGoods {
    type Output = GrnReceived;
    const NAME: &'static str = "purchase.receive_goods";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        Need::document(Permission::GoodsReceive, self.shop_id, self.received_at)
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<GrnReceived>> {
        let shop_ids: Vec<ShopId> = items.iter().map(|item| item.shop_id).collect();
        let shops = millrace_party::shops(tx, &shop_ids).await?;
        refuse_wrong(tx, items).await?;
        let now = tx.context().now();
        let mut grns = Vec::with_capacity(items.len());
        for item in items {
            let shop =
                shops.get(&item.shop_id).ok_or_else(|| Error::not_found("shop", item.shop_id))?;
            grns.push(item.draft(shop, now));
        }
        let documents: Vec<StockDocument> = grns.iter().map(stock_document).collect();
        millrace_inventory::apply(tx, &documents).await?;
        millrace_finance::post(tx, grns.iter().map(entry).collect())?;
        let series: Vec<Series> =
            grns.iter().map(|grn| Series::of(grn.shop_id, "G", grn.business_date)).collect();
        let numbers = next_numbers(tx, SCHEMA, &series).await?;
        for ((grn, series), number) in grns.iter_mut().zip(&series).zip(&numbers) {
            grn.grn_number = series.document_number(&shops[&grn.shop_id].code, *number);
        }
        store::insert(tx, &grns, &series, &numbers)?;
        for grn in &grns {
            tx.append(grn)?;
        }
        Ok(grns)
    }
}

impl ReceiveGoods {
    /// Without number as yet.
    fn draft(&self, shop: &Shop, now: DateTime<Utc>) -> GrnReceived {
        let received_at = self.received_at.unwrap_or(now);
        let lines: Vec<GrnLine> = (1..)
            .zip(&self.lines)
            .map(|(line_no, line)| GrnLine {
                line_no,
                product_id: line.product_id,
                quantity: line.quantity,
                unit_cost: line.unit_cost,
                value: line.unit_cost.times(line.quantity),
                batch: line.batch.clone(),
                expires_on: line.expires_on,
            })
            .collect();
        GrnReceived {
            grn_id: self.grn_id.unwrap_or_else(GrnId::new),
            grn_number: String::new(),
            purchase_order_id: self.purchase_order_id,
            vendor_id: self.vendor_id,
            shop_id: self.shop_id,
            currency: shop.currency.clone(),
            business_date: shop.business_time(received_at).0,
            received_at,
            value: lines.iter().map(|line| line.value).sum(),
            lines,
        }
    }
}

async fn refuse_wrong(tx: &mut Tx, items: &[ReceiveGoods]) -> Result<()> {
    let vendor_ids: Vec<VendorId> = items.iter().map(|item| item.vendor_id).collect();
    let vendors = millrace_party::known_vendors(tx, &vendor_ids).await?;
    let lines = items.iter().flat_map(|item| &item.lines);
    let product_ids = lines.map(|line| line.product_id).collect();
    let products = millrace_product::sellable(tx, product_ids).await?;
    let context = tx.context();
    let mut errors = FieldErrors::default();
    for (index, item) in items.iter().enumerate() {
        errors.of_batch(index, items.len(), |errors| {
            context.refuse_future(errors, "received_at", item.received_at);
            let known = vendors.contains(&item.vendor_id);
            errors.require(known, "vendor_id", "unknown", "is not a vendor");
            errors.each("lines", &item.lines, |errors, line| {
                let known = products.contains_key(&line.product_id);
                errors.require(known, "product_id", "unknown", "is not a product");
            });
        });
    }
    errors.into_result()
}

fn stock_document(grn: &GrnReceived) -> StockDocument {
    let lines = grn.lines.iter().map(|line| StockLine::In {
        product_id: line.product_id,
        quantity: line.quantity,
        value: line.value,
    });
    StockDocument {
        shop_id: grn.shop_id,
        reason: MovementReason::Receipt,
        document_type: DOCUMENT,
        document_id: grn.grn_id.0,
        business_date: grn.business_date,
        moved_at: grn.received_at,
        lines: lines.collect(),
    }
}

fn entry(grn: &GrnReceived) -> Entry {
    let mut entry =
        Entry::new(grn.shop_id, &grn.currency, grn.business_date, DOCUMENT, grn.grn_id.0);
    entry.debit(Account::Inventory, grn.value);
    entry.credit(Account::GrnAccrual, grn.value);
    entry
}

/// Take a vendor's delivery in.
#[utoipa::path(
    post,
    path = "/api/v1/purchases/grn",
    tag = "purchases",
    params(("Idempotency-Key" = Option<String>, Header, description = "One key, one receipt")),
    request_body = ReceiveGoods,
    responses((status = 201, body = GrnReceived), (status = "4XX", body = Problem)),
)]
pub(crate) async fn receive_grn(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<ReceiveGoods>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
