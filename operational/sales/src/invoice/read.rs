//! `GET /api/v1/pos/invoices/{id}`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::event::InvoiceIssued;
use millrace_events::{InvoiceId, ShopId};
use millrace_kernel::{Context, Error, Id, Json, Kernel, Permission, Problem, Result};
use serde_json::value::RawValue;

/// One invoice with its lines and tenders.
#[utoipa::path(
    get,
    path = "/api/v1/pos/invoices/{id}",
    tag = "sales",
    params(("id" = InvoiceId, Path)),
    responses((status = 200, body = InvoiceIssued), (status = "4XX", body = Problem)),
)]
pub(crate) async fn read_invoice(
    State(kernel): State<Kernel>,
    context: Context,
    Id(invoice_id): Id<InvoiceId>,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::InvoiceRead, None)?;
    let row: Option<(ShopId, String)> = sqlx::query_as(
        "select shop_id, row_to_json(invoice)::text from ( \
             select invoice_id, invoice_number, shop_id, till, customer_id, currency, \
                 business_date, business_hour, issued_at, discount, taxable, tax, round_off, total, \
                 cost, tenders, ( \
                     select json_agg(row_to_json(line) order by line.line_no) from ( \
                         select line_no, product_id, quantity, unit, unit_price, discount, taxable, \
                             tax_rate, cgst, sgst, igst, total, cost \
                         from sales.invoice_lines l where l.invoice_id = i.invoice_id) as line \
                 ) as lines \
             from sales.invoices i where invoice_id = $1) as invoice",
    )
    .bind(invoice_id)
    .fetch_optional(kernel.pool())
    .await?;
    // Somebody from another shop must not learn that it exists.
    let (_, json) = row
        .filter(|(shop_id, _)| context.actor.sees(*shop_id))
        .ok_or_else(|| Error::not_found("invoice", invoice_id))?;
    Ok(Json(RawValue::from_string(json)?))
}
