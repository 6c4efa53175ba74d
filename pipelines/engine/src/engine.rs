//! The engine: relations in, views out, one epoch at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::checkpoint::{self, Manifest};
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement, RELATION};
use crate::operator::{Output, Source};
use crate::plan::{self, Catalog, Planner};
use crate::state::{concat, consolidate, going_first, new_batch};
use crate::{
    CheckpointId, CheckpointStore, Cut, Delta, Epoch, EpochChanges, Error, Explain, OperatorReport,
    Relation, RelationKind, Result, Snapshot, StoppedView, ViewDefinition,
};

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Threads that work on one epoch, each with its share of the state. At least 1.
    pub workers: usize,
    /// Pairs of rows a join works on at once, at most.
    pub batch_rows_max: usize,
    /// Checkpoints kept; the newest readable one is restored. At least 1.
    pub checkpoints_kept: usize,
    /// Rows that a query without an operator of its own may read: it is run again with each change, and
    /// beyond this its view stops. With 0 such views are refused.
    pub recompute_rows_max: usize,
    /// Time since some fixed moment, to measure operators with; without, `explain` gives no times.
    pub stopwatch: Option<fn() -> Duration>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            workers: 1,
            batch_rows_max: 32 * 1024,
            checkpoints_kept: 2,
            recompute_rows_max: 1_000_000,
            stopwatch: None,
        }
    }
}

#[derive(Debug)]
struct View {
    definition: ViewDefinition,
    node: NodeId,
    schema: SchemaRef,
    /// Whether its end has been reported.
    is_stopped: bool,
}

