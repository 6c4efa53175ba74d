//! Invoices with their lines, written when the transaction ends.

use millrace_kernel::arrays::{of_texts, of_values};
use millrace_kernel::numbers::Series;
use millrace_kernel::{Column, Result, Tx, value};

use super::draft::Draft;
use crate::SCHEMA;

const COLUMNS: [Column; 31] = [
    ("actor_id", "uuid"),
    ("invoice_id", "uuid"),
    ("invoice_number", "text"),
    ("shop_id", "uuid"),
    ("series", "text"),
    ("number", "bigint"),
    ("till", "text"),
    ("customer_id", "uuid"),
    ("currency", "text"),
    ("business_date", "date"),
    ("business_hour", "int"),
    ("issued_at", "timestamptz"),
    ("discount", "numeric"),
    ("taxable", "numeric"),
    ("tax", "numeric"),
    ("round_off", "numeric"),
    ("total", "numeric"),
    ("cost", "numeric"),
    ("tenders", "jsonb"),
    ("product_ids", "uuid[]"),
    ("quantities", "numeric[]"),
    ("units", "text[]"),
    ("unit_prices", "numeric[]"),
    ("discounts", "numeric[]"),
    ("taxables", "numeric[]"),
    ("tax_rates", "numeric[]"),
    ("cgsts", "numeric[]"),
    ("sgsts", "numeric[]"),
    ("igsts", "numeric[]"),
    ("totals", "numeric[]"),
    ("costs", "numeric[]"),
];

pub(super) fn insert(
    tx: &mut Tx,
    drafts: &[Draft],
    series: &[Series],
    numbers: &[i64],
) -> Result<()> {
    let actor = tx.context().actor.user_id;
    let mut rows = Vec::with_capacity(drafts.len());
    for ((Draft { issued, .. }, series), number) in drafts.iter().zip(series).zip(numbers) {
        let lines = || issued.lines.iter();
        rows.push(vec![
            value(actor),
            value(issued.invoice_id),
            value(issued.invoice_number.clone()),
            value(issued.shop_id),
            value(series.name.clone()),
            value(*number),
            value(issued.till.clone()),
            value(issued.customer_id),
            value(issued.currency.clone()),
            value(issued.business_date),
            value(issued.business_hour),
            value(issued.issued_at),
            value(issued.discount),
            value(issued.taxable),
            value(issued.tax),
            value(issued.round_off),
            value(issued.total),
            value(issued.cost),
            value(serde_json::to_string(&issued.tenders)?),
            value(of_values(lines().map(|line| line.product_id))),
            value(of_values(lines().map(|line| line.quantity))),
            value(of_texts(lines().map(|line| line.unit.as_str()))),
            value(of_values(lines().map(|line| line.unit_price))),
            value(of_values(lines().map(|line| line.discount))),
            value(of_values(lines().map(|line| line.taxable))),
            value(of_values(lines().map(|line| line.tax_rate))),
            value(of_values(lines().map(|line| line.cgst))),
            value(of_values(lines().map(|line| line.sgst))),
            value(of_values(lines().map(|line| line.igst))),
            value(of_values(lines().map(|line| line.total))),
            value(of_values(lines().map(|line| line.cost))),
        ]);
    }
    tx.insert(SCHEMA, "invoices", &COLUMNS, rows);
    Ok(())
}
