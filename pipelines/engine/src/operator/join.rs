//! Joins of every kind on equal keys, on any condition, or on none.
//!
//! Both sides keep their rows behind the join key. A change of one side is matched with all rows of the
//! other: first one side's change with the other's rows as they were, then the other's change with the
//! first's rows as they are now. Outer, semi and anti joins count the matches of each row they may have to give out
//! alone, and give it or take it back when the count leaves or reaches zero.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::take_arrays;
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::output::show_row;
use super::{Change, Operator, evaluate};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{
    EncodedRows, EntryId, LazyRows, NONE, RowStore, concat, consolidate, new_batch,
};
use crate::{Delta, Error, Result};

/// When a row of one side is given out without a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lone {
    Never,
    /// With no match: outer and anti joins.
    Unmatched,
    /// With at least one match: semi joins.
    Matched,
}

impl Lone {
    fn is_given(self, matches: i64) -> bool {
        match self {
            Self::Never => false,
            Self::Unmatched => matches == 0,
            Self::Matched => matches > 0,
        }
    }
}

/// One input of a join.
#[derive(Debug, Clone)]
pub(crate) struct JoinSide {
    pub schema: SchemaRef,
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Columns that identify a row, where such are known.
    pub unique: Option<Vec<usize>>,
    pub lone: Lone,
}

impl JoinSide {
    /// Whether rows with equal keys are equal in `columns`.
    fn has_keys_that_include(&self, columns: &[usize]) -> bool {
        columns.iter().all(|column| {
            let mut keys = self.keys.iter().filter_map(|key| key.downcast_ref::<Column>());
            keys.any(|key| key.index() == *column)
        })
    }
}

/// A join to be made.
#[derive(Debug, Clone)]
pub(crate) struct JoinSpec {
    /// Left columns, then right columns; only one side's where `gives_pairs` is unset.
    pub schema: SchemaRef,
    pub sides: [JoinSide; 2],
    /// A further condition, over left columns followed by right columns.
    pub condition: Option<Arc<dyn PhysicalExpr>>,
    /// Columns the condition sees.
    pub pair_schema: SchemaRef,
    /// Whether matching rows are given out side by side.
    pub gives_pairs: bool,
    /// Whether null equals null.
    pub null_equals_null: bool,
    /// Pairs worked on at once, at most.
    pub batch_rows_max: usize,
}

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
}

/// A change of one side with its keys.
struct Probe<'a> {
    delta: &'a Delta,
    keys: EncodedRows,
    /// Whether some key column is null, so that the row matches nothing.
    has_null_key: Vec<bool>,
    /// Matches of each row on the other side.
    matches: Vec<i64>,
}

