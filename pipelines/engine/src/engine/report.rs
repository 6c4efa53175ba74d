//! What the views are made of and what they cost.

use std::collections::HashSet;

use super::{Engine, Version};
use crate::graph::NodeId;
use crate::{Explain, OperatorReport, Result, WorkTime};

impl Engine {
    /// The operators of a view with their state and work.
    pub fn explain(&self, view: &str) -> Result<Explain> {
        let Version { definition, node: id, .. } = &self.view(view)?.current;
        let users: Vec<HashSet<NodeId>> =
            self.views.iter().map(|view| self.upstream(view.current.node)).collect();
        let node = &self.graph.nodes[*id];
        Ok(Explain {
            view: definition.name.clone(),
            root: self.report(node.spec.inputs[0], &users),
            snapshot_rows: self.graph.operators(*id).map(|kept| kept.state_rows()).sum(),
            snapshot_bytes: self.graph.operators(*id).map(|kept| kept.state_bytes()).sum(),
            failure: node.failure.clone(),
        })
    }

    /// A node and all it reads, directly or not.
    pub(super) fn upstream(&self, node: NodeId) -> HashSet<NodeId> {
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
            time: self.config.stopwatch.map(|_| WorkTime {
                total: meter.time,
                worst: meter.time_max,
                epochs: meter.epochs,
            }),
            recomputes: node.spec.recomputes.clone(),
            failure: node.failure.clone(),
            inputs: node.spec.inputs.iter().map(|input| self.report(*input, users)).collect(),
        }
    }
}
