//! New nodes take over what nodes of another graph have computed.

use super::{Graph, NodeId, Phase};
use crate::{Error, Fault, Result};

impl Graph {
    /// Takes the operators of the fresh nodes, the first of which is at `first`, out of a graph of as many workers in which the same
    /// has been computed. What that graph lacks stays fresh.
    ///
    /// # Errors
    /// [`Error::Stopped`] when a node failed there. [`Error::Definition`] when a node would go on from floats that
    /// were summed up here in another order than there: a row that is taken back might not be found.
    pub fn adopt(&mut self, view: &str, first: NodeId, other: &mut Self) -> Result<()> {
        for id in first..self.nodes.len() {
            let theirs = other.by_fingerprint.get(&self.nodes[id].fingerprint).copied();
            let theirs = theirs.filter(|theirs| other.nodes[*theirs].phase == Phase::Live);
            let Some(theirs) = theirs.filter(|_| self.nodes[id].phase == Phase::Fresh) else {
                continue;
            };
            if let Some(reason) = other.nodes[theirs].failure.clone() {
                return Err(Error::Stopped { view: view.to_owned(), reason });
            }
            let mut shared = self.nodes[id].spec.inputs.iter().filter(|input| **input < first);
            if let Some(input) = shared.find(|input| self.may_differ(**input)) {
                let problem = format!(
                    "it goes on from floats that are summed up for other views already ({}), and such sums \
                     depend on the order of their rows",
                    self.nodes[*input].spec.description
                );
                let fault =
                    Fault::of_view(view, problem, None).with_help("sum up decimals instead");
                return Err(Error::Definition(Box::new(fault)));
            }
            for (own, their) in self.workers.iter_mut().zip(&mut other.workers) {
                let (own, their) = (&mut own.slots[id], &mut their.slots[theirs]);
                std::mem::swap(&mut own.operator, &mut their.operator);
            }
            self.nodes[id].phase = Phase::Live;
        }
        Ok(())
    }

    /// Whether a node that computes the same from the same rows may hold other values than this one.
    fn may_differ(&self, id: NodeId) -> bool {
        let inputs = &self.nodes[id].spec.inputs;
        self.workers[0].slots[id].operator.depends_on_order()
            || inputs.iter().any(|input| self.may_differ(*input))
    }
}
