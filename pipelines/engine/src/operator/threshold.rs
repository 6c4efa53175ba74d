//! A filter against one value that moves: `sold_at > now() - interval '90 days'`, `price > (select avg(price) …)`.
//!
//! Rows lie in the order of what is compared. When the value moves, only the rows between where it was and
//! where it is are given or taken back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::compute::{SortOptions, filter, filter_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use datafusion::physical_expr::PhysicalExpr;

use super::sorted::{EntryList, Place, SortedRows, SortedSpec};
use super::unkeyed::change_rows;
use super::{Change, Operator};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{EntryId, RowStore, concat, consolidate, new_batch};
use crate::{Delta, Result};

/// Which rows pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A filter `compared <comparison> value`.
#[derive(Debug, Clone)]
pub(crate) struct ThresholdSpec {
    pub schema: SchemaRef,
    /// What is compared, over the rows of the first input.
    pub compared: Arc<dyn PhysicalExpr>,
    pub comparison: Comparison,
    /// The second input: one row, whose first column is the value.
    pub value_schema: SchemaRef,
}

impl Comparison {
    pub fn passes_above(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }

    /// Whether rows equal to the value stand below the cut.
    fn cuts_behind(self) -> bool {
        matches!(self, Self::Greater | Self::LessOrEqual)
    }
}

/// Keeps rows in the order of what is compared.
pub(crate) struct Threshold {
    spec: ThresholdSpec,
    order: RowConverter,
    sorted: SortedRows,
    value: RowStore,
}

impl Threshold {
    pub fn new(spec: ThresholdSpec) -> Result<Self> {
        let data_type = spec.compared.data_type(&spec.schema)?;
        let order = RowConverter::new(vec![SortField::new(data_type)])?;
        let sorted = SortedRows::new(SortedSpec {
            schema: Arc::clone(&spec.schema),
            partition: Vec::new(),
            order: vec![(Arc::clone(&spec.compared), SortOptions::default())],
            tie_columns: (0..spec.schema.fields().len()).collect(),
        })?;
        let value = RowStore::new(Arc::clone(&spec.value_schema), Vec::new())?;
        Ok(Self { spec, order, sorted, value })
    }

    /// The value as bytes that compare as it does; `None` while there is none, or null: nothing passes then.
    fn current(&self) -> Result<Option<Box<[u8]>>> {
        let contents = self.value.contents()?;
        let Some((row, _)) = contents.first() else { return Ok(None) };
        let value = row.column(0);
        Ok(match value.is_null(0) {
            true => None,
            false => Some(self.encode(value)?.row(0).data().into()),
        })
    }

    fn encode(&self, values: &ArrayRef) -> Result<arrow::row::Rows> {
        Ok(self.order.convert_columns(std::slice::from_ref(values))?)
    }

    /// Takes a change of the value in.
    fn set_value(&mut self, deltas: &[Delta]) -> Result<()> {
        let change = consolidate(concat(&self.spec.value_schema, deltas.to_vec())?)?;
        change_rows(&mut self.value, "value of a filter", &change)
    }

    /// Where the rows that pass begin or end.
    fn cut(&self, list: &EntryList, value: &[u8]) -> Place {
        list.partition_point(|entry| {
            let compared = self.sorted.order_part(self.sorted.key(entry));
            if self.spec.comparison.cuts_behind() { compared <= value } else { compared < value }
        })
    }

    /// The change of what passes when the value moves.
    fn moved(&self, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Option<Delta>> {
        if from == to || self.sorted.len() == 0 {
            return Ok(None);
        }
        let list = self.sorted.list(0);
        // Without a value nothing passes: as if it lay beyond the end at which rows pass.
        let beyond = if self.spec.comparison.passes_above() { list.len() } else { 0 };
        let count = |value: Option<&[u8]>| match value {
            Some(value) => list.count_before(self.cut(list, value)),
            None => beyond,
        };
        let (before, after) = (count(from), count(to));
        let (first, last) = (before.min(after), before.max(after));
        let comes = (after < before) == self.spec.comparison.passes_above();
        let entries: Vec<EntryId> = list.from(list.place_of(first)).take(last - first).collect();
        if entries.is_empty() {
            return Ok(None);
        }
        let batch = new_batch(&self.spec.schema, self.sorted.gather(&entries)?, entries.len())?;
        Ok(Some(if comes { Delta::inserts(batch) } else { Delta::deletes(batch) }))
    }

    /// The rows of a change for which `keep` holds.
    fn rows_where(delta: &Delta, keep: impl Fn(usize) -> bool) -> Result<Delta> {
        let mask: BooleanArray = (0..delta.num_rows()).map(|row| Some(keep(row))).collect();
        if mask.true_count() == delta.num_rows() {
            return Ok(delta.clone());
        }
        let weights = match &delta.weights {
            Some(weights) => {
                let kept = filter(weights, &mask)?;
                kept.as_any().downcast_ref::<Int64Array>().cloned()
            }
            None => None,
        };
        Ok(Delta { batch: filter_record_batch(&delta.batch, &mask)?, weights })
    }

    /// Takes rows in and gives those of them that pass.
    fn take_in(&mut self, deltas: &[Delta], value: Option<&[u8]>) -> Result<Option<Delta>> {
        let delta = concat(&self.spec.schema, deltas.to_vec())?;
        let compared = self.spec.compared.evaluate(&delta.batch)?.into_array(delta.num_rows())?;
        // A null never passes.
        let delta = Self::rows_where(&delta, |row| compared.is_valid(row))?;
        let compared = self.spec.compared.evaluate(&delta.batch)?.into_array(delta.num_rows())?;
        let incoming = self.sorted.read(&delta.batch)?;
        let gone = self.sorted.exchange(&delta, &delta.batch, &incoming)?.gone;
        self.sorted.settle(&gone, &[])?;
        let Some(value) = value else { return Ok(None) };
        let compared = self.encode(&compared)?;
        let comparison = self.spec.comparison;
        let passes = |row: usize| {
            let compared = compared.row(row).data();
            match comparison {
                Comparison::Less => compared < value,
                Comparison::LessOrEqual => compared <= value,
                Comparison::Greater => compared > value,
                Comparison::GreaterOrEqual => compared >= value,
            }
        };
        let passing = Self::rows_where(&delta, passes)?;
        Ok((!passing.is_empty()).then_some(passing))
    }
}

impl Operator for Threshold {
    fn class(&self) -> &'static str {
        "threshold"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let mut output = Vec::new();
        let before = self.current()?;
        if !inputs[1].is_empty() {
            self.set_value(inputs[1].deltas)?;
        }
        let after = self.current()?;
        output.extend(self.moved(before.as_deref(), after.as_deref())?);
        if !inputs[0].is_empty() {
            output.extend(self.take_in(inputs[0].deltas, after.as_deref())?);
        }
        Ok(output)
    }

    fn state_rows(&self) -> usize {
        self.sorted.len()
    }

    fn state_bytes(&self) -> usize {
        self.sorted.state_bytes() + self.value.state_bytes()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        self.sorted.save(pieces)?;
        pieces.put_rows("value", &self.value)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        self.sorted.load(pieces)?;
        self.value.load(pieces.rows_of(1, "value")?, |_| Ok(Vec::new()))
    }
}
