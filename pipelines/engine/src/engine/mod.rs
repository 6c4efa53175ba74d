//! The engine: relations in, views out, one epoch at a time.

mod adopt;
mod define;
mod limit;
mod report;
mod restore;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};

use crate::checkpoint::Manifest;
use crate::graph::{Graph, NodeId, Phase};
use crate::plan::{CLOCK, Catalog, Planner, clock_row, clock_time};
use crate::state::{concat, consolidate, going_first, new_batch};
use crate::{
    Cut, Delta, Epoch, EpochChanges, Error, RelationKind, Result, Snapshot, StoppedView,
    ViewDefinition,
};

/// Workers' shares of a view's change that have fewer rows together are given out as one.
const SHARE_ROWS_MIN: usize = 1024;

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
    /// Rows that new views take in per epoch, about, until they have caught up with what they read.
    pub fill_rows_max: usize,
    /// Bytes that views may keep together, without what keyed relations keep, and that a join may give out in
    /// one epoch. Beyond this the view that needs most is stopped.
    pub state_bytes_max: usize,
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
            fill_rows_max: usize::MAX,
            state_bytes_max: usize::MAX,
            stopwatch: None,
        }
    }
}

/// A view as it was defined at some time.
#[derive(Debug, Clone)]
struct Version {
    definition: ViewDefinition,
    node: NodeId,
    schema: SchemaRef,
}

#[derive(Debug)]
struct View {
    current: Version,
    /// What replaces it once that is filled.
    next: Option<Version>,
    /// Whether its end has been reported.
    is_stopped: bool,
}

/// All that a view gives at once when it has been filled, before the changes of the epoch.
struct First {
    rows: Vec<Delta>,
    /// Whether a sink has to forget what it has of the view.
    is_whole: bool,
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
                &self.views.iter().map(|view| &view.current.definition.name).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without relations and views.
    pub fn new(config: EngineConfig) -> Result<Self> {
        let mut engine = Self {
            planner: Planner::new(),
            graph: Graph::new(config.workers)?,
            config,
            relations: HashMap::new(),
            catalog: Catalog::new(),
            views: Vec::new(),
            epoch: 0,
            cut: Arc::new(Cut::new()),
            checkpoints: Vec::new(),
        };
        engine.create_clock()?;
        Ok(engine)
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
        let now = clock_row(epoch.now).ok_or_else(|| Error::Input {
            epoch: epoch.number,
            relation: CLOCK.to_owned(),
            problem: format!("{} is beyond the times that can be told", epoch.now),
        })?;
        let accepted = epoch.inputs.into_iter().map(|(name, delta)| {
            let delta = self.accept(epoch.number, &name, delta)?;
            Ok((name, delta.without_zeros()?))
        });
        let accepted = accepted.collect::<Result<Vec<(String, Delta)>>>()?;
        self.epoch = epoch.number;
        self.cut = Arc::new(epoch.cut);
        let (clock, _) = self.relations[CLOCK];
        let now = vec![Delta::inserts(now)];
        if !self.graph.is_read_by_live(clock) {
            self.graph.seed(clock, now.clone())?;
        }
        let mut changes = EpochChanges { epoch: epoch.number, ..EpochChanges::default() };
        let mut first = self.fill(&mut changes)?;
        let mut inputs: HashMap<NodeId, Vec<Delta>> = HashMap::new();
        for (name, delta) in accepted.into_iter().filter(|(_, delta)| !delta.is_empty()) {
            inputs.entry(self.relations[&name].0).or_default().push(delta);
        }
        let (clock, _) = self.relations[CLOCK];
        if self.graph.is_read_by_live(clock) {
            inputs.insert(clock, now);
        }
        self.graph.push(inputs, self.config.stopwatch)?;
        self.graph.spread_failures();
        self.keep_within_limit()?;
        for view in &mut self.views {
            let Version { definition, node, schema } = &view.current;
            let name = &definition.name;
            if let Some(reason) = &self.graph.nodes[*node].failure {
                if !std::mem::replace(&mut view.is_stopped, true) {
                    let (view, reason) = (name.clone(), reason.clone());
                    changes.stopped.push(StoppedView { view, reason });
                }
                continue;
            }
            if self.graph.nodes[*node].phase != Phase::Live {
                continue;
            }
            let first = first.remove(name);
            if first.as_ref().is_some_and(|first| first.is_whole) {
                changes.filled.push(name.clone());
            }
            let has_first = first.is_some();
            let mut change = first.map(|first| first.rows).unwrap_or_default();
            change.extend(self.graph.take_output(*node));
            if change.is_empty() {
                continue;
            }
            let rows: usize = change.iter().map(Delta::num_rows).sum();
            let shares = match has_first {
                true => vec![consolidate(concat(schema, change)?)?],
                false if rows < SHARE_ROWS_MIN => vec![going_first(concat(schema, change)?)?],
                // Each worker's share is summed up and has going rows first.
                false => change,
            };
            let shares = shares.into_iter().filter(|share| !share.is_empty());
            changes.changes.extend(shares.map(|share| (name.clone(), share)));
        }
        Ok(changes)
    }

