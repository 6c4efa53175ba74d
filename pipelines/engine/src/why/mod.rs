//! The input rows behind rows of a view.
//!
//! The views that a view reads are put into its plan, the condition on the key is pushed down as far as it
//! goes, and each node of the plan is evaluated on its own, with every row it gives pointing back at the rows
//! it came from. From the rows asked for, these pointers are followed down to the relations:
//!
//! * rows of projections, filters, sorts, limits, unions and unnests come from one row, those of joins from
//!   one of each side; of the other side of `exists` and `in` those count that match;
//! * a row of a grouping, of `distinct` and of a set operation comes from all rows with its key;
//! * a row of `row_number`, `rank` and `dense_rank` comes from itself; other window functions look at their
//!   whole partition, which is said;
//! * a scalar subquery comes from all rows it reads, and so does what has no operator of its own.

mod groups;
mod plan;
mod run;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{
    concat_batches, filter_record_batch, prep_null_mask_filter, take_record_batch,
};
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;

use crate::state::new_batch;
use crate::{Error, Result};
use plan::Conditions;
use trace::Sink;

/// What is asked: which rows of a view, over which relations and views.
#[derive(Debug, Clone)]
pub struct Question {
    /// The relations with their columns.
    pub relations: Vec<(String, SchemaRef)>,
    /// The views with their SQL, each behind those it reads.
    pub views: Vec<(String, String)>,
    /// The view, one of [`Self::views`].
    pub view: String,
    /// Columns of the view and the values asked for, as text; `null` stands for no value.
    pub key: Vec<(String, String)>,
    /// What `now()` gives.
    pub now: DateTime<Utc>,
}

/// Rows of a relation or view that rows of a view come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The relation or view.
    pub name: String,
    /// The view whose SQL reads it.
    pub reader: String,
    /// Whether it is a view.
    pub is_view: bool,
    /// The rows, in no order that means anything.
    pub rows: RecordBatch,
    /// Why there may be more rows than had a part in it; empty where there are not.
    pub caveats: Vec<String>,
}

/// Rows of a view and what they come from.
#[derive(Debug, Clone)]
pub struct Because {
    /// The rows of the view that have the key.
    pub rows: RecordBatch,
    /// What they come from: inputs of the view first, then inputs of those.
    pub origins: Vec<Origin>,
}

/// A question that has been planned, to be answered from rows.
#[derive(Debug)]
pub struct Why {
    view: String,
    /// All that is read, put together, with the condition on the key pushed down.
    plan: LogicalPlan,
    state: Arc<SessionState>,
    relations: BTreeMap<String, SchemaRef>,
    conditions: Conditions,
}

impl Why {
    /// Plans the answer.
    ///
    /// # Errors
    /// [`Error::UnknownView`], [`Error::Plan`] of one of the views, [`Error::Definition`] when the key names no
    /// column or a value cannot be read.
    pub fn new(question: &Question) -> Result<Self> {
        let (plan, state) = plan::of(question)?;
        let relations = question.relations.iter().cloned().collect();
        let conditions = plan::conditions(&plan, &relations)?;
        Ok(Self { view: question.view.clone(), plan, state, relations, conditions })
    }

    /// The relations that are read.
    pub fn reads(&self) -> impl Iterator<Item = &str> {
        self.conditions.keys().map(String::as_str)
    }

    /// The rows of a relation that may count; others need not be given.
    pub fn relevant(&self, relation: &str, rows: &RecordBatch) -> Result<RecordBatch> {
        let Some(conditions) = self.conditions.get(relation) else { return Ok(rows.slice(0, 0)) };
        let Some(conditions) = conditions else { return Ok(rows.clone()) };
        let mut found: Option<arrow::array::BooleanArray> = None;
        for condition in conditions {
            let held = condition.evaluate(rows)?.into_array(rows.num_rows())?;
            let held = datafusion::common::cast::as_boolean_array(&held)?;
            let held = match arrow::array::Array::null_count(held) {
                0 => held.clone(),
                _ => prep_null_mask_filter(held),
            };
            found = Some(match found {
                Some(before) => arrow::compute::or(&before, &held)?,
                None => held,
            });
        }
        match found {
            Some(found) => Ok(filter_record_batch(rows, &found)?),
            None => Ok(rows.clone()),
        }
    }

    /// The rows of the view and what they come from, out of the rows of the relations. It takes a while over
    /// many rows: its time and memory grow with all rows that meet the condition on the key.
    ///
    /// # Errors
    /// [`Error::UnknownRelation`] when rows of one are not given; what fails on the rows.
    pub fn answer(&self, tables: BTreeMap<String, Vec<RecordBatch>>) -> Result<Because> {
        let mut rows: BTreeMap<String, RecordBatch> = BTreeMap::new();
        for name in self.reads() {
            let given =
                tables.get(name).ok_or_else(|| Error::UnknownRelation { name: name.to_owned() })?;
            let schema = &self.relations[name];
            let given = given
                .iter()
                .map(|batch| new_batch(schema, batch.columns().to_vec(), batch.num_rows()))
                .collect::<Result<Vec<_>>>()?;
            rows.insert(name.to_owned(), concat_batches(schema, &given)?);
        }
        let traced = run::traced(&self.state, &rows, &self.plan)?;
        let all: BTreeSet<u32> = traced.all();
        let mut sink = Sink::default();
        trace::follow(&self.state, &traced, &all, &self.view, &[], &mut sink)?;
        Ok(Because { rows: traced.rows, origins: self.origins(sink, &rows)? })
    }

    fn origins(&self, sink: Sink, rows: &BTreeMap<String, RecordBatch>) -> Result<Vec<Origin>> {
        let mut origins = Vec::new();
        for found in sink.found {
            let rows = match found.rows {
                trace::Rows::OfRelation(wanted) => match rows.get(&found.name) {
                    Some(rows) => take(rows, &wanted)?,
                    // Such as `generate_series`: it has no rows of its own.
                    None => continue,
                },
                trace::Rows::OfView(parts) => groups::distinct(parts)?,
            };
            let (name, reader) = (found.name, found.reader);
            let is_view = !self.relations.contains_key(&name);
            let caveats = found.caveats.into_iter().collect();
            origins.push(Origin { name, reader, is_view, rows, caveats });
        }
        // Inputs of the view, then inputs of those, each behind its reader.
        let mut readers = vec![self.view.clone()];
        let mut sorted = Vec::with_capacity(origins.len());
        let mut at = 0;
        while at < readers.len() {
            let reader = readers[at].clone();
            let (own, rest): (Vec<_>, Vec<_>) =
                origins.into_iter().partition(|origin| origin.reader == reader);
            for origin in own {
                if origin.is_view && !readers.contains(&origin.name) {
                    readers.push(origin.name.clone());
                }
                sorted.push(origin);
            }
            origins = rest;
            at += 1;
        }
        Ok(sorted)
    }
}

/// Some rows of a batch.
fn take(rows: &RecordBatch, wanted: &BTreeSet<u32>) -> Result<RecordBatch> {
    let places = UInt32Array::from_iter_values(wanted.iter().copied());
    Ok(take_record_batch(rows, &places)?)
}
