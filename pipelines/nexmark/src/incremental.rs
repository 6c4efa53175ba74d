//! A query kept true by the engine.

use chrono::DateTime;
use millrace_engine::{
    Cut, Delta, Engine, EngineConfig, Epoch, Explain, Relation, RelationKind, ViewDefinition,
};

use crate::{BASE_TIME_MS, Error, Fingerprint, Query, Result, Tables, cut, side_input};

/// One view over the auction house; it keeps no snapshot, only its changes go out.
#[derive(Debug)]
pub struct Incremental {
    query: Query,
    engine: Engine,
    epoch: u64,
    fingerprint: Fingerprint,
}

impl Incremental {
    /// Plans `query` and feeds it the side table. No part of the query may be run again with each change.
    ///
    /// # Errors
    /// [`Error::Engine`] when the engine has no operators for the query.
    pub fn new(query: Query, config: EngineConfig) -> Result<Self> {
        let mut engine = Engine::new(EngineConfig { recompute_rows_max: 0, ..config })?;
        let side = side_input()?;
        let mut schemas = vec![("side_input", side.schema())];
        for tables in cut(1, 1)? {
            schemas.extend(tables.named().map(|(name, rows)| (name, rows.schema())));
        }
        for (name, schema) in schemas {
            let kind = RelationKind::Append;
            engine.create_relation(Relation { name: name.to_owned(), schema, kind })?;
        }
        engine.create_view(ViewDefinition {
            name: query.name.to_owned(),
            sql: query.sql.to_owned(),
            key: Vec::new(),
            materialize: false,
        })?;
        let mut run = Self { query, engine, epoch: 0, fingerprint: Fingerprint::default() };
        run.feed(vec![("side_input".to_owned(), Delta::inserts(side))])?;
        Ok(run)
    }

    /// Feeds one epoch and hashes what it changed.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the view fails on data.
    pub fn step(&mut self, tables: &Tables) -> Result<()> {
        let named = tables.named();
        self.feed(
            named
                .map(|(name, rows)| (name.to_owned(), Delta::inserts(rows.clone())))
                .into_iter()
                .collect(),
        )
    }

    fn feed(&mut self, inputs: Vec<(String, Delta)>) -> Result<()> {
        self.epoch += 1;
        let now = DateTime::from_timestamp_millis(BASE_TIME_MS).expect("within chrono's range");
        let epoch = Epoch { number: self.epoch, cut: Cut::new(), inputs, now };
        let changes = self.engine.step(epoch)?;
        if let Some(stopped) = changes.stopped.into_iter().next() {
            let (query, reason) = (self.query.name, stopped.reason);
            return Err(Error::Stopped { query, epoch: self.epoch, reason });
        }
        // Shares of several workers are hashed side by side, as a sink would take them.
        let shares = changes.changes.iter().map(|(_, share)| share);
        let hashed = |share: &Delta| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add(share).map(|()| fingerprint)
        };
        let hashes = std::thread::scope(|scope| {
            let mut shares = shares;
            let own = shares.next();
            let others: Vec<_> = shares.map(|share| scope.spawn(move || hashed(share))).collect();
            let own = own.map(hashed);
            let others = others.into_iter().map(|other| other.join().expect("hashing panics not"));
            own.into_iter().chain(others).collect::<Result<Vec<_>>>()
        })?;
        hashes.into_iter().for_each(|hash| self.fingerprint.join(hash));
        Ok(())
    }

    /// Of the rows that the query now gives.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The operators with their state and work.
    ///
    /// # Errors
    /// None in practice: the view is there.
    pub fn explain(&self) -> Result<Explain> {
        Ok(self.engine.explain(self.query.name)?)
    }
}
