//! One worker: an operator for each node, with the share of the state that is this worker's.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use super::exchange::{Exchange, Parcel};
use super::fill::ByWorker;
use super::placement::{Owner, Spread};
use super::{Input, Node, NodeId, Phase};
use crate::Delta;
use crate::consolidation::{DistinctOn, Known};
use crate::operator::{Change, Operator};

/// What one node did at one worker since the engine started.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Meter {
    pub rows_in: u64,
    pub rows_out: u64,
    /// Epochs in which it took anything in and was measured.
    pub epochs: u64,
    pub time: Duration,
    /// What the longest of them took.
    pub time_max: Duration,
}

/// A node's operator and what it gave in the current epoch.
pub(super) struct Slot {
    pub operator: Box<dyn Operator>,
    pub meter: Meter,
    pub output: Vec<Delta>,
    pub known: DistinctOn,
    /// Whether it took anything in in the current epoch.
    pub is_busy: bool,
    pub failure: Option<String>,
}

#[derive(Default)]
pub(super) struct Worker {
    pub index: usize,
    pub slots: Vec<Slot>,
}

/// Which nodes a run through the graph is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// Those that have taken in what their inputs hold: they get an epoch's changes.
    Live,
    /// Those that have yet to: they get rows that their inputs held before. On the first such run each of
    /// them runs, rows or none, so that a global aggregate gives its row.
    Filling { is_first: bool },
}

/// All that the workers read in a run and none changes.
pub(super) struct Epoch<'a> {
    pub run: Run,
    pub nodes: &'a [Node],
    pub exchanges: &'a [Exchange],
    pub stages: &'a [Vec<NodeId>],
    pub workers: usize,
    pub stopwatch: Option<fn() -> Duration>,
    /// By node and worker: what relations get from outside, or what live nodes give to those that are filled.
    pub external: &'a HashMap<NodeId, ByWorker>,
}

/// What one worker sent in one stage: an exchange and what goes through it.
pub(super) type Sent = Vec<(usize, Parcel)>;

/// What was sent so far: by stage, from each worker that has been through it.
pub(super) type Mail = Vec<Vec<OnceLock<Sent>>>;

/// One input's change as this worker sees it.
struct Read {
    /// What came by exchange; `None` where the input's own output is read in place.
    delivered: Option<Vec<Delta>>,
    known: DistinctOn,
    source: NodeId,
}

impl Slot {
    pub fn new(operator: Box<dyn Operator>) -> Self {
        Self {
            operator,
            meter: Meter::default(),
            output: Vec::new(),
            known: None,
            is_busy: false,
            failure: None,
        }
    }
}

impl Worker {
    /// Runs the nodes of one stage in order and puts what they send into the mail.
    pub fn run(&mut self, stage: usize, epoch: &Epoch<'_>, mail: &Mail) {
        let mut sent = Sent::new();
        for id in &epoch.stages[stage] {
            self.run_node(*id, epoch, mail);
            for (at, exchange) in epoch.exchanges.iter().enumerate() {
                if exchange.producer == *id && !self.slots[*id].output.is_empty() {
                    let slot = &mut self.slots[*id];
                    match exchange.sort(&slot.output, epoch.workers) {
                        Ok(parts) => sent.push((at, Parcel { parts, known: slot.known.clone() })),
                        Err(error) => slot.failure = Some(error.to_string()),
                    }
                }
            }
        }
        mail[stage][self.index].get_or_init(|| sent);
    }

