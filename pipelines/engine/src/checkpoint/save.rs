//! The state of a whole graph to a checkpoint and back.

use std::collections::{BTreeMap, HashMap};

use super::manifest::{Manifest, NodeState, Piece};
use super::pieces::{Draft, PieceReader, PieceWriter};
use super::segment::{SegmentWriter, remove_unused};
use crate::graph::{Graph, Phase, Share};
use crate::operator::Operator;
use crate::{CheckpointStore, Cut, Result};

/// Saves what changed since `previous` and gives the manifest, which is in place then.
///
/// After an error the operators no longer know what changed: [`forget`] makes the next checkpoint whole.
pub(crate) fn save(
    graph: &mut Graph,
    epoch: u64,
    cut: &Cut,
    previous: Option<&Manifest>,
    store: &mut dyn CheckpointStore,
) -> Result<Manifest> {
    let saved = write(graph, epoch, cut, previous, store);
    if saved.is_err() {
        forget(graph);
    }
    saved
}

fn write(
    graph: &mut Graph,
    epoch: u64,
    cut: &Cut,
    previous: Option<&Manifest>,
    store: &mut dyn CheckpointStore,
) -> Result<Manifest> {
    let mut segment = SegmentWriter::new(store, epoch);
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for id in (0..graph.nodes.len())
        .filter(|id| graph.nodes[*id].phase == Phase::Live)
        .collect::<Vec<_>>()
    {
        if graph.nodes[id].failure.is_some() {
            graph.nodes[id].pieces.iter_mut().for_each(Vec::clear);
        } else if graph.nodes[id].is_changed {
            for worker in 0..graph.workers() {
                let previous = std::mem::take(&mut graph.nodes[id].pieces[worker]);
                let operator = graph.operator_mut(id, worker);
                graph.nodes[id].pieces[worker] = save_operator(operator, &previous, &mut segment)?;
            }
        }
        let node = &graph.nodes[id];
        let (fingerprint, failure) = (node.fingerprint.clone(), node.failure.clone());
        nodes.push(NodeState::new(fingerprint, failure, &node.pieces));
    }
    let mut segment_bytes =
        previous.map(|manifest| manifest.segment_bytes.clone()).unwrap_or_default();
    compact(&mut nodes, &mut segment_bytes, &mut segment)?;
    segment_bytes.extend(segment.finish()?);
    let manifest = Manifest::new(epoch, cut.clone(), graph.workers(), nodes, segment_bytes);
    manifest.write(store)?;
    let mut states = manifest.nodes.iter();
    for node in graph.nodes.iter_mut().filter(|node| node.phase == Phase::Live) {
        let state = states.next().expect("one state per known node");
        node.pieces = state.by_worker();
        node.is_changed = false;
    }
    Ok(manifest)
}

fn save_operator(
    operator: &mut dyn Operator,
    previous: &[Piece],
    segment: &mut SegmentWriter<'_>,
) -> Result<Vec<Piece>> {
    let mut pieces = PieceWriter::new(previous);
    operator.save(&mut pieces)?;
    let drafts = pieces.into_drafts().into_iter();
    drafts
        .map(|draft| match draft {
            Draft::Kept(piece) => Ok(piece),
            Draft::New { name, bytes, rows } => segment.put(name, &bytes, rows),
        })
        .collect()
}

/// Copies pieces out of segments of which less than half is still used, and drops those segments.
fn compact(
    nodes: &mut [NodeState],
    segment_bytes: &mut BTreeMap<String, u64>,
    segment: &mut SegmentWriter<'_>,
) -> Result<()> {
    let mut used: HashMap<String, u64> = HashMap::new();
    for piece in nodes.iter().flat_map(NodeState::all_pieces) {
        *used.entry(piece.segment.clone()).or_default() += piece.length;
    }
    let mostly_unused: Vec<String> = segment_bytes
        .iter()
        .filter(|(name, bytes)| used.get(*name).copied().unwrap_or_default() * 2 < **bytes)
        .map(|(name, _)| name.clone())
        .collect();
    let pieces = nodes.iter_mut().flat_map(NodeState::all_pieces_mut);
    for piece in pieces.filter(|piece| mostly_unused.contains(&piece.segment)) {
        *piece = segment.copy(piece)?;
    }
    mostly_unused.iter().for_each(|name| {
        segment_bytes.remove(name);
    });
    Ok(())
}

fn forget(graph: &mut Graph) {
    for node in &mut graph.nodes {
        node.pieces.iter_mut().for_each(Vec::clear);
        node.is_changed = true;
    }
}

/// Removes checkpoints other than the `kept` ones, with their segments.
pub(crate) fn remove_older(kept: &[Manifest], store: &mut dyn CheckpointStore) -> Result<()> {
    for epoch in Manifest::epochs(store)? {
        if !kept.iter().any(|manifest| manifest.epoch == epoch) {
            Manifest::delete(store, epoch)?;
        }
    }
    remove_unused(store, kept)
}

/// Takes the state of a checkpoint into a graph just made. Nodes it does not know stay fresh.
pub(crate) fn load(
    graph: &mut Graph,
    manifest: &Manifest,
    store: &dyn CheckpointStore,
) -> Result<()> {
    let states: HashMap<&str, &NodeState> =
        manifest.nodes.iter().map(|state| (state.fingerprint.as_str(), state)).collect();
    let workers = graph.workers();
    let is_as_before = manifest.workers == workers;
    for id in 0..graph.nodes.len() {
        let Some(state) = states.get(graph.nodes[id].fingerprint.as_str()) else { continue };
        let by_worker = state.by_worker();
        for worker in (0..workers).filter(|_| state.failure.is_none()) {
            let owner = graph.nodes[id].owner.clone();
            let operator = graph.operator_mut(id, worker);
            if is_as_before {
                operator.load(&PieceReader::new(store, &by_worker[worker], None))?;
                continue;
            }
            for (holder, pieces) in by_worker.iter().enumerate().filter(|(_, all)| !all.is_empty())
            {
                let share = Share { worker, workers, owner: owner.clone(), holder };
                operator.load(&PieceReader::new(store, pieces, Some(&share)))?;
            }
        }
        let state_bytes = graph.operators(id).map(|operator| operator.state_bytes()).sum();
        let node = &mut graph.nodes[id];
        node.failure.clone_from(&state.failure);
        node.phase = Phase::Live;
        node.is_changed = !is_as_before;
        node.state_bytes = state_bytes;
        if is_as_before {
            node.pieces = by_worker;
        }
    }
    Ok(())
}
