//! One epoch through the graph, stage by stage, with all workers.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use rayon::ThreadPool;

use super::exchange::slice;
use super::fill::ByWorker;
use super::meeting::Meeting;
use super::placement::Owner;
use super::worker::{Epoch, Mail, Run};
use super::{Graph, NodeId};
use crate::operator::Change;
use crate::{Delta, Result};

/// Below this many rows from outside, waking other threads costs more than it saves.
const ROWS_PARALLEL_MIN: usize = 1024;

/// Does some work for each item at once, the first on this thread.
fn side_by_side<T: Send>(pool: &ThreadPool, items: &mut [T], work: impl Fn(&mut T) + Sync) {
    pool.in_place_scope(|scope| {
        let mut items = items.iter_mut();
        let own = items.next();
        for item in items {
            scope.spawn(|_| work(item));
        }
        own.into_iter().for_each(&work);
    });
}

impl Graph {
    /// Pushes one epoch's changes, given by relation node, through the graph. What each node gives is had by
    /// [`Self::take_output`].
    pub fn push(
        &mut self,
        changes: HashMap<NodeId, Vec<Delta>>,
        stopwatch: Option<fn() -> Duration>,
    ) -> Result<()> {
        let external =
            changes.into_iter().map(|(id, deltas)| Ok((id, self.distribute(id, deltas)?)));
        let external = external.collect::<Result<_>>()?;
        self.run(Run::Live, &external, stopwatch);
        self.queue_outputs();
        Ok(())
    }

    /// Brings rows into a relation that no live node reads.
    pub fn seed(&mut self, relation: NodeId, rows: Vec<Delta>) -> Result<()> {
        let parts = self.distribute(relation, rows)?;
        for (worker, deltas) in self.workers.iter_mut().zip(parts) {
            let change = Change { deltas: &deltas, is_consolidated: false };
            worker.slots[relation].operator.apply(&[change])?;
        }
        self.nodes[relation].is_changed = true;
        Ok(())
    }

    /// Runs the nodes that `run` is for, stage by stage.
    pub(super) fn run(
        &mut self,
        run: Run,
        external: &HashMap<NodeId, ByWorker>,
        stopwatch: Option<fn() -> Duration>,
    ) {
        let rows: usize = external.values().flatten().flatten().map(Delta::num_rows).sum();
        let epoch = Epoch {
            run,
            nodes: &self.nodes,
            exchanges: &self.exchanges,
            stages: &self.stages,
            workers: self.workers.len(),
            stopwatch,
            external,
        };
        let unsent = || self.workers.iter().map(|_| OnceLock::new()).collect();
        let mail: Mail = self.stages.iter().map(|_| unsent()).collect();
        let stages = 0..self.stages.len();
        match self.pool.as_ref().filter(|_| rows >= ROWS_PARALLEL_MIN) {
            Some(pool) => {
                let meeting = Meeting::new(self.workers.len());
                side_by_side(pool, &mut self.workers, |worker| {
                    let participant = meeting.join();
                    for stage in stages.clone() {
                        worker.run(stage, &epoch, &mail);
                        if !participant.meet() {
                            return;
                        }
                    }
                });
            }
            None => {
                for stage in stages {
                    self.workers.iter_mut().for_each(|worker| worker.run(stage, &epoch, &mail));
                }
            }
        }
        self.gather();
    }

    /// A relation's change from outside, for each worker.
    fn distribute(&self, id: NodeId, deltas: Vec<Delta>) -> Result<ByWorker> {
        let workers = self.workers.len();
        let rows: usize = deltas.iter().map(Delta::num_rows).sum();
        let Some(entrance) = &self.nodes[id].entrance else { return Ok(slice(deltas, workers)) };
        let Some(pool) = self.pool.as_ref().filter(|_| rows >= ROWS_PARALLEL_MIN) else {
            return entrance.sort(&deltas, workers);
        };
        let unsorted = slice(deltas, workers).into_iter();
        let mut shares: Vec<_> = unsorted.map(|slice| (slice, Ok(ByWorker::new()))).collect();
        side_by_side(pool, &mut shares, |(slice, sorted): &mut (Vec<Delta>, Result<ByWorker>)| {
            *sorted = entrance.sort(slice, workers);
        });
        let mut parts: ByWorker = vec![Vec::new(); workers];
        for (_, sorted) in shares {
            for (part, deltas) in parts.iter_mut().zip(sorted?) {
                part.extend(deltas);
            }
        }
        Ok(parts)
    }

    /// Workers that have something to do at a node.
    pub(super) fn workers_at(&self, node: NodeId) -> std::ops::Range<usize> {
        match self.nodes[node].owner {
            Owner::First => 0..1,
            Owner::ByKey(_) | Owner::Beside(_) | Owner::Any => 0..self.workers.len(),
        }
    }

    /// Takes note of what the workers did.
    pub(super) fn gather(&mut self) {
        for (id, node) in self.nodes.iter_mut().enumerate() {
            if self.workers.iter().any(|worker| worker.slots[id].is_busy) {
                let slots = self.workers.iter().map(|worker| &worker.slots[id]);
                node.state_bytes = slots.map(|slot| slot.operator.state_bytes()).sum();
            }
            for worker in &mut self.workers {
                let slot = &mut worker.slots[id];
                node.is_changed |= slot.is_busy;
                if let Some(failure) = slot.failure.take() {
                    node.failure.get_or_insert(failure);
                }
            }
        }
    }

    /// What a node gave in the run before.
    pub fn take_output(&mut self, id: NodeId) -> Vec<Delta> {
        let outputs = self.workers.iter_mut().map(|worker| &mut worker.slots[id].output);
        outputs.flat_map(std::mem::take).collect()
    }
}
