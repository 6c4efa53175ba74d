//! One sale at a till, and perhaps a return.

use anyhow::{Result, bail};
use millrace_events::event::TenderKind;
use millrace_events::{Amount, InvoiceId, Quantity, ShopId};
use millrace_sales::{IssueInvoice, ProcessReturn, ReturnedLine, TenderInput};
use reqwest::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::{Live, ShopClient, Tally};
use crate::basket::Basketry;
use crate::dataset::Basket;

/// What the till is told of an invoice.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Sold {
    pub invoice_id: InvoiceId,
    pub total: Amount,
}

/// How a sale ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    Sold(Sold),
    /// There was not enough stock.
    Refused,
}

/// Sends an invoice until it is answered.
///
/// # Errors
/// A refusal other than for lack of stock.
pub async fn issue(client: &ShopClient, invoice: &IssueInvoice) -> Result<Outcome> {
    let key = format!("till/{}", invoice.invoice_id.map_or_else(Uuid::new_v4, |id| id.0));
    let answer = client.post("/api/v1/pos/invoice", &key, invoice).await?;
    match answer.status {
        StatusCode::CREATED => answer.json().map(Outcome::Sold),
        StatusCode::CONFLICT if answer.body.contains("insufficient_stock") => Ok(Outcome::Refused),
        status => bail!("{status}: {}", answer.body),
    }
}

pub(super) async fn sell(live: &Live, basket: &Basket, returns: bool, tally: &Tally) -> Result<()> {
    let invoice = Basketry::new(&live.masters).invoice(basket, None);
    let Outcome::Sold(sold) = issue(&live.client, &invoice).await? else {
        Tally::count(&tally.refused);
        return Ok(());
    };
    Tally::count(&tally.sold);
    if let Some(journal) = &live.journal {
        journal.note(sold.invoice_id)?;
    }
    if returns {
        bring_back(&live.client, invoice.shop_id, sold.invoice_id).await?;
        Tally::count(&tally.returned);
    }
    Ok(())
}

/// One unit of the first line comes back.
async fn bring_back(client: &ShopClient, shop_id: ShopId, invoice_id: InvoiceId) -> Result<()> {
    let command = ProcessReturn {
        return_id: None,
        shop_id,
        invoice_id,
        returned_at: None,
        reason: Some("Not as expected".into()),
        lines: vec![ReturnedLine { invoice_line_no: 1, quantity: Quantity::from(1) }],
        tenders: vec![TenderInput { tender: TenderKind::Cash, amount: None, reference: None }],
    };
    let answer =
        client.post("/api/v1/sales/returns", &format!("return/{invoice_id}"), &command).await?;
    if answer.status != StatusCode::CREATED {
        bail!("{}: {}", answer.status, answer.body);
    }
    Ok(())
}
