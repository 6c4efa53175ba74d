//! Joins of every kind on equal keys, on any condition, or on none.
//!
//! Both sides keep their rows behind the join key. A change of one side is matched with all rows of the
//! other: first one side's change with the other's rows as they were, then the other's change with the
//! first's rows as they are now. Outer, semi and anti joins count the matches of each row they may have to
//! give out alone, and give it or take it back when the count leaves or reaches zero.

mod alone;
mod keep;
mod pairs;
mod spec;

pub(crate) use spec::{JoinSide, JoinSpec, Lone};

use std::sync::Arc;

use self::alone::Shifts;
use super::{Change, Operator, evaluate};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{RowStore, concat, consolidate};
use crate::{Delta, Result};

#[derive(Debug)]
struct Side {
    rows: RowStore,
    /// Matches of each entry, kept where the side's rows may be given out alone.
    matches: Vec<i64>,
}

/// Matches rows of two inputs.
#[derive(Debug)]
pub(crate) struct Join {
    spec: JoinSpec,
    sides: [Side; 2],
    /// Bytes given out in this epoch so far.
    given_bytes: usize,
}

impl Join {
    pub fn new(spec: JoinSpec) -> Result<Self> {
        let side = |side: &JoinSide| -> Result<Side> {
            let types = side.keys.iter().map(|key| key.data_type(&side.schema));
            let types = types.collect::<Result<Vec<_>, _>>()?;
            let rows = RowStore::new(Arc::clone(&side.schema), types)?;
            let rows = match &side.unique {
                None => rows,
                Some(unique) if side.has_keys_that_include(unique) => rows.unique_by_key(),
                Some(unique) => rows.unique_by(unique.clone())?,
            };
            Ok(Side { rows, matches: Vec::new() })
        };
        let sides = [side(&spec.sides[0])?, side(&spec.sides[1])?];
        Ok(Self { spec, sides, given_bytes: 0 })
    }

    /// Brings the change of one side in.
    fn push(&mut self, side: usize, change: Change<'_>, output: &mut Vec<Delta>) -> Result<()> {
        let other = 1 - side;
        let is_unique = self.spec.sides[side].unique.is_some();
        let whole;
        let deltas = match is_unique && !change.is_empty() {
            true => {
                // Rows told apart by some columns are exchanged, which takes the change as a whole.
                whole = [self.whole_change(side, change)?];
                whole.as_slice()
            }
            false => change.deltas,
        };
        let mut shifts = Shifts::default();
        let mut probes = Vec::with_capacity(deltas.len());
        for delta in deltas {
            let mut probe = self.probe(side, delta)?;
            self.match_rows(side, &mut probe, &mut shifts, output)?;
            self.give_alone(side, &probe, output)?;
            probes.push(probe);
        }
        self.shift_matches(other, shifts, output)?;
        if is_unique {
            return probes.iter().try_for_each(|probe| self.exchange(side, probe));
        }
        // Rows that come before rows that go: within an epoch they may stand in any order.
        probes.iter().try_for_each(|probe| self.insert(side, probe))?;
        probes.iter().try_for_each(|probe| self.remove(side, probe))
    }

    /// The change of one side without any row and its opposite.
    fn whole_change(&self, side: usize, change: Change<'_>) -> Result<Delta> {
        let delta = concat(&self.spec.sides[side].schema, change.deltas.to_vec())?;
        if change.is_consolidated { Ok(delta) } else { consolidate(delta) }
    }
}

impl Operator for Join {
    fn class(&self) -> &'static str {
        match self.spec.sides.iter().any(|side| side.lone != Lone::Never) {
            true if self.spec.gives_pairs => "outer join",
            true => "zero-crossing join",
            false => "bilinear",
        }
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let mut output = Vec::new();
        self.given_bytes = 0;
        // A side whose rows are given out alone comes last: they meet what came with them at once, instead
        // of being given out and taken back.
        let order = if self.spec.sides[0].lone == Lone::Never { [0, 1] } else { [1, 0] };
        for side in order {
            self.push(side, inputs[side], &mut output)?;
        }
        Ok(output)
    }

    fn state_rows(&self) -> usize {
        self.sides.iter().map(|side| side.rows.len()).sum()
    }

    fn state_bytes(&self) -> usize {
        let bytes =
            |side: &Side| side.rows.state_bytes() + side.matches.capacity() * size_of::<i64>();
        self.sides.iter().map(bytes).sum()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        pieces.put_rows("left", &self.sides[0].rows)?;
        pieces.put_rows("right", &self.sides[1].rows)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        for (side, name) in ["left", "right"].into_iter().enumerate() {
            let keys = &self.spec.sides[side].keys;
            self.sides[side]
                .rows
                .load(pieces.rows_of(side, name)?, |batch| evaluate(keys, batch))?;
        }
        for side in 0..2 {
            if self.spec.sides[side].lone != Lone::Never {
                self.recount(side)?;
            }
        }
        Ok(())
    }
}
