//! The operators of all views as one graph, shared where views compute the same.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use arrow::datatypes::SchemaRef;

use crate::checkpoint::Piece;
use crate::consolidation::{Consolidation, DistinctOn, Known};
use crate::operator::{Change, Operator};
use crate::{Delta, Error, Result};

/// What a relation's description begins with.
pub(crate) const RELATION: &str = "Relation: ";

/// Place of a node in the graph. Inputs come before the nodes that read them.
pub(crate) type NodeId = usize;

/// Makes a node's operator without any state.
pub(crate) type Build = Box<dyn Fn() -> Result<Box<dyn Operator>> + Send>;

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
    /// Why it runs its query again with each change, where it does.
    pub recomputes: Option<String>,
    pub build: Build,
}

pub(crate) struct Node {
    pub spec: NodeSpec,
    pub fingerprint: String,
    pub operator: Box<dyn Operator>,
    /// Whether it has yet to take in what its inputs hold.
    pub is_fresh: bool,
    pub failure: Option<String>,
    /// Whether it took anything in since the last checkpoint.
    pub is_changed: bool,
    /// What the last checkpoint holds of it.
    pub pieces: Vec<Piece>,
    pub rows_in: u64,
    pub rows_out: u64,
    pub time: Duration,
}

#[derive(Default)]
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    by_fingerprint: HashMap<String, NodeId>,
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
        let operator = (spec.build)()?;
        let id = self.nodes.len();
        self.by_fingerprint.insert(fingerprint.clone(), id);
        self.nodes.push(Node {
            spec,
            fingerprint,
            operator,
            is_fresh: true,
            failure: None,
            is_changed: true,
            pieces: Vec::new(),
            rows_in: 0,
            rows_out: 0,
            time: Duration::ZERO,
        });
        Ok(id)
    }

    /// Takes back nodes from `first` on, added for a view that came to nothing.
    pub fn truncate(&mut self, first: NodeId) {
        for node in self.nodes.drain(first..) {
            self.by_fingerprint.remove(&node.fingerprint);
        }
    }

    /// The relation whose passed rows a fresh node at or below `node` would need.
    pub fn missing_history(&self, node: NodeId, reads_fresh: bool) -> Option<&str> {
        let current = &self.nodes[node];
        if !current.is_fresh && (!reads_fresh || current.operator.rows().is_some()) {
            return None;
        }
        if current.spec.inputs.is_empty() {
            let name = current.spec.description.trim_start_matches(RELATION);
            return (!current.is_fresh).then_some(name);
        }
        current.spec.inputs.iter().find_map(|input| self.missing_history(*input, true))
    }

    /// All rows a node has given so far, summed up.
    fn contents(&self, id: NodeId) -> Result<Vec<Delta>> {
        let node = &self.nodes[id];
        if let Some(failure) = &node.failure {
            return Err(Error::Stopped {
                view: node.spec.description.clone(),
                reason: failure.clone(),
            });
        }
        if let Some(rows) = node.operator.rows() {
            return rows;
        }
        let inputs = node
            .spec
            .inputs
            .iter()
            .map(|input| self.contents(*input))
            .collect::<Result<Vec<_>>>()?;
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let inputs: Vec<Change<'_>> = inputs.iter().map(|deltas| unknown(deltas)).collect();
        (node.spec.build)()?.apply(&inputs)
    }

    /// Fills fresh nodes from what their inputs hold and gives each one's first output by node.
    pub fn fill(&mut self) -> HashMap<NodeId, Vec<Delta>> {
        let mut filled: HashMap<NodeId, Vec<Delta>> = HashMap::new();
        for id in 0..self.nodes.len() {
            if !self.nodes[id].is_fresh {
                continue;
            }
            let output = self.fill_node(id, &filled);
            let node = &mut self.nodes[id];
            node.is_fresh = false;
            match output {
                Ok(output) => {
                    filled.insert(id, output);
                }
                Err(error) => node.failure = Some(error.to_string()),
            }
        }
        filled
    }

    fn fill_node(
        &mut self,
        id: NodeId,
        filled: &HashMap<NodeId, Vec<Delta>>,
    ) -> Result<Vec<Delta>> {
        if let Some(rows) = self.nodes[id].operator.rows()
            && self.nodes[id].spec.inputs.is_empty()
        {
            return rows;
        }
        let mut inputs = Vec::new();
        for input in &self.nodes[id].spec.inputs {
            inputs.push(match filled.get(input) {
                Some(output) => output.clone(),
                None => self.contents(*input)?,
            });
        }
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let inputs: Vec<Change<'_>> = inputs.iter().map(|deltas| unknown(deltas)).collect();
        self.nodes[id].operator.apply(&inputs)
    }

    /// Pushes one epoch's changes, given by relation node, through the graph. Gives each node's output.
    pub fn push(
        &mut self,
        mut changes: HashMap<NodeId, Vec<Delta>>,
        stopwatch: Option<fn() -> Duration>,
    ) -> Vec<Vec<Delta>> {
        let mut outputs: Vec<Vec<Delta>> = Vec::with_capacity(self.nodes.len());
        let mut known: Vec<DistinctOn> = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter_mut().enumerate() {
            let external = changes.remove(&id);
            let read = |input: &NodeId| Change {
                deltas: outputs[*input].as_slice(),
                is_consolidated: known[*input].is_some(),
            };
            let reads: Vec<Change<'_>> = match &external {
                Some(deltas) => vec![unknown(deltas)],
                None => node.spec.inputs.iter().map(read).collect(),
            };
            let is_idle = reads.iter().all(|deltas| deltas.is_empty());
            if is_idle || node.failure.is_some() {
                outputs.push(Vec::new());
                known.push(None);
                continue;
            }
            let rows_in: usize =
                reads.iter().flat_map(|deltas| deltas.iter()).map(Delta::num_rows).sum();
            let started = stopwatch.map(|now| now());
            let output = node.operator.apply(&reads);
            if let (Some(now), Some(started)) = (stopwatch, started) {
                node.time += now().saturating_sub(started);
            }
            node.is_changed = true;
            node.rows_in += rows_in as u64;
            match output {
                Ok(output) => {
                    node.rows_out +=
                        output.iter().map(|delta| delta.num_rows() as u64).sum::<u64>();
                    known.push(what_is_known(&node.spec, &output, &outputs, &known));
                    outputs.push(output);
                }
                Err(error) => {
                    node.failure = Some(error.to_string());
                    outputs.push(Vec::new());
                    known.push(None);
                }
            }
        }
        outputs
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

/// A change of which nothing is known.
fn unknown(deltas: &[Delta]) -> Change<'_> {
    Change { deltas, is_consolidated: false }
}

/// Columns on which no row of `output` that comes equals one that goes.
fn what_is_known(
    spec: &NodeSpec,
    output: &[Delta],
    outputs: &[Vec<Delta>],
    known: &[DistinctOn],
) -> DistinctOn {
    if !output.iter().any(Delta::retracts) {
        return Some(Vec::new());
    }
    let inputs: Vec<Known<'_>> = spec
        .inputs
        .iter()
        .map(|input| Known {
            is_empty: outputs[*input].is_empty(),
            distinct_on: known[*input].as_deref(),
        })
        .collect();
    spec.consolidation.distinct_on(spec.schema.fields().len(), &inputs)
}

/// FNV-1a with 128 bits: the same on every machine and in every version.
fn fnv1a(bytes: &[u8]) -> u128 {
    let step = |hash: u128, byte: &u8| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
    };
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, step)
}
