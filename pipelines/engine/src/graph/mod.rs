//! The operators of all views as one graph, shared where views compute the same.

mod adopt;
mod exchange;
mod fill;
mod keep;
mod meeting;
mod placement;
mod run;
mod worker;

pub(crate) use exchange::Share;
pub(crate) use placement::{Owner, Placement};
pub(crate) use worker::Meter;

use std::collections::{HashMap, HashSet};
use std::fmt;

use arrow::datatypes::SchemaRef;

use self::exchange::Exchange;
use self::fill::Filling;
use self::placement::{Need, Spread, place};
use self::worker::{Slot, Worker};
use crate::checkpoint::Piece;
use crate::consolidation::Consolidation;
use crate::operator::Operator;
use crate::{Error, Result};

/// What a relation's description begins with.
pub(crate) const RELATION: &str = "Relation: ";

/// Place of a node in the graph. Inputs come before the nodes that read them.
pub(crate) type NodeId = usize;

/// Makes a node's operator without any state.
pub(crate) type Build = Box<dyn Fn() -> Result<Box<dyn Operator>> + Send + Sync>;

/// What a node computes and is known to give.
pub(crate) struct NodeSpec {
    /// For people.
    pub description: String,
    /// Everything that decides what the node computes from its inputs.
    pub definition: String,
    pub inputs: Vec<NodeId>,
    pub schema: SchemaRef,
    /// Whether no row it gives is ever taken back.
    pub is_append_only: bool,
    /// Columns that identify a row at the end of each epoch, where such are known.
    pub unique: Option<Vec<usize>>,
    pub consolidation: Consolidation,
    /// Where it needs the rows of its inputs. A relation's own rows count as its input.
    pub placement: Placement,
    /// Why it runs its query again with each change, where it does.
    pub recomputes: Option<String>,
    pub build: Build,
}

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// New, without a row.
    Fresh,
    /// Taking in what its inputs held and gave.
    Filling,
    /// At the last epoch.
    Live,
}

/// One input of a node.
pub(crate) struct Input {
    pub node: NodeId,
    /// The exchange its rows come by; `None` where they stay with their worker.
    pub exchange: Option<usize>,
}

pub(crate) struct Node {
    pub spec: NodeSpec,
    pub fingerprint: String,
    pub inputs: Vec<Input>,
    /// How a relation's rows are spread when they come in; `None` where any worker will do.
    entrance: Option<Exchange>,
    spread: Spread,
    /// Which worker keeps what of its state.
    pub owner: Owner,
    /// Nodes of one stage wait for no other worker.
    stage: usize,
    pub phase: Phase,
    pub failure: Option<String>,
    /// Whether it took anything in since the last checkpoint.
    pub is_changed: bool,
    /// Bytes that its operators keep.
    pub state_bytes: usize,
    /// What the last checkpoint holds of it, by worker.
    pub pieces: Vec<Vec<Piece>>,
}

/// Nodes, and for each worker an operator per node.
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    workers: Vec<Worker>,
    exchanges: Vec<Exchange>,
    stages: Vec<Vec<NodeId>>,
    by_fingerprint: HashMap<String, NodeId>,
    filling: Option<Filling>,
    /// Nodes of the filling before.
    just_filled: HashSet<NodeId>,
    /// Threads of the workers after the first.
    pool: Option<rayon::ThreadPool>,
}

impl fmt::Debug for Graph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.nodes.iter().map(|node| &node.spec.description))
            .finish()
    }
}

impl Graph {
    /// A graph without nodes, worked on by as many threads as there are `workers`, at least one.
    pub fn new(workers: usize) -> Result<Self> {
        let workers = workers.max(1);
        let pool = match workers {
            1 => None,
            more => {
                let builder = rayon::ThreadPoolBuilder::new().num_threads(more - 1);
                let named = builder.thread_name(|index| format!("worker-{}", index + 1));
                let threads = |error: rayon::ThreadPoolBuildError| Error::Threads {
                    workers: more,
                    source: Box::new(error),
                };
                Some(named.build().map_err(threads)?)
            }
        };
        let worker = |index| Worker { index, slots: Vec::new() };
        Ok(Self {
            nodes: Vec::new(),
            workers: (0..workers).map(worker).collect(),
            exchanges: Vec::new(),
            stages: Vec::new(),
            by_fingerprint: HashMap::new(),
            filling: None,
            just_filled: HashSet::new(),
            pool,
        })
    }