/// Keeps views true over relations.
pub struct Engine {
    config: EngineConfig,
    planner: Planner,
    graph: Graph,
    relations: HashMap<String, (NodeId, RelationKind)>,
    catalog: Catalog,
    views: Vec<View>,
    epoch: u64,
    cut: Arc<Cut>,
    /// Manifests of the checkpoints kept, oldest first.
    checkpoints: Vec<Manifest>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("epoch", &self.epoch)
            .field(
                "views",
                &self.views.iter().map(|view| &view.definition.name).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without relations and views.
    pub fn new(config: EngineConfig) -> Result<Self> {
        Ok(Self {
            planner: Planner::new(),
            graph: Graph::new(config.workers)?,
            config,
            relations: HashMap::new(),
            catalog: Catalog::new(),
            views: Vec::new(),
            epoch: 0,
            cut: Arc::new(Cut::new()),
            checkpoints: Vec::new(),
        })
    }

    fn require_free(&self, name: &str) -> Result<()> {
        if self.catalog.contains_key(name) {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        if name.is_empty() || name.chars().any(char::is_uppercase) {
            let problem = "a name is lower case and not empty".to_owned();
            return Err(Error::Definition { name: name.to_owned(), problem });
        }
        Ok(())
    }

    /// Declares a table that will be fed.
    pub fn create_relation(&mut self, relation: Relation) -> Result<()> {
        let Relation { name, schema, kind } = relation;
        self.require_free(&name)?;
        if let RelationKind::Upsert { key } = &kind {
            if key.is_empty() {
                let problem = "an upsert relation needs key columns".to_owned();
                return Err(Error::Definition { name, problem });
            }
            column_places(&name, &schema, key)?;
        }
        let (source_schema, source_kind) = (Arc::clone(&schema), kind.clone());
        let unique = match &kind {
            RelationKind::Upsert { key } => Some(column_places(&name, &schema, key)?),
            RelationKind::Append | RelationKind::Changes => None,
        };
        let node = self.graph.add(NodeSpec {
            description: format!("{RELATION}{name}"),
            definition: format!("relation {name} {kind:?} {schema:?}"),
            inputs: Vec::new(),
            schema: Arc::clone(&schema),
            is_append_only: kind == RelationKind::Append,
            placement: match &unique {
                Some(key) => Placement::by_columns(
                    key.iter().copied(),
                    key.iter().copied().map(Some).collect(),
                ),
                None => Placement::Anywhere,
            },
            unique,
            consolidation: match kind {
                RelationKind::Changes => Consolidation::Unknown,
                RelationKind::Append | RelationKind::Upsert { .. } => Consolidation::Always,
            },
            recomputes: None,
            build: Box::new(move || {
                Ok(Box::new(Source::new(Arc::clone(&source_schema), &source_kind)?) as _)
            }),
        })?;
        self.planner.declare(&name, schema)?;
        self.catalog.insert(name.clone(), node);
        self.relations.insert(name, (node, kind));
        Ok(())
    }

    /// Declares a view over relations and earlier views. It fills itself from what they hold, with the next
    /// epoch.
    ///
    /// # Errors
    /// SQL that does not plan or is not kept incrementally; [`Error::HistoryGone`] when the view reads a
    /// relation whose rows have passed and are not kept.
    pub fn create_view(&mut self, definition: ViewDefinition) -> Result<()> {
        self.require_free(&definition.name)?;
        let first_new = self.graph.nodes.len();
        let (node, schema) =
            self.lower_view(&definition).inspect_err(|_| self.graph.truncate(first_new))?;
        if self.epoch > 0
            && let Some(relation) = self.graph.missing_history(node, false)
        {
            let error = Error::HistoryGone { view: definition.name, relation: relation.to_owned() };
            self.graph.truncate(first_new);
            return Err(error);
        }
        self.planner.declare(&definition.name, Arc::clone(&schema))?;
        self.catalog.insert(definition.name.clone(), node);
        self.views.push(View { definition, node, schema, is_stopped: false });
        Ok(())
    }

    fn lower_view(&mut self, definition: &ViewDefinition) -> Result<(NodeId, SchemaRef)> {
        let name = &definition.name;
        let plan = self.planner.plan(name, &definition.sql)?;
        let state = self.planner.state();
        let input = plan::lower(&mut self.graph, &self.catalog, &self.config, &state, name, &plan)?;
        let schema = view_schema(name, plan.schema().as_arrow())?;
        let key = column_places(name, &schema, &definition.key)?;
        let is_append_only = self.graph.nodes[input].spec.is_append_only;
        // The key of a view that keeps no rows is only what its author says.
        let unique = match definition.materialize && !key.is_empty() {
            true => Some(key.clone()),
            false => self.graph.nodes[input].spec.unique.clone(),
        };
        let width = schema.fields().len();
        let placement = match &key {
            // Equal rows meet, to be summed up and found again.
            key if !key.is_empty() => {
                Placement::by_columns(key.iter().copied(), key.iter().copied().map(Some).collect())
            }
            _ if is_append_only || width == 0 => Placement::Anywhere,
            _ => Placement::by_columns(0..width, (0..width).map(Some).collect()),
        };
        let (view, output_schema, materialize) =
            (name.clone(), Arc::clone(&schema), definition.materialize);
        let node = self.graph.add(NodeSpec {
            description: format!("View: {name}"),
            definition: format!("view {name} {:?} {materialize} {schema:?}", definition.key),
            inputs: vec![input],
            schema: Arc::clone(&schema),
            is_append_only,
            unique,
            consolidation: Consolidation::Always,
            placement,
            recomputes: None,
            build: Box::new(move || {
                let schema = Arc::clone(&output_schema);
                Ok(Box::new(Output::new(view.clone(), schema, &key, materialize)?) as _)
            }),
        })?;
        Ok((node, schema))
    }

    /// Applies one epoch and gives what it changed.
    ///
    /// # Errors
    /// [`Error::EpochOrder`], [`Error::UnknownRelation`] and [`Error::Input`] leave the engine as it was. What
    /// fails on data stops the views concerned and is told in [`EpochChanges::stopped`].
    pub fn step(&mut self, epoch: Epoch) -> Result<EpochChanges> {
        if epoch.number <= self.epoch {
            return Err(Error::EpochOrder { given: epoch.number, last: self.epoch });
        }
        let mut inputs: HashMap<NodeId, Vec<Delta>> = HashMap::new();
        for (name, delta) in epoch.inputs {
            let (node, delta) = self.accept(epoch.number, name, delta)?;
            let delta = delta.without_zeros()?;
            if !delta.is_empty() {
                inputs.entry(node).or_default().push(delta);
            }
        }
        self.epoch = epoch.number;
        self.cut = Arc::new(epoch.cut);
        let mut filled = match self.graph.nodes.iter().any(|node| node.is_fresh) {
            true => self.graph.fill(),
            false => HashMap::new(),
        };
        self.graph.push(inputs, self.config.stopwatch)?;
        self.graph.spread_failures();
        let mut changes = Vec::new();
        let mut stopped = Vec::new();
        for view in &mut self.views {
            if let Some(reason) = &self.graph.nodes[view.node].failure {
                if !view.is_stopped {
                    view.is_stopped = true;
                    stopped.push(StoppedView {
                        view: view.definition.name.clone(),
                        reason: reason.clone(),
                    });
                }
                continue;
            }
            let mut change = self.graph.take_output(view.node);
            let first = filled.remove(&view.node).unwrap_or_default();
            let has_first = !first.is_empty();
            change.splice(0..0, first);
            if change.is_empty() {
                continue;
            }
            let change = concat(&view.schema, change)?;
            let change = if has_first { consolidate(change)? } else { going_first(change)? };
            if !change.is_empty() {
                changes.push((view.definition.name.clone(), change));
            }
        }
        Ok(EpochChanges { epoch: epoch.number, changes, stopped })
    }

    /// Checks one input and brings it under the relation's schema.
    fn accept(&self, epoch: u64, relation: String, delta: Delta) -> Result<(NodeId, Delta)> {
        let Some((node, kind)) = self.relations.get(&relation) else {
            return Err(Error::UnknownRelation { name: relation });
        };
        let schema = &self.graph.nodes[*node].spec.schema;
        let problem = if !delta.has_sound_weights() {
            Some("there must be one weight per row, none of them null".to_owned())
        } else if *kind == RelationKind::Append && delta.retracts() {
            Some("rows are taken back from a relation declared to be append-only".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Error::Input { epoch, relation, problem });
        }
        if delta.batch.schema_ref() == schema {
            return Ok((*node, delta));
        }
        match new_batch(schema, delta.batch.columns().to_vec(), delta.num_rows()) {
            Ok(batch) => Ok((*node, Delta { batch, weights: delta.weights })),
            Err(error) => Err(Error::Input { epoch, relation, problem: error.to_string() }),
        }
    }

    fn view(&self, name: &str) -> Result<&View> {
        let view = self.views.iter().find(|view| view.definition.name == name);
        view.ok_or_else(|| Error::UnknownView { name: name.to_owned() })
    }

    /// The views, in the order of their creation.
    pub fn views(&self) -> impl Iterator<Item = &ViewDefinition> {
        self.views.iter().map(|view| &view.definition)
    }

    /// Columns of a view.
    pub fn view_schema(&self, view: &str) -> Result<SchemaRef> {
        Ok(Arc::clone(&self.view(view)?.schema))
    }

    /// The rows of a view as of the last epoch.
    pub fn snapshot(&self, view: &str) -> Result<Arc<Snapshot>> {
        let view = self.view(view)?;
        let name = view.definition.name.clone();
        let node = &self.graph.nodes[view.node];
        if let Some(reason) = &node.failure {
            return Err(Error::Stopped { view: name, reason: reason.clone() });
        }
        let chunks = self.graph.operators(view.node).map(|operator| operator.snapshot());
        let Some(chunks) = chunks.collect::<Option<Vec<_>>>() else {
            return Err(Error::NotMaterialized { name });
        };
        let chunks = chunks.into_iter().flatten().collect();
        let schema = Arc::clone(&view.schema);
        Ok(Arc::new(Snapshot::new(name, schema, chunks, self.epoch, Arc::clone(&self.cut))))
    }

    /// The operators of a view with their state and work.
    pub fn explain(&self, view: &str) -> Result<Explain> {
        let view = self.view(view)?;
        let users: Vec<HashSet<NodeId>> =
            self.views.iter().map(|view| self.upstream(view.node)).collect();
        let node = &self.graph.nodes[view.node];
        Ok(Explain {
            view: view.definition.name.clone(),
            root: self.report(node.spec.inputs[0], &users),
            snapshot_rows: self.graph.operators(view.node).map(|kept| kept.state_rows()).sum(),
            snapshot_bytes: self.graph.operators(view.node).map(|kept| kept.state_bytes()).sum(),
            failure: node.failure.clone(),
        })
    }

    /// A node and all it reads, directly or not.
    fn upstream(&self, node: NodeId) -> HashSet<NodeId> {
        let mut seen = HashSet::new();
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            if seen.insert(node) {
                open.extend(&self.graph.nodes[node].spec.inputs);
            }
        }
        seen
    }

    fn report(&self, id: NodeId, users: &[HashSet<NodeId>]) -> OperatorReport {
        let node = &self.graph.nodes[id];
        let meter = self.graph.meter(id);
        let operators = || self.graph.operators(id);
        OperatorReport {
            id,
            description: node.spec.description.clone(),
            class: operators().next().map_or("", |operator| operator.class()),
            shared_by: users.iter().filter(|nodes| nodes.contains(&id)).count(),
            state_rows: operators().map(|operator| operator.state_rows()).sum(),
            state_bytes: operators().map(|operator| operator.state_bytes()).sum(),
            rows_in: meter.rows_in,
            rows_out: meter.rows_out,
            time: self.config.stopwatch.map(|_| meter.time),
            recomputes: node.spec.recomputes.clone(),
            failure: node.failure.clone(),
            inputs: node.spec.inputs.iter().map(|input| self.report(*input, users)).collect(),
        }
    }

    /// The last epoch applied, 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How far the inputs have been read.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Saves what changed since the last checkpoint, removes checkpoints beyond those to be kept, and gives
    /// the new one's name. Afterwards [`Self::restore`] gives an engine that goes on exactly from here.
    ///
    /// # Errors
    /// When the store fails, the checkpoints before stay as they were and the next one saves everything.
    pub fn checkpoint(&mut self, store: &mut dyn CheckpointStore) -> Result<CheckpointId> {
        if self.checkpoints.last().is_none_or(|newest| newest.epoch != self.epoch) {
            let previous = self.checkpoints.last();
            let manifest =
                checkpoint::save(&mut self.graph, self.epoch, &self.cut, previous, store)?;
            self.checkpoints.push(manifest);
            let surplus =
                self.checkpoints.len().saturating_sub(self.config.checkpoints_kept.max(1));
            self.checkpoints.drain(..surplus);
            checkpoint::remove_older(&self.checkpoints, store)?;
        }
        Ok(CheckpointId(self.epoch))
    }

    /// The oldest checkpoint still kept, up to which a journal may be forgotten.
    pub fn oldest_checkpoint(&self) -> Option<CheckpointId> {
        self.checkpoints.first().map(|manifest| CheckpointId(manifest.epoch))
    }

    /// The engine as of the newest checkpoint that can be read, with its cut; a fresh one at an empty cut
    /// when the store holds none. Views that are new since then fill themselves with the next epoch.
    ///
    /// # Errors
    /// [`Error::NoUsableCheckpoint`] when all are damaged, [`Error::StateMissing`] when a new or changed view
    /// reads a relation that keeps no rows.
    pub fn restore(
        config: EngineConfig,
        relations: Vec<Relation>,
        views: Vec<ViewDefinition>,
        store: &dyn CheckpointStore,
    ) -> Result<(Self, Cut)> {
        let epochs = Manifest::epochs(store)?;
        let mut last_problem = None;
        for epoch in &epochs {
            let mut engine = Self::declare(config.clone(), &relations, &views)?;
            let loaded = Manifest::read(store, *epoch).and_then(|manifest| {
                checkpoint::load(&mut engine.graph, &manifest, store)?;
                Ok(manifest)
            });
            match loaded {
                Ok(manifest) => {
                    engine.resume(manifest, &epochs, store)?;
                    let cut = engine.cut().clone();
                    return Ok((engine, cut));
                }
                Err(problem) => last_problem = Some(problem),
            }
        }
        match last_problem {
            Some(last) => {
                Err(Error::NoUsableCheckpoint { count: epochs.len(), last: Box::new(last) })
            }
            None => Ok((Self::declare(config, &relations, &views)?, Cut::new())),
        }
    }

    fn declare(
        config: EngineConfig,
        relations: &[Relation],
        views: &[ViewDefinition],
    ) -> Result<Self> {
        let mut engine = Self::new(config)?;
        relations.iter().cloned().try_for_each(|relation| engine.create_relation(relation))?;
        views.iter().cloned().try_for_each(|view| engine.create_view(view))?;
        Ok(engine)
    }

    /// Takes up where the checkpoint left off.
    fn resume(
        &mut self,
        manifest: Manifest,
        epochs: &[u64],
        store: &dyn CheckpointStore,
    ) -> Result<()> {
        self.epoch = manifest.epoch;
        self.cut = Arc::new(manifest.cut.clone());
        for view in &mut self.views {
            if let Some(relation) = self.graph.missing_history(view.node, false) {
                let (view, relation) = (view.definition.name.clone(), relation.to_owned());
                return Err(Error::StateMissing { view, relation });
            }
            view.is_stopped = self.graph.nodes[view.node].failure.is_some();
        }
        let older = epochs.iter().filter(|epoch| **epoch < manifest.epoch);
        let older = older.take(self.config.checkpoints_kept.max(1) - 1);
        self.checkpoints = older.filter_map(|epoch| Manifest::read(store, *epoch).ok()).collect();
        self.checkpoints.reverse();
        self.checkpoints.push(manifest);
        Ok(())
    }
}

/// Places of named columns.
fn column_places(name: &str, schema: &Schema, columns: &[String]) -> Result<Vec<usize>> {
    let place = |column: &String| {
        schema.index_of(column).map_err(|_| {
            let known: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            let problem =
                format!("key column {column} is not among its columns: {}", known.join(", "));
            Error::Definition { name: name.to_owned(), problem }
        })
    };
    columns.iter().map(place).collect()
}

/// A view's columns under plain names.
fn view_schema(view: &str, schema: &Schema) -> Result<SchemaRef> {
    let mut names = HashSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            let problem =
                format!("two columns are called {}: give one another name with `as`", field.name());
            return Err(Error::Definition { name: view.to_owned(), problem });
        }
    }
    let fields = schema
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), field.is_nullable()));
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}
