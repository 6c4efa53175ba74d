//! What people may ask of the views they define: whether a definition would do, and how far it is.

use std::sync::Arc;

use super::definitions::Definition;
use super::fill::Progress;
use super::{DefinitionState, DefinitionStatus, PipelineHandle};
use crate::{Error, Result, View};

/// What becomes of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// There is nothing of that name yet.
    Create,
    /// There is, and it is to hold something else.
    Replace,
}

impl PipelineHandle {
    /// Every view that was defined while the system ran, by name.
    #[must_use]
    pub fn definitions(&self) -> Vec<DefinitionStatus> {
        let report = self.hub.report();
        let filling = report.filling.as_ref();
        let status = |(name, definition): (&str, &Definition)| {
            let progress = filling.filter(|(filling, _)| filling == name).map(|(_, p)| &**p);
            let mut stopped = report.stopped_views.iter();
            let stopped = stopped.find(|stopped| stopped.view == name);
            status(name, definition, progress, stopped.map(|stopped| &*stopped.reason))
        };
        report.definitions.iter().filter_map(status).collect()
    }

    /// # Errors
    /// [`Error::UnknownView`] when nobody has defined it.
    pub fn definition(&self, name: &str) -> Result<DefinitionStatus> {
        let found = self.definitions().into_iter().find(|definition| definition.name == name);
        found.ok_or_else(|| Error::UnknownView { name: name.to_owned() })
    }

    /// Whether `text`, header lines and one `select`, would do as the view `name`; gives it as it would be.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::ProductView`], [`Error::UnknownView`]; what is wrong with header or SQL, with
    /// the place in the text; what the engine refuses; [`Error::Reader`] when a view that reads it would not go
    /// with it.
    pub async fn check(&self, name: &str, text: &str, intent: Intent) -> Result<Arc<View>> {
        let product = &self.hub.options.registry;
        let is_defined = self.definition(name).is_ok();
        match intent {
            _ if product.get(name).is_ok() => {
                return Err(Error::ProductView { name: name.to_owned() });
            }
            Intent::Create if is_defined => return Err(Error::NameTaken { name: name.to_owned() }),
            Intent::Replace if !is_defined => {
                return Err(Error::UnknownView { name: name.to_owned() });
            }
            _ => {}
        }
        let hub = Arc::clone(&self.hub);
        let (name, text) = (name.to_owned(), text.to_owned());
        let work = move || {
            let wanted = hub.report().definitions.wanted();
            let registry = hub.options.registry.defining(&wanted, &name, &text)?;
            let readers = registry.readers(&name);
            let readers = readers.iter().map(|reader| reader.name.as_str());
            let names: Vec<&str> = std::iter::once(name.as_str()).chain(readers).collect();
            registry.engine(hub.options.engine.clone(), &names)?;
            registry.get(&name).map(Arc::clone)
        };
        let worked = tokio::task::spawn_blocking(work).await;
        worked.map_err(|error| Error::Stopped { reason: error.to_string() })?
    }

    /// Whether the view `name` can be dropped.
    ///
    /// # Errors
    /// [`Error::ProductView`], [`Error::UnknownView`], [`Error::HasReaders`].
    pub fn check_drop(&self, name: &str) -> Result<()> {
        let product = &self.hub.options.registry;
        if product.get(name).is_ok() {
            return Err(Error::ProductView { name: name.to_owned() });
        }
        self.definition(name)?;
        let (wanted, _) = product.extended(&self.hub.report().definitions.wanted())?;
        let readers = wanted.readers(name);
        if readers.is_empty() {
            return Ok(());
        }
        let readers: Vec<&str> = readers.iter().map(|reader| reader.name.as_str()).collect();
        Err(Error::HasReaders { name: name.to_owned(), readers: readers.join(", ") })
    }
}

/// How far a view is; none of one that is nothing and will be nothing.
fn status(
    name: &str,
    definition: &Definition,
    progress: Option<&Progress>,
    stopped: Option<&str>,
) -> Option<DefinitionStatus> {
    let (text, position, state) = match (&definition.next, &definition.live) {
        (Some(next), _) => {
            let state = match (&next.problem, progress) {
                (Some(problem), _) => DefinitionState::Failed { problem: problem.clone() },
                (None, Some(progress)) => DefinitionState::Filling { percent: progress.percent() },
                (None, None) => DefinitionState::Waiting,
            };
            (&next.text, next.at, state)
        }
        (None, Some(live)) => {
            let state = match stopped {
                Some(reason) => DefinitionState::Failed { problem: reason.to_owned() },
                None => DefinitionState::Live,
            };
            (&live.text, live.since, state)
        }
        (None, None) => return None,
    };
    Some(DefinitionStatus {
        name: name.to_owned(),
        text: text.clone(),
        position,
        is_served: definition.live.is_some() && stopped.is_none(),
        state,
    })
}