    /// Threads that work on it.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Adds a node, or gives the one that computes the same already.
    pub fn add(&mut self, spec: NodeSpec) -> Result<NodeId> {
        let inputs: Vec<&str> =
            spec.inputs.iter().map(|input| self.nodes[*input].fingerprint.as_str()).collect();
        let types: Vec<_> =
            spec.schema.fields().iter().map(|field| field.data_type().to_string()).collect();
        let text = format!("{}\u{0}{}\u{0}{}", spec.definition, inputs.join(","), types.join(","));
        let fingerprint = format!("{:032x}", fnv1a(text.as_bytes()));
        if let Some(node) = self.by_fingerprint.get(&fingerprint) {
            return Ok(*node);
        }
        let operators = self.workers.iter().map(|_| (spec.build)()).collect::<Result<Vec<_>>>()?;
        let id = self.nodes.len();
        let is_source = spec.inputs.is_empty();
        // A relation's rows come from outside in no order.
        let outside = [Spread::Unknown];
        let spreads: Vec<&Spread> = match is_source {
            true => outside.iter().collect(),
            false => spec.inputs.iter().map(|input| &self.nodes[*input].spread).collect(),
        };
        let placed = place(&spec.placement, &spreads, |column| spec.consolidation.place_of(column));
        let mut entrance = None;
        let mut links = Vec::new();
        if is_source {
            entrance = self.needed(id, id, &spec.schema, &placed.needs[0])?;
        }
        for (node, need) in spec.inputs.iter().zip(&placed.needs) {
            let schema = SchemaRef::clone(&self.nodes[*node].spec.schema);
            let exchange = self.needed(*node, id, &schema, need)?;
            let exchange = exchange.map(|exchange| self.share_exchange(exchange));
            links.push(Input { node: *node, exchange });
        }
        let stage_after =
            |input: &Input| self.nodes[input.node].stage + usize::from(input.exchange.is_some());
        let stage = links.iter().map(stage_after).max().unwrap_or(0);
        if self.stages.len() <= stage {
            self.stages.resize(stage + 1, Vec::new());
        }
        self.stages[stage].push(id);
        self.by_fingerprint.insert(fingerprint.clone(), id);
        for (worker, operator) in self.workers.iter_mut().zip(operators) {
            worker.slots.push(Slot::new(operator));
        }
        self.nodes.push(Node {
            pieces: vec![Vec::new(); self.workers.len()],
            spec,
            fingerprint,
            inputs: links,
            entrance,
            spread: placed.spread,
            owner: placed.owner,
            stage,
            phase: Phase::Fresh,
            failure: None,
            is_changed: true,
            state_bytes: 0,
        });
        Ok(id)
    }

    /// The exchange in front of a node; none with a single worker.
    fn needed(
        &self,
        producer: NodeId,
        consumer: NodeId,
        schema: &SchemaRef,
        need: &Need,
    ) -> Result<Option<Exchange>> {
        if self.workers.len() == 1 {
            return Ok(None);
        }
        Exchange::new(producer, consumer, schema, need)
    }

    /// The place of an exchange, which may be another node's already.
    fn share_exchange(&mut self, exchange: Exchange) -> usize {
        let known = self.exchanges.iter().position(|known| known.is_same(&exchange));
        known.unwrap_or_else(|| {
            self.exchanges.push(exchange);
            self.exchanges.len() - 1
        })
    }

    /// Takes back nodes from `first` on, added for a view that came to nothing.
    pub fn truncate(&mut self, first: NodeId) {
        for node in self.nodes.drain(first..) {
            self.by_fingerprint.remove(&node.fingerprint);
        }
        self.workers.iter_mut().for_each(|worker| worker.slots.truncate(first));
        self.exchanges.retain(|exchange| exchange.consumer < first);
        self.stages.iter_mut().for_each(|stage| stage.retain(|id| *id < first));
    }

    /// Whether a live node reads a node.
    pub fn is_read_by_live(&self, id: NodeId) -> bool {
        let reads = |node: &Node| node.phase == Phase::Live && node.spec.inputs.contains(&id);
        self.nodes.iter().any(reads)
    }

    /// The operators of a node, one per worker.
    pub fn operators(&self, id: NodeId) -> impl Iterator<Item = &dyn Operator> {
        self.workers.iter().map(move |worker| worker.slots[id].operator.as_ref())
    }

    /// The operator of a node at one worker.
    pub fn operator_mut(&mut self, id: NodeId, worker: usize) -> &mut dyn Operator {
        self.workers[worker].slots[id].operator.as_mut()
    }

    /// What a node did since the engine started: times of all workers together, the longest of one of them.
    pub fn meter(&self, id: NodeId) -> Meter {
        let meters = self.workers.iter().map(|worker| worker.slots[id].meter);
        meters.fold(Meter::default(), |sum, meter| Meter {
            rows_in: sum.rows_in + meter.rows_in,
            rows_out: sum.rows_out + meter.rows_out,
            epochs: sum.epochs.max(meter.epochs),
            time: sum.time + meter.time,
            time_max: sum.time_max.max(meter.time_max),
        })
    }

    /// Stops a node and forgets all that it keeps.
    pub fn give_up(&mut self, id: NodeId, reason: &str) -> Result<()> {
        let node = &mut self.nodes[id];
        node.failure.get_or_insert_with(|| reason.to_owned());
        node.state_bytes = 0;
        for worker in &mut self.workers {
            let slot = &mut worker.slots[id];
            slot.operator = (node.spec.build)()?;
            slot.output = Vec::new();
        }
        Ok(())
    }

    /// Stops nodes that read a stopped one.
    pub fn spread_failures(&mut self) {
        for id in 0..self.nodes.len() {
            let inputs = &self.nodes[id].spec.inputs;
            let failure = inputs.iter().find_map(|input| self.nodes[*input].failure.clone());
            let node = &mut self.nodes[id];
            if node.failure.is_none() {
                node.failure = failure;
            }
        }
    }
}

/// FNV-1a with 128 bits: the same on every machine and in every version.
fn fnv1a(bytes: &[u8]) -> u128 {
    let step = |hash: u128, byte: &u8| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
    };
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, step)
}
