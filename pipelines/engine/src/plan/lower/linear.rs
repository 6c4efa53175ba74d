//! Nodes that look at one row at a time: scans, projections, filters, unions and unnests.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DFSchemaRef, NullHandling};
use datafusion::logical_expr::{self as logical, Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::subquery::Source;
use super::{Lowering, arrow_schema, boxed, definition_of};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement, RELATION};
use crate::operator::{Filter, Map, Union, Unnest, UnnestList, UnnestSpec};

impl Lowering<'_> {
    pub(super) fn scan(&self, graph: &mut Graph, scan: &logical::TableScan) -> Result<NodeId> {
        let name = scan.table_name.table();
        let Some(node) = self.catalog.get(name).copied() else {
            return self.run_once(graph, &LogicalPlan::TableScan(scan.clone()));
        };
        let Some(projection) = &scan.projection else { return Ok(node) };
        let output = Arc::new(graph.nodes[node].spec.schema.project(projection)?);
        self.columns(graph, node, projection, output)
    }

    /// Some columns of a node.
    pub(super) fn columns(
        &self,
        graph: &mut Graph,
        node: NodeId,
        places: &[usize],
        output: SchemaRef,
    ) -> Result<NodeId> {
        let source = &graph.nodes[node].spec;
        let columns = places.iter().map(|place| {
            Arc::new(Column::new(source.schema.field(*place).name(), *place))
                as Arc<dyn PhysicalExpr>
        });
        let expressions = columns.collect();
        let name = source.description.trim_start_matches(RELATION);
        let description = format!("Columns of {name}");
        self.map(graph, node, description, String::new(), expressions, output)
    }

    pub(super) fn projection(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        projection: &logical::Projection,
    ) -> Result<NodeId> {
        let input = self.lower_for(graph, &projection.input, &projection.expr)?;
        self.project(graph, plan, projection, input)
    }

    /// A projection of the rows of `input`.
    pub(super) fn project(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        projection: &logical::Projection,
        input: NodeId,
    ) -> Result<NodeId> {
        let source = Source { node: input, schema: Arc::clone(projection.input.schema()) };
        let (source, expressions) = self.with_values(graph, source, &projection.expr)?;
        let definition = definition_of(&expressions, &[]);
        let expressions = self.expressions(&expressions, &source.schema)?;
        self.map(
            graph,
            source.node,
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
        if let Some(ranked) = self.ranked(filter) {
            return self.ranked_rows(graph, plan, ranked, None);
        }
        if let Some(node) = self.thresholds(graph, plan, filter)? {
            return Ok(node);
        }
        let input = self.lower(graph, &filter.input)?;
        self.passing(graph, plan, input, &filter.predicate, filter.input.schema())
    }

    /// The rows of `input` for which a predicate over `columns` is true.
    pub(super) fn passing(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        input: NodeId,
        predicate: &Expr,
        columns: &DFSchemaRef,
    ) -> Result<NodeId> {
        let source = Source { node: input, schema: Arc::clone(columns) };
        let predicate = std::slice::from_ref(predicate);
        let (source, predicates) = self.with_values(graph, source, predicate)?;
        let node = self.filtered(graph, &source, &predicates[0], plan.display().to_string())?;
        let width = columns.fields().len();
        if width == source.schema.fields().len() {
            return Ok(node);
        }
        self.columns(graph, node, &(0..width).collect::<Vec<_>>(), arrow_schema(plan))
    }

    /// Rows of `source` that a condition holds of.
    pub(super) fn filtered(
        &self,
        graph: &mut Graph,
        source: &Source,
        logical: &Expr,
        description: String,
    ) -> Result<NodeId> {
        let predicate = self.expression(logical, &source.schema)?;
        let definition = definition_of(std::slice::from_ref(logical), &[Arc::clone(&predicate)]);
        let input = source.node;
        let source = &graph.nodes[input].spec;
        graph.add(NodeSpec {
            definition: format!("filter {definition}"),
            description,
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
        let lists = unnest.list_type_columns.iter();
        let lists: Vec<UnnestList> =
            lists.map(|(column, list)| UnnestList { column: *column, depth: list.depth }).collect();
        for list in &lists {
            let data_type = unnest.input.schema().field(list.column).data_type();
            if !has_levels(data_type, list.depth) {
                let instead = format!("cast {data_type} to a list before it is unnested");
                return Err(self.unsupported(
                    &plan.display(),
                    self.text.call("unnest", &[]),
                    &instead,
                ));
            }
        }
        let nulls = unnest.options.null_handling;
        let spec = UnnestSpec {
            schema: arrow_schema(plan),
            lists,
            structs: unnest.struct_type_columns.clone(),
            keeps_null_lists: nulls != NullHandling::Drop,
            keeps_empty_lists: nulls == NullHandling::PreserveAndExpandEmpty,
        };
        graph.add(NodeSpec {
            definition: format!("unnest {:?} {:?} {nulls:?}", spec.lists, spec.structs),
            description: plan.display().to_string(),
            inputs: vec![input],
            schema: Arc::clone(&spec.schema),
            is_append_only: graph.nodes[input].spec.is_append_only,
            unique: None,
            consolidation: Consolidation::Unknown,
            placement: Placement::Anywhere,
            recomputes: None,
            build: Box::new(move || boxed(Unnest::new(spec.clone()))),
        })
    }
}

/// Whether a type is a list of lists, so many levels deep.
fn has_levels(data_type: &DataType, levels: usize) -> bool {
    match data_type {
        _ if levels == 0 => true,
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _) => has_levels(element.data_type(), levels - 1),
        _ => false,
    }
}