/// Pairs of a row of a change and an entry of the other side.
#[derive(Default)]
struct Pairs {
    rows: Vec<u32>,
    entries: Vec<EntryId>,
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
        Ok(Self { spec, sides })
    }

    fn probe<'a>(&self, side: usize, delta: &'a Delta) -> Result<Probe<'a>> {
        let rows = delta.num_rows();
        let columns = evaluate(&self.spec.sides[side].keys, &delta.batch)?;
        let keys = self.sides[side].rows.encode_keys(&columns, rows)?;
        let mut has_null_key = vec![false; rows];
        if !self.spec.null_equals_null {
            for nulls in columns.iter().filter_map(|column| column.logical_nulls()) {
                has_null_key
                    .iter_mut()
                    .enumerate()
                    .for_each(|(row, null)| *null |= nulls.is_null(row));
            }
        }
        Ok(Probe { delta, keys, has_null_key, matches: vec![0; rows] })
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

    /// Finds the partners of a change on the other side, gives the pairs out and counts them.
    fn match_rows(
        &self,
        side: usize,
        probe: &mut Probe<'_>,
        shifts: &mut Shifts,
        output: &mut Vec<Delta>,
    ) -> Result<()> {
        let partners = &self.sides[1 - side].rows;
        if partners.len() == 0 {
            return Ok(());
        }
        let mut pairs = Pairs::default();
        for row in 0..probe.delta.num_rows() {
            if probe.has_null_key[row] {
                continue;
            }
            let mut entry = partners.first(probe.keys.row(row), probe.keys.hashes[row]);
            while entry != NONE {
                pairs.rows.push(row as u32);
                pairs.entries.push(entry);
                if pairs.rows.len() == self.spec.batch_rows_max {
                    self.settle_pairs(side, probe, std::mem::take(&mut pairs), shifts, output)?;
                }
                entry = partners.next(entry);
            }
        }
        if pairs.rows.is_empty() {
            Ok(())
        } else {
            self.settle_pairs(side, probe, pairs, shifts, output)
        }
    }

    fn settle_pairs(
        &self,
        side: usize,
        probe: &mut Probe<'_>,
        mut pairs: Pairs,
        shifts: &mut Shifts,
        output: &mut Vec<Delta>,
    ) -> Result<()> {
        let mut columns = Vec::new();
        if self.spec.gives_pairs || self.spec.condition.is_some() {
            columns = self.pair_columns(side, probe, &pairs)?;
        }
        if let Some(condition) = &self.spec.condition {
            let batch = new_batch(&self.spec.pair_schema, columns, pairs.rows.len())?;
            let verdict = condition.evaluate(&batch)?.into_array(pairs.rows.len())?;
            let verdict = verdict.as_boolean();
            let passing =
                (0..verdict.len()).filter(|pair| verdict.is_valid(*pair) && verdict.value(*pair));
            let passing: Vec<u32> = passing.map(|pair| pair as u32).collect();
            pairs = Pairs {
                rows: passing.iter().map(|pair| pairs.rows[*pair as usize]).collect(),
                entries: passing.iter().map(|pair| pairs.entries[*pair as usize]).collect(),
            };
            columns = take_arrays(batch.columns(), &UInt32Array::from(passing), None)?;
        }
        pairs.rows.iter().for_each(|row| probe.matches[*row as usize] += 1);
        if self.spec.sides[1 - side].lone != Lone::Never {
            for (row, entry) in pairs.rows.iter().zip(&pairs.entries) {
                shifts.add(*entry, probe.delta.weight(*row as usize));
            }
        }
        if self.spec.gives_pairs && !pairs.rows.is_empty() {
            let batch = new_batch(&self.spec.schema, columns, pairs.rows.len())?;
            let weights = probe.delta.weight_values();
            let weights = weights.map(|weights| {
                pairs.rows.iter().map(|row| weights[*row as usize]).collect::<Int64Array>()
            });
            output.push(Delta { batch, weights });
        }
        Ok(())
    }

    /// Left columns, then right columns of the pairs.
    fn pair_columns(&self, side: usize, probe: &Probe<'_>, pairs: &Pairs) -> Result<Vec<ArrayRef>> {
        let first = pairs.rows[0];
        let is_run = pairs.rows.iter().zip(first..).all(|(row, expected)| *row == expected);
        let mut own = match is_run {
            // Each row has one partner, as with most lookups of a master row: nothing to copy.
            true => probe.delta.batch.slice(first as usize, pairs.rows.len()).columns().to_vec(),
            false => take_arrays(
                probe.delta.batch.columns(),
                &UInt32Array::from(pairs.rows.clone()),
                None,
            )?,
        };
        let mut other = self.sides[1 - side].rows.gather(&pairs.entries)?;
        if side == 0 {
            own.append(&mut other);
            return Ok(own);
        }
        other.append(&mut own);
        Ok(other)
    }

    /// Gives out rows of the change that stand alone.
    fn give_alone(&self, side: usize, probe: &Probe<'_>, output: &mut Vec<Delta>) -> Result<()> {
        let lone = self.spec.sides[side].lone;
        let rows = (0..probe.matches.len()).filter(|row| lone.is_given(probe.matches[*row]));
        let rows: Vec<u32> = rows.map(|row| row as u32).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let columns =
            take_arrays(probe.delta.batch.columns(), &UInt32Array::from(rows.clone()), None)?;
        let batch = self.lone_batch(side, columns, rows.len())?;
        let weights = probe.delta.weight_values();
        let weights = weights
            .map(|weights| rows.iter().map(|row| weights[*row as usize]).collect::<Int64Array>());
        output.push(Delta { batch, weights });
        Ok(())
    }

    /// Rows of one side as output rows: the other side's columns are null, or not there.
    fn lone_batch(
        &self,
        side: usize,
        mut columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<RecordBatch> {
        if self.spec.gives_pairs {
            let fields = self.spec.sides[1 - side].schema.fields().iter();
            let mut nulls: Vec<ArrayRef> =
                fields.map(|field| new_null_array(field.data_type(), rows)).collect();
            if side == 0 {
                columns.append(&mut nulls);
            } else {
                nulls.append(&mut columns);
                columns = nulls;
            }
        }
        new_batch(&self.spec.schema, columns, rows)
    }

    /// Applies changed match counts of one side's rows and gives out or takes back those that stand alone.
    fn shift_matches(
        &mut self,
        side: usize,
        shifts: Shifts,
        output: &mut Vec<Delta>,
    ) -> Result<()> {
        let lone = self.spec.sides[side].lone;
        let matches = &mut self.sides[side].matches;
        let mut entries = Vec::new();
        let mut weights = Vec::new();
        for (entry, shift) in shifts.entries.iter().zip(&shifts.sums) {
            let count = &mut matches[*entry as usize];
            let (before, after) = (*count, *count + shift);
            *count = after;
            if lone.is_given(before) != lone.is_given(after) {
                entries.push(*entry);
                weights.push(if lone.is_given(after) { 1 } else { -1 });
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let columns = self.sides[side].rows.gather(&entries)?;
        let batch = self.lone_batch(side, columns, entries.len())?;
        output.push(Delta::weighted(batch, weights));
        Ok(())
    }

    fn insert(&mut self, side: usize, probe: &Probe<'_>) -> Result<()> {
        let mut coming: Vec<u32> = Vec::with_capacity(probe.delta.num_rows());
        for row in (0..probe.delta.num_rows()).filter(|row| !probe.has_null_key[*row]) {
            coming.extend((0..probe.delta.weight(row).max(0)).map(|_| row as u32));
        }
        let keeps_matches = self.spec.sides[side].lone != Lone::Never;
        let side = &mut self.sides[side];
        let entries = side.rows.insert(&probe.delta.batch, &probe.keys, &coming)?;
        if keeps_matches {
            side.matches.resize(side.rows.slots(), 0);
            for (entry, row) in entries.iter().zip(&coming) {
                side.matches[*entry as usize] = probe.matches[*row as usize];
            }
        }
        side.rows.tidy()
    }

    fn remove(&mut self, side: usize, probe: &Probe<'_>) -> Result<()> {
        if !probe.delta.retracts() {
            return Ok(());
        }
        let store = &mut self.sides[side].rows;
        let mut rows = LazyRows::new(&probe.delta.batch);
        for row in (0..probe.delta.num_rows()).filter(|row| !probe.has_null_key[*row]) {
            for _ in probe.delta.weight(row)..0 {
                let entry = store.find_row(&probe.keys, &mut rows, row)?;
                if entry == NONE {
                    return Err(missing(side, probe, row));
                }
                store.remove(entry);
            }
        }
        store.tidy()
    }

    /// Takes rows out and in that are told apart by some of their columns.
    fn exchange(&mut self, side: usize, probe: &Probe<'_>) -> Result<()> {
        let keeps_matches = self.spec.sides[side].lone != Lone::Never;
        let Side { rows, matches } = &mut self.sides[side];
        let weight = |row: usize| match probe.has_null_key[row] {
            true => 0,
            false => probe.delta.weight(row),
        };
        let entries = rows
            .exchange(&probe.delta.batch, &probe.keys, weight)?
            .map_err(|row| missing(side, probe, row))?;
        if keeps_matches {
            matches.resize(rows.slots(), 0);
            let coming = (0..probe.matches.len()).filter(|row| weight(*row) > 0);
            for (entry, row) in entries.into_iter().zip(coming) {
                matches[entry as usize] = probe.matches[row];
            }
        }
        rows.tidy()
    }

    /// Counts the matches of all rows of `side` afresh, after a restore.
    fn recount(&mut self, side: usize) -> Result<()> {
        self.sides[side].matches = vec![0; self.sides[side].rows.slots()];
        for (batch, entries) in self.sides[side].rows.contents()? {
            let delta = Delta::inserts(batch);
            let mut probe = self.probe(side, &delta)?;
            self.match_rows(side, &mut probe, &mut Shifts::default(), &mut Vec::new())?;
            for (entry, matches) in entries.into_iter().zip(probe.matches) {
                self.sides[side].matches[entry as usize] = matches;
            }
        }
        Ok(())
    }
}

/// The error of a row of a change that does not fit what its side holds.
fn missing(side: usize, probe: &Probe<'_>, row: usize) -> Error {
    let place = format!("{} side of a join", if side == 0 { "left" } else { "right" });
    Error::MissingRow { place, row: show_row(&probe.delta.batch, row) }
}

/// Changes of match counts by entry, in the order of first appearance.
#[derive(Default)]
struct Shifts {
    places: hashbrown::HashMap<EntryId, usize>,
    entries: Vec<EntryId>,
    sums: Vec<i64>,
}

impl Shifts {
    fn add(&mut self, entry: EntryId, weight: i64) {
        let next = self.entries.len();
        let place = *self.places.entry(entry).or_insert(next);
        if place == next {
            self.entries.push(entry);
            self.sums.push(0);
        }
        self.sums[place] += weight;
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
            self.sides[side].rows.load(pieces.rows(name)?, |batch| evaluate(keys, batch))?;
        }
        for side in 0..2 {
            if self.spec.sides[side].lone != Lone::Never {
                self.recount(side)?;
            }
        }
        Ok(())
    }
}
