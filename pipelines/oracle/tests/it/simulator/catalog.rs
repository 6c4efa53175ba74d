//! Which views there are: chosen from those of the engine's tests, changed on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use millrace_engine::{Engine, Error, Result, ViewDefinition};
use millrace_oracle::referenced_tables;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::fixture::{all_views, late_views, view};
use crate::queries::clock;

/// Beyond this no view is added.
const VIEWS_MAX: usize = 12;

/// All views there may be, each after those it reads, with the tables it reads.
static POOL: LazyLock<Vec<(ViewDefinition, Vec<String>)>> = LazyLock::new(|| {
    let clock = clock::QUERIES.iter().map(|(name, key, sql)| view(name, key, sql));
    let views = all_views().into_iter().chain(late_views()).chain(clock);
    let views = views.map(|view| {
        let reads = reads(&view.sql);
        (view, reads)
    });
    views.collect()
});

fn reads(sql: &str) -> Vec<String> {
    let tables = referenced_tables(sql).expect("the views of the tests parse");
    tables.iter().map(|table| table.table().to_owned()).collect()
}

/// One thing done to the views of a running engine.
#[derive(Debug, Clone)]
pub enum ViewChange {
    Create(ViewDefinition),
    Replace(ViewDefinition),
    Drop(String),
}

impl ViewChange {
    pub fn name(&self) -> &str {
        match self {
            Self::Create(view) | Self::Replace(view) => &view.name,
            Self::Drop(name) => name,
        }
    }

    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "created",
            Self::Replace(_) => "replaced",
            Self::Drop(_) => "dropped",
        }
    }

    pub fn apply(&self, engine: &mut Engine) -> Result<()> {
        match self.clone() {
            Self::Create(view) => engine.create_view(view),
            Self::Replace(view) => engine.replace_view(view),
            Self::Drop(name) => engine.drop_view(&name),
        }
    }
}

/// The views as they are declared, which outlives the engine.
#[derive(Debug)]
pub struct Catalog {
    pub views: Vec<ViewDefinition>,
    /// Random queries, of which there may be views too, with the tables they read.
    random: Vec<(ViewDefinition, Vec<String>)>,
    /// The epoch after which a view, or one it reads, was last changed; views of the start are not here.
    pub changed: BTreeMap<String, u64>,
}

impl Catalog {
    /// A handful of views with those they read.
    pub fn choose(random: &mut ChaCha8Rng) -> Self {
        let count = random.random_range(3..=8);
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        for (view, _) in POOL.choose_multiple(random, count) {
            wanted.insert(&view.name);
        }
        for (view, reads) in POOL.iter().rev() {
            if wanted.contains(view.name.as_str()) {
                wanted.extend(reads.iter().map(String::as_str));
            }
        }
        let views = POOL.iter().filter(|(view, _)| wanted.contains(view.name.as_str()));
        let views = views.map(|(view, _)| view.clone()).collect();
        Self { views, random: Vec::new(), changed: BTreeMap::new() }
    }

    /// Adds a view of a random query.
    pub fn add_random(&mut self, sql: String) {
        let view = view(&format!("random_{}", self.random.len()), "", &sql);
        self.random.push((view.clone(), reads(&sql)));
        self.views.push(view);
    }

    /// All views there may be.
    fn pool(&self) -> impl Iterator<Item = &(ViewDefinition, Vec<String>)> {
        POOL.iter().chain(&self.random)
    }

    fn has(&self, name: &str) -> bool {
        self.views.iter().any(|view| view.name == name)
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> Option<&ViewDefinition> {
        self.views.choose(random)
    }

    /// A change that suits the views there are; none where chance finds none.
    pub fn draw_change(&self, random: &mut ChaCha8Rng) -> Option<ViewChange> {
        match random.random_range(0..5) {
            0 => self.draw(random).map(|view| ViewChange::Drop(view.name.clone())),
            1 | 2 => {
                let known = |name: &String| {
                    self.has(name) || POOL.iter().all(|(view, _)| view.name != *name)
                };
                let fits = |(view, reads): &&(ViewDefinition, Vec<String>)| {
                    !self.has(&view.name) && reads.iter().all(known)
                };
                let fitting: Vec<_> = self.pool().filter(fits).collect();
                let (view, _) = fitting.choose(random).filter(|_| self.views.len() < VIEWS_MAX)?;
                Some(ViewChange::Create(view.clone()))
            }
            _ => self.draw(random).map(|view| ViewChange::Replace(self.other_definition(view))),
        }
    }

    /// Takes note of a change after an epoch.
    pub fn record(&mut self, change: &ViewChange, epoch: u64) {
        match change {
            ViewChange::Create(view) => self.views.push(view.clone()),
            ViewChange::Drop(name) => self.views.retain(|view| view.name != *name),
            ViewChange::Replace(view) => {
                let old = self.views.iter_mut().find(|old| old.name == view.name);
                *old.expect("what is replaced is there") = view.clone();
            }
        }
        self.changed.insert(change.name().to_owned(), epoch);
        for view in &self.views {
            if reads(&view.sql).iter().any(|name| self.changed.get(name) == Some(&epoch)) {
                self.changed.insert(view.name.clone(), epoch);
            }
        }
    }

    /// Whether a change is refused, with reason, for rows that have passed.
    pub fn is_too_late(&self, change: &ViewChange, error: &Error) -> bool {
        let refused = match error {
            Error::HistoryGone { view, .. } => view,
            Error::Reader { source, .. } => return self.is_too_late(change, source),
            _ => return false,
        };
        let changed = match change {
            ViewChange::Create(view) | ViewChange::Replace(view) => Some(view),
            ViewChange::Drop(_) => None,
        };
        let mut views = changed.into_iter().chain(&self.views);
        views
            .find(|view| view.name == *refused)
            .is_some_and(|view| self.reads_passing_rows(&view.sql))
    }

    /// Whether a query reads, by views or itself, a table of which the engine keeps no rows.
    fn reads_passing_rows(&self, sql: &str) -> bool {
        reads(sql).iter().any(|name| match self.views.iter().find(|view| view.name == *name) {
            Some(view) => self.reads_passing_rows(&view.sql),
            None => ["moves", "sales"].contains(&name.as_str()),
        })
    }

    /// The view with other rows, or as it was before that.
    fn other_definition(&self, view: &ViewDefinition) -> ViewDefinition {
        let original = self.pool().find(|(other, _)| other.name == view.name);
        let (original, _) = original.expect("views are of the pool");
        let sql = &original.sql;
        let other = match view.key.first() {
            Some(column) => format!("select * from ({sql}) v where {column} is not null"),
            None => format!("select * from ({sql}) v union all select * from ({sql}) w"),
        };
        let sql = if view.sql == other { original.sql.clone() } else { other };
        ViewDefinition { sql, ..view.clone() }
    }
}
