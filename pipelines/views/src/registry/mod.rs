//! All views, in an order in which each reads only earlier ones.

mod define;
mod header;
mod plan;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millrace_engine::{Relation, RelationKind, ViewDefinition};
use millrace_events::catalogue;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::{Error, Result};
pub use define::Texts;
use plan::Planner;
pub use view::{Mart, Serve, View};

#[derive(RustEmbed)]
#[folder = "staging/"]
#[prefix = "staging/"]
struct Staging;

#[derive(RustEmbed)]
#[folder = "core/"]
#[prefix = "core/"]
struct Core;

#[derive(RustEmbed)]
#[folder = "live/"]
#[prefix = "live/"]
struct Live;

/// The text of an embedded file, such as `live/live_low_stock.test.toml`.
pub(crate) fn embedded(path: &str) -> Option<String> {
    let file = Staging::get(path).or_else(|| Core::get(path)).or_else(|| Live::get(path))?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// The views of an installation and the events they read.
#[derive(Clone, Debug)]
pub struct Registry {
    views: Vec<Arc<View>>,
    events: BTreeMap<String, SchemaRef>,
}

impl Registry {
    /// The ERP's views over the catalogue's events.
    ///
    /// # Errors
    /// A file's name, header or SQL is wrong; the message names file, line and what to write.
    pub fn load() -> Result<Self> {
        let paths = Staging::iter().chain(Core::iter()).chain(Live::iter());
        let sql = paths.filter(|path| path.ends_with(".sql"));
        let files = sql.filter_map(|path| Some((path.to_string(), embedded(&path)?))).collect();
        let events = catalogue::EVENTS.iter().map(|spec| (spec.table_name(), spec.arrow_schema()));
        Self::of(files, events.collect())
    }

    /// The views in `files` (path, text) over `events` (name, columns).
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of(files: Vec<(String, String)>, events: BTreeMap<String, SchemaRef>) -> Result<Self> {
        let mut drafts = BTreeMap::new();
        for (path, text) in files {
            let draft = Draft::read(&path, &text)?;
            if events.contains_key(&draft.name) || drafts.contains_key(&draft.name) {
                let problem = "there is an event or a view of that name: choose another".to_owned();
                return Err(Error::File { file: path, problem });
            }
            drafts.insert(draft.name.clone(), draft);
        }
        let tables: HashMap<_, _> =
            events.iter().map(|(name, schema)| (name.clone(), Arc::clone(schema))).collect();
        let planner = Planner::new(&tables)?;
        let mut views: Vec<Arc<View>> = Vec::with_capacity(drafts.len());
        for name in in_order(&drafts)? {
            let draft = drafts.remove(&name).expect("each name is ordered once");
            let columns = planner.columns(&draft.name, &draft.text)?;
            let view = draft.finish(columns, &views, &events)?;
            views.push(Arc::new(view));
        }
        Ok(Self { views, events })
    }

    /// Every view, each behind those it reads.
    #[must_use]
    pub fn views(&self) -> &[Arc<View>] {
        &self.views
    }

    /// # Errors
    /// [`Error::UnknownView`].
    pub fn get(&self, name: &str) -> Result<&Arc<View>> {
        let found = self.views.iter().find(|view| view.name == name);
        found.ok_or_else(|| Error::UnknownView { name: name.to_owned() })
    }

    /// Columns of each event's relation, by name.
    #[must_use]
    pub fn events(&self) -> &BTreeMap<String, SchemaRef> {
        &self.events
    }

    /// The events' relations as the engine wants them: rows only ever come.
    #[must_use]
    pub fn relations(&self) -> Vec<Relation> {
        let relation = |(name, schema): (&String, &SchemaRef)| Relation {
            name: name.clone(),
            schema: Arc::clone(schema),
            kind: RelationKind::Append,
        };
        self.events.iter().map(relation).collect()
    }

    /// The views as the engine wants them; those served live keep their rows.
    #[must_use]
    pub fn definitions(&self) -> Vec<ViewDefinition> {
        self.views.iter().map(|view| view.definition()).collect()
    }

    /// The views that `name` reads, directly or not, and itself, in order.
    ///
    /// # Errors
    /// [`Error::UnknownView`].
    pub fn closure(&self, name: &str) -> Result<Vec<Arc<View>>> {
        self.closure_of(&[name])
    }

    /// The views that `names` read, directly or not, and themselves, in order.
    ///
    /// # Errors
    /// [`Error::UnknownView`].
    pub fn closure_of(&self, names: &[&str]) -> Result<Vec<Arc<View>>> {
        let wanted = names.iter().map(|name| Ok(self.get(name)?.name.as_str()));
        let mut wanted = wanted.collect::<Result<Vec<_>>>()?;
        let mut found = Vec::new();
        for view in self.views.iter().rev() {
            if wanted.contains(&view.name.as_str()) {
                wanted.extend(view.reads.iter().map(String::as_str));
                found.push(Arc::clone(view));
            }
        }
        found.reverse();
        Ok(found)
    }

    /// The views that read `name`, directly or not, in order.
    #[must_use]
    pub fn readers(&self, name: &str) -> Vec<Arc<View>> {
        let mut read = vec![name];
        let mut found = Vec::new();
        for view in &self.views {
            if view.reads.iter().any(|name| read.contains(&name.as_str())) {
                read.push(&view.name);
                found.push(Arc::clone(view));
            }
        }
        found
    }
}

/// A file read, before its columns are known.
struct Draft {
    path: String,
    name: String,
    area: String,
    header: header::Header,
    sql: String,
    text: String,
    reads: Vec<String>,
}

impl Draft {
    fn read(path: &str, text: &str) -> Result<Self> {
        let refused =
            |problem: &str| Error::File { file: path.to_owned(), problem: problem.into() };
        let (area, file) =
            path.split_once('/').ok_or_else(|| refused("a view lies in a folder"))?;
        let name = file.trim_end_matches(".sql");
        let prefixes: &[&str] = match area {
            "staging" => &["stg_"],
            "core" => &["int_", "dim_", "fct_"],
            "live" => &["live_"],
            _ => return Err(refused("the folders are staging, core and live")),
        };
        if !prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(refused(&format!("names in {area}/ begin with {}", prefixes.join(" or "))));
        }
        let (header, sql) = header::parse(path, text)?;
        header.require(path, &["title", "grain", "key", "serve", "mart"])?;
        Self::new(path, name, area, header, sql, text)
    }

    fn new(
        path: &str,
        name: &str,
        area: &str,
        header: header::Header,
        sql: &str,
        text: &str,
    ) -> Result<Self> {
        let reads = plan::reads(name, text)?;
        let (path, name, area) = (path.to_owned(), name.to_owned(), area.to_owned());
        Ok(Self { path, name, area, header, sql: sql.to_owned(), text: text.to_owned(), reads })
    }

    fn finish(
        self,
        schema: SchemaRef,
        earlier: &[Arc<View>],
        events: &BTreeMap<String, SchemaRef>,
    ) -> Result<View> {
        let refused = |problem: String| Error::File { file: self.path.clone(), problem };
        let Draft { header, .. } = &self;
        let mut named = header.named.iter();
        if let Some((line, column)) = named.find(|(_, name)| schema.index_of(name).is_err()) {
            let columns: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            let problem = format!(
                "the header names column {column}, which the select lacks; it has {}",
                columns.join(", ")
            );
            return Err(Error::Header { file: self.path.clone(), line: *line, problem });
        }
        if header.mart == Mart::Current && header.key.is_empty() {
            return Err(refused("a current mart needs a key: one row is kept per key".into()));
        }
        if header.serve == Serve::Live && header.key.is_empty() {
            return Err(refused("a live view needs a key: changes are told by key".into()));
        }
        if header.mart == Mart::History && schema.index_of("position").is_err() {
            return Err(refused(
                "a history mart needs column position: rows are told apart by the event they come \
                 from when an epoch is repeated"
                    .into(),
            ));
        }
        let mut hash = Sha256::new();
        hash.update(format!("{}\0{:?}\0{:?}\0{}", self.name, header.key, header.mart, self.sql));
        for name in &self.reads {
            let read_view = earlier.iter().find(|view| view.name == *name);
            match read_view {
                Some(view) => hash.update(&view.fingerprint),
                None => hash.update(format!("{name} {:?}", events.get(name))),
            }
        }
        Ok(View {
            name: self.name,
            area: self.area,
            title: self.header.title,
            grain: self.header.grain,
            key: self.header.key,
            serve: self.header.serve,
            mart: self.header.mart,
            column_docs: self.header.columns,
            docs: self.header.docs,
            sql: self.sql,
            text: self.text,
            schema,
            reads: self.reads,
            fingerprint: hex::encode(&hash.finalize()[..8]),
        })
    }
}

/// Names so that each comes behind those it reads.
fn in_order(drafts: &BTreeMap<String, Draft>) -> Result<Vec<String>> {
    let mut ordered: Vec<String> = Vec::with_capacity(drafts.len());
    while ordered.len() < drafts.len() {
        let waiting: Vec<&Draft> =
            drafts.values().filter(|draft| !ordered.contains(&draft.name)).collect();
        let is_ready = |draft: &&&Draft| {
            draft.reads.iter().all(|name| !drafts.contains_key(name) || ordered.contains(name))
        };
        let ready: Vec<String> = waiting.iter().filter(is_ready).map(|d| d.name.clone()).collect();
        if ready.is_empty() {
            let names: Vec<&str> = waiting.iter().map(|draft| draft.name.as_str()).collect();
            return Err(Error::Circle { names: names.join(", ") });
        }
        ordered.extend(ready);
    }
    Ok(ordered)
}
