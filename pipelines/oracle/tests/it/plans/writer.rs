//! Writes a random query: tables, joins and the selects over them.

use std::collections::BTreeSet;

use super::choices::Choices;
use super::scope::{Column, From, Kind, base};

const TABLES: [&str; 4] = ["moves", "products", "shops", "sales"];
/// Joins multiply rows.
const JOINS_MAX: usize = 3;

/// A query with the kinds of its columns, which are called c0, c1 and so on.
#[derive(Debug, Clone)]
pub struct Query {
    pub sql: String,
    pub kinds: Vec<Kind>,
}

impl Query {
    fn columns(&self) -> Vec<(String, Kind)> {
        self.kinds.iter().enumerate().map(|(at, kind)| (format!("c{at}"), *kind)).collect()
    }
}

/// What it takes to write one.
#[derive(Debug)]
pub struct Writer<'a> {
    pub choices: Choices<'a>,
    pub subqueries_left: usize,
    joins_left: usize,
    aliases: usize,
    /// Common table expressions that may be read.
    named: Vec<(String, Vec<(String, Kind)>)>,
    /// The kinds of SQL in it.
    pub reached: BTreeSet<&'static str>,
}

impl<'a> Writer<'a> {
    pub fn new(tape: &'a [u16]) -> Self {
        Self {
            choices: Choices::new(tape),
            subqueries_left: 2,
            joins_left: JOINS_MAX,
            aliases: 0,
            named: Vec::new(),
            reached: BTreeSet::new(),
        }
    }

