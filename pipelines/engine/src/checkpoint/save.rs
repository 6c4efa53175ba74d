//! The state of a whole graph to a checkpoint and back.

use std::collections::{BTreeMap, HashMap};

use super::manifest::{Manifest, NodeState, Piece};
use super::pieces::{Draft, PieceReader, PieceWriter};
use super::segment::{SegmentWriter, remove_unused};
use crate::graph::{Graph, Node};
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
    let known: Vec<&mut Node> = graph.nodes.iter_mut().filter(|node| !node.is_fresh).collect();
    let mut nodes = Vec::with_capacity(known.len());
    for node in known {
        if node.failure.is_some() {
            node.pieces.clear();
        } else if node.is_changed {
            node.pieces = save_node(node, &mut segment)?;
        }
        let (fingerprint, failure) = (node.fingerprint.clone(), node.failure.clone());
        nodes.push(NodeState { fingerprint, failure, pieces: node.pieces.clone() });
    }
    let mut segment_bytes =
        previous.map(|manifest| manifest.segment_bytes.clone()).unwrap_or_default();
    compact(&mut nodes, &mut segment_bytes, &mut segment)?;
    segment_bytes.extend(segment.finish()?);
    let manifest = Manifest::new(epoch, cut.clone(), nodes, segment_bytes);
    manifest.write(store)?;
    let mut states = manifest.nodes.iter();
    for node in graph.nodes.iter_mut().filter(|node| !node.is_fresh) {
        let state = states.next().expect("one state per known node");
        node.pieces.clone_from(&state.pieces);
        node.is_changed = false;
    }
    Ok(manifest)
}

fn save_node(node: &mut Node, segment: &mut SegmentWriter<'_>) -> Result<Vec<Piece>> {
    let mut pieces = PieceWriter::new(&node.pieces);
    node.operator.save(&mut pieces)?;
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
    for piece in nodes.iter().flat_map(|node| &node.pieces) {
        *used.entry(piece.segment.clone()).or_default() += piece.length;
    }
    let mostly_unused: Vec<String> = segment_bytes
        .iter()
        .filter(|(name, bytes)| used.get(*name).copied().unwrap_or_default() * 2 < **bytes)
        .map(|(name, _)| name.clone())
        .collect();
    let pieces = nodes.iter_mut().flat_map(|node| &mut node.pieces);
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
        node.pieces.clear();
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
    for node in &mut graph.nodes {
        let Some(state) = states.get(node.fingerprint.as_str()) else { continue };
        if state.failure.is_none() {
            node.operator.load(&PieceReader::new(store, &state.pieces))?;
        }
        node.failure.clone_from(&state.failure);
        node.pieces.clone_from(&state.pieces);
        node.is_fresh = false;
        node.is_changed = false;
    }
    Ok(())
}
