//! Nodes that nothing needs any more go.

use super::{Graph, NodeId};

impl Graph {
    /// Keeps the `needed` nodes and all they read, and gives each node's new place.
    pub fn keep(&mut self, needed: Vec<NodeId>) -> Vec<Option<NodeId>> {
        let mut is_needed = vec![false; self.nodes.len()];
        needed.into_iter().for_each(|id| is_needed[id] = true);
        // Inputs come before the nodes that read them.
        for id in (0..self.nodes.len()).rev().filter(|id| is_needed[*id]).collect::<Vec<_>>() {
            self.mark_inputs(id, &mut is_needed);
        }
        let mut next = 0;
        let places: Vec<Option<NodeId>> = is_needed
            .iter()
            .map(|is_needed| {
                is_needed.then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        if next == self.nodes.len() {
            return places;
        }
        let mut index = 0..places.len();
        self.nodes.retain(|_| index.next().is_some_and(|id| is_needed[id]));
        for worker in &mut self.workers {
            let mut index = 0..places.len();
            worker.slots.retain(|_| index.next().is_some_and(|id| is_needed[id]));
        }
        let place = |id: NodeId| places[id].expect("what is read is kept");
        self.by_fingerprint = self
            .by_fingerprint
            .drain()
            .filter_map(|(print, id)| Some((print, places[id]?)))
            .collect();
        for node in &mut self.nodes {
            node.spec.inputs.iter_mut().for_each(|input| *input = place(*input));
            node.inputs.iter_mut().for_each(|input| input.node = place(input.node));
        }
        for stage in &mut self.stages {
            *stage = stage.iter().filter_map(|id| places[*id]).collect();
        }
        self.keep_exchanges(&places);
        self.move_filling(&places);
        places
    }

    fn mark_inputs(&self, id: NodeId, is_needed: &mut [bool]) {
        for input in &self.nodes[id].spec.inputs {
            if !std::mem::replace(&mut is_needed[*input], true) {
                self.mark_inputs(*input, is_needed);
            }
        }
    }

    /// Drops exchanges that no node reads.
    fn keep_exchanges(&mut self, places: &[Option<NodeId>]) {
        let mut kept = Vec::new();
        let mut new_places = vec![None; self.exchanges.len()];
        for (at, mut exchange) in std::mem::take(&mut self.exchanges).into_iter().enumerate() {
            let reads =
                |id: &NodeId| self.nodes[*id].inputs.iter().any(|input| input.exchange == Some(at));
            let Some(consumer) = (0..self.nodes.len()).find(reads) else { continue };
            let Some(producer) = places[exchange.producer] else { continue };
            (exchange.producer, exchange.consumer) = (producer, consumer);
            new_places[at] = Some(kept.len());
            kept.push(exchange);
        }
        self.exchanges = kept;
        let inputs = self.nodes.iter_mut().flat_map(|node| &mut node.inputs);
        inputs.for_each(|input| input.exchange = input.exchange.and_then(|at| new_places[at]));
    }
}
