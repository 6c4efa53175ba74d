//! Random subqueries in conditions and values.

use super::scope::{From, Kind};
use super::writer::Writer;

impl Writer<'_> {
    /// A condition on the rows of a subquery, correlated or not.
    pub fn subquery_condition(&mut self, outer: &From) -> String {
        let inner = self.table();
        let not = self.choices.of(&["", "not "]);
        match self.choices.below(4) {
            0 => {
                let Some((own, other)) = self.same_kind(outer, &inner) else {
                    return "true".to_owned();
                };
                self.reach(if not.is_empty() { "in subquery" } else { "not in subquery" });
                let condition = self.condition(&inner, 0);
                let only = self.choices.of(&["", " is not null and "]);
                let only = if only.is_empty() { String::new() } else { format!("{other}{only}") };
                format!("{own} {not}in (select {other} from {} where {only}{condition})", inner.sql)
            }
            1 | 2 => {
                let Some((own, other)) = self.same_kind(outer, &inner) else {
                    return "true".to_owned();
                };
                self.reach(if not.is_empty() { "exists" } else { "not exists" });
                let mut condition = self.condition(&inner, 0);
                if self.choices.chance(30)
                    && let Some((own, other)) = self.same_kind(outer, &inner)
                {
                    condition = format!("{condition} and {own} > {other}");
                }
                format!(
                    "{not}exists (select 1 from {} where {own} = {other} and {condition})",
                    inner.sql
                )
            }
            _ => match self.scalar(outer, &inner) {
                Some((value, kind)) => {
                    let own = self.value(outer, kind, 0);
                    format!("{own} {} {value}", self.choices.of(&["<", ">=", "="]))
                }
                None => "true".to_owned(),
            },
        }
    }

    /// A subquery that is one value: an aggregate over rows that may have to do with the row outside.
    pub fn scalar(&mut self, outer: &From, inner: &From) -> Option<(String, Kind)> {
        let of = inner.of_kind(|kind| matches!(kind, Kind::Integer | Kind::Decimal));
        let of = self.column(&of)?;
        let function = self.choices.of(&["max", "min", "sum"]);
        let condition = self.condition(inner, 0);
        let link = match self.choices.chance(50) {
            true => self.same_kind(outer, inner),
            false => None,
        };
        let link = match link {
            Some((own, other)) => {
                self.reach("correlated scalar subquery");
                format!("{own} = {other} and ")
            }
            None => {
                self.reach("scalar subquery");
                String::new()
            }
        };
        let value =
            format!("(select {function}({}) from {} where {link}{condition})", of.name, inner.sql);
        Some((value, of.kind))
    }

    /// A column of each with equal kinds.
    pub fn same_kind(&mut self, one: &From, other: &From) -> Option<(String, String)> {
        let of_other = one
            .of_kind(|kind| kind != Kind::Boolean && other.columns.iter().any(|c| c.kind == kind));
        let own = self.column(&of_other)?;
        let partner = self.column(&other.of_kind(|kind| kind == own.kind))?;
        Some((own.name.clone(), partner.name.clone()))
    }
}
