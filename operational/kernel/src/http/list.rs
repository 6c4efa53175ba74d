//! Reading lists: `page`, `limit`, `sort=field:dir` and filters by name, over an allow-list.
//!
//! Rows come from PostgreSQL as the JSON it writes itself, so that decimals stay exact.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use millrace_events::ShopId;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{Error, FieldErrors, Result};

const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = 1000;
/// Beyond this an offset costs more than it helps.
const OFFSET_MAX: i64 = 1_000_000;

/// How a column may be filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Text,
    Uuid,
    Bool,
    /// Sorted by, but not filtered.
    None,
}

#[derive(Clone, Copy, Debug)]
pub struct ListColumn {
    pub name: &'static str,
    pub filter: Filter,
}

impl ListColumn {
    #[must_use]
    pub const fn new(name: &'static str, filter: Filter) -> Self {
        Self { name, filter }
    }
}

/// What can be listed.
#[derive(Clone, Copy, Debug)]
pub struct ListSpec {
    /// A `select` whose columns are the row's fields.
    pub select: &'static str,
    pub columns: &'static [ListColumn],
    /// For example `name:asc`; ties are broken by `key`.
    pub sort: &'static str,
    pub key: &'static str,
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct Page {
    pub rows: Box<RawValue>,
    pub page: i64,
    pub limit: i64,
    /// Rows on all pages.
    pub total: i64,
}

/// How a [`Page`] of `T` looks in the OpenAPI document.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what PostgreSQL writes")]
pub struct PageOf<T> {
    rows: Vec<T>,
    page: i64,
    limit: i64,
    /// Rows on all pages.
    total: i64,
}

/// What the caller asked, as yet unchecked.
#[derive(Clone, Debug, Default)]
pub struct ListQuery(pub Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Query(pairs) =
            Query::<Vec<(String, String)>>::from_request_parts(parts, state)
                .await
                .map_err(|rejection| Error::Malformed { detail: rejection.body_text() })?;
        Ok(Self(pairs))
    }
}

#[derive(Debug)]
enum Value {
    Text(String),
    Uuid(Uuid),
    Bool(bool),
}

