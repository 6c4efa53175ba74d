//! What limits and windows share: the rows of a node in groups and in order.

use arrow::compute::SortOptions;
use arrow::datatypes::{Field, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Sort;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use std::sync::Arc;

use super::{Lowering, boxed, definition_of};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{Ranking, SortedSpec, Top, TopSpec};

/// A node whose rows are to be ordered within groups.
pub(super) struct OrderedNode<'a> {
    pub node: NodeId,
    /// Columns of the node as the expressions know them.
    pub columns: &'a DFSchema,
    pub partition: &'a [Expr],
    pub order: &'a [Sort],
    pub description: String,
}

/// Which rows of each group are wanted.
pub(super) struct Ranks {
    pub rank: Ranking,
    pub from: u64,
    pub to: u64,
    /// Whether all rows but these are wanted.
    pub are_left_out: bool,
}

/// Rows in groups and in order, with what is known of them.
pub(super) struct Sorted {
    pub spec: SortedSpec,
    /// Text that decides groups and order.
    pub definition: String,
    /// Columns that make a group, where the groups are made by plain columns.
    pub partition_columns: Option<Vec<usize>>,
    pub placement: Placement,
}

/// The place of a plain column.
fn place_of(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expression.downcast_ref::<Column>().map(Column::index)
}

impl Lowering<'_> {
    pub(super) fn sorted(&self, graph: &Graph, ordered: &OrderedNode<'_>) -> Result<Sorted> {
        let source = &graph.nodes[ordered.node].spec;
        let partition = self.expressions(ordered.partition, ordered.columns)?;
        let order = ordered.order.iter().map(|sort| {
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            Ok((self.expression(&sort.expr, ordered.columns)?, options))
        });
        let order = order.collect::<Result<Vec<_>>>()?;
        for ((expression, _), sort) in order.iter().zip(ordered.order) {
            let field = SortField::new(expression.data_type(&source.schema)?);
            if !RowConverter::supports_fields(&[field]) {
                return Err(self.unsupported_expression(
                    &sort.expr,
                    "order by columns whose values have an order",
                ));
            }
        }
        let plain: Vec<usize> = partition
            .iter()
            .chain(order.iter().map(|(expression, _)| expression))
            .filter_map(place_of)
            .collect();
        let read: Vec<_> = partition
            .iter()
            .chain(order.iter().map(|(column, _)| column))
            .map(Arc::clone)
            .collect();
        let options: Vec<_> = order.iter().map(|(_, options)| options).collect();
        let order_by = ordered.order.iter().map(|sort| &sort.expr);
        let logical: Vec<Expr> = ordered.partition.iter().chain(order_by).cloned().collect();
        let definition =
            format!("{} {options:?} {}", partition.len(), definition_of(&logical, &read));
        Ok(Sorted {
            definition,
            partition_columns: partition.iter().map(place_of).collect(),
            placement: match partition.is_empty() {
                true => Placement::Together,
                false => Placement::ByKey {
                    keys: vec![partition.clone()],
                    outputs: partition.iter().map(place_of).collect(),
                },
            },
            spec: SortedSpec {
                schema: Arc::clone(&source.schema),
                partition,
                order,
                tie_columns: (0..source.schema.fields().len())
                    .filter(|column| !plain.contains(column))
                    .collect(),
            },
        })
    }

    /// The rows of some ranks within their groups; `rank_field` is the column that tells the rank, if any.
    pub(super) fn top(
        &self,
        graph: &mut Graph,
        ordered: OrderedNode<'_>,
        ranks: Ranks,
        rank_field: Option<Arc<Field>>,
    ) -> Result<NodeId> {
        let Sorted { spec: sorted, definition, partition_columns, placement } =
            self.sorted(graph, &ordered)?;
        let source = &graph.nodes[ordered.node].spec;
        let Ranks { rank, from, to, are_left_out } = ranks;
        let gives_rank = rank_field.is_some();
        let width = source.schema.fields().len();
        let fields: Vec<_> = source.schema.fields().iter().cloned().chain(rank_field).collect();
        let schema = Arc::new(Schema::new(fields));
        let is_counted = rank == Ranking::RowNumber && !are_left_out;
        let unique = match partition_columns.filter(|columns| is_counted && !columns.is_empty()) {
            Some(columns) if from == to => Some(columns),
            Some(mut columns) if gives_rank && source.unique.is_none() => {
                columns.push(width);
                Some(columns)
            }
            _ => source.unique.clone(),
        };
        let spec = TopSpec {
            schema: Arc::clone(&schema),
            sorted,
            rank,
            from,
            to,
            gives_rank,
            gives_others: are_left_out,
            is_append_only: source.is_append_only,
        };
        graph.add(NodeSpec {
            definition: format!(
                "top {rank:?} {from} {to} {gives_rank} {are_left_out} {definition}"
            ),
            description: ordered.description,
            inputs: vec![ordered.node],
            schema,
            is_append_only: false,
            unique,
            consolidation: match are_left_out {
                true => Consolidation::Unknown,
                false => Consolidation::Always,
            },
            placement,
            recomputes: None,
            build: Box::new(move || boxed(Top::new(spec.clone())?)),
        })
    }
}
