//! LED-1 and LED-3.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Decimal128Type;
use millrace_events::Position;
use rust_decimal::Decimal;
use sqlx::{Postgres, Row, Transaction};

use crate::{Doctor, Error, Finding, Result};

const SETTLE_MAX: Duration = Duration::from_secs(30);
const VIEW: &str = "live_trial_balance";

/// LED-1.
pub(crate) async fn entries_balance(reader: &mut Transaction<'_, Postgres>) -> Result<Finding> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from finance.entries").fetch_one(&mut **reader).await?;
    let unbalanced = sqlx::query(
        "select entry_id::text, currency, sum(debit)::text as debit, sum(credit)::text as credit \
         from finance.journal_lines group by entry_id, currency having sum(debit) <> sum(credit) \
         order by entry_id",
    )
    .fetch_all(&mut **reader)
    .await?;
    let mut finding =
        Finding::new("LED-1", "in each journal entry debits equal credits per currency")
            .examined(count, "entries");
    for row in unbalanced {
        let text = |column| row.try_get::<String, _>(column);
        finding.violate(format!(
            "entry {}: debit {} {currency}, credit {} {currency}",
            text("entry_id")?,
            text("debit")?,
            text("credit")?,
            currency = text("currency")?,
        ));
    }
    Ok(finding)
}

/// Debit and credit by account and currency.
type Balance = BTreeMap<(String, String), (Decimal, Decimal)>;

/// LED-3. PostgreSQL and ClickHouse are compared at PostgreSQL's moment, ClickHouse and the live view
/// at the view's position: the history mart holds both.
pub(crate) async fn trial_balances_agree(
    doctor: &Doctor,
    reader: &mut Transaction<'_, Postgres>,
    position: Position,
) -> Result<Finding> {
    let mut finding = Finding::new(
        "LED-3",
        "the trial balance is equal in PostgreSQL, in the live view and in ClickHouse at one position",
    );
    let Some(loader) = doctor.pipeline.loader() else {
        return Ok(finding.examined("no", "marts are kept: not compared"));
    };
    let booked = booked(reader).await?;
    let live = doctor.pipeline.snapshot(VIEW)?;
    let shown = balance(&live.snapshot.batches()?)?;
    let needed = live.position.max(position);
    if let Err(error) = loader.wait_for(needed, SETTLE_MAX).await {
        finding.violate(format!("ClickHouse does not get to position {needed}: {error}"));
        return Ok(finding.examined("no", "accounts: not compared"));
    }
    let (clickhouse, database) = loader.clickhouse();
    let mart = async |position: Position| -> Result<Balance> {
        let sql = format!(
            "select account_code, currency, sum(debit * _weight) as debit, sum(credit * _weight) as credit \
             from {database}.fct_journal_lines where position <= {position} \
             group by account_code, currency"
        );
        balance(&clickhouse.select("sum the journal", &sql).await?)
    };
    compare(
        &mut finding,
        ("PostgreSQL", &booked),
        ("ClickHouse", &mart(position).await?),
        position,
    );
    let at_view = mart(live.position).await?;
    compare(&mut finding, ("the live view", &shown), ("ClickHouse", &at_view), live.position);
    Ok(finding.examined(booked.len(), "accounts"))
}

async fn booked(reader: &mut Transaction<'_, Postgres>) -> Result<Balance> {
    let rows: Vec<(String, String, Decimal, Decimal)> = sqlx::query_as(
        "select account_code, currency, sum(debit), sum(credit) from finance.journal_lines \
         group by account_code, currency",
    )
    .fetch_all(&mut **reader)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|(code, currency, debit, credit)| ((code, currency), (debit, credit))).collect())
}

fn balance(batches: &[RecordBatch]) -> Result<Balance> {
    let mut balance = Balance::new();
    for rows in batches {
        let codes = strings(rows, "account_code")?;
        let currencies = strings(rows, "currency")?;
        let (debits, credits) = (decimals(rows, "debit")?, decimals(rows, "credit")?);
        for row in 0..rows.num_rows() {
            let key = (codes[row].clone(), currencies[row].clone());
            balance.insert(key, (debits[row], credits[row]));
        }
    }
    Ok(balance)
}

fn column<'a>(rows: &'a RecordBatch, name: &'static str) -> Result<&'a dyn Array> {
    let column = rows.column_by_name(name).ok_or(Error::Column { view: VIEW, column: name })?;
    Ok(column.as_ref())
}

fn strings(rows: &RecordBatch, name: &'static str) -> Result<Vec<String>> {
    let values = arrow::compute::cast(column(rows, name)?, &arrow::datatypes::DataType::Utf8)
        .map_err(|_| Error::Column { view: VIEW, column: name })?;
    Ok(values.as_string::<i32>().iter().map(|value| value.unwrap_or_default().to_owned()).collect())
}

fn decimals(rows: &RecordBatch, name: &'static str) -> Result<Vec<Decimal>> {
    let wrong = || Error::Column { view: VIEW, column: name };
    let values = column(rows, name)?.as_primitive_opt::<Decimal128Type>().ok_or_else(wrong)?;
    let scale = u32::try_from(values.scale()).map_err(|_| wrong())?;
    let decimal = |value: Option<i128>| {
        Decimal::try_from_i128_with_scale(value.unwrap_or_default(), scale).map_err(|_| wrong())
    };
    values.iter().map(decimal).collect()
}

fn compare(
    finding: &mut Finding,
    (one_name, one): (&str, &Balance),
    (other_name, other): (&str, &Balance),
    position: Position,
) {
    let zero = (Decimal::ZERO, Decimal::ZERO);
    let keys: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    for key @ (code, currency) in keys {
        let here = one.get(key).unwrap_or(&zero);
        let there = other.get(key).unwrap_or(&zero);
        if here != there {
            finding.violate(format!(
                "account {code} at position {position}: {one_name} has debit {} and credit {} {currency}, \
                 {other_name} {} and {}",
                here.0, here.1, there.0, there.1
            ));
        }
    }
}
