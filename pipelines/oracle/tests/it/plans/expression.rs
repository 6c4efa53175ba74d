//! Random values and conditions.

use super::scope::{Column, From, Kind};
use super::writer::Writer;

const KINDS: [&Kind; 7] = [
    &Kind::Text,
    &Kind::Integer,
    &Kind::Decimal,
    &Kind::Float,
    &Kind::Date,
    &Kind::Time,
    &Kind::Boolean,
];

impl Writer<'_> {
    pub fn column<'c>(&mut self, columns: &[&'c Column]) -> Option<&'c Column> {
        (!columns.is_empty()).then(|| columns[self.choices.below(columns.len())])
    }

    pub fn literal(&mut self, kind: Kind) -> String {
        let choices = &mut self.choices;
        match kind {
            Kind::Text => {
                let texts = ["'shop1'", "'category1'", "'region0'", "'shop3'", "''", "'card'"];
                match choices.below(texts.len() + 1) {
                    0 => format!("'product-{:028}'", choices.below(12)),
                    at => texts[at - 1].to_owned(),
                }
            }
            Kind::Integer => (choices.below(10) as i64 - 3).to_string(),
            Kind::Decimal => {
                format!("cast('{}.25' as decimal(18, 2))", choices.below(400) as i64 - 100)
            }
            Kind::Float | Kind::Inexact => format!("{:?}", choices.below(16) as f64 / 4.0 - 2.0),
            Kind::Date => format!("date '2024-0{}-01'", 1 + choices.below(4)),
            Kind::Time => format!("timestamp '2024-03-01T{:02}:00:00'", choices.below(24)),
            Kind::Boolean => choices.of(&["true", "false"]).to_owned(),
        }
    }

    /// A value of any kind.
    pub fn any(&mut self, from: &From, depth: usize) -> (String, Kind) {
        if self.choices.chance(60) || depth == 0 {
            let column = self.column(&from.columns.iter().collect::<Vec<_>>());
            if let Some(Column { name, kind }) = column {
                return (name.clone(), *kind);
            }
        }
        let kind = *self.choices.of(&KINDS);
        (self.value(from, kind, depth), kind)
    }

    /// A value of one kind.
    pub fn value(&mut self, from: &From, kind: Kind, depth: usize) -> String {
        let columns = from.of_kind(|other| other == kind);
        let column = self.column(&columns).map(|column| column.name.clone());
        if depth == 0 || self.choices.chance(50) {
            return column.unwrap_or_else(|| self.literal(kind));
        }
        // Batch SQL takes subqueries in conditions of rows alone.
        let subqueries_left = std::mem::take(&mut self.subqueries_left);
        let made = self.made(from, kind, column, depth - 1);
        self.subqueries_left = subqueries_left;
        made
    }

    /// A value made of others.
    fn made(&mut self, from: &From, kind: Kind, column: Option<String>, depth: usize) -> String {
        match self.choices.below(8) {
            0 => column.unwrap_or_else(|| self.literal(kind)),
            1 => {
                let (one, other) = (self.value(from, kind, depth), self.literal(kind));
                format!("coalesce({one}, {other})")
            }
            2 => {
                self.reach("case");
                let condition = self.condition(from, depth);
                let (one, other) = (self.value(from, kind, depth), self.value(from, kind, depth));
                format!("case when {condition} then {one} else {other} end")
            }
            3 => {
                let (one, other) = (self.value(from, kind, depth), self.literal(kind));
                format!("nullif({one}, {other})")
            }
            _ => self.of_kind(from, kind, depth),
        }
    }

    /// What only makes sense with values of this kind.
    fn of_kind(&mut self, from: &From, kind: Kind, depth: usize) -> String {
        let value = self.value(from, kind, depth);
        match kind {
            Kind::Text => match self.choices.below(5) {
                0 => format!("upper({value})"),
                1 => format!("{value} || '!'"),
                2 => format!("substr({value}, 1, 5)"),
                3 => format!("cast({} as varchar)", self.value(from, Kind::Integer, depth)),
                _ => format!("{value} || {}", self.value(from, Kind::Text, 0)),
            },
            Kind::Integer => match self.choices.below(6) {
                0 => format!("({value} + {})", self.value(from, Kind::Integer, depth)),
                1 => format!("({value} - {})", self.value(from, Kind::Integer, depth)),
                2 => format!("abs({value})"),
                3 => format!("({value} % {})", 2 + self.choices.below(4)),
                4 => format!("cast(length({}) as bigint)", self.value(from, Kind::Text, depth)),
                _ => format!(
                    "cast(extract(month from {}) as bigint)",
                    self.value(from, Kind::Date, depth)
                ),
            },
            Kind::Decimal => match self.choices.below(3) {
                0 => format!("({value} + {})", self.value(from, Kind::Decimal, depth)),
                1 => format!("({value} - {})", self.value(from, Kind::Decimal, depth)),
                _ => format!("abs({value})"),
            },
            Kind::Float | Kind::Inexact => match self.choices.below(4) {
                0 => format!("({value} * 2)"),
                1 => format!("(-{value})"),
                2 => format!("cast({} as double)", self.value(from, Kind::Integer, depth)),
                _ => format!("({value} + {})", self.value(from, Kind::Float, depth)),
            },
            Kind::Date => match self.choices.below(2) {
                0 => format!("cast({} as date)", self.value(from, Kind::Time, depth)),
                _ => format!("cast(date_trunc('month', {value}) as date)"),
            },
            Kind::Time => match self.choices.below(3) {
                0 => format!("date_trunc('hour', {value})"),
                1 => format!("({value} + interval '90 minutes')"),
                _ => format!("cast({} as timestamp)", self.value(from, Kind::Date, depth)),
            },
            Kind::Boolean => self.condition(from, depth),
        }
    }

    /// Something that is true, false or null.
    pub fn condition(&mut self, from: &From, depth: usize) -> String {
        if depth > 0 && self.choices.chance(25) {
            let one = self.condition(from, depth - 1);
            return match self.choices.below(3) {
                0 => format!("({one} and {})", self.condition(from, depth - 1)),
                1 => format!("({one} or {})", self.condition(from, depth - 1)),
                _ => format!("not ({one})"),
            };
        }
        if depth > 0 && self.subqueries_left > 0 && self.choices.chance(25) {
            self.subqueries_left -= 1;
            return self.subquery_condition(from);
        }
        format!("({})", self.plain_condition(from, depth.saturating_sub(1)))
    }

    /// A condition without others in it.
    fn plain_condition(&mut self, from: &From, depth: usize) -> String {
        let (value, kind) = self.any(from, depth);
        match self.choices.below(8) {
            0 | 1 => {
                let other = self.value(from, kind, depth);
                format!("{value} {} {other}", self.choices.of(&["=", "<", ">=", "<>", ">", "<="]))
            }
            2 => format!("{value} is {}null", self.choices.of(&["", "not "])),
            3 => {
                self.reach("between");
                format!("{value} between {} and {}", self.literal(kind), self.value(from, kind, 0))
            }
            4 => {
                self.reach("in list");
                let not = self.choices.of(&["", "not "]);
                let third = match self.choices.chance(15) {
                    true => "null".to_owned(),
                    false => self.literal(kind),
                };
                format!("{value} {not}in ({}, {}, {third})", self.literal(kind), self.literal(kind))
            }
            5 => {
                let not = self.choices.of(&["", "not "]);
                format!("{value} is {not}distinct from {}", self.value(from, kind, depth))
            }
            6 => {
                let text = self.value(from, Kind::Text, depth);
                format!("{text} like '%{}%'", 1 + self.choices.below(3))
            }
            _ => {
                let truth = self.choices.of(&["", " is true", " is not true", " is not false"]);
                format!("{}{truth}", self.value(from, Kind::Boolean, 0))
            }
        }
    }
}
