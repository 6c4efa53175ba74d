//! `POST /api/v1/pos/invoice`.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use millrace_events::event::{InvoiceIssued, MovementReason};
use millrace_events::{Amount, CustomerId, InvoiceId, ProductId, Quantity, Rate, ShopId};
use millrace_finance::{Account, Entry};
use millrace_inventory::{HeldStock, StockDocument, StockLine, limit};
use millrace_kernel::numbers::{Series, next_numbers};
use millrace_kernel::{
    BatchCommand, Context, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::draft::{Draft, price};
use super::store;
use crate::{SCHEMA, TenderInput, tender};

const LINES_MAX: usize = 200;
const DOCUMENT: &str = "invoice";

/// A basket, and how it is paid.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueInvoice {
    /// Chosen by the caller, or made.
    pub invoice_id: Option<InvoiceId>,
    pub shop_id: ShopId,
    pub till: Option<String>,
    pub customer_id: Option<CustomerId>,
    /// When it was sold, where that is not now; needs permission `document.backdate`.
    pub issued_at: Option<DateTime<Utc>>,
    pub lines: Vec<IssueLine>,
    pub tenders: Vec<TenderInput>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// The list price where left out; another one needs permission `price.override`.
    pub unit_price: Option<Rate>,
    /// Off the whole line; tax is in it where it is in the price.
    #[serde(default)]
    pub discount: Amount,
}

/// The invoice as issued.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invoice {
    #[serde(flatten)]
    pub issued: InvoiceIssued,
    /// Cash to give back.
    pub change: Amount,
}

impl Validate for IssueInvoice {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.optional_text("till", self.till.as_deref(), 20);
        errors.count("lines", self.lines.len(), LINES_MAX);
        errors.each("lines", &self.lines, |errors, line| {
            limit::quantity(errors, "quantity", line.quantity);
            if let Some(price) = line.unit_price {
                limit::rate(errors, "unit_price", price);
            }
            let discount = !line.discount.is_negative();
            errors.require(discount, "discount", "negative", "must not be negative");
        });
        tender::validate(errors, &self.tenders);
    }
}

impl BatchCommand for IssueInvoice {
    type Output = Invoice;
    const NAME: &'static str = "sales.issue_invoice";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        let mut needs = Need::document(Permission::InvoiceIssue, self.shop_id, self.issued_at);
        if self.lines.iter().any(|line| line.unit_price.is_some()) {
            needs.push(Need::at(Permission::PriceOverride, self.shop_id));
        }
        needs
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<Invoice>> {
        let mut goods = BTreeSet::new();
        for item in items {
            goods.extend(item.lines.iter().map(|line| (item.shop_id, line.product_id)));
        }
        let (mut drafts, held) =
            futures::try_join!(price(tx, items), millrace_inventory::hold(tx, goods))?;
        take_stock(tx, held, &mut drafts).await?;
        let entries = drafts.iter().map(entry).collect();
        millrace_finance::post(tx, entries)?;
        // The counters are the hottest rows of all: nothing but the invoice itself comes after.
        let series: Vec<Series> = drafts
            .iter()
            .map(|draft| Series::of(draft.issued.shop_id, "", draft.issued.business_date))
            .collect();
        let numbers = next_numbers(tx, SCHEMA, &series).await?;
        for ((draft, series), number) in drafts.iter_mut().zip(&series).zip(&numbers) {
            draft.issued.invoice_number = series.document_number(&draft.shop_code, *number);
        }
        store::insert(tx, &drafts, &series, &numbers)?;
        for draft in &drafts {
            tx.append(&draft.issued)?;
        }
        let invoices = drafts.into_iter();
        Ok(invoices.map(|draft| Invoice { issued: draft.issued, change: draft.change }).collect())
    }
}

/// Takes the goods out of stock and gives each line its cost.
async fn take_stock(tx: &mut Tx, held: HeldStock, drafts: &mut [Draft]) -> Result<()> {
    let documents: Vec<StockDocument> = drafts
        .iter()
        .map(|Draft { issued, .. }| StockDocument {
            shop_id: issued.shop_id,
            reason: MovementReason::Sale,
            document_type: DOCUMENT,
            document_id: issued.invoice_id.0,
            business_date: issued.business_date,
            moved_at: issued.issued_at,
            lines: issued
                .lines
                .iter()
                .map(|line| StockLine::Out { product_id: line.product_id, quantity: line.quantity })
                .collect(),
        })
        .collect();
    let moved = millrace_inventory::apply_to(tx, held, &documents).await?;
    for (draft, moved) in drafts.iter_mut().zip(moved) {
        for (line, movement) in draft.issued.lines.iter_mut().zip(moved.movements) {
            line.cost = -movement.value;
            draft.issued.cost += line.cost;
        }
    }
    Ok(())
}

/// What an invoice means in money.
fn entry(draft: &Draft) -> Entry {
    let issued = &draft.issued;
    let mut entry = Entry::new(
        issued.shop_id,
        &issued.currency,
        issued.business_date,
        DOCUMENT,
        issued.invoice_id.0,
    );
    for tender in &issued.tenders {
        entry.debit(tender::account(tender.tender), tender.amount);
    }
    entry.credit(Account::Sales, issued.taxable);
    entry.credit(Account::CgstOutput, issued.lines.iter().map(|line| line.cgst).sum());
    entry.credit(Account::SgstOutput, issued.lines.iter().map(|line| line.sgst).sum());
    entry.credit(Account::RoundOff, issued.round_off);
    entry.debit(Account::CostOfGoodsSold, issued.cost);
    entry.credit(Account::Inventory, issued.cost);
    entry
}

/// Issue an invoice at the till: stock, journal and number in one transaction.
#[utoipa::path(
    post,
    path = "/api/v1/pos/invoice",
    tag = "sales",
    params(("Idempotency-Key" = Option<String>, Header, description = "One key, one invoice")),
    request_body = IssueInvoice,
    responses((status = 201, body = Invoice), (status = "4XX", body = Problem)),
)]
pub(crate) async fn issue_invoice(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<IssueInvoice>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
