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
         select $1::uuid, unnest($2::uuid[]), unnest($3::text[]), unnest($4::uuid[]), \
             unnest($5::text[]), unnest($6::bigint[]), unnest($7::text[]), unnest($8::uuid[]), \
             unnest($9::text[]), unnest($10::date[]), unnest($11::int[]), \
             unnest($12::timestamptz[]), unnest($13::numeric[]), unnest($14::numeric[]), \
             unnest($15::numeric[]), unnest($16::numeric[]), unnest($17::numeric[]), \
             unnest($18::numeric[]), unnest($19::text[])::jsonb",
        |to| {
            to.bind(actor)
                .bind(headers().map(|issued| issued.invoice_id).collect::<Vec<InvoiceId>>())
                .bind(headers().map(|issued| issued.invoice_number.clone()).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.shop_id).collect::<Vec<_>>())
                .bind(series.iter().map(|series| series.name.clone()).collect::<Vec<_>>())
                .bind(numbers.to_vec())
                .bind(headers().map(|issued| issued.till.clone()).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.customer_id).collect::<Vec<_>>())
                .bind(headers().map(|issued| issued.currency.clone()).collect::<Vec<_>>())
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
         select unnest($1::uuid[]), unnest($2::int[]), unnest($3::uuid[]), \
             unnest($4::numeric[]), unnest($5::text[]), unnest($6::numeric[]), \
             unnest($7::numeric[]), unnest($8::numeric[]), unnest($9::numeric[]), \
             unnest($10::numeric[]), unnest($11::numeric[]), unnest($12::numeric[]), \
             unnest($13::numeric[]), unnest($14::numeric[])",
        |to| {
            to.bind(lines().map(|(invoice_id, _)| invoice_id).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.line_no).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.product_id).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.quantity).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.unit.clone()).collect::<Vec<_>>())
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
