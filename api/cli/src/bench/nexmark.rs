//! `millrace bench nexmark`: the Nexmark queries, by our engine and by others.
//!
//! Events are in memory before a clock starts, for every engine, and every engine hashes every column of what
//! it gives. What the rows add up to is compared with batch SQL over all events.

mod peer;
mod report;
mod run;

use anyhow::{Context, Result};
use millrace_nexmark::{Batch, QUERIES, Query, Tables, cut, find};

use self::peer::Peers;
use self::report::Report;
use crate::args::{BenchNexmark, Peer};
use crate::output::Rows;

/// Measures every query on every engine asked for.
///
/// # Errors
/// A query that is not known or that batch SQL can't answer, a peer that is not built. What one engine can't
/// do is in its row.
pub async fn run(options: &BenchNexmark) -> Result<Rows> {
    let queries = chosen(&options.queries)?;
    say(options, "making events");
    let epochs = cut(options.events, options.epoch_events)?;
    let peers = Peers::prepare(options)?;
    let mut report = Report::new(options);
    for query in queries {
        say(options, query.name);
        let expected = everything(&epochs).answer(query).await;
        let expected = expected.with_context(|| format!("{} by batch SQL", query.name))?;
        report.push(query, "millrace", run::incremental(query, &epochs, options), expected);
        for peer in &options.peers {
            let measured = match peer {
                Peer::Datafusion => run::recompute(query, &epochs).await,
                Peer::Dbsp | Peer::Flink => peers.run(*peer, query).await,
            };
            report.push(query, name(*peer), measured, expected);
        }
    }
    Ok(report.into_rows())
}

fn chosen(names: &[String]) -> Result<Vec<Query>> {
    if names.is_empty() {
        return Ok(QUERIES.to_vec());
    }
    let known = || QUERIES.map(|query| query.name).join(", ");
    names
        .iter()
        .map(|name| find(name).with_context(|| format!("no query is called {name}: {}", known())))
        .collect()
}

fn everything(epochs: &[Tables]) -> Batch {
    let mut batch = Batch::new();
    epochs.iter().for_each(|tables| batch.add(tables));
    batch
}

fn name(peer: Peer) -> &'static str {
    match peer {
        Peer::Datafusion => "datafusion",
        Peer::Dbsp => "dbsp",
        Peer::Flink => "flink",
    }
}

fn say(options: &BenchNexmark, what: &str) {
    let (events, epoch_events) = (options.events, options.epoch_events);
    eprintln!("bench nexmark ({events} events, {epoch_events} an epoch): {what}");
}
