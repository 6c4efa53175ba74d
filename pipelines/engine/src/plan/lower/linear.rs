//! Nodes that look at one row at a time: scans, projections, filters, unions and unnests.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::NullHandling;
use datafusion::logical_expr::{self as logical, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::{Lowering, arrow_schema, boxed, definition_of};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{Filter, Map, Union, Unnest, UnnestColumn};

impl Lowering<'_> {
    pub(super) fn scan(&self, graph: &mut Graph, scan: &logical::TableScan) -> Result<NodeId> {
        let name = scan.table_name.table();
        let Some(node) = self.catalog.get(name).copied() else {
            return self.run_once(graph, &LogicalPlan::TableScan(scan.clone()));
        };
        let Some(projection) = &scan.projection else { return Ok(node) };
        let schema = Arc::clone(&graph.nodes[node].spec.schema);
        let columns =
            projection.iter().map(|place| Column::new(schema.field(*place).name(), *place));
        let expressions: Vec<Arc<dyn PhysicalExpr>> =
            columns.map(|column| Arc::new(column) as _).collect();
        let output = Arc::new(schema.project(projection)?);
        self.map(graph, node, format!("Columns of {name}"), String::new(), expressions, output)
    }

    pub(super) fn projection(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        projection: &logical::Projection,
    ) -> Result<NodeId> {
        let input = self.lower(graph, &projection.input)?;
        let expressions = self.expressions(&projection.expr, projection.input.schema())?;
        let definition = definition_of(&projection.expr, &[]);
        self.map(
            graph,
            input,
            plan.display().to_string(),
            definition,
            expressions,
            arrow_schema(plan),
        )
    }

    /// A projection; none where every column stays in its place.
    pub(super) fn map(
        &self,
        graph: &mut Graph,
        input: NodeId,
        description: String,
        definition: String,
        expressions: Vec<Arc<dyn PhysicalExpr>>,
        schema: SchemaRef,
    ) -> Result<NodeId> {
        let source = &graph.nodes[input].spec;
        let width = source.schema.fields().len();
        let plain: Vec<Option<usize>> = expressions
            .iter()
            .map(|expression| expression.downcast_ref::<Column>().map(Column::index))
            .collect();
        if plain.len() == width && plain.iter().enumerate().all(|(at, column)| *column == Some(at))
        {
            return Ok(input);
        }
        let place = |column| plain.iter().position(|source| *source == Some(column));
        let places: Vec<Option<usize>> = (0..width).map(place).collect();
        let unique = source.unique.as_ref().and_then(|columns| {
            columns.iter().map(|column| places[*column]).collect::<Option<Vec<usize>>>()
        });
        graph.add(NodeSpec {
            definition: format!("map {definition} {}", definition_of(&[], &expressions)),
            description,
            inputs: vec![input],
            is_append_only: source.is_append_only,
            unique,
            consolidation: Consolidation::Kept(places),
            schema: Arc::clone(&schema),
            placement: Placement::Anywhere,
            recomputes: None,
            build: Box::new(move || boxed(Map::new(Arc::clone(&schema), expressions.clone()))),
        })
    }

    pub(super) fn filter(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        filter: &logical::Filter,
    ) -> Result<NodeId> {
        let input = self.lower(graph, &filter.input)?;
        let predicate = self.expression(&filter.predicate, filter.input.schema())?;
        let source = &graph.nodes[input].spec;
        let definition =
            definition_of(std::slice::from_ref(&filter.predicate), &[Arc::clone(&predicate)]);
        graph.add(NodeSpec {
            definition: format!("filter {definition}"),
            description: plan.display().to_string(),
            inputs: vec![input],
            schema: Arc::clone(&source.schema),
            is_append_only: source.is_append_only,
            unique: source.unique.clone(),
            consolidation: Consolidation::kept(source.schema.fields().len()),
            placement: Placement::Anywhere,
            recomputes: None,
            build: Box::new(move || boxed(Filter::new(Arc::clone(&predicate)))),
        })
    }

    pub(super) fn union(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        union: &logical::Union,
    ) -> Result<NodeId> {
        let inputs = union
            .inputs
            .iter()
            .map(|input| self.lower(graph, input))
            .collect::<Result<Vec<_>>>()?;
        let is_append_only = inputs.iter().all(|input| graph.nodes[*input].spec.is_append_only);
        let schema = arrow_schema(plan);
        graph.add(NodeSpec {
            definition: "union".to_owned(),
            description: plan.display().to_string(),
            inputs,
            schema: Arc::clone(&schema),
            is_append_only,
            unique: None,
            consolidation: Consolidation::Union,
            placement: Placement::Anywhere,
            recomputes: None,
            build: Box::new(move || boxed(Union::new(Arc::clone(&schema)))),
        })
    }

    pub(super) fn unnest(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        unnest: &logical::Unnest,
    ) -> Result<NodeId> {
        let input = self.lower(graph, &unnest.input)?;
        let mut columns = vec![UnnestColumn::Keep; unnest.input.schema().fields().len()];
        for (column, list) in &unnest.list_type_columns {
            let data_type = unnest.input.schema().field(*column).data_type();
            let is_list = matches!(data_type, DataType::List(_) | DataType::LargeList(_));
            if list.depth != 1 || !is_list || columns[*column] == UnnestColumn::List {
                return Err(
                    self.unsupported(&plan.display(), "unnest one level of a list per subquery")
                );
            }
            columns[*column] = UnnestColumn::List;
        }
        unnest
            .struct_type_columns
            .iter()
            .for_each(|column| columns[*column] = UnnestColumn::Struct);
        let nulls = unnest.options.null_handling;
        let (keeps_null, keeps_empty) =
            (nulls != NullHandling::Drop, nulls == NullHandling::PreserveAndExpandEmpty);
        let is_append_only = graph.nodes[input].spec.is_append_only;
        let schema = arrow_schema(plan);
        graph.add(NodeSpec {
            definition: format!("unnest {columns:?} {nulls:?}"),
            description: plan.display().to_string(),
            inputs: vec![input],
            schema: Arc::clone(&schema),
            is_append_only,
            unique: None,
            consolidation: Consolidation::Unknown,
            placement: Placement::Anywhere,
            recomputes: None,
            build: Box::new(move || {
                boxed(Unnest::new(Arc::clone(&schema), columns.clone(), keeps_null, keeps_empty))
            }),
        })
    }
}
