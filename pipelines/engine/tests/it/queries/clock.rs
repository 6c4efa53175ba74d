//! Views over the current time.

use chrono::{DateTime, Utc};

/// Name, key columns separated by commas (none: rows may repeat), SQL.
pub const QUERIES: &[(&str, &str, &str)] = &[
    ("recent", "", "select product, day from moves where day >= current_date - 30"),
    ("coming", "", "select product, day from moves where day > current_date and quantity > 0"),
    (
        "sold_lately",
        "",
        "select sale_id, shop from sales where sold_at > now() - interval '6 hours'",
    ),
    (
        "within",
        "",
        "select sale_id from sales where sold_at between now() - interval '1 day' and now() + interval '1 day'",
    ),
    (
        "buckets",
        "bucket",
        "select case when day < current_date - 60 then 'old' when day < current_date then 'passed' else 'open' end as bucket, count(*) as n, sum(quantity) as quantity from moves group by 1",
    ),
    (
        "age",
        "",
        "select sale_id, date_trunc('hour', now()) as at from sales where shop is not null",
    ),
    (
        "still",
        "shop",
        "select h.shop from shops h where not exists (select 1 from sales s where s.shop = h.shop and s.sold_at > now() - interval '1 day')",
    ),
    ("today", "", "select current_date as today"),
];

/// The query with the time written out.
pub fn at(sql: &str, now: DateTime<Utc>) -> String {
    let (date, time) = (now.format("%F"), now.format("%FT%T"));
    sql.replace("now()", &format!("arrow_cast('{time}', 'Timestamp(ns)')"))
        .replace("current_date", &format!("date '{date}'"))
}
