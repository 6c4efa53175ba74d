//! The first rows of each group by some order: `row_number() … <= k`, `rank`, `dense_rank`, `limit`.

mod arrivals;
mod rank;

pub(crate) use rank::Ranking;

use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::datatypes::SchemaRef;

use self::rank::{Ranked, differences};
use super::sorted::{Incoming, PIECE_ROWS, SortedRows, SortedSpec};
use super::{Change, Operator};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{EntryId, NONE, concat, new_batch};
use crate::{Delta, Result};

/// Which rows of each group are given out, and how.
#[derive(Debug, Clone)]
pub(crate) struct TopSpec {
    /// Columns given out: those of a row, then the rank where it is asked for.
    pub schema: SchemaRef,
    pub sorted: SortedSpec,
    pub rank: Ranking,
    /// The ranks given out, counted from 1.
    pub from: u64,
    pub to: u64,
    pub gives_rank: bool,
    /// Whether the rows of these ranks are left out instead, and all others given.
    pub gives_others: bool,
    /// Whether no row is ever taken back, so that rows of higher ranks need not be kept.
    pub is_append_only: bool,
}

/// Keeps the first rows of each group, or all of them where rows can be taken back.
#[derive(Debug)]
pub(crate) struct Top {
    spec: TopSpec,
    sorted: SortedRows,
    /// Groups this epoch has looked at and what they gave out before, one after the other, with its end.
    touched: Vec<u32>,
    before: Vec<Ranked>,
    before_ends: Vec<usize>,
    /// Whether a group is touched: its place in `touched`, or [`NONE`].
    places: Vec<u32>,
}

impl Top {
    pub fn new(spec: TopSpec) -> Result<Self> {
        Ok(Self {
            sorted: SortedRows::new(spec.sorted.clone())?,
            spec,
            touched: Vec::new(),
            before: Vec::new(),
            before_ends: Vec::new(),
            places: Vec::new(),
        })
    }

    /// Remembers what the groups of `rows` give out now.
    fn touch(&mut self, incoming: &Incoming, rows: impl IntoIterator<Item = u32>) {
        self.places.resize(self.sorted.group_slots(), NONE);
        for row in rows {
            let group = incoming.groups[row as usize];
            if self.places[group as usize] == NONE {
                self.places[group as usize] = self.touched.len() as u32;
                self.touched.push(group);
                self.spec.ranked(&self.sorted, group, &mut self.before);
                self.before_ends.push(self.before.len());
            }
        }
    }

    /// Takes the rows of a change in. Gives the entries that went, which can be read until the epoch ends.
    fn take_in(&mut self, delta: &Delta, incoming: &Incoming) -> Result<Vec<EntryId>> {
        if self.spec.is_append_only {
            let arrived = self.arrivals(delta, incoming);
            self.touch(incoming, arrived.iter().copied());
            self.sorted.insert(&delta.batch, incoming, &arrived)?;
            let mut gone = Vec::new();
            for group in &self.touched {
                let count = self.spec.rows_within(&self.sorted, *group);
                self.sorted.truncate(*group, count, &mut gone);
            }
            return Ok(gone);
        }
        self.touch(incoming, 0..delta.num_rows() as u32);
        Ok(self.sorted.exchange(delta, &delta.batch, incoming)?.gone)
    }

    /// The change of what the touched groups give out.
    fn emit(&self) -> Result<Option<Delta>> {
        let (mut going, mut coming, mut now) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = 0;
        for (group, end) in self.touched.iter().zip(&self.before_ends) {
            now.clear();
            self.spec.ranked(&self.sorted, *group, &mut now);
            let before = &self.before[start..*end];
            differences(&self.sorted, self.spec.gives_rank, before, &now, &mut going, &mut coming);
            start = *end;
        }
        if going.is_empty() && coming.is_empty() {
            return Ok(None);
        }
        let signs: [i64; 2] = if self.spec.gives_others { [1, -1] } else { [-1, 1] };
        let mut weights = vec![signs[0]; going.len()];
        weights.resize(going.len() + coming.len(), signs[1]);
        going.append(&mut coming);
        let rows = self.rows_of(&going)?;
        Ok(Some(match weights.iter().all(|weight| *weight == 1) {
            true => rows,
            false => Delta::weighted(rows.batch, weights),
        }))
    }

    fn rows_of(&self, ranked: &[Ranked]) -> Result<Delta> {
        let entries: Vec<EntryId> = ranked.iter().map(|(entry, _)| *entry).collect();
        let mut columns = self.sorted.gather(&entries)?;
        if self.spec.gives_rank {
            let ranks = ranked.iter().map(|(_, rank)| *rank);
            columns.push(Arc::new(UInt64Array::from_iter_values(ranks)));
        }
        Ok(Delta::inserts(new_batch(&self.spec.schema, columns, ranked.len())?))
    }

    fn settle(&mut self, gone: &[EntryId]) -> Result<()> {
        self.touched.iter().for_each(|group| self.places[*group as usize] = NONE);
        self.sorted.settle(gone, &self.touched)?;
        self.touched.clear();
        self.before.clear();
        self.before_ends.clear();
        Ok(())
    }
}

impl Operator for Top {
    fn class(&self) -> &'static str {
        if self.spec.is_append_only { "ordered, append-only" } else { "ordered" }
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let mut output = Vec::new();
        if inputs[0].is_empty() {
            return Ok(output);
        }
        let delta = concat(&self.spec.sorted.schema, inputs[0].to_vec())?;
        let incoming = self.sorted.read(&delta.batch)?;
        let gone = self.take_in(&delta, &incoming)?;
        if self.spec.gives_others {
            output.push(delta);
        }
        output.extend(self.emit()?);
        self.settle(&gone)?;
        Ok(output)
    }

    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        if self.spec.gives_others {
            return None;
        }
        let mut ranked = Vec::new();
        for group in self.sorted.groups() {
            self.spec.ranked(&self.sorted, group, &mut ranked);
        }
        Some(ranked.chunks(PIECE_ROWS).map(|piece| self.rows_of(piece)).collect())
    }

    fn keeps_rows(&self) -> bool {
        !self.spec.gives_others
    }

    fn state_rows(&self) -> usize {
        self.sorted.len()
    }

    fn state_bytes(&self) -> usize {
        self.sorted.state_bytes() + self.places.capacity() * size_of::<u32>()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        self.sorted.save(pieces)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        self.sorted.load(pieces)
    }
}
