//! The query string of a read: what is about the answer, and what is about the rows.

use std::str::FromStr;
use std::time::Duration;

use axum::http::HeaderMap;
use millrace_events::{Position, Token};
use millrace_views::{PipelineHandle, Target};

use crate::Error;

const WAIT_FOR_HEADER: &str = "millrace-wait-for";

/// A query string taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub sort: Option<String>,
    pub page: Option<usize>,
    pub limit: Option<usize>,
    wait_for: Option<Token>,
    at_least: Option<Position>,
    /// Everything else is about columns.
    pub columns: Vec<(String, String)>,
}

impl Query {
    /// # Errors
    /// [`Error::ParameterUnreadable`] naming the parameter.
    pub(crate) fn read(pairs: Vec<(String, String)>, headers: &HeaderMap) -> Result<Self, Error> {
        let mut query = Self::default();
        if let Some(value) = headers.get(WAIT_FOR_HEADER) {
            query.wait_for = Some(token(value.to_str().unwrap_or_default())?);
        }
        for (name, value) in pairs {
            match name.as_str() {
                "sort" => query.sort = Some(value),
                "page" => query.page = Some(number("page", &value)?),
                "limit" => query.limit = Some(number("limit", &value)?),
                "wait_for" => query.wait_for = Some(token(&value)?),
                "at_least" => query.at_least = Some(Position(number("at_least", &value)?)),
                _ => query.columns.push((name, value)),
            }
        }
        Ok(query)
    }

    /// Waits until the views are as far as this query asks.
    ///
    /// # Errors
    /// [`millrace_views::Error::FrontierTimeout`] after `longest`.
    pub(crate) async fn wait(
        &self,
        pipeline: &PipelineHandle,
        longest: Duration,
    ) -> Result<(), Error> {
        let targets = [self.wait_for.map(Target::Token), self.at_least.map(Target::Position)];
        let waited = async {
            for target in targets.into_iter().flatten() {
                pipeline.wait_for(target, longest).await?;
            }
            Ok(())
        };
        waited.await
    }
}

fn token(value: &str) -> Result<Token, Error> {
    value.parse().map_err(|_| Error::ParameterUnreadable {
        field: "wait_for",
        value: value.to_owned(),
        wanted: "send back the millrace-token that a write answered",
    })
}

fn number<T: FromStr>(field: &'static str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| Error::ParameterUnreadable {
        field,
        value: value.to_owned(),
        wanted: "write a whole number that is not negative",
    })
}

#[cfg(test)]
mod tests {
    use millrace_events::Lsn;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Query, Error> {
        let owned =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Query::read(owned, &HeaderMap::new())
    }

    #[test]
    fn what_is_no_parameter_is_a_column() {
        let token = Token(Lsn(77));
        let query = read(&[
            ("shop_id", "a"),
            ("limit", "5"),
            ("wait_for", &token.to_string()),
            ("shop_id", "b"),
        ])
        .expect("query");
        let columns = vec![("shop_id".into(), "a".into()), ("shop_id".into(), "b".into())];
        let expected = Query { limit: Some(5), wait_for: Some(token), columns, ..Query::default() };
        assert_eq!(query, expected);
    }

    #[test]
    fn a_parameter_that_can_not_be_read_is_named() {
        for (name, value) in
            [("page", "-1"), ("limit", "ten"), ("at_least", "x"), ("wait_for", "1")]
        {
            let refused = read(&[(name, value)]).expect_err(name);
            assert!(matches!(refused, Error::ParameterUnreadable { field, .. } if field == name));
        }
    }
}
