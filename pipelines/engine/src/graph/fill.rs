//! New nodes take in what their inputs hold.

use std::collections::HashMap;

use super::placement::Owner;
use super::{Graph, Input, NodeId, RELATION};
use crate::operator::{Change, Operator};
use crate::{Delta, Error, Result};

/// Rows a node gives, by worker.
type ByWorker = Vec<Vec<Delta>>;

impl Graph {
    /// The relation whose passed rows a fresh node at or below `node` would need.
    pub fn missing_history(&self, node: NodeId, reads_fresh: bool) -> Option<&str> {
        let current = &self.nodes[node];
        if !current.is_fresh && (!reads_fresh || self.keeps_rows(node)) {
            return None;
        }
        if current.spec.inputs.is_empty() {
            let name = current.spec.description.trim_start_matches(RELATION);
            return (!current.is_fresh).then_some(name);
        }
        current.spec.inputs.iter().find_map(|input| self.missing_history(*input, true))
    }

    fn keeps_rows(&self, node: NodeId) -> bool {
        self.workers[0].slots[node].operator.rows().is_some()
    }

    /// Workers that have something to do at a node.
    fn workers_at(&self, node: NodeId) -> std::ops::Range<usize> {
        match self.nodes[node].owner {
            Owner::First => 0..1,
            Owner::ByKey(_) | Owner::Any => 0..self.workers.len(),
        }
    }

    /// All rows a node has given so far, summed up.
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
                all[worker] =
                    self.workers[worker].slots[id].operator.rows().transpose()?.unwrap_or_default();
            }
            return Ok(all);
        }
        let inputs =
            node.inputs.iter().map(|input| self.deliver(input, self.contents(input.node)?));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        if !inputs.is_empty() {
            for worker in self.workers_at(id) {
                all[worker] = apply((node.spec.build)()?.as_mut(), &inputs, worker)?;
            }
        }
        Ok(all)
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

    /// Fills fresh nodes from what their inputs hold and gives each one's first output by node.
    pub fn fill(&mut self) -> HashMap<NodeId, Vec<Delta>> {
        let mut filled: HashMap<NodeId, ByWorker> = HashMap::new();
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
        filled.into_iter().map(|(id, rows)| (id, rows.into_iter().flatten().collect())).collect()
    }

    fn fill_node(&mut self, id: NodeId, filled: &HashMap<NodeId, ByWorker>) -> Result<ByWorker> {
        if self.nodes[id].inputs.is_empty() {
            return match self.keeps_rows(id) {
                true => self.contents(id),
                false => Ok(vec![Vec::new(); self.workers.len()]),
            };
        }
        let inputs = self.nodes[id].inputs.iter().map(|input| {
            let rows = match filled.get(&input.node) {
                Some(output) => output.clone(),
                None => self.contents(input.node)?,
            };
            self.deliver(input, rows)
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let mut output: ByWorker = vec![Vec::new(); self.workers.len()];
        for worker in self.workers_at(id) {
            let operator = self.workers[worker].slots[id].operator.as_mut();
            output[worker] = apply(operator, &inputs, worker)?;
        }
        Ok(output)
    }
}

fn apply(operator: &mut dyn Operator, inputs: &[ByWorker], worker: usize) -> Result<Vec<Delta>> {
    let changes =
        inputs.iter().map(|rows| Change { deltas: &rows[worker], is_consolidated: false });
    operator.apply(&changes.collect::<Vec<_>>())
}
