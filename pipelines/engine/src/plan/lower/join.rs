//! Joins.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{self as logical, Expr, LogicalPlan, col, lit, not};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, cast};

use super::subquery::Source;
use super::{Lowering, arrow_schema, boxed, definition_of, nullable, physical};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{AggregateCall, AggregateSpec, Function, Join, JoinSide, JoinSpec, Lone};

type Keys = Vec<[Arc<dyn PhysicalExpr>; 2]>;

/// What a join is made of, its inputs lowered.
pub(super) struct JoinParts {
    pub description: String,
    pub inputs: [NodeId; 2],
    pub join_type: JoinType,
    pub keys: Keys,
    /// A further condition over `pair_schema`, with its text.
    pub condition: Option<(Expr, Arc<dyn PhysicalExpr>)>,
    pub null_equality: NullEquality,
    pub schema: SchemaRef,
    /// Left columns, then right columns.
    pub pair_schema: SchemaRef,
}

impl Lowering<'_> {
    pub(super) fn join(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        join: &logical::Join,
    ) -> Result<NodeId> {
        let filter: Vec<Expr> = join.filter.iter().cloned().collect();
        let (left, filter) = self.source(graph, &join.left, &filter)?;
        let right = self.lower(graph, &join.right)?;
        let keys = self.join_keys(graph, plan, join, [left.node, right])?;
        let pair_schema = left.schema.join(join.right.schema())?;
        let condition = match filter.into_iter().next() {
            Some(filter) => Some((filter.clone(), self.expression(&filter, &pair_schema)?)),
            None => None,
        };
        let width = join.left.schema().fields().len();
        let added = left.schema.fields().len() - width;
        let has_left = gives_left(join.join_type);
        let schema = match has_left {
            true => with_fields(&arrow_schema(plan), width, &left.schema.fields()[width..]),
            false => arrow_schema(plan),
        };
        let (null_equality, join_type) = (join.null_equality, join.join_type);
        let node = self.add_join(
            graph,
            JoinParts {
                description: plan.display().to_string(),
                inputs: [left.node, right],
                join_type,
                keys: keys.clone(),
                condition,
                null_equality,
                schema: Arc::clone(&schema),
                pair_schema: Arc::clone(pair_schema.inner()),
            },
        )?;
        let node = match (join.null_aware, keys.as_slice()) {
            // Batch SQL heeds nulls where there is one key, and runs on none without.
            (true, [[_, key]]) => {
                let left_key = &join.on[0].0;
                let left = Source { node, ..left };
                self.only_not_in(graph, left, left_key, (right, Arc::clone(key)), schema)?
            }
            (true, [_, _, ..]) => {
                let place = self.text.words(&["not", "in"]);
                let instead = "write not exists instead of not in";
                return Err(self.unsupported(&plan.display(), place, instead));
            }
            _ => node,
        };
        if added == 0 || !has_left {
            return Ok(node);
        }
        let columns = graph.nodes[node].spec.schema.fields().len();
        let kept: Vec<usize> = (0..width).chain(width + added..columns).collect();
        self.columns(graph, node, &kept, arrow_schema(plan))
    }

    /// The key expressions of both sides, in types that can be compared.
    fn join_keys(
        &self,
        graph: &Graph,
        plan: &LogicalPlan,
        join: &logical::Join,
        inputs: [NodeId; 2],
    ) -> Result<Keys> {
        let schemas = inputs.map(|input| &graph.nodes[input].spec.schema);
        let mut keys = Vec::new();
        for (left_key, right_key) in &join.on {
            let mut key = [
                self.expression(left_key, join.left.schema())?,
                self.expression(right_key, join.right.schema())?,
            ];
            let types = [key[0].data_type(schemas[0])?, key[1].data_type(schemas[1])?];
            if types[0] != types[1] {
                let common = comparison_coercion(&types[0], &types[1]).ok_or_else(|| {
                    let instead = format!("cast one of the keys: {} is not {}", types[0], types[1]);
                    let place = self.text.expression(left_key);
                    self.unsupported(&plan.display(), place, &instead)
                })?;
                for (side, schema) in key.iter_mut().zip(schemas) {
                    *side = cast(Arc::clone(side), schema, common.clone())?;
                }
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// Of rows `left` that match no row of the right side, those that are not in it: all when it is empty,
    /// none when it holds a null, and otherwise those whose own key is not null.
    fn only_not_in(
        &self,
        graph: &mut Graph,
        left: Source,
        left_key: &Expr,
        (right, key): (NodeId, Arc<dyn PhysicalExpr>),
        schema: SchemaRef,
    ) -> Result<NodeId> {
        let count = |arguments| AggregateCall {
            function: Function::Count,
            input: 0,
            arguments,
            filter: None,
        };
        let counts = fields(&["rows", "known"], DataType::Int64);
        let definition = format!("counts of {}", definition_of(&[], &[Arc::clone(&key)]));
        let spec = AggregateSpec {
            schema: Arc::clone(&counts),
            keys: vec![Vec::new()],
            calls: vec![count(Vec::new()), count(vec![key])],
            results: vec![(0, 0), (1, 0)],
            is_append_only: graph.nodes[right].spec.is_append_only,
        };
        let counted =
            self.add_aggregate(graph, vec![right], spec, &definition, "Count of nulls".to_owned())?;
        let counts = DFSchema::try_from(counts)?;
        let facts = [col("rows").eq(lit(0_i64)), col("known").lt(col("rows"))];
        let facts = facts.iter().map(|fact| physical(fact, &counts)).collect::<Result<Vec<_>>>()?;
        let schema_of_facts = fields(&["__is_empty", "__has_null"], DataType::Boolean);
        let facts = self.map(
            graph,
            counted,
            "Projection: is empty, has nulls".to_owned(),
            String::new(),
            facts,
            Arc::clone(&schema_of_facts),
        )?;
        // The counts change with every row, what is asked of them hardly ever: pass on that alone.
        let spec = AggregateSpec {
            schema: Arc::clone(&schema_of_facts),
            keys: vec![vec![
                Arc::new(Column::new("__is_empty", 0)),
                Arc::new(Column::new("__has_null", 1)),
            ]],
            calls: Vec::new(),
            results: Vec::new(),
            is_append_only: false,
        };
        let facts =
            self.add_aggregate(graph, vec![facts], spec, "", "Changes of the facts".to_owned())?;
        let pair_schema = left.schema.join(&DFSchema::try_from(schema_of_facts)?)?;
        let condition =
            col("__is_empty").or(not(col("__has_null")).and(left_key.clone().is_not_null()));
        let condition = (condition.clone(), self.expression(&condition, &pair_schema)?);
        self.add_join(
            graph,
            JoinParts {
                description: "LeftSemi Join: is not in".to_owned(),
                inputs: [left.node, facts],
                join_type: JoinType::LeftSemi,
                keys: Vec::new(),
                condition: Some(condition),
                null_equality: NullEquality::NullEqualsNothing,
                schema,
                pair_schema: Arc::clone(pair_schema.inner()),
            },
        )
    }

    pub(super) fn add_join(&self, graph: &mut Graph, parts: JoinParts) -> Result<NodeId> {
        let JoinParts { inputs, join_type, keys, condition, null_equality, schema, .. } = parts;
        let lones = match join_type {
            JoinType::Inner => [Lone::Never, Lone::Never],
            JoinType::Left | JoinType::LeftAnti => [Lone::Unmatched, Lone::Never],
            JoinType::Right | JoinType::RightAnti => [Lone::Never, Lone::Unmatched],
            JoinType::Full => [Lone::Unmatched, Lone::Unmatched],
            JoinType::LeftSemi => [Lone::Matched, Lone::Never],
            JoinType::RightSemi => [Lone::Never, Lone::Matched],
            JoinType::LeftMark => [Lone::Marked, Lone::Never],
            JoinType::RightMark => [Lone::Never, Lone::Marked],
        };
        let gives_pairs = gives_left(join_type) && gives_right(join_type);
        let specs = inputs.map(|input| &graph.nodes[input].spec);
        let mut sides = [0, 1].map(|side| JoinSide {
            schema: Arc::clone(&specs[side].schema),
            keys: Vec::new(),
            unique: specs[side].unique.clone(),
            lone: lones[side],
        });
        for key in &keys {
            sides.iter_mut().zip(key).for_each(|(side, key)| side.keys.push(Arc::clone(key)));
        }
        let (logical, condition): (Vec<Expr>, Vec<_>) = condition.into_iter().unzip();
        let read: Vec<_> =
            sides.iter().flat_map(|side| &side.keys).chain(&condition).map(Arc::clone).collect();
        let definition = format!(
            "join {join_type} {null_equality:?} {} {}",
            keys.len(),
            definition_of(&logical, &read)
        );
        let only_adds =
            matches!(join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi);
        let is_append_only = only_adds && specs.iter().all(|spec| spec.is_append_only);
        let (consolidation, unique) = match gives_pairs {
            true => {
                let left_width = sides[0].schema.fields().len();
                let adds_alone = lones.map(|lone| lone != Lone::Never);
                (Consolidation::Pairs { left_width, adds_alone }, None)
            }
            false => {
                let side = usize::from(!gives_left(join_type));
                (Consolidation::Chosen { side }, sides[side].unique.clone())
            }
        };
        let spec = JoinSpec {
            schema: Arc::clone(&schema),
            sides,
            condition: condition.into_iter().next(),
            pair_schema: nullable(&parts.pair_schema),
            gives_pairs,
            null_equals_null: null_equality == NullEquality::NullEqualsNull,
            batch_rows_max: self.config.batch_rows_max,
            output_bytes_max: self.config.state_bytes_max,
        };
        let placement = placement(&spec, join_type);
        graph.add(NodeSpec {
            definition,
            description: parts.description,
            inputs: inputs.to_vec(),
            schema,
            is_append_only,
            unique,
            consolidation,
            placement,
            recomputes: None,
            build: Box::new(move || boxed(Join::new(spec.clone())?)),
        })
    }
}

/// Where a join needs its rows, and which output columns hold the key: those of a side that is never null there.
fn placement(spec: &JoinSpec, join_type: JoinType) -> Placement {
    if spec.sides[0].keys.is_empty() {
        let columns = spec.sides[0].schema.fields().len();
        let gives_right_alone = spec.sides[1].lone != Lone::Never;
        return match gives_right_alone || columns == 0 {
            true => Placement::Together,
            false => Placement::Beside { columns },
        };
    }
    let (side, first) = match join_type {
        JoinType::Right => (1, Some(spec.sides[0].schema.fields().len())),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (1, Some(0)),
        JoinType::Full => (0, None),
        _ => (0, Some(0)),
    };
    let column = |key: &Arc<dyn PhysicalExpr>| {
        let key = key.downcast_ref::<Column>()?;
        first.map(|first| first + key.index())
    };
    Placement::ByKey {
        keys: spec.sides.iter().map(|side| side.keys.clone()).collect(),
        outputs: spec.sides[side].keys.iter().map(column).collect(),
    }
}

fn gives_left(join_type: JoinType) -> bool {
    !matches!(join_type, JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark)
}

fn gives_right(join_type: JoinType) -> bool {
    !matches!(join_type, JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark)
}

/// `schema` with further fields from place `at` on.
fn with_fields(schema: &SchemaRef, at: usize, added: &[Arc<Field>]) -> SchemaRef {
    let (first, rest) = schema.fields().split_at(at);
    Arc::new(Schema::new([first, added, rest].concat()))
}

fn fields(names: &[&str], data_type: DataType) -> SchemaRef {
    let fields = names.iter().map(|name| Field::new(*name, data_type.clone(), false));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
