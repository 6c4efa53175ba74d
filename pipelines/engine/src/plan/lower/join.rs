//! Joins.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::{self as logical, Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::{Lowering, arrow_schema, boxed, definition_of};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{Join, JoinSide, JoinSpec, Lone};

impl Lowering<'_> {
    pub(super) fn join(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        join: &logical::Join,
    ) -> Result<NodeId> {
        let (left_lone, right_lone, gives_pairs) = match join.join_type {
            JoinType::Inner => (Lone::Never, Lone::Never, true),
            JoinType::Left => (Lone::Unmatched, Lone::Never, true),
            JoinType::Right => (Lone::Never, Lone::Unmatched, true),
            JoinType::Full => (Lone::Unmatched, Lone::Unmatched, true),
            JoinType::LeftSemi => (Lone::Matched, Lone::Never, false),
            JoinType::RightSemi => (Lone::Never, Lone::Matched, false),
            JoinType::LeftAnti if !join.null_aware => (Lone::Unmatched, Lone::Never, false),
            JoinType::RightAnti => (Lone::Never, Lone::Unmatched, false),
            _ => {
                return Err(self.unsupported(&plan.display(), "write not exists instead of not in"));
            }
        };
        let left = self.lower(graph, &join.left)?;
        let right = self.lower(graph, &join.right)?;
        let mut sides = [(left, &join.left, left_lone), (right, &join.right, right_lone)].map(
            |(node, _, lone)| JoinSide {
                schema: Arc::clone(&graph.nodes[node].spec.schema),
                keys: Vec::new(),
                unique: graph.nodes[node].spec.unique.clone(),
                lone,
            },
        );
        for (left_key, right_key) in &join.on {
            let keys = [
                self.expression(left_key, join.left.schema())?,
                self.expression(right_key, join.right.schema())?,
            ];
            let types =
                [keys[0].data_type(&sides[0].schema)?, keys[1].data_type(&sides[1].schema)?];
            if types[0] != types[1] {
                let instead = format!("cast one of the keys: {} is not {}", types[0], types[1]);
                return Err(self.unsupported(&plan.display(), &instead));
            }
            sides.iter_mut().zip(keys).for_each(|(side, key)| side.keys.push(key));
        }
        let pair_schema = join.left.schema().join(join.right.schema())?;
        let condition =
            join.filter.as_ref().map(|filter| self.expression(filter, &pair_schema)).transpose()?;
        let read: Vec<_> =
            sides.iter().flat_map(|side| &side.keys).chain(&condition).map(Arc::clone).collect();
        let logical: Vec<Expr> = join.filter.iter().cloned().collect();
        let definition = format!(
            "join {} {:?} {} {}",
            join.join_type,
            join.null_equality,
            join.on.len(),
            definition_of(&logical, &read)
        );
        let spec = JoinSpec {
            schema: arrow_schema(plan),
            sides,
            condition,
            pair_schema: nullable(pair_schema.as_arrow()),
            gives_pairs,
            null_equals_null: join.null_equality == NullEquality::NullEqualsNull,
            batch_rows_max: self.config.batch_rows_max,
        };
        let only_adds =
            matches!(join.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi);
        let is_append_only =
            only_adds && [left, right].iter().all(|input| graph.nodes[*input].spec.is_append_only);
        let consolidation = match gives_pairs {
            true => Consolidation::Pairs {
                left_width: spec.sides[0].schema.fields().len(),
                adds_alone: [left_lone, right_lone].map(|lone| lone != Lone::Never),
            },
            false => Consolidation::Unknown,
        };
        let placement = placement(&spec, join.join_type);
        graph.add(NodeSpec {
            definition,
            description: plan.display().to_string(),
            inputs: vec![left, right],
            schema: Arc::clone(&spec.schema),
            is_append_only,
            unique: None,
            consolidation,
            placement,
            recomputes: None,
            build: Box::new(move || boxed(Join::new(spec.clone())?)),
        })
    }
}

/// The same columns, all of which may be null.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
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
        JoinType::Right => (1, spec.sides[0].schema.fields().len()),
        JoinType::RightSemi | JoinType::RightAnti => (1, 0),
        JoinType::Full => (0, usize::MAX),
        _ => (0, 0),
    };
    let column = |key: &Arc<dyn PhysicalExpr>| {
        key.downcast_ref::<Column>().and_then(|key| first.checked_add(key.index()))
    };
    Placement::ByKey {
        keys: spec.sides.iter().map(|side| side.keys.clone()).collect(),
        outputs: spec.sides[side].keys.iter().map(column).collect(),
    }
}
