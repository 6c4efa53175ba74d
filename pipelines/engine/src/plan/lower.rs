//! One operator per plan node.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat as concat_arrays;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, JoinType, NullEquality, NullHandling};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{self as logical, Expr, LogicalPlan};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::aggregate::lower_aggregate;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec};
use crate::operator::{
    Aggregate, Constant, Filter, Join, JoinSide, JoinSpec, Lone, Map, Operator, Union, Unnest,
    UnnestColumn,
};
use crate::state::new_batch;
use crate::{EngineConfig, Error, Result};

/// Nodes of relations and views by name.
pub(crate) type Catalog = HashMap<String, NodeId>;

/// What a view's lowering needs to know.
pub(super) struct Lowering<'a> {
    view: &'a str,
    catalog: &'a Catalog,
    config: &'a EngineConfig,
}

/// Adds the operators of a view's plan to the graph and gives the last one.
pub(crate) fn lower(
    graph: &mut Graph,
    catalog: &Catalog,
    config: &EngineConfig,
    view: &str,
    plan: &LogicalPlan,
) -> Result<NodeId> {
    Lowering { view, catalog, config }.lower(graph, plan)
}

/// An expression over columns of `schema`, ready to be evaluated.
pub(super) fn physical(expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    Ok(create_physical_expr(
        expression,
        schema,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )?)
}

fn arrow_schema(plan: &LogicalPlan) -> SchemaRef {
    Arc::clone(plan.schema().inner())
}

/// Text that decides what an expression computes: columns by place, literals with their types.
fn definition_of(logical: &[Expr], physical: &[Arc<dyn PhysicalExpr>]) -> String {
    let logical = logical.iter().map(ToString::to_string);
    let physical = physical.iter().map(ToString::to_string);
    logical.chain(physical).collect::<Vec<_>>().join("\u{1}")
}

