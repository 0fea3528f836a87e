//! What must hold when a node has started.

use sync_engine_core::store::EntryStore as _;

use super::{Verdict, all_ids};
use crate::{machine::name, world::World};

pub(super) fn stored_survives(world: &mut World, machine: usize) -> Verdict {
    let Some(process) = &world.machines[machine].process else { return Ok(()) };
    for (space, window) in process.stores.all() {
        window.check().map_err(|error| format!("machine {machine}: {error}"))?;
        let epoch = window.head().epoch;
        let ids = all_ids(&window)?;
        let held = world.reference.held.entry((machine, space)).or_default();
        if !ids.starts_with(held) {
            return Err(format!(
                "machine {machine}, space {space}: {} entries were stored, now {} are there",
                held.len(),
                ids.len()
            ));
        }
        let before = world.reference.epochs.insert((machine, space), epoch);
        if !held.is_empty() && before.is_some_and(|before| before != epoch) {
            return Err(format!("machine {machine}, space {space}: it is another copy now"));
        }
        // A write that failed may be there after a power cut.
        *held = ids;
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
