//! Relations and views come, change and go.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::adopt::Filled;
use super::{Engine, Version, View};
use crate::consolidation::Consolidation;
use crate::fault::{Fault, Text, closest, two_columns};
use crate::graph::{NodeId, NodeSpec, Phase, Placement, RELATION};
use crate::operator::{Output, Source};
use crate::plan::{self, CLOCK, CLOCK_KEY};
use crate::{Error, Relation, RelationKind, Result, ViewDefinition};

impl Engine {
    pub(super) fn require_free(&self, name: &str) -> Result<()> {
        if self.catalog.contains_key(name) {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        if name.is_empty() || name.starts_with("__") || name.chars().any(char::is_uppercase) {
            let problem = "a name is lower case, not empty, and does not begin with __".to_owned();
            let fault = Fault { subject: format!("{name:?}"), problem, place: None, help: None };
            return Err(Error::Definition(Box::new(fault)));
        }
        Ok(())
    }

    /// Declares a table that will be fed.
    pub fn create_relation(&mut self, relation: Relation) -> Result<()> {
        self.require_free(&relation.name)?;
        self.add_relation(relation)
    }

    /// The relation that each epoch sets to its time, for views that ask for it.
    pub(super) fn create_clock(&mut self) -> Result<()> {
        let kind = RelationKind::Upsert { key: vec![CLOCK_KEY.to_owned()] };
        self.add_relation(Relation { name: CLOCK.to_owned(), schema: plan::clock_schema(), kind })
    }

    fn add_relation(&mut self, relation: Relation) -> Result<()> {
        let Relation { name, schema, kind } = relation;
        if let RelationKind::Upsert { key } = &kind
            && key.is_empty()
        {
            let problem = "an upsert relation needs key columns".to_owned();
            let subject = format!("relation {name}");
            let fault = Fault { subject, problem, place: None, help: None };
            return Err(Error::Definition(Box::new(fault)));
        }
        let (source_schema, source_kind) = (Arc::clone(&schema), kind.clone());
        let unique = match &kind {
            RelationKind::Upsert { key } => {
                Some(column_places(&format!("relation {name}"), &schema, key)?)
            }
            RelationKind::Append | RelationKind::Changes => None,
        };
        let node = self.graph.add(NodeSpec {
            description: format!("{RELATION}{name}"),
            definition: format!("relation {name} {kind:?} {schema:?}"),
            inputs: Vec::new(),
            schema: Arc::clone(&schema),
            is_append_only: kind == RelationKind::Append,
            placement: match &unique {
                Some(key) => Placement::by_columns(
                    key.iter().copied(),
                    key.iter().copied().map(Some).collect(),
                ),
                None => Placement::Anywhere,
            },
            unique,
            consolidation: match kind {
                RelationKind::Changes => Consolidation::Unknown,
                RelationKind::Append | RelationKind::Upsert { .. } => Consolidation::Always,
            },
            recomputes: None,
            build: Box::new(move || {
                Ok(Box::new(Source::new(Arc::clone(&source_schema), &source_kind)?) as _)
            }),
        })?;
        self.planner.declare(&name, schema)?;
        self.catalog.insert(name.clone(), node);
        self.relations.insert(name, (node, kind));
        Ok(())
    }

    /// Declares a view over relations and earlier views. It fills itself from what they hold, with the next
    /// epochs, and appears when it has caught up.
    ///
    /// # Errors
    /// SQL that does not plan or is not kept incrementally; [`Error::HistoryGone`] when the view reads a
    /// relation whose rows have passed and are not kept.
    pub fn create_view(&mut self, definition: ViewDefinition) -> Result<()> {
        self.require_free(&definition.name)?;
        let first_new = self.graph.nodes.len();
        let current =
            self.version(definition, None).inspect_err(|_| self.graph.truncate(first_new))?;
        self.add_view(current)
    }

    pub(super) fn add_view(&mut self, current: Version) -> Result<()> {
        self.planner.declare(&current.definition.name, Arc::clone(&current.schema))?;
        self.catalog.insert(current.definition.name.clone(), current.node);
        self.views.push(View { current, next: None, is_stopped: false });
        Ok(())
    }

    /// Removes a view and all state that nothing else uses.
    ///
    /// # Errors
    /// [`Error::UnknownView`]; [`Error::HasReaders`] while other views read it.
    pub fn drop_view(&mut self, name: &str) -> Result<()> {
        let index = self.index_of(name)?;
        let readers = self.readers(index);
        if !readers.is_empty() {
            let reader = |index: &usize| self.views[*index].current.definition.name.clone();
            let readers = readers.iter().map(reader).collect::<Vec<_>>().join(", ");
            return Err(Error::HasReaders { view: name.to_owned(), readers });
        }
        self.views.remove(index);
        self.catalog.remove(name);
        self.planner.forget(name)?;
        self.forget_unused();
        Ok(())
    }

    /// Gives a view another definition. It goes on as it was until the new one is filled; views that read it
    /// follow at the same moment. What neither reads it nor is new in it is not touched.
    ///
    /// A sink is then given the difference; where the columns change or no rows were kept, all rows anew
    /// ([`EpochChanges::filled`]).
    ///
    /// # Errors
    /// As [`Self::create_view`]; [`Error::Reader`] when a view that reads it does not go with it;
    /// [`Error::Filling`] while an earlier replacement is filled. The view is left as it was.
    pub fn replace_view(&mut self, definition: ViewDefinition) -> Result<()> {
        let index = self.index_of(&definition.name)?;
        if self.graph.is_filling() && self.epoch > 0 {
            let rows_waiting = self.graph.rows_waiting();
            return Err(Error::Filling { view: definition.name, rows_waiting });
        }
        let readers = self.readers(index);
        let first_new = self.graph.nodes.len();
        let mut next: Vec<(usize, Version)> = Vec::new();
        let outcome = self.next_versions(index, definition, &readers, None, &mut next);
        if outcome.is_err() {
            self.take_back(&next, first_new)?;
            return outcome;
        }
        let mut has_replaced = false;
        for (index, version) in next {
            let view = &mut self.views[index];
            let was_live = self.graph.nodes[view.current.node].phase == Phase::Live;
            if version.node == view.current.node || !was_live {
                has_replaced |= version.node != view.current.node;
                view.current = version;
            } else {
                view.next = Some(version);
            }
        }
        if has_replaced {
            self.forget_unused();
        }
        Ok(())
    }

    /// Declares views as they were before `next`, whose nodes begin at `first_new`.
    pub(super) fn take_back(&mut self, next: &[(usize, Version)], first_new: NodeId) -> Result<()> {
        for (index, _) in next {
            let Version { definition, node, schema } = self.views[*index].current.clone();
            self.redeclare(&definition.name, node, schema)?;
        }
        self.graph.truncate(first_new);
        Ok(())
    }

    /// The new versions of a view and of those that read it, each declared for the ones after it.
    pub(super) fn next_versions(
        &mut self,
        index: usize,
        definition: ViewDefinition,
        readers: &[usize],
        mut filled: Option<&mut Filled<'_>>,
        next: &mut Vec<(usize, Version)>,
    ) -> Result<()> {
        let name = definition.name.clone();
        let version = self.version(definition, filled.as_deref_mut())?;
        self.redeclare(&name, version.node, Arc::clone(&version.schema))?;
        next.push((index, version));
        for reader in readers {
            let definition = self.views[*reader].current.definition.clone();
            let reader_name = definition.name.clone();
            let version = self.version(definition, filled.as_deref_mut());
            let version = version.map_err(|error| Error::Reader {
                view: name.clone(),
                reader: reader_name.clone(),
                source: Box::new(error),
            })?;
            self.redeclare(&reader_name, version.node, Arc::clone(&version.schema))?;
            next.push((*reader, version));
        }
        Ok(())
    }

    pub(super) fn redeclare(&mut self, name: &str, node: NodeId, schema: SchemaRef) -> Result<()> {
        self.planner.forget(name)?;
        self.planner.declare(name, schema)?;
        self.catalog.insert(name.to_owned(), node);
        Ok(())
    }

    pub(super) fn index_of(&self, name: &str) -> Result<usize> {
        let index = self.views.iter().position(|view| view.current.definition.name == name);
        index.ok_or_else(|| Error::UnknownView { name: name.to_owned() })
    }

    /// Views that read the view at `index`, directly or not, in the order of their creation.
    pub(super) fn readers(&self, index: usize) -> Vec<usize> {
        let node = self.views[index].current.node;
        let reads = |other: &usize| {
            *other != index && self.upstream(self.views[*other].current.node).contains(&node)
        };
        (0..self.views.len()).filter(reads).collect()
    }

    /// Removes nodes that no relation and no view needs.
    pub(super) fn forget_unused(&mut self) {
        let versions = |view: &View| {
            std::iter::once(view.current.node).chain(view.next.as_ref().map(|next| next.node))
        };
        let relations = self.relations.values().map(|(node, _)| *node);
        let needed = relations.chain(self.views.iter().flat_map(versions)).collect();
        let places = self.graph.keep(needed);
        let place = |node: &mut NodeId| *node = places[*node].expect("what is needed is kept");
        self.relations.values_mut().for_each(|(node, _)| place(node));
        self.catalog.values_mut().for_each(place);
        for view in &mut self.views {
            place(&mut view.current.node);
            view.next.iter_mut().for_each(|next| place(&mut next.node));
        }
    }

    /// Adds the operators of a definition to the graph, with the state of those that `filled` has.
    pub(super) fn version(
        &mut self,
        definition: ViewDefinition,
        filled: Option<&mut Filled<'_>>,
    ) -> Result<Version> {
        let (node, schema) = self.lower_view(&definition)?;
        if let Some(Filled { graph, first_new }) = filled {
            self.graph.adopt(&definition.name, *first_new, graph)?;
        }
        if self.epoch > 0
            && let Some(relation) = self.graph.missing_history(node, false)
        {
            let relation = relation.to_owned();
            return Err(Error::HistoryGone { view: definition.name, relation });
        }
        Ok(Version { definition, node, schema })
    }

    fn lower_view(&mut self, definition: &ViewDefinition) -> Result<(NodeId, SchemaRef)> {
        let name = &definition.name;
        let text = Text::new(&definition.sql);
        let plan = self.planner.plan(name, &definition.sql, &text)?;
        let schema = view_schema(name, &text, plan.schema().as_arrow())?;
        let key = column_places(&format!("view {name}"), &schema, &definition.key)?;
        let state = self.planner.state();
        let catalog = &self.catalog;
        let lowered =
            plan::lower(&mut self.graph, catalog, &self.config, &state, (name, &text), &plan);
        let input = lowered.map_err(|error| match error {
            Error::DataFusion(source) => self.planner.refusal(name, &definition.sql, source),
            error => error,
        })?;
        let is_append_only = self.graph.nodes[input].spec.is_append_only;
        // The key of a view that keeps no rows is only what its author says.
        let unique = match definition.materialize && !key.is_empty() {
            true => Some(key.clone()),
            false => self.graph.nodes[input].spec.unique.clone(),
        };
        let width = schema.fields().len();
        let placement = match &key {
            // Equal rows meet, to be summed up and found again.
            key if !key.is_empty() => {
                Placement::by_columns(key.iter().copied(), key.iter().copied().map(Some).collect())
            }
            _ if width == 0 => Placement::Together,
            _ if is_append_only => Placement::Anywhere,
            _ => Placement::by_columns(0..width, (0..width).map(Some).collect()),
        };
        let (view, output_schema, materialize) =
            (name.clone(), Arc::clone(&schema), definition.materialize);
        let node = self.graph.add(NodeSpec {
            description: format!("View: {name}"),
            definition: format!("view {name} {:?} {materialize} {schema:?}", definition.key),
            inputs: vec![input],
            schema: Arc::clone(&schema),
            is_append_only,
            unique,
            consolidation: Consolidation::Always,
            placement,
            recomputes: None,
            build: Box::new(move || {
                let schema = Arc::clone(&output_schema);
                Ok(Box::new(Output::new(view.clone(), schema, &key, materialize)?) as _)
            }),
        })?;
        Ok((node, schema))
    }
}

/// Places of the key columns of `subject`.
fn column_places(subject: &str, schema: &Schema, columns: &[String]) -> Result<Vec<usize>> {
    let place = |column: &String| {
        schema.index_of(column).map_err(|_| {
            let known: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            let problem =
                format!("key column {column} is not among its columns: {}", known.join(", "));
            let help = closest(column, known).map(|meant| format!("did you mean \"{meant}\"?"));
            let subject = subject.to_owned();
            Error::Definition(Box::new(Fault { subject, problem, place: None, help }))
        })
    };
    columns.iter().map(place).collect()
}

/// A view's columns under plain names.
fn view_schema(view: &str, text: &Text<'_>, schema: &Schema) -> Result<SchemaRef> {
    let mut names = HashSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            return Err(Error::Definition(Box::new(two_columns(view, text, field.name()))));
        }
    }
    let fields = schema
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), field.is_nullable()));
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}
