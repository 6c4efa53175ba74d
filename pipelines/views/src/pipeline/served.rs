//! The views as they stand from one epoch on, with what readers follow them by.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_events::Position;
use parking_lot::Mutex;

use super::PipelineOptions;
use super::definitions::Definitions;
use super::ring::Ring;
use crate::{Registry, Serve, View};

/// Recent changes of one view.
pub(super) type SharedRing = Arc<Mutex<Ring>>;

/// Views that are kept true; a new one of these is made whenever a view comes, changes or goes.
#[derive(Debug)]
pub(super) struct Served {
    pub registry: Arc<Registry>,
    /// Those read live, by name.
    live: BTreeMap<String, usize>,
    /// In the order of the indices.
    views: Vec<(Arc<View>, SharedRing)>,
}

impl Served {
    /// The views of `registry`. Those that are the same in `before` are followed as before.
    pub fn new(
        options: &PipelineOptions,
        registry: Registry,
        definitions: &Definitions,
        before: Option<&Self>,
    ) -> Self {
        let live = registry.views().iter().filter(|view| view.serve == Serve::Live);
        let views: Vec<(Arc<View>, SharedRing)> = live
            .map(|view| {
                let since = definitions.get(&view.name).and_then(|view| view.live.as_ref());
                let since = since.map(|live| live.since);
                let known = before.and_then(|before| {
                    let (known, ring) = &before.views[before.index(&view.name)?];
                    let is_same =
                        known.fingerprint == view.fingerprint && ring.lock().since() == since;
                    is_same.then(|| Arc::clone(ring))
                });
                let ring = known.unwrap_or_else(|| {
                    let (rows, epochs) = (options.retained_rows_max, options.retained_epochs_max);
                    Arc::new(Mutex::new(Ring::new(since, rows, epochs)))
                });
                (Arc::clone(view), ring)
            })
            .collect();
        let live = views.iter().enumerate().map(|(at, (view, _))| (view.name.clone(), at));
        Self { registry: Arc::new(registry), live: live.collect(), views }
    }

    /// The place of a live view.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.live.get(name).copied()
    }

    pub fn live(&self) -> impl Iterator<Item = &Arc<View>> {
        self.views.iter().map(|(view, _)| view)
    }

    pub fn view(&self, index: usize) -> &Arc<View> {
        &self.views[index].0
    }

    pub fn ring(&self, index: usize) -> &SharedRing {
        &self.views[index].1
    }

    /// Forgets retained changes: streams can resume only behind `position`.
    pub fn reset_rings(&self, position: Position) {
        self.views.iter().for_each(|(_, ring)| ring.lock().reset(position));
    }
}