    pub fn reach(&mut self, what: &'static str) {
        self.reached.insert(what);
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// A table or a common table expression.
    pub fn table(&mut self) -> From {
        let alias = self.alias();
        let (name, columns) = match self.named.last() {
            Some(named) if self.choices.chance(60) => named.clone(),
            _ => {
                let table = self.choices.of(&TABLES);
                (table.to_owned(), base(table))
            }
        };
        From::of(format!("{name} {alias}"), &alias, &columns)
    }

    pub fn from(&mut self, depth: usize) -> From {
        if depth == 0 {
            return self.table();
        }
        match self.choices.below(8) {
            0..=2 => self.table(),
            3..=5 => self.join(depth - 1),
            6 => {
                self.reach("derived table");
                let query = self.query(depth - 1);
                self.derived(&query)
            }
            _ => self.unnest(),
        }
    }

    fn derived(&mut self, query: &Query) -> From {
        let alias = self.alias();
        From::of(format!("({}) {alias}", query.sql), &alias, &query.columns())
    }

    fn unnest(&mut self) -> From {
        self.reach("unnest");
        let alias = self.alias();
        let (sql, columns): (_, &[(&str, Kind)]) = match self.choices.below(2) {
            0 => (
                "select sale_id, shop, unnest(tags) as tag from sales",
                &[("sale_id", Kind::Text), ("shop", Kind::Text), ("tag", Kind::Text)],
            ),
            _ => (
                "select sale_id, line['product'] as product, line['quantity'] as quantity, line['amount'] as \
                 amount from (select sale_id, unnest(lines) as line from sales)",
                &[
                    ("sale_id", Kind::Text),
                    ("product", Kind::Text),
                    ("quantity", Kind::Decimal),
                    ("amount", Kind::Decimal),
                ],
            ),
        };
        let columns: Vec<(String, Kind)> =
            columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        From::of(format!("({sql}) {alias}"), &alias, &columns)
    }

    fn join(&mut self, depth: usize) -> From {
        let left = self.from(depth);
        if self.joins_left == 0 {
            return left;
        }
        self.joins_left -= 1;
        let right = if self.choices.chance(25) { self.from(depth) } else { self.table() };
        let mut both = From { sql: String::new(), columns: left.columns.clone() };
        both.columns.extend(right.columns.iter().cloned());
        let right_sql = match right.sql.contains(" join ") && !right.sql.starts_with('(') {
            true => format!("({})", right.sql),
            false => right.sql.clone(),
        };
        let kinds = ["inner", "left", "right", "full", "left semi", "left anti"];
        let kind = self.choices.of(&kinds);
        let on = match self.same_kind(&left, &right) {
            Some((own, other)) if self.choices.chance(80) => {
                let more = match self.choices.chance(35) {
                    true => {
                        self.reach("join on more than equality");
                        format!(" and {}", self.condition(&both, 0))
                    }
                    false => String::new(),
                };
                let is = match self.choices.chance(10) {
                    true => "is not distinct from",
                    false => "=",
                };
                format!("{own} {is} {other}{more}")
            }
            Some((own, other)) => {
                self.reach("join without equality");
                format!("{own} < {other}")
            }
            None => {
                self.reach("cross join");
                both.sql = format!("{} cross join {right_sql}", left.sql);
                return both;
            }
        };
        self.reach(match kind {
            "inner" => "inner join",
            "left" => "left join",
            "right" => "right join",
            "full" => "full join",
            "left semi" => "semi join",
            _ => "anti join",
        });
        both.sql = format!("{} {kind} join {right_sql} on {on}", left.sql);
        if kind.ends_with("semi") || kind.ends_with("anti") {
            both.columns = left.columns;
        }
        both
    }

    fn filter(&mut self, from: &From) -> String {
        if self.choices.chance(50) {
            format!(" where {}", self.condition(from, 2))
        } else {
            String::new()
        }
    }

    /// Any query.
    pub fn query(&mut self, depth: usize) -> Query {
        match self.choices.below(9) {
            0 | 1 => self.select(depth, None),
            2 => {
                self.reach("distinct");
                let Query { sql, kinds } = self.select(depth, None);
                Query { sql: sql.replacen("select", "select distinct", 1), kinds }
            }
            3 | 4 => self.grouped(depth),
            5 => self.windows(depth),
            6 => self.top(depth),
            7 => self.set(depth),
            _ => self.with(depth),
        }
    }

    /// Values of each row, of these kinds if they are given.
    fn select(&mut self, depth: usize, kinds: Option<&[Kind]>) -> Query {
        let from = self.from(depth);
        let mut values: Vec<(String, Kind)> = match kinds {
            Some(kinds) => kinds.iter().map(|kind| (self.value(&from, *kind, 1), *kind)).collect(),
            None => (0..=self.choices.below(4)).map(|_| self.any(&from, 2)).collect(),
        };
        if kinds.is_none() && self.subqueries_left > 0 && self.choices.chance(10) {
            self.subqueries_left -= 1;
            let inner = self.table();
            values.extend(self.scalar(&from, &inner));
        }
        let filter = self.filter(&from);
        Query {
            sql: format!("select {} from {}{filter}", named(&values), from.sql),
            kinds: values.into_iter().map(|(_, kind)| kind).collect(),
        }
    }

    fn grouped(&mut self, depth: usize) -> Query {
        let from = self.from(depth);
        let filter = self.filter(&from);
        let mut values: Vec<(String, Kind)> =
            (0..self.choices.below(3)).map(|_| self.key(&from)).collect();
        let keys: Vec<String> = values.iter().map(|(key, _)| key.clone()).collect();
        let group_by = match keys.len() {
            0 => {
                self.reach("global aggregate");
                String::new()
            }
            1 => format!(" group by {}", keys[0]),
            _ if self.choices.chance(20) => {
                self.reach("grouping sets");
                let sets = self.choices.of(&["rollup", "cube"]);
                format!(" group by {sets}({})", keys.join(", "))
            }
            _ => format!(" group by {}", keys.join(", ")),
        };
        if !keys.is_empty() {
            self.reach("group by");
        }
        let aggregates: Vec<(String, Kind)> =
            (0..=self.choices.below(3)).map(|_| self.aggregate(&from)).collect();
        let having = match self.choices.chance(25) && !keys.is_empty() {
            true => {
                self.reach("having");
                format!(" having count(*) {} 2", self.choices.of(&["<", ">", "="]))
            }
            false => String::new(),
        };
        values.extend(aggregates);
        Query {
            sql: format!("select {} from {}{filter}{group_by}{having}", named(&values), from.sql),
            kinds: values.into_iter().map(|(_, kind)| kind).collect(),
        }
    }

    /// What rows are grouped by; a number alone would be the place of a column.
    fn key(&mut self, from: &From) -> (String, Kind) {
        let (key, kind) = self.any(from, 1);
        match kind == Kind::Integer && key.parse::<i64>().is_ok() {
            true => (format!("nullif({key}, 99)"), kind),
            false => (key, kind),
        }
    }

    fn aggregate(&mut self, from: &From) -> (String, Kind) {
        let (any, any_kind) = self.any(from, 1);
        let number = self.column(&from.of_kind(Kind::is_number)).cloned();
        let (call, kind) = match (self.choices.below(9), number) {
            (0, _) => ("count(*)".to_owned(), Kind::Integer),
            (1, _) => (format!("count({any})"), Kind::Integer),
            (2, _) => {
                self.reach("distinct aggregate");
                (format!("count(distinct {any})"), Kind::Integer)
            }
            (3, Some(Column { name, kind })) => {
                self.reach("sum");
                (format!("sum({name})"), kind)
            }
            (4, Some(Column { name, kind })) => {
                self.reach("avg");
                let kind = if kind == Kind::Decimal { kind } else { Kind::Inexact };
                (format!("avg({name})"), kind)
            }
            (5, Some(Column { name, kind })) => {
                self.reach("distinct aggregate");
                (format!("sum(distinct {name})"), kind)
            }
            (6, _) => {
                self.reach("first and last");
                let which = self.choices.of(&["first_value", "last_value"]);
                let order = self.total_order(from);
                (format!("{which}({any} order by {order})"), any_kind)
            }
            (7, _) => {
                self.reach("string_agg");
                let (text, order) = (self.value(from, Kind::Text, 0), self.total_order(from));
                (format!("string_agg({text}, ',' order by {order})"), Kind::Text)
            }
            _ if any_kind == Kind::Boolean => {
                (format!("{}({any})", self.choices.of(&["bool_and", "bool_or"])), any_kind)
            }
            _ => {
                self.reach("min and max");
                (format!("{}({any})", self.choices.of(&["min", "max"])), any_kind)
            }
        };
        if self.choices.chance(25) {
            self.reach("aggregate with filter");
            return (format!("{call} filter (where {})", self.condition(from, 0)), kind);
        }
        (call, kind)
    }

    /// All columns, so that rows in the same place are equal; one of them first.
    fn total_order(&mut self, from: &From) -> String {
        if from.columns.is_empty() {
            return "true".to_owned();
        }
        let mut columns: Vec<&Column> = from.columns.iter().collect();
        let first = self.choices.below(columns.len());
        columns.rotate_left(first);
        let way = self.choices.of(&["", " desc", " nulls first", " desc nulls last"]);
        let names = columns.iter().enumerate().map(|(at, column)| match at {
            0 => format!("{}{way}", column.name),
            _ => column.name.clone(),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    fn windows(&mut self, depth: usize) -> Query {
        let from = self.from(depth);
        let filter = self.filter(&from);
        let partition = match self.choices.below(4) {
            0 => String::new(),
            _ => {
                let column = self.column(&from.columns.iter().collect::<Vec<_>>());
                column.map_or(String::new(), |column| format!("partition by {} ", column.name))
            }
        };
        let mut values: Vec<(String, Kind)> =
            (0..=self.choices.below(3)).map(|_| self.any(&from, 1)).collect();
        if self.choices.chance(40) {
            self.reach("first of each");
            let number = self.choices.of(&["row_number", "rank", "dense_rank"]);
            let order = match number {
                "row_number" => self.total_order(&from),
                _ => self.any(&from, 0).0,
            };
            let rank = format!("{number}() over ({partition}order by {order})");
            let kinds: Vec<Kind> = values.iter().map(|(_, kind)| *kind).collect();
            let names: Vec<String> = (0..kinds.len()).map(|at| format!("c{at}")).collect();
            let limit = ["<= 1", "<= 3", "= 2", "between 2 and 4", "< 3"];
            return Query {
                sql: format!(
                    "select {} from (select {}, {rank} as place from {}{filter}) {} where place {}",
                    names.join(", "),
                    named(&values),
                    from.sql,
                    self.alias(),
                    self.choices.of(&limit)
                ),
                kinds,
            };
        }
        let windows = self.choices.below(2);
        values.push(self.row_window(&from, &partition));
        values.extend((0..windows).map(|_| self.peer_window(&from, &partition)));
        Query {
            sql: format!("select {} from {}{filter}", named(&values), from.sql),
            kinds: values.into_iter().map(|(_, kind)| kind).collect(),
        }
    }

    /// A function that tells equal rows apart. A select has one at most: two might pair them up otherwise.
    fn row_window(&mut self, from: &From, partition: &str) -> (String, Kind) {
        let order = self.total_order(from);
        let over = format!("over ({partition}order by {order}");
        let (any, kind) = self.any(from, 0);
        let number = self.column(&from.of_kind(Kind::is_number)).cloned();
        match (self.choices.below(4), number) {
            (0, _) => {
                self.reach("row_number");
                (format!("row_number() {over})"), Kind::Integer)
            }
            (1, Some(Column { name, kind })) => {
                self.reach("running sum");
                let frames =
                    ["rows between unbounded preceding and current row", "rows 2 preceding"];
                (format!("sum({name}) {over} {})", self.choices.of(&frames)), kind)
            }
            _ => {
                self.reach("lag and lead");
                let shift = self.choices.of(&["lag", "lead"]);
                (format!("{shift}({any}, {}) {over})", 1 + self.choices.below(2)), kind)
            }
        }
    }

    /// A function that gives equal rows the same.
    fn peer_window(&mut self, from: &From, partition: &str) -> (String, Kind) {
        let (any, kind) = self.any(from, 0);
        let number = self.column(&from.of_kind(Kind::is_number)).cloned();
        match (self.choices.below(4), number) {
            (0, _) => {
                self.reach("aggregate over partition");
                (format!("count({any}) over ({partition})"), Kind::Integer)
            }
            (1, _) => {
                self.reach("ranks");
                let rank = self.choices.of(&["rank", "dense_rank"]);
                (format!("{rank}() over ({partition}order by {any})"), Kind::Integer)
            }
            (2, Some(Column { name, kind })) => {
                self.reach("sum up to peers");
                (format!("sum({name}) over ({partition}order by {any})"), kind)
            }
            _ => {
                self.reach("first and last of partition");
                let function = self.choices.of(&["first_value", "last_value"]);
                let order = self.total_order(from);
                (format!("{function}({any}) over ({partition}order by {order})"), kind)
            }
        }
    }

    fn top(&mut self, depth: usize) -> Query {
        self.reach("limit");
        let Query { sql, kinds } = self.select(depth, None);
        let ways = ["", " desc", " nulls first", " desc nulls last"];
        let orders: Vec<String> =
            (0..kinds.len()).map(|at| format!("c{at}{}", self.choices.of(&ways))).collect();
        let offset = match self.choices.chance(30) {
            true => format!(" offset {}", 1 + self.choices.below(4)),
            false => String::new(),
        };
        let limit = 1 + self.choices.below(9);
        Query { sql: format!("{sql} order by {} limit {limit}{offset}", orders.join(", ")), kinds }
    }

    fn set(&mut self, depth: usize) -> Query {
        let one = self.select(depth, None);
        let other = self.select(depth.saturating_sub(1), Some(&one.kinds));
        let operator = self.choices.of(&["union", "intersect", "except"]);
        self.reach(operator);
        let all = match self.choices.chance(50) {
            true => {
                self.reach("set operation with all");
                " all"
            }
            false => "",
        };
        Query { sql: format!("{} {operator}{all} {}", one.sql, other.sql), kinds: one.kinds }
    }

    fn with(&mut self, depth: usize) -> Query {
        self.reach("common table expression");
        let name = format!("w{}", self.alias());
        let below = self.query(depth.saturating_sub(1));
        self.named.push((name.clone(), below.columns()));
        let Query { sql, kinds } = match self.choices.below(3) {
            0 => self.select(depth, None),
            1 => self.grouped(depth),
            _ => self.windows(depth),
        };
        self.named.pop();
        Query { sql: format!("with {name} as ({}) {sql}", below.sql), kinds }
    }
}

/// Values as the columns c0, c1 and so on.
fn named(values: &[(String, Kind)]) -> String {
    let named = values.iter().enumerate().map(|(at, (value, _))| format!("{value} as c{at}"));
    named.collect::<Vec<_>>().join(", ")
}
