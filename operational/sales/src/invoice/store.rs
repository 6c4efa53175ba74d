//! Invoices and their lines, written when the transaction ends.

use millrace_events::event::{InvoiceIssued, InvoiceLine};
use millrace_events::{Amount, InvoiceId};
use millrace_kernel::numbers::Series;
use millrace_kernel::{Result, Tx};

use super::draft::Draft;
use crate::SCHEMA;

pub(super) fn insert(
    tx: &mut Tx,
    drafts: &[Draft],
    series: &[Series],
    numbers: &[i64],
) -> Result<()> {
    let actor = tx.context().actor.user_id;
    let headers = || drafts.iter().map(|draft| &draft.issued);
    let amounts =
        |pick: fn(&InvoiceIssued) -> Amount| -> Vec<Amount> { headers().map(pick).collect() };
    let lines = || {
        headers().flat_map(|issued| issued.lines.iter().map(move |line| (issued.invoice_id, line)))
    };
    let line_amounts = |pick: fn(&InvoiceLine) -> Amount| -> Vec<Amount> {
        lines().map(|(_, line)| pick(line)).collect()
    };
    let tenders = headers().map(|issued| serde_json::to_string(&issued.tenders));
    let tenders: Vec<String> = tenders.collect::<Result<_, _>>()?;
    tx.defer(
        SCHEMA,
        "insert into sales.invoices (actor_id, invoice_id, invoice_number, shop_id, series, \
             number, till, customer_id, currency, business_date, business_hour, issued_at, \
             discount, taxable, tax, round_off, total, cost, tenders) \
         select $1::uuid, h.invoice_id, h.invoice_number, h.shop_id, h.series, h.number, h.till, \
             h.customer_id, h.currency, h.business_date, h.business_hour, h.issued_at, \
             h.discount, h.taxable, h.tax, h.round_off, h.total, h.cost, h.tenders::jsonb \
         from unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::bigint[], $7::text[], \
             $8::uuid[], $9::text[], $10::date[], $11::int[], $12::timestamptz[], \
             $13::numeric[], $14::numeric[], $15::numeric[], $16::numeric[], $17::numeric[], \
             $18::numeric[], $19::text[]) \
             as h (invoice_id, invoice_number, shop_id, series, number, till, customer_id, \
             currency, business_date, business_hour, issued_at, discount, taxable, tax, \
             round_off, total, cost, tenders)",
        |to| {
            to.bind(actor)
                .bind(headers().map(|issued| issued.invoice_id).collect::<Vec<InvoiceId>>())
                .bind(headers().map(|issued| issued.invoice_number.as_str()).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.shop_id).collect::<Vec<_>>())
                .bind(series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>())
                .bind(numbers)
                .bind(headers().map(|issued| issued.till.as_deref()).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.customer_id).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.currency.as_str()).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.business_date).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.business_hour).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.issued_at).collect::<Vec<_>>())
                .bind(amounts(|issued| issued.discount))
                .bind(amounts(|issued| issued.taxable))
                .bind(amounts(|issued| issued.tax))
                .bind(amounts(|issued| issued.round_off))
                .bind(amounts(|issued| issued.total))
                .bind(amounts(|issued| issued.cost))
                .bind(tenders)
        },
    );
    tx.defer(
        SCHEMA,
        "insert into sales.invoice_lines (invoice_id, line_no, product_id, quantity, unit, \
             unit_price, discount, taxable, tax_rate, cgst, sgst, igst, total, cost) \
         select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::numeric[], $5::text[], \
             $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[], $10::numeric[], \
             $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[])",
        |to| {
            to.bind(lines().map(|(invoice_id, _)| invoice_id).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.line_no).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.product_id).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.quantity).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.unit.as_str()).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.unit_price).collect::<Vec<_>>())
                .bind(line_amounts(|line| line.discount))
                .bind(line_amounts(|line| line.taxable))
                .bind(lines().map(|(_, line)| line.tax_rate).collect::<Vec<_>>())
                .bind(line_amounts(|line| line.cgst))
                .bind(line_amounts(|line| line.sgst))
                .bind(line_amounts(|line| line.igst))
                .bind(line_amounts(|line| line.total))
                .bind(line_amounts(|line| line.cost))
        },
    );
    Ok(())
}