#[derive(Debug)]
struct Plan {
    page: i64,
    limit: i64,
    sort: (&'static str, bool),
    filters: Vec<(&'static str, Value)>,
    shops: Option<Vec<ShopId>>,
}

impl ListQuery {
    /// Reads the page.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming each parameter that is not on the allow-list or not readable.
    pub async fn fetch(&self, pool: &PgPool, spec: &ListSpec) -> Result<Page> {
        self.fetch_in_shops(pool, spec, None).await
    }

    /// Reads the page, of rows whose `shop_id` is one of these only.
    ///
    /// # Errors
    /// As [`ListQuery::fetch`].
    pub async fn fetch_in_shops(
        &self,
        pool: &PgPool,
        spec: &ListSpec,
        shops: Option<&[ShopId]>,
    ) -> Result<Page> {
        let mut plan = self.plan(spec)?;
        plan.shops = shops.map(<[ShopId]>::to_vec);
        let mut rows = QueryBuilder::<Postgres>::new(
            "select coalesce(json_agg(row_to_json(page)), '[]')::text from (",
        );
        from_where(&mut rows, "select *", spec, &plan);
        let direction = if plan.sort.1 { "desc" } else { "asc" };
        rows.push(format!(" order by {} {direction}, {} limit ", plan.sort.0, spec.key));
        rows.push_bind(plan.limit).push(" offset ").push_bind((plan.page - 1) * plan.limit);
        rows.push(") as page");
        let rows: String = rows.build_query_scalar().fetch_one(pool).await?;

        let mut total = QueryBuilder::<Postgres>::new("");
        from_where(&mut total, "select count(*)", spec, &plan);
        let total: i64 = total.build_query_scalar().fetch_one(pool).await?;
        let rows = RawValue::from_string(rows)?;
        Ok(Page { rows, page: plan.page, limit: plan.limit, total })
    }

    fn plan(&self, spec: &ListSpec) -> Result<Plan> {
        let mut errors = FieldErrors::default();
        let sort = parse_sort(spec, spec.sort).expect("the default sort is on the allow-list");
        let mut plan =
            Plan { page: 1, limit: LIMIT_DEFAULT, sort, filters: Vec::new(), shops: None };
        for (name, text) in &self.0 {
            match name.as_str() {
                "page" => match text.parse() {
                    Ok(page) if page >= 1 => plan.page = page,
                    _ => errors.push(name, "invalid", "must be a whole number from 1"),
                },
                "limit" => match text.parse() {
                    Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => plan.limit = limit,
                    _ => errors.push(name, "invalid", format!("must be 1 to {LIMIT_MAX}")),
                },
                "sort" => match parse_sort(spec, text) {
                    Some(sort) => plan.sort = sort,
                    None => {
                        let names: Vec<_> = spec.columns.iter().map(|column| column.name).collect();
                        let names = names.join(", ");
                        errors.push(
                            name,
                            "invalid",
                            format!("must be <field>:asc or :desc with one of {names}"),
                        );
                    }
                },
                _ => match parse_filter(spec, name, text) {
                    Ok(filter) => plan.filters.push(filter),
                    Err(message) => errors.push(name, "invalid", message),
                },
            }
        }
        let reachable =
            (plan.page - 1).checked_mul(plan.limit).is_some_and(|skip| skip <= OFFSET_MAX);
        errors.require(
            reachable,
            "page",
            "too_far",
            format!("may skip at most {OFFSET_MAX} rows: filter instead"),
        );
        errors.into_result()?;
        Ok(plan)
    }
}

fn from_where(query: &mut QueryBuilder<Postgres>, head: &str, spec: &ListSpec, plan: &Plan) {
    query.push(head).push(" from (").push(spec.select).push(") as list where true");
    if let Some(shops) = &plan.shops {
        query.push(" and shop_id = any(").push_bind(shops.clone()).push(")");
    }
    for (column, value) in &plan.filters {
        query.push(format!(" and {column} = "));
        match value {
            Value::Text(text) => query.push_bind(text.clone()),
            Value::Uuid(id) => query.push_bind(*id),
            Value::Bool(flag) => query.push_bind(*flag),
        };
    }
}

fn parse_sort(spec: &ListSpec, text: &str) -> Option<(&'static str, bool)> {
    let (name, direction) = text.split_once(':').unwrap_or((text, "asc"));
    let column = spec.columns.iter().find(|column| column.name == name)?;
    match direction {
        "asc" => Some((column.name, false)),
        "desc" => Some((column.name, true)),
        _ => None,
    }
}

fn parse_filter(spec: &ListSpec, name: &str, text: &str) -> Result<(&'static str, Value), String> {
    let column = spec.columns.iter().find(|column| column.name == name);
    let Some(column) = column.filter(|column| column.filter != Filter::None) else {
        let filters = spec.columns.iter().filter(|column| column.filter != Filter::None);
        let names: Vec<_> = filters.map(|column| column.name).collect();
        return Err(format!("is not a filter here; filters are {}", names.join(", ")));
    };
    let value = match column.filter {
        Filter::Uuid => Value::Uuid(text.parse().map_err(|_| "must be a UUID".to_owned())?),
        Filter::Bool => Value::Bool(text.parse().map_err(|_| "must be true or false".to_owned())?),
        Filter::Text | Filter::None => Value::Text(text.to_owned()),
    };
    Ok((column.name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: ListSpec = ListSpec {
        select: "select 1",
        columns: &[
            ListColumn::new("sku", Filter::Text),
            ListColumn::new("shop_id", Filter::Uuid),
            ListColumn::new("price", Filter::None),
        ],
        sort: "sku:asc",
        key: "sku",
    };

    fn plan(pairs: &[(&str, &str)]) -> Result<Plan> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        ListQuery(pairs).plan(&SPEC)
    }

    #[test]
    fn what_is_not_on_the_list_is_refused_by_name() {
        let good = plan(&[("sku", "A1"), ("sort", "price:desc"), ("limit", "5")]).expect("plan");
        assert_eq!((good.sort, good.limit, good.filters.len()), (("price", true), 5, 1));
        let bad = plan(&[
            ("price", "1"),
            ("shop_id", "x"),
            ("sort", "name"),
            ("limit", "0"),
            ("drop table", ""),
        ]);
        let Err(Error::Invalid { errors }) = bad else { panic!("{bad:?}") };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["price", "shop_id", "sort", "limit", "drop table"]);
    }
}
