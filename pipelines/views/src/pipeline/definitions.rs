//! Which views people have defined while the system ran: as the log tells, kept beside the checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use millrace_events::Position;
use serde::{Deserialize, Serialize};

use crate::Texts;

/// The relations whose rows define views.
const DEFINED: &str = "view_defined";
const DROPPED: &str = "view_dropped";

/// Views by name, as of a place in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Definitions {
    /// The life of the database whose events these are.
    pub incarnation: u32,
    /// Where the last event about a view was: what comes before is in, should it be read again.
    pub as_of: Position,
    views: BTreeMap<String, Definition>,
}

/// A view that somebody has defined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Definition {
    /// What is kept true, and since where its rows follow from each other.
    pub live: Option<Live>,
    /// What it is to become once that has been filled.
    pub next: Option<Next>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Live {
    pub text: String,
    pub since: Position,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Next {
    pub text: String,
    /// Where it was defined; tells definitions of one view apart.
    pub at: Position,
    /// Why it never will be.
    pub problem: Option<String>,
}

/// What an event says of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Defined { name: String, text: String },
    Dropped { name: String },
}

impl Definition {
    /// What was asked for last, unless that came to nothing.
    fn wanted(&self) -> Option<&str> {
        let next = self.next.as_ref().filter(|next| next.problem.is_none());
        next.map(|next| next.text.as_str())
            .or_else(|| self.live.as_ref().map(|live| live.text.as_str()))
    }
}

impl Definitions {
    pub fn of(incarnation: u32) -> Self {
        Self { incarnation, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.views.is_empty() && self.as_of == Position::START
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Definition)> {
        self.views.iter().map(|(name, view)| (name.as_str(), view))
    }

    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.views.get(name)
    }

    /// Texts of what is kept true.
    pub fn live(&self) -> Texts {
        let live = |(name, view): (&String, &Definition)| {
            Some((name.clone(), view.live.as_ref()?.text.clone()))
        };
        self.views.iter().filter_map(live).collect()
    }

    /// Texts of what is kept true or will be.
    pub fn wanted(&self) -> Texts {
        let wanted =
            |(name, view): (&String, &Definition)| Some((name.clone(), view.wanted()?.to_owned()));
        self.views.iter().filter_map(wanted).collect()
    }

    /// The view that is to be filled next: the one defined first.
    pub fn waiting(&self) -> Option<(String, Next)> {
        let waiting = self.views.iter().filter_map(|(name, view)| {
            let next = view.next.as_ref().filter(|next| next.problem.is_none())?;
            Some((name.clone(), next.clone()))
        });
        waiting.min_by_key(|(_, next)| next.at)
    }

    pub fn define(&mut self, name: &str, next: Next) {
        self.views.entry(name.to_owned()).or_default().next = Some(next);
    }

    pub fn remove(&mut self, name: &str) {
        self.views.remove(name);
    }

    /// The definition made at `at` came to nothing; what was there before goes on.
    pub fn fail(&mut self, name: &str, at: Position, problem: String) {
        let next = self.views.get_mut(name).and_then(|view| view.next.as_mut());
        if let Some(next) = next.filter(|next| next.at == at) {
            next.problem = Some(problem);
        }
    }

    /// `name` is kept true as `text`, defined at `at`, from `since` on.
    pub fn went_live(&mut self, name: &str, text: String, at: Position, since: Position) {
        let Some(view) = self.views.get_mut(name) else { return };
        view.live = Some(Live { text, since });
        view.next.take_if(|next| next.at == at);
    }

    /// A view that reads another which was replaced: its rows begin anew.
    pub fn begins_anew(&mut self, name: &str, since: Position) {
        if let Some(live) = self.views.get_mut(name).and_then(|view| view.live.as_mut()) {
            live.since = since;
        }
    }

    /// The state of a view is not there: it is to be filled again, or is given up because of `problem`.
    pub fn demote(&mut self, name: &str, problem: Option<String>) -> bool {
        let Some(view) = self.views.get_mut(name) else { return false };
        let Some(live) = view.live.take() else { return false };
        let was_given_up = view.next.as_ref().is_none_or(|next| next.problem.is_some());
        if was_given_up {
            view.next = Some(Next { text: live.text, at: live.since, problem });
        }
        true
    }

    /// Everything is filled from the start of the log, so that nothing has to wait.
    pub fn promote_all(&mut self) {
        for view in self.views.values_mut() {
            if let Some(next) = view.next.take_if(|next| next.problem.is_none()) {
                view.live = Some(Live { text: next.text, since: next.at });
            }
        }
    }
}

/// What events say of views, in order of position.
pub(super) fn said(tables: &[(Arc<str>, RecordBatch)]) -> Vec<(Position, Said)> {
    let mut said = Vec::new();
    for (table, rows) in tables {
        let is_defined = match &**table {
            DEFINED => true,
            DROPPED => false,
            _ => continue,
        };
        let positions = rows.column_by_name("position").map(|c| c.as_primitive::<Int64Type>());
        let names = rows.column_by_name("name").map(|column| column.as_string::<i32>());
        let texts = rows.column_by_name("text").map(|column| column.as_string::<i32>());
        let (Some(positions), Some(names)) = (positions, names) else { continue };
        for row in 0..rows.num_rows() {
            let name = names.value(row).to_owned();
            let text = texts.filter(|_| is_defined).map(|texts| texts.value(row).to_owned());
            let event = match text {
                Some(text) => Said::Defined { name, text },
                None => Said::Dropped { name },
            };
            said.push((Position(positions.value(row).cast_unsigned()), event));
        }
    }
    said.sort_by_key(|(position, _)| *position);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, at: u64) -> Next {
        Next { text: text.to_owned(), at: Position(at), problem: None }
    }

    #[test]
    fn a_view_stays_as_it_was_until_the_next_definition_is_filled() {
        let mut all = Definitions::of(1);
        all.define("a", next("one", 5));
        all.define("b", next("other", 4));
        assert_eq!(all.waiting(), Some(("b".to_owned(), next("other", 4))));
        assert!(all.live().is_empty() && all.wanted().len() == 2);
        all.went_live("a", "one".to_owned(), Position(5), Position(9));
        all.define("a", next("two", 10));
        assert_eq!((&*all.live()["a"], &*all.wanted()["a"]), ("one", "two"));
        all.fail("a", Position(10), "it divides by zero".to_owned());
        assert_eq!((&*all.live()["a"], &*all.wanted()["a"]), ("one", "one"));
        // Of a definition that is not the newest any more.
        all.define("a", next("three", 11));
        all.fail("a", Position(10), "late".to_owned());
        all.went_live("a", "two".to_owned(), Position(10), Position(12));
        assert_eq!((&*all.live()["a"], &*all.wanted()["a"]), ("two", "three"));
        assert!(all.demote("a", None));
        assert_eq!(all.wanted()["a"], "three");
        all.promote_all();
        assert_eq!(all.live().len(), 2);
    }
}
