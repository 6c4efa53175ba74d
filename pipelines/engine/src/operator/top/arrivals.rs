//! Which rows of a change can matter, where no row is ever taken back.

use super::{Ranking, Top};
use crate::Delta;
use crate::operator::sorted::Incoming;

impl Top {
    /// Rows of a change that may be among the first of their group, as often as they come.
    pub(super) fn arrivals(&mut self, delta: &Delta, incoming: &Incoming) -> Vec<u32> {
        let rows = (0..delta.num_rows() as u32).filter(|row| self.may_enter(incoming, *row));
        let copies = |row: u32| (0..delta.weight(row as usize).max(0)).map(move |_| row);
        let rows: Vec<u32> = rows.flat_map(copies).collect();
        match (self.spec.rank, self.spec.to) {
            (Ranking::RowNumber, 1) => self.first_of_each(incoming, rows),
            (Ranking::RowNumber, to) => first_few_of_each(incoming, rows, to),
            (Ranking::Rank | Ranking::DenseRank, _) => rows,
        }
    }

    /// Whether a row is not behind the last row of its group that is given out.
    fn may_enter(&self, incoming: &Incoming, row: u32) -> bool {
        let list = self.sorted.list(incoming.groups[row as usize]);
        if (list.len() as u64) < self.spec.to || self.spec.rank == Ranking::DenseRank {
            return true;
        }
        let Some(last) = list.nth(self.spec.to as usize - 1) else { return true };
        let (key, last) = (incoming.keys.get(row), self.sorted.key(last));
        match self.spec.rank {
            Ranking::RowNumber => key < last,
            Ranking::Rank | Ranking::DenseRank => {
                self.sorted.order_part(key) <= self.sorted.order_part(last)
            }
        }
    }

    /// The first of `rows` of each group.
    fn first_of_each(&mut self, incoming: &Incoming, rows: Vec<u32>) -> Vec<u32> {
        self.places.resize(self.sorted.group_slots(), crate::state::NONE);
        let mut firsts: Vec<u32> = Vec::with_capacity(rows.len());
        for row in rows {
            let place = &mut self.places[incoming.groups[row as usize] as usize];
            match firsts.get_mut(*place as usize) {
                None => {
                    *place = firsts.len() as u32;
                    firsts.push(row);
                }
                Some(first) if incoming.keys.get(row) < incoming.keys.get(*first) => *first = row,
                Some(_) => {}
            }
        }
        for row in &firsts {
            self.places[incoming.groups[*row as usize] as usize] = crate::state::NONE;
        }
        firsts
    }
}

/// The first `count` of `rows` of each group.
fn first_few_of_each(incoming: &Incoming, mut rows: Vec<u32>, count: u64) -> Vec<u32> {
    let group = |row: &u32| incoming.groups[*row as usize];
    rows.sort_unstable_by(|one, other| {
        let keys = || incoming.keys.get(*one).cmp(incoming.keys.get(*other));
        group(one).cmp(&group(other)).then_with(keys)
    });
    let runs = rows.chunk_by(|one, other| group(one) == group(other));
    runs.flat_map(|run| &run[..run.len().min(count as usize)]).copied().collect()
}
