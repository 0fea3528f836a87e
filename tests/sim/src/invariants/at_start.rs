//! What must hold when a node has started.

use std::collections::BTreeSet;

use sync_engine_core::store::EntryStore as _;

use super::{Verdict, all_ids, read};
use crate::{machine::name, world::World};

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
            let mut lost = held.iter().filter(|id| !now.contains(*id)).peekable();
            if lost.peek().is_none() || !lost.all(|id| world.is_by_leaving(*id)) {
                return Err(format!("machine {machine}, space {space}: it is another copy now"));
            }
        } else if !ids.starts_with(&held) {
            return Err(format!(
                "machine {machine}, space {space}: {} entries were stored, now {} are there",
                held.len(),
                ids.len()
            ));
        }
        // A write that failed may be there after a power cut.
        for arrival in window.arrivals_after(0).map_err(|error| error.to_string())? {
            let entry = read(&arrival.bytes)?;
            let header = entry.header();
            world.reference.written.insert(entry.id(), (header.author, header.sequence));
        }
        world.reference.held.insert((machine, space), ids);
    }
    Ok(())
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
