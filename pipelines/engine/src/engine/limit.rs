//! What views keep stays within a limit: the one that needs most is stopped, the others go on.

use std::collections::HashSet;

use super::Engine;
use crate::graph::NodeId;
use crate::{Error, Result};

impl Engine {
    /// Stops the view that needs most until the others fit.
    pub(super) fn keep_within_limit(&mut self) -> Result<()> {
        loop {
            let kept: usize = self.kept_by_views().map(|id| self.graph.nodes[id].state_bytes).sum();
            if kept <= self.config.state_bytes_max {
                return Ok(());
            }
            let Some(node) = self.neediest(kept) else { return Ok(()) };
            self.stop_to_fit(node, kept)?;
        }
    }

    /// Nodes whose rows only views need.
    fn kept_by_views(&self) -> impl Iterator<Item = NodeId> {
        (0..self.graph.nodes.len()).filter(|id| !self.graph.nodes[*id].spec.inputs.is_empty())
    }

    /// The ends of all views that go on, and of those that are to replace one.
    fn running(&self) -> Vec<NodeId> {
        let versions = self.views.iter().flat_map(|view| [Some(&view.current), view.next.as_ref()]);
        let nodes = versions.flatten().map(|version| version.node);
        nodes.filter(|node| self.graph.nodes[*node].failure.is_none()).collect()
    }

    /// The end of the view that needs most; what several views read is shared out among them.
    fn neediest(&self, kept: usize) -> Option<NodeId> {
        let running = self.running();
        let upstream: Vec<HashSet<NodeId>> =
            running.iter().map(|node| self.upstream(*node)).collect();
        let mut needs = vec![0; running.len()];
        for id in self.kept_by_views() {
            let readers: Vec<usize> =
                (0..running.len()).filter(|view| upstream[*view].contains(&id)).collect();
            let share = self.graph.nodes[id].state_bytes / readers.len().max(1);
            readers.into_iter().for_each(|view| needs[view] += share);
        }
        let most = needs.iter().copied().max().filter(|most| *most > 0 && *most <= kept)?;
        let view = needs.iter().position(|need| *need == most)?;
        Some(running[view])
    }

    /// Stops a view with those that read it, and forgets what no other view needs.
    fn stop_to_fit(&mut self, node: NodeId, kept: usize) -> Result<()> {
        let upstream = self.upstream(node);
        let nodes = &self.graph.nodes;
        let keeps = || upstream.iter().filter(|id| !nodes[**id].spec.inputs.is_empty());
        let own = keeps().map(|id| nodes[*id].state_bytes).sum();
        let largest = keeps().max_by_key(|id| (nodes[**id].state_bytes, **id));
        let largest = largest.map(|id| &nodes[*id]).expect("it is among them itself");
        let reason = Error::OverLimit {
            kept,
            max: self.config.state_bytes_max,
            own,
            operator: largest.spec.description.clone(),
            operator_bytes: largest.state_bytes,
        };
        let reason = reason.to_string();
        self.graph.give_up(node, &reason)?;
        self.graph.spread_failures();
        let needed: HashSet<NodeId> =
            self.running().into_iter().flat_map(|node| self.upstream(node)).collect();
        let unneeded: Vec<NodeId> =
            self.kept_by_views().filter(|id| !needed.contains(id)).collect();
        unneeded.into_iter().try_for_each(|id| self.graph.give_up(id, &reason))
    }
}
