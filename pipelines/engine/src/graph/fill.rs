//! New nodes take in what their inputs hold: piece by piece, between the changes of live epochs.
//!
//! What live nodes held when the filling began waits in a queue, and what they gave since then waits behind it.
//! When the queue is empty the new nodes have caught up and go live together.

use std::collections::{HashMap, VecDeque};

use super::worker::Run;
use super::{Graph, Input, NodeId, Phase, RELATION};
use crate::operator::{Change, Operator};
use crate::state::{concat, consolidate};
use crate::{Delta, Error, Result};

/// Rows a node gives, by worker.
pub(super) type ByWorker = Vec<Vec<Delta>>;

/// New nodes on their way to going live.
#[derive(Default)]
pub(super) struct Filling {
    /// Live nodes that new ones read.
    sources: Vec<NodeId>,
    /// What they held and gave, oldest first.
    queue: VecDeque<(NodeId, ByWorker)>,
    has_begun: bool,
    /// What the watched nodes have given.
    given: HashMap<NodeId, Vec<Delta>>,
}

impl Graph {
    /// The relation whose passed rows a fresh node at or below `node` would need.
    pub fn missing_history(&self, node: NodeId, reads_fresh: bool) -> Option<&str> {
        let current = &self.nodes[node];
        let is_live = current.phase == Phase::Live;
        if is_live && (!reads_fresh || self.keeps_rows(node)) {
            return None;
        }
        if current.spec.inputs.is_empty() {
            let name = current.spec.description.trim_start_matches(RELATION);
            return is_live.then_some(name);
        }
        current.spec.inputs.iter().find_map(|input| self.missing_history(*input, true))
    }

    fn keeps_rows(&self, node: NodeId) -> bool {
        self.workers[0].slots[node].operator.keeps_rows()
    }

    /// All rows a live node has given so far, summed up.
    fn contents(&self, id: NodeId) -> Result<ByWorker> {
        let node = &self.nodes[id];
        if let Some(failure) = &node.failure {
            return Err(Error::Stopped {
                view: node.spec.description.clone(),
                reason: failure.clone(),
            });
        }
        let mut all: ByWorker = vec![Vec::new(); self.workers.len()];
        if self.keeps_rows(id) {
            for worker in self.workers_at(id) {
                let rows = self.workers[worker].slots[id].operator.rows();
                all[worker] = rows.transpose()?.unwrap_or_default();
            }
            return Ok(all);
        }
        let inputs =
            node.inputs.iter().map(|input| self.deliver(input, self.contents(input.node)?));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        if !inputs.is_empty() {
            for worker in self.workers_at(id) {
                let given = apply((node.spec.build)()?.as_mut(), &inputs, worker)?;
                // Rows given on the way and taken back are none that it holds.
                all[worker] = match given.iter().any(Delta::retracts) {
                    true => vec![consolidate(concat(&node.spec.schema, given)?)?],
                    false => given,
                };
            }
        }
        Ok(all)
    }

    /// All rows a live node has given so far, summed up.
    pub fn rows_given(&self, id: NodeId) -> Result<Vec<Delta>> {
        Ok(self.contents(id)?.into_iter().flatten().collect())
    }

    /// Rows of an input where the node that reads them needs them.
    fn deliver(&self, input: &Input, rows: ByWorker) -> Result<ByWorker> {
        let Some(exchange) = input.exchange else { return Ok(rows) };
        let workers = self.workers.len();
        let mut delivered: ByWorker = vec![Vec::new(); workers];
        for deltas in rows {
            let parts = self.exchanges[exchange].sort(&deltas, workers)?;
            delivered.iter_mut().zip(parts).for_each(|(all, part)| all.extend(part));
        }
        Ok(delivered)
    }

    /// Whether some nodes have yet to catch up.
    pub fn is_filling(&self) -> bool {
        self.nodes.iter().any(|node| node.phase != Phase::Live)
    }

    /// Whether a node went live with the filling that has just ended.
    pub fn just_filled(&self, id: NodeId) -> bool {
        self.just_filled.contains(&id)
    }

    /// Rows that wait to be taken in by new nodes.
    pub fn rows_waiting(&self) -> usize {
        let waiting = self.filling.iter().flat_map(|filling| &filling.queue);
        waiting.flat_map(|(_, rows)| rows.iter().flatten()).map(Delta::num_rows).sum()
    }

