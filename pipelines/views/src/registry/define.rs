//! Views that people define while the system runs, beside those from files.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use millrace_engine::{Engine, EngineConfig};

use super::plan::Planner;
use super::{Draft, Mart, Registry, Serve, View, header, in_order};
use crate::{Error, Result};

/// Letters of a name, at most.
const NAME_MAX: usize = 63;

/// Texts of views by name: header lines and one `select` each.
pub type Texts = BTreeMap<String, String>;

impl Registry {
    /// These views and those that `texts` define. What can't be had is left out, with the reason.
    ///
    /// # Errors
    /// Only what would make these views themselves unusable.
    pub fn extended(&self, texts: &Texts) -> Result<(Self, BTreeMap<String, Error>)> {
        let mut refused = BTreeMap::new();
        let mut drafts = BTreeMap::new();
        for (name, text) in texts {
            match self.require_free(name).and_then(|()| Draft::defined(name, text)) {
                Ok(draft) => {
                    drafts.insert(name.clone(), draft);
                }
                Err(error) => {
                    refused.insert(name.clone(), error);
                }
            }
        }
        let tables: HashMap<_, _> =
            self.events.iter().map(|(n, s)| (n.clone(), Arc::clone(s))).collect();
        let planner = Planner::new(&tables)?;
        for view in &self.views {
            planner.declare(&view.name, Arc::clone(&view.schema))?;
        }
        let order = match in_order(&drafts) {
            Ok(order) => order,
            Err(Error::Circle { names }) => {
                for name in drafts.into_keys() {
                    refused.entry(name).or_insert(Error::Circle { names: names.clone() });
                }
                return Ok((self.clone(), refused));
            }
            Err(error) => return Err(error),
        };
        let mut extended = self.clone();
        for name in order {
            let draft = drafts.remove(&name).expect("each name is ordered once");
            let columns = planner.columns(&name, &draft.text);
            match columns.and_then(|columns| draft.finish(columns, &extended.views, &self.events)) {
                Ok(view) => extended.views.push(Arc::new(view)),
                Err(error) => {
                    refused.insert(name, error);
                }
            }
        }
        Ok((extended, refused))
    }

    /// These views, those of `texts`, and `name` as `text` defines it in place of what it was.
    ///
    /// # Errors
    /// What is wrong with it; [`Error::Reader`] when a view that reads it does not go with it.
    pub fn defining(&self, texts: &Texts, name: &str, text: &str) -> Result<Self> {
        let mut next = texts.clone();
        next.insert(name.to_owned(), text.to_owned());
        let (registry, mut refused) = self.extended(&next)?;
        if let Some(error) = refused.remove(name) {
            return Err(error);
        }
        if refused.is_empty() {
            return Ok(registry);
        }
        // Others may have been impossible before.
        let (_, impossible) = self.extended(texts)?;
        match refused.into_iter().find(|(reader, _)| !impossible.contains_key(reader)) {
            Some((reader, source)) => {
                Err(Error::Reader { view: name.to_owned(), reader, source: Box::new(source) })
            }
            None => Ok(registry),
        }
    }

    fn require_free(&self, name: &str) -> Result<()> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(is_plain)
            && name.len() <= NAME_MAX;
        if !is_name {
            let problem = format!(
                "a view's name is lower case letters, digits and _, begins with a letter and has at most \
                 {NAME_MAX} of them"
            );
            return Err(Error::File { file: name.to_owned(), problem });
        }
        if self.events.contains_key(name) {
            let problem = "an event has that name: choose another".to_owned();
            return Err(Error::File { file: name.to_owned(), problem });
        }
        match self.get(name) {
            Ok(_) => Err(Error::ProductView { name: name.to_owned() }),
            Err(_) => Ok(()),
        }
    }

    /// An engine, not fed yet, with the events, the views `names` and all they read.
    ///
    /// # Errors
    /// [`Error::UnknownView`]; what the engine refuses.
    pub fn engine(&self, config: EngineConfig, names: &[&str]) -> Result<Engine> {
        let mut engine = Engine::new(config)?;
        for relation in self.relations() {
            engine.create_relation(relation)?;
        }
        for view in self.closure_of(names)? {
            engine.create_view(view.definition())?;
        }
        Ok(engine)
    }
}

impl Draft {
    /// A view from no file: its header has to name the key only.
    fn defined(name: &str, text: &str) -> Result<Self> {
        let (mut header, sql) = header::parse(name, text)?;
        header.require(name, &["key"])?;
        if header.mart != Mart::None {
            let problem = "marts are filled from views in files: leave `mart` out".to_owned();
            return Err(Error::File { file: name.to_owned(), problem });
        }
        if !header.given.iter().any(|given| given == "serve") {
            header.serve = Serve::Live;
        }
        if header.title.is_empty() {
            header.title = name.replace('_', " ");
        }
        if header.grain.is_empty() {
            header.grain = match header.key.join(", ") {
                key if key.is_empty() => "rows may repeat".to_owned(),
                key => format!("one row per {key}"),
            };
        }
        Self::new(name, name, View::DEFINED, header, sql, text)
    }
}