impl Lowering<'_> {
    pub fn unsupported(&self, construct: &dyn std::fmt::Display, instead: &str) -> Error {
        Error::Unsupported {
            view: self.view.to_owned(),
            construct: construct.to_string(),
            instead: instead.to_owned(),
        }
    }

    /// An expression over columns of `schema`; subqueries that are left in it cannot be kept.
    pub fn expression(
        &self,
        expression: &Expr,
        schema: &DFSchema,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let is_subquery = |part: &Expr| {
            Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)))
        };
        if expression.exists(is_subquery)? {
            return Err(self.unsupported(
                &"a subquery inside an expression",
                "make it a view of its own and join it (a one-row view with cross join)",
            ));
        }
        physical(expression, schema)
    }

    fn expressions(
        &self,
        expressions: &[Expr],
        schema: &DFSchema,
    ) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
        expressions.iter().map(|expression| self.expression(expression, schema)).collect()
    }

    fn lower(&self, graph: &mut Graph, plan: &LogicalPlan) -> Result<NodeId> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(graph, scan),
            LogicalPlan::Projection(projection) => self.projection(graph, plan, projection),
            LogicalPlan::Filter(filter) => self.filter(graph, plan, filter),
            LogicalPlan::SubqueryAlias(alias) => self.lower(graph, &alias.input),
            LogicalPlan::Union(union) => self.union(graph, plan, union),
            LogicalPlan::Unnest(unnest) => self.unnest(graph, plan, unnest),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(graph, plan, aggregate),
            LogicalPlan::Join(join) => self.join(graph, plan, join),
            LogicalPlan::EmptyRelation(empty) => {
                let rows = usize::from(empty.produce_one_row);
                let batch = new_batch(&arrow_schema(plan), Vec::new(), rows);
                let batch = if rows == 0 { RecordBatch::new_empty(arrow_schema(plan)) } else { batch? };
                self.constant(graph, plan, batch)
            }
            LogicalPlan::Values(values) => self.constant(graph, plan, self.values(values)?),
            // A view has no order of its own: who reads it sorts.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.lower(graph, &sort.input),
            LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
                Err(self.unsupported(&plan.display(), "leave the limit to the query that reads the view"))
            }
            LogicalPlan::Window(_) => Err(self.unsupported(
                &plan.display(),
                "write it as a grouping, such as last_value(x order by y), joined back where needed",
            )),
            LogicalPlan::Distinct(_) => {
                Err(self.unsupported(&plan.display(), "write group by with first_value(x order by y)"))
            }
            LogicalPlan::RecursiveQuery(_) => {
                Err(self.unsupported(&plan.display(), "write a fixed number of joins"))
            }
            _ => Err(self.unsupported(&plan.display(), "write it with select, join, union all and group by")),
        }
    }

    fn scan(&self, graph: &mut Graph, scan: &logical::TableScan) -> Result<NodeId> {
        let name = scan.table_name.table();
        let node = *self
            .catalog
            .get(name)
            .ok_or_else(|| Error::UnknownRelation { name: name.to_owned() })?;
        let Some(projection) = &scan.projection else { return Ok(node) };
        let schema = Arc::clone(&graph.nodes[node].spec.schema);
        let columns =
            projection.iter().map(|place| Column::new(schema.field(*place).name(), *place));
        let expressions: Vec<Arc<dyn PhysicalExpr>> =
            columns.map(|column| Arc::new(column) as _).collect();
        let output = Arc::new(schema.project(projection)?);
        self.map(graph, node, format!("Columns of {name}"), String::new(), expressions, output)
    }

    fn projection(
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
    fn map(
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
            build: Box::new(move || boxed(Map::new(Arc::clone(&schema), expressions.clone()))),
        })
    }

    fn filter(
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
            build: Box::new(move || boxed(Filter::new(Arc::clone(&predicate)))),
        })
    }

    fn union(
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
            build: Box::new(move || boxed(Union::new(Arc::clone(&schema)))),
        })
    }

    fn unnest(
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
            build: Box::new(move || {
                boxed(Unnest::new(Arc::clone(&schema), columns.clone(), keeps_null, keeps_empty))
            }),
        })
    }

    fn aggregate(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        aggregate: &logical::Aggregate,
    ) -> Result<NodeId> {
        let input = self.lower(graph, &aggregate.input)?;
        let source = &graph.nodes[input].spec;
        let spec = lower_aggregate(
            self,
            aggregate,
            &source.schema,
            arrow_schema(plan),
            source.is_append_only,
        )?;
        let calls = spec.calls.iter().flat_map(|call| call.arguments.iter().chain(&call.filter));
        let read: Vec<_> = spec.keys.iter().chain(calls).map(Arc::clone).collect();
        let logical = definition_of(&aggregate.aggr_expr, &read);
        let only_adds = spec.calls.is_empty() && source.is_append_only;
        graph.add(NodeSpec {
            definition: format!("aggregate {} {logical}", spec.keys.len()),
            description: plan.display().to_string(),
            inputs: vec![input],
            schema: Arc::clone(&spec.schema),
            is_append_only: only_adds,
            unique: (!spec.keys.is_empty()).then(|| (0..spec.keys.len()).collect()),
            consolidation: Consolidation::Always,
            build: Box::new(move || boxed(Aggregate::new(spec.clone())?)),
        })
    }

    fn join(&self, graph: &mut Graph, plan: &LogicalPlan, join: &logical::Join) -> Result<NodeId> {
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
        graph.add(NodeSpec {
            definition,
            description: plan.display().to_string(),
            inputs: vec![left, right],
            schema: Arc::clone(&spec.schema),
            is_append_only,
            unique: None,
            consolidation,
            build: Box::new(move || boxed(Join::new(spec.clone())?)),
        })
    }

    fn constant(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        batch: RecordBatch,
    ) -> Result<NodeId> {
        graph.add(NodeSpec {
            definition: format!("constant {plan:?}"),
            description: plan.display().to_string(),
            inputs: Vec::new(),
            schema: batch.schema(),
            is_append_only: true,
            unique: None,
            consolidation: Consolidation::Always,
            build: Box::new(move || boxed(Constant::new(batch.clone()))),
        })
    }

    fn values(&self, values: &logical::Values) -> Result<RecordBatch> {
        let schema = Arc::clone(values.schema.inner());
        let one_row = new_batch(&Arc::new(Schema::empty()), Vec::new(), 1)?;
        let no_columns = DFSchema::empty();
        let column = |at: usize| -> Result<ArrayRef> {
            let cells = values.values.iter().map(|row| {
                let value =
                    self.expression(&row[at], &no_columns)?.evaluate(&one_row)?.into_array(1)?;
                Ok(arrow::compute::cast(&value, schema.field(at).data_type())?)
            });
            let cells = cells.collect::<Result<Vec<ArrayRef>>>()?;
            Ok(concat_arrays(&cells.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
        };
        let columns = (0..schema.fields().len()).map(column).collect::<Result<Vec<_>>>()?;
        new_batch(&schema, columns, values.values.len())
    }
}

fn boxed(operator: impl Operator + 'static) -> Result<Box<dyn Operator>> {
    Ok(Box::new(operator))
}

/// The same columns, all of which may be null.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
