//! `POST /api/v1/sales/returns`.

use std::collections::HashSet;

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use millrace_events::event::{MovementReason, ReturnLine, ReturnProcessed};
use millrace_events::{Amount, InvoiceId, Quantity, ReturnId, ShopId};
use millrace_finance::{Account, Entry};
use millrace_inventory::{StockDocument, StockLine, limit};
use millrace_kernel::numbers::{Series, next_numbers};
use millrace_kernel::{
    BatchCommand, Context, Error, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refund::SoldLine;
use super::store;
use crate::{SCHEMA, TenderInput, price, tender};

const LINES_MAX: usize = 200;
const DOCUMENT: &str = "sales_return";

/// Goods of an invoice that come back, at the invoice's prices, tax rates and costs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessReturn {
    /// Chosen by the caller, or made.
    pub return_id: Option<ReturnId>,
    /// Where it was sold and now comes back.
    pub shop_id: ShopId,
    pub invoice_id: InvoiceId,
    pub reason: Option<String>,
    /// When it came back, where that is not now; needs permission `document.backdate`.
    pub returned_at: Option<DateTime<Utc>>,
    pub lines: Vec<ReturnedLine>,
    /// How it is paid back.
    pub tenders: Vec<TenderInput>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnedLine {
    /// The invoice's line.
    pub invoice_line_no: i32,
    /// Positive; at most what was sold and has not come back yet.
    pub quantity: Quantity,
}

impl Validate for ProcessReturn {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.optional_text("reason", self.reason.as_deref(), 200);
        errors.count("lines", self.lines.len(), LINES_MAX);
        let mut seen = HashSet::with_capacity(self.lines.len());
        errors.each("lines", &self.lines, |errors, line| {
            limit::quantity(errors, "quantity", line.quantity);
            let first = seen.insert(line.invoice_line_no);
            errors.require(first, "invoice_line_no", "duplicate", "is on another line already");
        });
        tender::validate(errors, &self.tenders);
    }
}

impl BatchCommand for ProcessReturn {
    type Output = ReturnProcessed;
    const NAME: &'static str = "sales.process_return";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        Need::document(Permission::ReturnProcess, self.shop_id, self.returned_at)
    }

    async fn execute_all(items: &[Self], tx: &mut Tx) -> Result<Vec<ReturnProcessed>> {
        let mut processed = Vec::with_capacity(items.len());
        for item in items {
            processed.push(item.process(tx).await?);
        }
        Ok(processed)
    }
}

impl ProcessReturn {
    async fn process(&self, tx: &mut Tx) -> Result<ReturnProcessed> {
        let shop = millrace_party::shops(tx, &[self.shop_id])
            .await?
            .remove(&self.shop_id)
            .ok_or_else(|| Error::not_found("shop", self.shop_id))?;
        let (sold, sold_lines) = store::lock(tx, self.invoice_id, self.shop_id)
            .await?
            .ok_or_else(|| Error::not_found("invoice", self.invoice_id))?;
        let mut errors = FieldErrors::default();
        tx.context().refuse_future(&mut errors, "returned_at", self.returned_at);
        let lines = self.take_back(&mut errors, &sold_lines);
        errors.into_result()?;

        let sum: Amount = lines.iter().map(|line| line.total).sum();
        let taxable: Amount = lines.iter().map(|line| line.taxable).sum();
        let refund = price::to_cash_unit(sold.returned + sum, &sold.currency) - sold.refunded;
        let mut errors = FieldErrors::default();
        let (tenders, change) = tender::settle(&mut errors, &self.tenders, refund);
        let message = format!("exactly {refund} is paid back");
        errors.require(change.is_zero(), "tenders", "too_much", message);
        errors.into_result()?;

        let returned_at = self.returned_at.unwrap_or_else(|| tx.context().now());
        let (business_date, business_hour) = shop.business_time(returned_at);
        let mut processed = ReturnProcessed {
            return_id: self.return_id.unwrap_or_else(ReturnId::new),
            return_number: String::new(),
            invoice_id: self.invoice_id,
            shop_id: self.shop_id,
            customer_id: sold.customer_id,
            currency: sold.currency,
            business_date,
            business_hour,
            returned_at,
            reason: self.reason.clone(),
            taxable,
            tax: sum - taxable,
            round_off: refund - sum,
            total: refund,
            cost: lines.iter().map(|line| line.cost).sum(),
            lines,
            tenders,
        };
        millrace_inventory::apply(tx, &[restock(&processed)]).await?;
        millrace_finance::post(tx, vec![entry(&processed)])?;
        let series = Series::of(self.shop_id, "R", business_date);
        let numbers = next_numbers(tx, SCHEMA, std::slice::from_ref(&series)).await?;
        let number = numbers.first().copied().expect("one series asked for, one number given");
        processed.return_number = series.document_number(&shop.code, number);
        store::insert(tx, &processed, &series, number)?;
        tx.append(&processed)?;
        Ok(processed)
    }

    fn take_back(&self, errors: &mut FieldErrors, sold: &[SoldLine]) -> Vec<ReturnLine> {
        let mut lines = Vec::with_capacity(self.lines.len());
        errors.each("lines", &self.lines, |errors, line| {
            let original = sold.iter().find(|sold| sold.line_no == line.invoice_line_no);
            let Some(original) = original else {
                errors.push("invoice_line_no", "unknown", "is not a line of the invoice");
                return;
            };
            let left = original.left();
            if line.quantity > left {
                let message =
                    format!("at most {left} of {} can still come back", original.quantity);
                errors.push("quantity", "more_than_sold", message);
                return;
            }
            let line_no = i32::try_from(lines.len() + 1).expect("a return has few lines");
            lines.push(original.take_back(line_no, line.quantity));
        });
        lines
    }
}

fn restock(processed: &ReturnProcessed) -> StockDocument {
    let lines = processed.lines.iter().map(|line| StockLine::In {
        product_id: line.product_id,
        quantity: line.quantity,
        value: line.cost,
    });
    StockDocument {
        shop_id: processed.shop_id,
        reason: MovementReason::SaleReturn,
        document_type: DOCUMENT,
        document_id: processed.return_id.0,
        business_date: processed.business_date,
        moved_at: processed.returned_at,
        lines: lines.collect(),
    }
}

fn entry(processed: &ReturnProcessed) -> Entry {
    let mut entry = Entry::new(
        processed.shop_id,
        &processed.currency,
        processed.business_date,
        DOCUMENT,
        processed.return_id.0,
    );
    entry.debit(Account::SalesReturns, processed.taxable);
    entry.debit(Account::CgstOutput, processed.lines.iter().map(|line| line.cgst).sum());
    entry.debit(Account::SgstOutput, processed.lines.iter().map(|line| line.sgst).sum());
    entry.debit(Account::IgstOutput, processed.lines.iter().map(|line| line.igst).sum());
    entry.debit(Account::RoundOff, processed.round_off);
    for tender in &processed.tenders {
        entry.credit(tender::account(tender.tender), tender.amount);
    }
    entry.debit(Account::Inventory, processed.cost);
    entry.credit(Account::CostOfGoodsSold, processed.cost);
    entry
}

/// Take goods of an invoice back and pay for them.
#[utoipa::path(
    post,
    path = "/api/v1/sales/returns",
    tag = "sales",
    params(("Idempotency-Key" = Option<String>, Header, description = "One key, one return")),
    request_body = ProcessReturn,
    responses((status = 201, body = ReturnProcessed), (status = "4XX", body = Problem)),
)]
pub(crate) async fn process_return(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<ProcessReturn>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}