    /// Brings about `rows_max` rows into new nodes. Gives, once they have caught up and go live, all that each
    /// of the `watched` ones among them has given. Nodes that came since the filling began wait for their turn.
    pub fn fill(
        &mut self,
        rows_max: usize,
        watched: &[NodeId],
    ) -> Option<HashMap<NodeId, Vec<Delta>>> {
        let mut filling = match self.filling.take() {
            Some(filling) => filling,
            None => self.begin_filling()?,
        };
        let mut rows_left = rows_max;
        while !filling.has_begun || (rows_left > 0 && !filling.queue.is_empty()) {
            let run = Run::Filling { is_first: !filling.has_begun };
            filling.has_begun = true;
            let external: HashMap<NodeId, ByWorker> =
                filling.queue.pop_front().into_iter().collect();
            let rows: usize = external.values().flatten().flatten().map(Delta::num_rows).sum();
            rows_left = rows_left.saturating_sub(rows.max(1));
            self.run(run, &external, None);
            for id in watched {
                if self.nodes[*id].phase == Phase::Filling {
                    filling.given.entry(*id).or_default().extend(self.take_output(*id));
                }
            }
        }
        if !filling.queue.is_empty() {
            self.filling = Some(filling);
            return None;
        }
        let filled = |id: &NodeId| self.nodes[*id].phase == Phase::Filling;
        self.just_filled = (0..self.nodes.len()).filter(filled).collect();
        for id in &self.just_filled {
            self.nodes[*id].phase = Phase::Live;
        }
        Some(filling.given)
    }

    /// Queues what the inputs of fresh nodes hold; none when there are no fresh nodes.
    fn begin_filling(&mut self) -> Option<Filling> {
        let fresh: Vec<NodeId> =
            (0..self.nodes.len()).filter(|id| self.nodes[*id].phase == Phase::Fresh).collect();
        fresh.first()?;
        let mut filling = Filling::default();
        for id in fresh {
            self.nodes[id].phase = Phase::Filling;
            for input in &self.nodes[id].spec.inputs {
                if self.nodes[*input].phase == Phase::Live && !filling.sources.contains(input) {
                    filling.sources.push(*input);
                }
            }
        }
        for source in filling.sources.clone() {
            match self.contents(source) {
                Ok(rows) => {
                    filling.queue.extend(pieces(&rows).into_iter().map(|piece| (source, piece)));
                }
                Err(error) => self.fail_readers(source, &error),
            }
        }
        Some(filling)
    }

    /// Stops the new nodes that read a node whose rows cannot be had.
    fn fail_readers(&mut self, source: NodeId, error: &Error) {
        for node in &mut self.nodes {
            if node.phase == Phase::Filling && node.spec.inputs.contains(&source) {
                node.failure.get_or_insert(error.to_string());
            }
        }
    }

    /// Follows nodes to their new places.
    pub(super) fn move_filling(&mut self, places: &[Option<NodeId>]) {
        let Some(filling) = &mut self.filling else { return };
        let sources = std::mem::take(&mut filling.sources).into_iter();
        filling.sources = sources.filter_map(|id| places[id]).collect();
        let queue = std::mem::take(&mut filling.queue).into_iter();
        filling.queue = queue.filter_map(|(id, rows)| Some((places[id]?, rows))).collect();
        let given = std::mem::take(&mut filling.given).into_iter();
        filling.given = given.filter_map(|(id, rows)| Some((places[id]?, rows))).collect();
    }

    /// Queues what live nodes gave in the epoch just pushed for those that are filled.
    pub(super) fn queue_outputs(&mut self) {
        let Some(filling) = &mut self.filling else { return };
        for source in &filling.sources {
            let outputs = self.workers.iter().map(|worker| worker.slots[*source].output.clone());
            let outputs: ByWorker = outputs.collect();
            if outputs.iter().any(|deltas| !deltas.is_empty()) {
                filling.queue.push_back((*source, outputs));
            }
        }
    }
}

/// The n-th batches of all workers together, so that they are brought in piece by piece.
fn pieces(rows: &ByWorker) -> Vec<ByWorker> {
    let length = rows.iter().map(Vec::len).max().unwrap_or(0);
    let piece = |at: usize| {
        rows.iter().map(|deltas| deltas.get(at).cloned().into_iter().collect()).collect()
    };
    (0..length).map(piece).collect()
}

fn apply(operator: &mut dyn Operator, inputs: &[ByWorker], worker: usize) -> Result<Vec<Delta>> {
    let changes =
        inputs.iter().map(|rows| Change { deltas: &rows[worker], is_consolidated: false });
    operator.apply(&changes.collect::<Vec<_>>())
}
