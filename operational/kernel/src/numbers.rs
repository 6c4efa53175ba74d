//! Document numbers without gaps, per shop and series.
//!
//! The counter is an ordinary row: a transaction that is undone gives its numbers back. Its lock is
//! held until the commit, so it is taken as late as a command can.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use millrace_events::ShopId;

use crate::{Result, Tx};

/// A row of numbers: `{prefix}{two digits of the year the financial year began in}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    pub shop_id: ShopId,
    pub name: String,
}

impl Series {
    /// The series of a date; financial years run from April to March.
    #[must_use]
    pub fn of(shop_id: ShopId, prefix: &str, date: NaiveDate) -> Self {
        let began = if date.month() >= 4 { date.year() } else { date.year() - 1 };
        Self { shop_id, name: format!("{prefix}{:02}", began.rem_euclid(100)) }
    }

    /// The document's number as printed: at most 16 characters, as tax law wants, for shop codes
    /// of up to 6 and a million documents a year.
    #[must_use]
    pub fn document_number(&self, shop_code: &str, number: i64) -> String {
        format!("{shop_code}/{}-{number}", self.name)
    }
}

/// The next number of each series asked for, in order. `schema` has the table `series`.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn next_numbers(
    tx: &mut Tx,
    schema: &'static str,
    wanted: &[Series],
) -> Result<Vec<i64>> {
    let mut counts: BTreeMap<&Series, i64> = BTreeMap::new();
    for series in wanted {
        *counts.entry(series).or_default() += 1;
    }
    let sql = format!(
        "insert into {schema}.series as s (shop_id, series, last) \
         select shop_id, series, count from (select unnest($1::uuid[]) as shop_id, \
             unnest($2::text[]) as series, unnest($3::bigint[]) as count) as wanted \
         order by shop_id, series \
         on conflict (shop_id, series) do update set last = s.last + excluded.last \
         returning shop_id, series, last"
    );
    let shops: Vec<ShopId> = counts.keys().map(|series| series.shop_id).collect();
    let names: Vec<&str> = counts.keys().map(|series| series.name.as_str()).collect();
    let wanted_of_each: Vec<i64> = counts.values().copied().collect();
    let rows: Vec<(ShopId, String, i64)> =
        tx.fetch_all(&sql, &[&shops, &names, &wanted_of_each]).await?;
    let mut next: BTreeMap<Series, i64> = BTreeMap::new();
    for (shop_id, name, last) in rows {
        let series = Series { shop_id, name };
        let first = last - counts.get(&series).copied().unwrap_or_default() + 1;
        next.insert(series, first);
    }
    let take = |series: &Series| {
        let number = next.get_mut(series).expect("each series asked for came back");
        *number += 1;
        *number - 1
    };
    Ok(wanted.iter().map(take).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_begins_in_april_and_fits_sixteen_characters() {
        let date = |year, month| NaiveDate::from_ymd_opt(year, month, 1).expect("date");
        let shop = ShopId::new();
        assert_eq!(Series::of(shop, "", date(2026, 3)).name, "25");
        let series = Series::of(shop, "R", date(2026, 4));
        assert_eq!(series.name, "R26");
        let number = series.document_number("MUM001", 12345);
        assert_eq!((number.as_str(), number.len()), ("MUM001/R26-12345", 16));
    }
}
