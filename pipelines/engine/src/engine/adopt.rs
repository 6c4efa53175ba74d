//! Views that come with the state that another engine has filled.

use std::borrow::Borrow;

use super::{Engine, Version};
use crate::graph::{Graph, NodeId, Phase};
use crate::{Error, Fault, Result, ViewDefinition};

/// Where the state of new nodes comes from.
pub(super) struct Filled<'a> {
    pub graph: &'a mut Graph,
    /// Nodes from here on are new.
    pub first_new: NodeId,
}

impl Engine {
    /// Declares a view, or gives one another definition, with the state that `filled` has of it. That is an
    /// engine with the same relations, the view and those that read it, fed from the start with the same rows.
    /// So a view comes over relations whose rows have passed and are not kept.
    ///
    /// What this engine has already stays; what is new in the view is live at once, without an epoch, and so are
    /// the new definitions of views that read it. Gives the names of the views that are new or changed.
    ///
    /// # Errors
    /// As [`Self::create_view`] and [`Self::replace_view`]; [`Error::Apart`] when `filled` is at another cut or
    /// time; [`Error::Stopped`] when the view failed there; [`Error::HistoryGone`] when it lacks a part of the
    /// view. The views are left as they were.
    pub fn adopt_view(
        &mut self,
        definition: ViewDefinition,
        mut filled: Self,
    ) -> Result<Vec<String>> {
        let name = definition.name.clone();
        if self.cut != filled.cut || self.now() != filled.now() {
            return Err(Error::Apart { view: name });
        }
        if self.graph.workers() != filled.graph.workers() {
            let fault =
                Fault::of_view(&name, "it was filled by an engine with other workers", None);
            return Err(Error::Definition(Box::new(fault.with_help("give both engines as many"))));
        }
        let first_new = self.graph.nodes.len();
        let graph = &mut filled.graph;
        let mut filled = Filled { graph, first_new };
        let Ok(index) = self.index_of(&name) else {
            self.require_free(&name)?;
            let version = self.version(definition, Some(&mut filled));
            let version = version.and_then(|version| self.require_live(version));
            let version = version.inspect_err(|_| self.graph.truncate(first_new))?;
            self.add_view(version)?;
            return Ok(vec![name]);
        };
        if self.graph.is_filling() {
            let rows_waiting = self.graph.rows_waiting();
            return Err(Error::Filling { view: name, rows_waiting });
        }
        let readers = self.readers(index);
        let mut next = Vec::new();
        let outcome =
            self.next_versions(index, definition, &readers, Some(&mut filled), &mut next).and_then(
                |()| next.iter().try_for_each(|(_, version)| self.require_live(version).map(drop)),
            );
        if outcome.is_err() {
            self.take_back(&next, first_new)?;
            outcome?;
        }
        let mut changed = Vec::new();
        for (index, version) in next {
            let view = &mut self.views[index];
            if view.current.node != version.node {
                changed.push(version.definition.name.clone());
                view.is_stopped = false;
            }
            view.current = version;
        }
        self.forget_unused();
        Ok(changed)
    }

    fn require_live<V: Borrow<Version>>(&self, version: V) -> Result<V> {
        let Version { definition, node, .. } = version.borrow();
        if self.graph.nodes[*node].phase != Phase::Live {
            let problem = "the engine that was to bring its state does not have it";
            let fault = Fault::of_view(&definition.name, problem, None);
            return Err(Error::Definition(Box::new(fault)));
        }
        Ok(version)
    }
}
