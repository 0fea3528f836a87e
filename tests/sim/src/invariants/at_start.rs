//! What must hold when a node has started.

use std::collections::{BTreeMap, BTreeSet};

use node_model::EntryId;
use sync_engine_core::store::EntryStore as _;

use super::{Verdict, all_ids, read};
use crate::{machine::name, storage::Window, world::World};

pub(super) fn stored_survives(world: &mut World, machine: usize) -> Verdict {
    let Some(process) = &world.machines[machine].process else { return Ok(()) };
    let stores = process.stores.all();
    for (space, window) in stores {
        window.check().map_err(|error| format!("machine {machine}: {error}"))?;
        let epoch = window.head().epoch;
        let ids = all_ids(&window)?;
        let before = world.reference.epochs.insert((machine, space), epoch);
        let held = world.reference.held.get(&(machine, space)).cloned().unwrap_or_default();
        let is_reordered = before.is_some_and(|before| before != epoch) && !held.is_empty();
        if is_reordered {
            // Something was set aside, and then the power went.
            let now: BTreeSet<_> = ids.iter().copied().collect();
            let still = held_still(&window, &world.reference.bytes, &held, &ids)?;
            let mut lost = still.iter().filter(|id| !now.contains(*id)).peekable();
            if lost.peek().is_none() || !lost.all(|id| world.is_by_leaving(*id)) {
                return Err(format!("machine {machine}, space {space}: it is another copy now"));
            }
        } else if !ids.starts_with(&held_still(&window, &world.reference.bytes, &held, &ids)?) {
            return Err(format!(
                "machine {machine}, space {space}: {} entries were stored, now {} are there",
                held.len(),
                ids.len()
            ));
        }
        // A write that failed may be there after a power cut.
        for arrival in window.arrivals_after(0).map_err(|error| error.to_string())? {
            let entry = read(&arrival.bytes)?;
            world.reference.note(&entry);
        }
        world.reference.held.insert((machine, space), ids);
    }
    Ok(())
}

/// Whether a store has an entry, or has deleted it because a bundle in it stands for it.
pub(super) fn is_kept(
    window: &Window,
    bytes: &BTreeMap<EntryId, Vec<u8>>,
    id: EntryId,
) -> Result<bool, String> {
    if window.contains(id).map_err(|error| error.to_string())? {
        return Ok(true);
    }
    let Some(bytes) = bytes.get(&id) else { return Ok(false) };
    let gone = read(bytes)?;
    let others = window.document(gone.header().document).map_err(|error| error.to_string())?;
    for other in others {
        if read(&other)?.covers(gone.header()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Of what was in a set, what no bundle stands for by now.
pub(super) fn held_still(
    window: &Window,
    bytes: &BTreeMap<EntryId, Vec<u8>>,
    held: &[EntryId],
    now: &[EntryId],
) -> Result<Vec<EntryId>, String> {
    let now: BTreeSet<_> = now.iter().collect();
    let mut still = Vec::with_capacity(held.len());
    for id in held {
        if now.contains(id) || !is_kept(window, bytes, *id)? {
            still.push(*id);
        }
    }
    Ok(still)
}

pub(super) fn node_is_introduced(world: &mut World, machine: usize) -> Verdict {
    let Some(process) = &world.machines[machine].process else { return Ok(()) };
    let trust = process.node.trust();
    if trust.name_of(trust.agent()) != name(machine) {
        return Err(format!("machine {machine} has no name"));
    }
    if trust.home_space().is_none() {
        return Err(format!("machine {machine} has no home space"));
    }
    Ok(())
}
