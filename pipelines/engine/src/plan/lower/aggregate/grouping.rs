//! Grouping sets, `rollup` and `cube`: one grouping per set, put together.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, GroupingSet};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};

use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::Union;
use crate::plan::lower::subquery::Source;
use crate::plan::lower::{Lowering, boxed};

/// Columns that `cube` and grouping ids can tell apart, and groupings in one query, at most.
const COLUMNS_MAX: usize = 32;
const SETS_MAX: usize = 1024;

impl Lowering<'_> {
    /// Key columns (null where the set leaves them out), the id of the set, results.
    pub(super) fn grouping_sets(
        &self,
        graph: &mut Graph,
        source: &Source,
        set: &GroupingSet,
        functions: &[Expr],
        schema: &SchemaRef,
    ) -> Result<NodeId> {
        let keys = set.distinct_expr();
        let sets = sets_of(set, &keys);
        let sets = sets.filter(|sets| keys.len() <= COLUMNS_MAX && sets.len() <= SETS_MAX);
        let sets = sets.ok_or_else(|| {
            let construct = Expr::GroupingSet(set.clone());
            let kinds = [&["rollup"][..], &["cube"], &["grouping", "sets"]];
            let place = kinds.iter().find_map(|words| self.text.words(words));
            self.unsupported(&construct, place, "group by fewer sets at once")
        })?;
        let mut seen: HashMap<&[bool], u64> = HashMap::new();
        let mut inputs = Vec::new();
        for set in &sets {
            let ordinal = seen.entry(set).or_insert(0);
            let bits = set.iter().fold(0_u64, |bits, is_kept| bits << 1 | u64::from(!is_kept));
            let id = bits | *ordinal << keys.len();
            *ordinal += 1;
            let kept: Vec<usize> = (0..keys.len()).filter(|key| set[*key]).collect();
            inputs.push(self.grouping_set(graph, source, (&keys, &kept), id, functions, schema)?);
        }
        let is_append_only = inputs.iter().all(|input| graph.nodes[*input].spec.is_append_only);
        let schema = Arc::clone(schema);
        graph.add(NodeSpec {
            definition: "union".to_owned(),
            description: format!("Union of {}", Expr::GroupingSet(set.clone())),
            inputs,
            schema: Arc::clone(&schema),
            is_append_only,
            // The id tells the sets apart, and within a set the keys do.
            unique: Some((0..=keys.len()).collect()),
            consolidation: Consolidation::Always,
            placement: Placement::Anywhere,
            recomputes: None,
            build: Box::new(move || boxed(Union::new(Arc::clone(&schema)))),
        })
    }

    /// The rows of one set, which keeps the `kept` ones of all keys.
    fn grouping_set(
        &self,
        graph: &mut Graph,
        source: &Source,
        (keys, kept): (&[&Expr], &[usize]),
        id: u64,
        functions: &[Expr],
        schema: &SchemaRef,
    ) -> Result<NodeId> {
        let results = &schema.fields()[keys.len() + 1..];
        let kept_fields = kept.iter().map(|key| Arc::clone(&schema.fields()[*key]));
        let fields: Vec<Arc<Field>> = kept_fields.chain(results.iter().cloned()).collect();
        let kept_keys: Vec<Expr> = kept.iter().map(|key| keys[*key].clone()).collect();
        let grouped = Arc::new(Schema::new(fields));
        let node = self.group(graph, source, &kept_keys, functions, Arc::clone(&grouped))?;
        let column = |at: usize| -> Arc<dyn PhysicalExpr> {
            Arc::new(Column::new(grouped.field(at).name(), at))
        };
        let literal =
            |value: ScalarValue| -> Arc<dyn PhysicalExpr> { Arc::new(Literal::new(value)) };
        let mut expressions = Vec::new();
        for key in 0..keys.len() {
            expressions.push(match kept.iter().position(|other| *other == key) {
                Some(at) => column(at),
                None => literal(ScalarValue::try_from(schema.field(key).data_type())?),
            });
        }
        expressions.push(literal(match schema.field(keys.len()).data_type() {
            DataType::UInt8 => ScalarValue::from(id as u8),
            DataType::UInt16 => ScalarValue::from(id as u16),
            DataType::UInt32 => ScalarValue::from(id as u32),
            _ => ScalarValue::from(id),
        }));
        expressions.extend((kept.len()..grouped.fields().len()).map(column));
        let description = format!("Projection: grouping set {id}");
        self.map(graph, node, description, String::new(), expressions, Arc::clone(schema))
    }
}

/// Which keys each set keeps; `None` when there are too many sets.
fn sets_of(set: &GroupingSet, keys: &[&Expr]) -> Option<Vec<Vec<bool>>> {
    let width = keys.len();
    match set {
        GroupingSet::Rollup(_) => {
            Some((0..=width).map(|kept| (0..width).map(|key| key < kept).collect()).collect())
        }
        GroupingSet::Cube(_) => {
            let sets = u32::try_from(width).ok().and_then(|width| 1_usize.checked_shl(width))?;
            let keeps = |set: usize| (0..width).map(|key| set >> key & 1 == 0).collect();
            (sets <= SETS_MAX).then(|| (0..sets).map(keeps).collect())
        }
        GroupingSet::GroupingSets(sets) => Some(
            sets.iter().map(|set| keys.iter().map(|key| set.contains(key)).collect()).collect(),
        ),
    }
}
