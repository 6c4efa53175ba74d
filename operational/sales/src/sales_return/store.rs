//! Invoices as sold, locked, and returns written.

use millrace_events::event::ReturnProcessed;
use millrace_events::{Amount, CustomerId, InvoiceId, ShopId};
use millrace_kernel::numbers::Series;
use millrace_kernel::{Result, Tx, Values};

use super::refund::SoldLine;
use crate::SCHEMA;

/// What a return has to know of its invoice.
#[derive(Clone, Debug)]
pub(super) struct Sold {
    pub customer_id: Option<CustomerId>,
    pub currency: String,
    /// Of all returns so far: their lines.
    pub returned: Amount,
    /// Of all returns so far: what was paid back.
    pub refunded: Amount,
}

/// Holds the invoice until the transaction ends, so that nobody else takes back the same goods.
pub(super) async fn lock(
    tx: &mut Tx,
    invoice_id: InvoiceId,
    shop_id: ShopId,
) -> Result<Option<(Sold, Vec<SoldLine>)>> {
    tx.settle(SCHEMA).await?;
    let locked = tx
        .fetch_optional(
            "select customer_id, currency from sales.invoices \
             where invoice_id = $1 and shop_id = $2 for update",
            &[&invoice_id, &shop_id],
        )
        .await?;
    let Some((customer_id, currency)) = locked else { return Ok(None) };
    // Read now that it is ours.
    let by_id: Values<'_> = &[&invoice_id];
    let returns = tx.fetch_one(
        "select coalesce(sum(taxable + tax), 0), coalesce(sum(total), 0) \
         from sales.returns where invoice_id = $1",
        by_id,
    );
    let lines = tx.fetch_all(
        "select l.line_no, l.product_id, l.unit, l.tax_rate, l.quantity, l.taxable, l.cgst, \
             l.sgst, l.igst, l.cost, \
             r.quantity as returned_quantity, r.taxable as returned_taxable, \
             r.cgst as returned_cgst, r.sgst as returned_sgst, r.igst as returned_igst, \
             r.cost as returned_cost \
         from sales.invoice_lines l \
         cross join lateral ( \
             select coalesce(sum(quantity), 0) as quantity, coalesce(sum(taxable), 0) as taxable, \
                 coalesce(sum(cgst), 0) as cgst, coalesce(sum(sgst), 0) as sgst, \
                 coalesce(sum(igst), 0) as igst, coalesce(sum(cost), 0) as cost \
             from sales.return_lines \
             where invoice_id = l.invoice_id and invoice_line_no = l.line_no) as r \
         where l.invoice_id = $1 order by l.line_no",
        by_id,
    );
    let ((returned, refunded), lines) = futures::try_join!(returns, lines)?;
    Ok(Some((Sold { customer_id, currency, returned, refunded }, lines)))
}

/// Writes a return and its lines when the transaction ends.
pub(super) fn insert(
    tx: &mut Tx,
    processed: &ReturnProcessed,
    series: &Series,
    number: i64,
) -> Result<()> {
    let actor = tx.context().actor.user_id;
    let json = serde_json::to_string(processed)?;
    tx.defer(
        SCHEMA,
        "insert into sales.returns (return_id, return_number, invoice_id, shop_id, reason, \
             business_date, returned_at, taxable, tax, round_off, total, cost, tenders, \
             series, number, actor_id) \
         select return_id, return_number, invoice_id, shop_id, reason, business_date, \
             returned_at, taxable, tax, round_off, total, cost, tenders, $2::text, $3::bigint, \
             $4::uuid \
         from json_populate_record(null::sales.returns, $1::text::json)",
        |to| to.bind(json.clone()).bind(series.name.clone()).bind(number).bind(actor),
    );
    tx.defer(
        SCHEMA,
        "insert into sales.return_lines (return_id, invoice_id, line_no, invoice_line_no, \
             product_id, quantity, taxable, cgst, sgst, igst, total, cost) \
         select $2::uuid, $3::uuid, line_no, invoice_line_no, product_id, quantity, taxable, cgst, \
             sgst, igst, total, cost \
         from json_populate_recordset(null::sales.return_lines, $1::text::json -> 'lines')",
        |to| to.bind(json.clone()).bind(processed.return_id).bind(processed.invoice_id),
    );
    Ok(())
}
