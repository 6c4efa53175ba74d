//! Scalar subqueries that stand inside expressions: their one row goes along with every row of the input.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinType, NullEquality};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

use super::join::JoinParts;
use super::{Lowering, boxed, nullable};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::SingleRow;

/// Rows that expressions are evaluated on, which may have more columns than the plan says.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub node: NodeId,
    pub schema: DFSchemaRef,
}

impl Lowering<'_> {
    /// Lowers `input` and gives `expressions` over it, without scalar subqueries: the value of each is a
    /// further column behind those of `input`.
    pub(super) fn source(
        &self,
        graph: &mut Graph,
        input: &LogicalPlan,
        expressions: &[Expr],
    ) -> Result<(Source, Vec<Expr>)> {
        let source = Source { node: self.lower(graph, input)?, schema: Arc::clone(input.schema()) };
        self.with_values(graph, source, expressions)
    }

    /// The same for an input that is lowered.
    pub(super) fn with_values(
        &self,
        graph: &mut Graph,
        mut source: Source,
        expressions: &[Expr],
    ) -> Result<(Source, Vec<Expr>)> {
        let mut subqueries: Vec<&Subquery> = Vec::new();
        for expression in expressions {
            expression.apply(|part| {
                if let Expr::ScalarSubquery(subquery) = part
                    && !subqueries.contains(&subquery)
                {
                    subqueries.push(subquery);
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        if subqueries.is_empty() {
            return Ok((source, expressions.to_vec()));
        }
        let mut columns = Vec::new();
        for (at, subquery) in subqueries.iter().enumerate() {
            let column = Column::new(Some(format!("__scalar_subquery_{at}")), "value");
            source = self.with_value(graph, source, subquery, &column)?;
            columns.push(Expr::Column(column));
        }
        let replace = |expression: &Expr| {
            let replaced = expression.clone().transform_down(|part| {
                let place = match &part {
                    Expr::ScalarSubquery(subquery) => {
                        subqueries.iter().position(|other| *other == subquery)
                    }
                    _ => None,
                };
                Ok(match place {
                    Some(at) => {
                        Transformed::new(columns[at].clone(), true, TreeNodeRecursion::Jump)
                    }
                    None => Transformed::no(part),
                })
            });
            Ok(replaced?.data)
        };
        let expressions = expressions.iter().map(replace).collect::<Result<Vec<_>>>()?;
        Ok((source, expressions))
    }

    /// `source` with the value of `subquery` as `column` at its end.
    fn with_value(
        &self,
        graph: &mut Graph,
        source: Source,
        subquery: &Subquery,
        column: &Column,
    ) -> Result<Source> {
        if !subquery.outer_ref_columns.is_empty() {
            return Err(self.unsupported_expression(
                &Expr::ScalarSubquery(subquery.clone()),
                "join the subquery, grouped by the columns it is compared with",
            ));
        }
        let rows = self.lower(graph, &subquery.subquery)?;
        let schema = nullable(&graph.nodes[rows].spec.schema);
        let value = schema.field(0).data_type().clone();
        let value = Schema::new(vec![Field::new(&column.name, value, true)]);
        let row = graph.add(NodeSpec {
            definition: "single row".to_owned(),
            description: "Value of a subquery".to_owned(),
            inputs: vec![rows],
            schema: Arc::clone(&schema),
            is_append_only: false,
            unique: Some(Vec::new()),
            consolidation: Consolidation::Always,
            placement: Placement::Together,
            recomputes: None,
            build: Box::new(move || boxed(SingleRow::new(Arc::clone(&schema)))),
        })?;
        let relation = column.relation.clone().expect("invariant: named above");
        let value = DFSchema::try_from_qualified_schema(relation, &value)?;
        let schema = source.schema.join(&value)?;
        let node = self.add_join(
            graph,
            JoinParts {
                description: "Cross Join: value of a subquery".to_owned(),
                inputs: [source.node, row],
                join_type: JoinType::Inner,
                keys: Vec::new(),
                condition: None,
                null_equality: NullEquality::NullEqualsNothing,
                schema: joined(&graph.nodes[source.node].spec.schema, schema.as_arrow()),
                pair_schema: Arc::clone(schema.inner()),
            },
        )?;
        Ok(Source { node, schema: Arc::new(schema) })
    }
}

/// The columns of `left`, then those of `all` behind them.
fn joined(left: &Schema, all: &Schema) -> SchemaRef {
    let added = all.fields().iter().skip(left.fields().len());
    Arc::new(Schema::new(left.fields().iter().chain(added).cloned().collect::<Vec<_>>()))
}
