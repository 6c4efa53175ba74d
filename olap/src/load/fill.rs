//! Which table a mart is filled into, and how far it is.

use hashbrown::HashMap;
use millrace_events::Position;

use crate::ddl::{NEXT, create_table, database_tables, quote};
use crate::{Clickhouse, LoaderOptions, MartSpec, Result, progress};

/// One mart being kept.
#[derive(Debug)]
pub(super) struct Filling {
    pub spec: MartSpec,
    /// Which filling it is: fingerprint and lineage.
    pub identity: String,
    /// The mart itself, or the table that will replace it.
    pub table: String,
    /// All events up to here are included.
    pub position: Position,
    /// The table in the mart's place is an older filling, at this position; it stays until the new
    /// one is as far.
    pub replaces: Option<Position>,
}

impl Filling {
    pub fn is_ready_to_replace(&self) -> bool {
        self.replaces.is_some_and(|old| self.position >= old)
    }
}

/// Makes database and tables where they are missing and finds out how far each mart is.
pub(super) async fn prepare(
    clickhouse: &Clickhouse,
    options: &LoaderOptions,
    marts: &[MartSpec],
    lineage: &str,
) -> Result<Vec<Filling>> {
    let database = &options.connection.database;
    for statement in database_tables(database) {
        clickhouse.execute("make the database", &statement).await?;
    }
    let tables = progress::tables(clickhouse, database).await?;
    let positions = progress::read(clickhouse, database).await?;
    let mut fillings = Vec::with_capacity(marts.len());
    for mart in marts {
        let identity = format!("{}/{lineage}", mart.fingerprint);
        let filling = prepare_one(clickhouse, options, mart, identity, &tables, &positions).await?;
        fillings.push(filling);
    }
    Ok(fillings)
}

async fn prepare_one(
    clickhouse: &Clickhouse,
    options: &LoaderOptions,
    mart: &MartSpec,
    identity: String,
    tables: &HashMap<String, String>,
    positions: &HashMap<(String, String), Position>,
) -> Result<Filling> {
    let at = |identity: &str| {
        positions.get(&(mart.name.clone(), identity.to_owned())).copied().unwrap_or_default()
    };
    let next = format!("{}{NEXT}", mart.name);
    let make = async |table: &str| {
        let sql = create_table(mart, table, &identity, options)?;
        clickhouse.execute(&format!("make table {table}"), &sql).await
    };
    let existing = tables.get(&mart.name);
    let (table, position, replaces) = match existing {
        Some(found) if *found == identity => (mart.name.clone(), at(&identity), None),
        None => {
            make(&mart.name).await?;
            // Positions of a table that is gone say nothing about the new one.
            (mart.name.clone(), Position::START, None)
        }
        Some(old) => {
            let position = if tables.get(&next) == Some(&identity) {
                at(&identity)
            } else {
                drop_table(clickhouse, options, &next).await?;
                make(&next).await?;
                Position::START
            };
            // A table from another log is not worth keeping: its positions mean something else. In
            // another life of the database they mean the same.
            let is_same_log = log_of(old) == log_of(&identity);
            let target = if is_same_log { at(old) } else { Position::START };
            (next, position, Some(target))
        }
    };
    Ok(Filling { spec: mart.clone(), identity, table, position, replaces })
}

/// Which log, in whatever life of the database.
fn log_of(identity: &str) -> &str {
    let lineage = identity.split_once('/').map_or("", |(_, lineage)| lineage);
    lineage.split_once('.').map_or(lineage, |(log, _)| log)
}

async fn drop_table(clickhouse: &Clickhouse, options: &LoaderOptions, table: &str) -> Result<()> {
    let database = quote(&options.connection.database);
    let sql = format!("drop table if exists {database}.{} sync", quote(table));
    clickhouse.execute(&format!("drop table {table}"), &sql).await
}

/// Puts a filling that is far enough in the mart's place and drops what was there. Table comments
/// travel with the tables, so a crash in between is recognised.
pub(super) async fn replace(
    clickhouse: &Clickhouse,
    options: &LoaderOptions,
    filling: &mut Filling,
) -> Result<()> {
    let database = quote(&options.connection.database);
    let name = filling.spec.name.clone();
    let sql = format!(
        "exchange tables {database}.{} and {database}.{}",
        quote(&name),
        quote(&filling.table)
    );
    clickhouse.execute(&format!("replace mart {name}"), &sql).await?;
    let old = std::mem::replace(&mut filling.table, name);
    filling.replaces = None;
    drop_table(clickhouse, options, &old).await
}
