//! Goods receipt notes and their lines, written when the transaction ends.

use millrace_events::GrnId;
use millrace_events::event::{GrnLine, GrnReceived};
use millrace_kernel::numbers::Series;
use millrace_kernel::{Result, Tx};
use serde::Serialize;

use crate::SCHEMA;

/// A row of `purchase.grns` as JSON.
#[derive(Serialize)]
struct GrnRow<'a> {
    #[serde(flatten)]
    grn: &'a GrnReceived,
    series: &'a str,
    number: i64,
}

/// A row of `purchase.grn_lines` as JSON.
#[derive(Serialize)]
struct LineRow<'a> {
    grn_id: GrnId,
    #[serde(flatten)]
    line: &'a GrnLine,
}

pub(super) fn insert(
    tx: &mut Tx,
    grns: &[GrnReceived],
    series: &[Series],
    numbers: &[i64],
) -> Result<()> {
    let actor = tx.context().actor.user_id;
    let rows: Vec<GrnRow<'_>> = grns
        .iter()
        .zip(series)
        .zip(numbers)
        .map(|((grn, series), number)| GrnRow { grn, series: &series.name, number: *number })
        .collect();
    let lines: Vec<LineRow<'_>> = grns
        .iter()
        .flat_map(|grn| grn.lines.iter().map(|line| LineRow { grn_id: grn.grn_id, line }))
        .collect();
    let (rows, lines) = (serde_json::to_string(&rows)?, serde_json::to_string(&lines)?);
    tx.defer(
        SCHEMA,
        "insert into purchase.grns (grn_id, grn_number, shop_id, series, number, vendor_id, \
             purchase_order_id, currency, business_date, received_at, value, actor_id) \
         select grn_id, grn_number, shop_id, series, number, vendor_id, purchase_order_id, \
             currency, business_date, received_at, value, $2::uuid \
         from json_populate_recordset(null::purchase.grns, $1::text::json)",
        |to| to.bind(rows).bind(actor),
    );
    tx.defer(
        SCHEMA,
        "insert into purchase.grn_lines (grn_id, line_no, product_id, quantity, unit_cost, value, \
             batch, expires_on) \
         select grn_id, line_no, product_id, quantity, unit_cost, value, batch, expires_on \
         from json_populate_recordset(null::purchase.grn_lines, $1::text::json)",
        |to| to.bind(lines),
    );
    Ok(())
}