    /// Lets new views take in rows and gives the first change of those that have caught up.
    fn fill(&mut self, changes: &mut EpochChanges) -> Result<HashMap<String, First>> {
        let mut first = HashMap::new();
        let newest = |view: &View| view.next.as_ref().unwrap_or(&view.current).node;
        let unkept = |view: &&View| !view.current.definition.materialize;
        let watched: Vec<NodeId> = self.views.iter().filter(unkept).map(newest).collect();
        let Some(mut given) = self.graph.fill(self.config.fill_rows_max, &watched) else {
            return Ok(first);
        };
        self.graph.spread_failures();
        let mut has_replaced = false;
        for view in &mut self.views {
            let node = view.next.as_ref().unwrap_or(&view.current).node;
            let is_new = view.next.is_some() || self.graph.just_filled(node);
            if !is_new || self.graph.nodes[node].phase != Phase::Live {
                continue;
            }
            let name = view.current.definition.name.clone();
            if let Some(reason) = self.graph.nodes[node].failure.clone() {
                if view.next.take().is_some() {
                    has_replaced = true;
                    changes.given_up.push(StoppedView { view: name, reason });
                }
                continue;
            }
            let mut rows = match given.remove(&node) {
                Some(rows) => rows,
                None => self.graph.rows_given(node)?,
            };
            let mut is_whole = true;
            if let Some(next) = view.next.take() {
                has_replaced = true;
                let old = std::mem::replace(&mut view.current, next);
                let was_kept = old.definition.materialize && !view.is_stopped;
                if was_kept && old.schema == view.current.schema {
                    is_whole = false;
                    let gone = self.graph.rows_given(old.node)?.into_iter();
                    rows.extend(gone.map(|delta| Delta::deletes(delta.batch)));
                }
                view.is_stopped = false;
            }
            first.insert(name, First { rows, is_whole });
        }
        for given_up in &changes.given_up {
            let Version { node, schema, .. } = self.view(&given_up.view)?.current.clone();
            self.redeclare(&given_up.view, node, schema)?;
        }
        if has_replaced {
            self.forget_unused();
        }
        Ok(first)
    }

    /// Checks one input and brings it under the relation's schema.
    fn accept(&self, epoch: u64, relation: &str, delta: Delta) -> Result<Delta> {
        let relation = relation.to_owned();
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
            return Ok(delta);
        }
        match new_batch(schema, delta.batch.columns().to_vec(), delta.num_rows()) {
            Ok(batch) => Ok(Delta { batch, weights: delta.weights }),
            Err(error) => Err(Error::Input { epoch, relation, problem: error.to_string() }),
        }
    }

    fn view(&self, name: &str) -> Result<&View> {
        let view = self.views.iter().find(|view| view.current.definition.name == name);
        view.ok_or_else(|| Error::UnknownView { name: name.to_owned() })
    }

    /// The views, in the order of their creation.
    pub fn views(&self) -> impl Iterator<Item = &ViewDefinition> {
        self.views.iter().map(|view| &view.current.definition)
    }

    /// Columns of a view.
    pub fn view_schema(&self, view: &str) -> Result<SchemaRef> {
        Ok(Arc::clone(&self.view(view)?.current.schema))
    }

    /// The rows of a view as of the last epoch.
    pub fn snapshot(&self, view: &str) -> Result<Arc<Snapshot>> {
        let Version { definition, node, schema } = &self.view(view)?.current;
        let name = definition.name.clone();
        if let Some(reason) = &self.graph.nodes[*node].failure {
            return Err(Error::Stopped { view: name, reason: reason.clone() });
        }
        if self.graph.nodes[*node].phase != Phase::Live && self.epoch > 0 {
            let rows_waiting = self.graph.rows_waiting();
            return Err(Error::Filling { view: name, rows_waiting });
        }
        let chunks = self.graph.operators(*node).map(|operator| operator.snapshot());
        let Some(chunks) = chunks.collect::<Option<Vec<_>>>() else {
            return Err(Error::NotMaterialized { name });
        };
        let chunks = chunks.into_iter().flatten().collect();
        Ok(Arc::new(Snapshot::new(
            name,
            Arc::clone(schema),
            chunks,
            self.epoch,
            Arc::clone(&self.cut),
        )))
    }

    /// The last epoch applied, 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether new views have yet to catch up.
    pub fn is_filling(&self) -> bool {
        self.epoch > 0 && self.graph.is_filling()
    }

    /// Rows that new views have yet to take in; 0 until their filling has begun.
    pub fn rows_waiting(&self) -> usize {
        self.graph.rows_waiting()
    }

    /// The time of the last epoch; none before the first.
    pub fn now(&self) -> Option<DateTime<Utc>> {
        let (clock, _) = self.relations[CLOCK];
        let rows = self.graph.operators(clock).filter_map(|operator| operator.rows()?.ok());
        rows.flatten().find_map(|row| clock_time(&row.batch))
    }

    /// How far the inputs have been read.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }
}
