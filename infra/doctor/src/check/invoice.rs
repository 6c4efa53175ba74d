//! LED-4, as far as it speaks of invoices.

use sqlx::{Postgres, Row, Transaction};

use crate::{Finding, Result};

/// LED-4. A line comes to its parts, and an invoice to its lines and its rounding.
pub(crate) async fn invoices_are_their_lines(
    reader: &mut Transaction<'_, Postgres>,
) -> Result<Finding> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from sales.invoices").fetch_one(&mut **reader).await?;
    let broken = sqlx::query(
        "select i.invoice_number, i.total::text as total, \
             coalesce(sum(l.total) + i.round_off, 0)::text as lines, i.cost::text as cost, \
             coalesce(sum(l.cost), 0)::text as lines_cost, \
             count(*) filter (where (l.total = l.taxable + l.cgst + l.sgst + l.igst) is not true) \
                 as wrong \
         from sales.invoices as i left join sales.invoice_lines as l using (invoice_id) \
         group by i.invoice_id \
         having (sum(l.total) + i.round_off = i.total and sum(l.cost) = i.cost \
             and bool_and(l.total = l.taxable + l.cgst + l.sgst + l.igst)) is not true \
         order by i.invoice_number",
    )
    .fetch_all(&mut **reader)
    .await?;
    let mut finding = Finding::new("LED-4", "an invoice equals its lines with declared rounding")
        .examined(count, "invoices");
    for row in broken {
        let text = |column| row.try_get::<String, _>(column);
        finding.violate(format!(
            "invoice {}: total {}, its lines and rounding {}; cost {}, its lines {}; {} lines that do not \
             come to their parts",
            text("invoice_number")?,
            text("total")?,
            text("lines")?,
            text("cost")?,
            text("lines_cost")?,
            row.try_get::<i64, _>("wrong")?,
        ));
    }
    Ok(finding)
}
