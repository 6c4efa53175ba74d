//! The log of inputs: what was fed at each position, as a broker keeps it, and the tables as of then.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_engine::{Cut, Delta, Relation, RelationKind};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::world::{Table, World, relations};

/// The one partition of the log.
const PARTITION: &str = "log-0";
/// An entry beyond the 1024 rows at which workers run side by side.
const ROWS_LARGE: usize = 900;

/// Entries by position; an epoch takes some of them.
pub struct Log {
    relations: Vec<Relation>,
    entries: Vec<Vec<(String, Delta)>>,
    /// The tables' rows before the first entry and after each.
    tables: Vec<Vec<Table>>,
}

impl Log {
    /// Some entries of random changes to relations of random kinds.
    pub fn write(seed: u64, random: &mut ChaCha8Rng) -> Self {
        let mut relations = relations();
        for relation in &mut relations {
            if !matches!(relation.kind, RelationKind::Upsert { .. }) {
                relation.kind = match random.random_bool(0.5) {
                    true => RelationKind::Append,
                    false => RelationKind::Changes,
                };
            }
        }
        let mut world = World::of(relations.clone(), seed);
        let (mut entries, mut tables) = (Vec::new(), vec![world.tables.clone()]);
        let rows_max = random.random_range(2..40);
        let large = random.random_bool(0.06).then(|| random.random_range(0..6));
        for position in 0..random.random_range(6..20) {
            let rows_max = if large == Some(position) { ROWS_LARGE } else { rows_max };
            entries.push(world.churn(rows_max));
            tables.push(world.tables.clone());
        }
        Self { relations, entries, tables }
    }

    pub fn relations(&self) -> Vec<Relation> {
        self.relations.clone()
    }

    /// The position behind the last entry.
    pub fn end(&self) -> u64 {
        self.entries.len() as u64
    }

    /// What lies between two cuts; none when the second is before the first.
    pub fn between(&self, from: &Cut, to: &Cut) -> Option<Vec<(String, Delta)>> {
        let entries = self.entries.get(position(from) as usize..position(to) as usize)?;
        Some(entries.iter().flatten().cloned().collect())
    }

    /// The tables as of a cut.
    pub fn tables_at(&self, cut: &Cut) -> &[Table] {
        &self.tables[position(cut) as usize]
    }

    /// The time of an epoch that reads up to a cut: the same whenever it is fed.
    pub fn time_at(&self, cut: &Cut) -> DateTime<Utc> {
        let start = DateTime::<Utc>::from_timestamp(1_709_200_000, 0).expect("it is in range");
        start + TimeDelta::minutes(position(cut) as i64 * 217)
    }
}

pub fn position(cut: &Cut) -> u64 {
    cut.get(PARTITION).unwrap_or_default()
}

pub fn cut_at(position: u64) -> Cut {
    [(PARTITION, position)].into_iter().collect()
}