    fn run_node(&mut self, id: NodeId, epoch: &Epoch<'_>, mail: &Mail) {
        let node = &epoch.nodes[id];
        let (before, rest) = self.slots.split_at_mut(id);
        let slot = &mut rest[0];
        slot.output = Vec::new();
        slot.known = None;
        slot.is_busy = false;
        let external = epoch.external.get(&id).map(|parts| &parts[self.index]);
        let (runs, must_run) = match (epoch.run, node.phase) {
            _ if node.failure.is_some() => return,
            (Run::Live, Phase::Live) => (true, false),
            (Run::Filling { is_first }, Phase::Filling) => {
                (true, is_first && (self.index == 0 || node.owner != Owner::First))
            }
            (Run::Filling { .. }, Phase::Live) => (false, false),
            _ => return,
        };
        if !runs || (must_run && node.inputs.is_empty()) {
            // A live node passes on what it held, a new one without inputs what it holds.
            slot.output = match external {
                Some(rows) => rows.clone(),
                None if runs => match slot.operator.rows().transpose() {
                    Ok(rows) => rows.unwrap_or_default(),
                    Err(error) => {
                        slot.failure = Some(error.to_string());
                        return;
                    }
                },
                None => Vec::new(),
            };
            return;
        }
        let reads: Vec<Read> = match external {
            Some(_) => Vec::new(),
            None => node
                .inputs
                .iter()
                .map(|input| read(input, before, epoch, mail, self.index))
                .collect(),
        };
        let own = external.map(|deltas| Change { deltas, is_consolidated: false });
        let changes = reads.iter().map(|read| Change {
            deltas: match &read.delivered {
                Some(deltas) => deltas,
                None => &before[read.source].output,
            },
            is_consolidated: read.known.is_some(),
        });
        let changes: Vec<Change<'_>> = own.into_iter().chain(changes).collect();
        if !must_run && changes.iter().all(|change| change.is_empty()) {
            return;
        }
        slot.is_busy = true;
        let rows_in: usize =
            changes.iter().flat_map(|change| change.iter()).map(Delta::num_rows).sum();
        let started = epoch.stopwatch.map(|now| now());
        let output = slot.operator.apply(&changes);
        if let (Some(now), Some(started)) = (epoch.stopwatch, started) {
            let time = now().saturating_sub(started);
            slot.meter.time += time;
            slot.meter.time_max = slot.meter.time_max.max(time);
            slot.meter.epochs += 1;
        }
        slot.meter.rows_in += rows_in as u64;
        match output {
            Ok(output) => {
                slot.meter.rows_out +=
                    output.iter().map(|delta| delta.num_rows() as u64).sum::<u64>();
                let inputs: Vec<Known<'_>> = changes
                    .iter()
                    .zip(&reads)
                    .map(|(change, read)| Known {
                        is_empty: change.is_empty(),
                        distinct_on: read.known.as_deref(),
                    })
                    .collect();
                slot.known = match output.iter().any(Delta::retracts) {
                    true => {
                        let width = node.spec.schema.fields().len();
                        node.spec.consolidation.distinct_on(width, &inputs)
                    }
                    false => Some(Vec::new()),
                };
                slot.output = output;
            }
            Err(error) => slot.failure = Some(error.to_string()),
        }
    }
}

/// What a node reads of one input.
fn read(input: &Input, before: &[Slot], epoch: &Epoch<'_>, mail: &Mail, worker: usize) -> Read {
    let Some(exchange) = input.exchange else {
        let known = before[input.node].known.clone();
        return Read { delivered: None, known, source: input.node };
    };
    let sent = mail[epoch.nodes[input.node].stage].iter().filter_map(OnceLock::get).flatten();
    let parcels = sent.filter(|(at, _)| *at == exchange).map(|(_, parcel)| parcel);
    let parcels: Vec<&Parcel> = parcels.filter(|parcel| !parcel.parts[worker].is_empty()).collect();
    let known = known_of(&parcels, worker, &epoch.nodes[input.node].spread);
    let deltas = parcels.iter().flat_map(|parcel| parcel.parts[worker].iter().cloned());
    Read { delivered: Some(deltas.collect()), known, source: input.node }
}

/// Columns on which no row that comes equals one that goes, in what several workers send to one.
fn known_of(parcels: &[&Parcel], worker: usize, spread: &Spread) -> DistinctOn {
    if !parcels.iter().flat_map(|parcel| &parcel.parts[worker]).any(Delta::retracts) {
        return Some(Vec::new());
    }
    let first = parcels.first()?.known.as_ref()?;
    if parcels.len() == 1 {
        return Some(first.clone());
    }
    // Rows that are equal in the columns they are spread by came from the same worker.
    let Spread::By(columns) = spread else { return None };
    let is_same = parcels.iter().all(|parcel| parcel.known.as_ref() == Some(first));
    let is_covered = columns.iter().all(|column| first.contains(column));
    (is_same && is_covered).then(|| first.clone())
}
