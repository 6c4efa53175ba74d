//! Invoices with their lines, written when the transaction ends.

use millrace_events::event::{InvoiceIssued, InvoiceLine};
use millrace_events::{Amount, InvoiceId};
use millrace_kernel::arrays::{of_texts, of_values};
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
    let lines = |literal: fn(&[InvoiceLine]) -> String| -> Vec<String> {
        headers().map(|issued| literal(&issued.lines)).collect()
    };
    let tenders = headers().map(|issued| serde_json::to_string(&issued.tenders));
    let tenders: Vec<String> = tenders.collect::<Result<_, _>>()?;
    tx.defer(
        SCHEMA,
        "insert into sales.invoices (actor_id, invoice_id, invoice_number, shop_id, series, \
             number, till, customer_id, currency, business_date, business_hour, issued_at, \
             discount, taxable, tax, round_off, total, cost, tenders, product_ids, quantities, \
             units, unit_prices, discounts, taxables, tax_rates, cgsts, sgsts, igsts, totals, costs) \
         select $1::uuid, unnest($2::uuid[]), unnest($3::text[]), unnest($4::uuid[]), \
             unnest($5::text[]), unnest($6::bigint[]), unnest($7::text[]), unnest($8::uuid[]), \
             unnest($9::text[]), unnest($10::date[]), unnest($11::int[]), \
             unnest($12::timestamptz[]), unnest($13::numeric[]), unnest($14::numeric[]), \
             unnest($15::numeric[]), unnest($16::numeric[]), unnest($17::numeric[]), \
             unnest($18::numeric[]), unnest($19::text[])::jsonb, unnest($20::text[])::uuid[], \
             unnest($21::text[])::numeric[], unnest($22::text[])::text[], \
             unnest($23::text[])::numeric[], unnest($24::text[])::numeric[], \
             unnest($25::text[])::numeric[], unnest($26::text[])::numeric[], \
             unnest($27::text[])::numeric[], unnest($28::text[])::numeric[], \
             unnest($29::text[])::numeric[], unnest($30::text[])::numeric[], \
             unnest($31::text[])::numeric[]",
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
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.product_id))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.quantity))))
                .bind(lines(|lines| of_texts(lines.iter().map(|line| line.unit.as_str()))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.unit_price))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.discount))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.taxable))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.tax_rate))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.cgst))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.sgst))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.igst))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.total))))
                .bind(lines(|lines| of_values(lines.iter().map(|line| line.cost))))
        },
    );
    Ok(())
}
