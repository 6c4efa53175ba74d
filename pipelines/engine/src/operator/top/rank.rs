//! Ranks within a group.

use std::cmp::Ordering;

use super::TopSpec;
use crate::operator::sorted::SortedRows;
use crate::state::EntryId;

/// How rows of a group are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ranking {
    /// One after the other.
    RowNumber,
    /// Rows equal in the order share a rank, and the ranks they take up are left out.
    Rank,
    /// The same without leaving ranks out.
    DenseRank,
}

/// A row that is given out, with its rank.
pub(super) type Ranked = (EntryId, u64);

impl TopSpec {
    /// Adds the rows a group gives out to `output`, in order.
    pub(super) fn ranked(&self, sorted: &SortedRows, group: u32, output: &mut Vec<Ranked>) {
        let rows = self.ranks(sorted, group).skip_while(|(_, rank)| *rank < self.from);
        output.extend(rows);
    }

    /// How many rows of a group have none of the higher ranks that are not given out.
    pub(super) fn rows_within(&self, sorted: &SortedRows, group: u32) -> usize {
        match self.rank {
            Ranking::RowNumber => usize::try_from(self.to).unwrap_or(usize::MAX),
            Ranking::Rank | Ranking::DenseRank => self.ranks(sorted, group).count(),
        }
    }

    /// Rows of a group up to the last rank given out.
    fn ranks(&self, sorted: &SortedRows, group: u32) -> impl Iterator<Item = Ranked> {
        let mut last: Option<(EntryId, u64)> = None;
        let ranked = sorted.list(group).iter().zip(1..).map(move |(entry, number)| {
            let order = |entry| sorted.order_part(sorted.key(entry));
            let same = match (self.rank, last) {
                (Ranking::RowNumber, _) | (_, None) => None,
                (_, Some((other, rank))) => (order(other) == order(entry)).then_some(rank),
            };
            let rank = same.unwrap_or(match self.rank {
                Ranking::RowNumber | Ranking::Rank => number,
                Ranking::DenseRank => last.map_or(1, |(_, rank)| rank + 1),
            });
            last = Some((entry, rank));
            (entry, rank)
        });
        ranked.take_while(|(_, rank)| *rank <= self.to)
    }
}

/// Which rows are only in `before` and which only in `now`; both are in order. With `by_rank`, a row of another
/// rank is another row.
pub(super) fn differences(
    sorted: &SortedRows,
    by_rank: bool,
    before: &[Ranked],
    now: &[Ranked],
    going: &mut Vec<Ranked>,
    coming: &mut Vec<Ranked>,
) {
    let compare = |(old, old_rank): Ranked, (new, new_rank): Ranked| {
        let by_key = match old == new {
            true => Ordering::Equal,
            false => sorted.key(old).cmp(sorted.key(new)),
        };
        if by_rank { by_key.then(old_rank.cmp(&new_rank)) } else { by_key }
    };
    let (mut old, mut new) = (0, 0);
    while old < before.len() && new < now.len() {
        match compare(before[old], now[new]) {
            Ordering::Equal => (old, new) = (old + 1, new + 1),
            Ordering::Less => {
                going.push(before[old]);
                old += 1;
            }
            Ordering::Greater => {
                coming.push(now[new]);
                new += 1;
            }
        }
    }
    going.extend_from_slice(&before[old..]);
    coming.extend_from_slice(&now[new..]);
}
