//! What must hold when all have become equal.

use std::collections::{BTreeMap, BTreeSet};

use node_core::request::Role;
use node_model::{DocumentId, Epoch, seal::SealKey};

use super::{Verdict, entries, head, ids, readers};
use crate::{reference, world::World};

pub(super) fn nothing_acknowledged_is_lost(world: &mut World) -> Verdict {
    for machine in 0..world.machines.len() {
        let ids: BTreeSet<_> = ids(world, machine)?.into_iter().collect();
        for (id, promise) in &world.reference.acknowledged {
            if !ids.contains(id) {
                let writer = promise.machine;
                return Err(format!("machine {machine} lacks {id}, acknowledged at {writer}"));
            }
        }
    }
    Ok(())
}

pub(super) fn equal_heads_mean_equal_entries(world: &mut World) -> Verdict {
    let first: BTreeSet<_> = ids(world, 0)?.into_iter().collect();
    for machine in 1..world.machines.len() {
        let other: BTreeSet<_> = ids(world, machine)?.into_iter().collect();
        if head(world, machine) == head(world, 0) && first != other {
            return Err(format!("machine {machine} and 0 hold other entries"));
        }
    }
    Ok(())
}

pub(super) fn entries_are_signed(world: &mut World) -> Verdict {
    let writers: BTreeSet<_> = world
        .machines
        .iter()
        .filter(|machine| machine.role.includes(Role::Writer))
        .map(|machine| machine.device)
        .collect();
    let mut good = BTreeSet::new();
    for machine in 0..world.machines.len() {
        for (id, bytes) in entries(world, machine)? {
            if !good.insert(*blake3::hash(&bytes).as_bytes()) {
                continue;
            }
            let author = reference::author(id, &bytes)
                .map_err(|error| format!("machine {machine}, entry {id}: {error}"))?;
            if !writers.contains(&author) {
                return Err(format!("machine {machine}, entry {id}: {author} may not write"));
            }
        }
    }
    Ok(())
}

pub(super) fn everything_is_answered(world: &mut World) -> Verdict {
    for machine in &world.machines {
        let waiting = machine.process.as_ref().and_then(|process| process.asked.values().next());
        if let Some(asked) = waiting {
            return Err(format!("machine {}: {asked:?}", machine.number));
        }
    }
    Ok(())
}

pub(super) fn removed_stays_removed(world: &mut World) -> Verdict {
    let (space, removed) = (world.space, world.reference.removed());
    for machine in readers(world) {
        let Some(process) = world.machines[machine].process.as_mut() else { continue };
        let engine = process.node.sync_engine();
        let shown = engine.documents(space).map_err(|error| error.to_string())?.clone();
        for document in &removed {
            if shown.contains_key(document) || engine.document(space, *document).is_ok() {
                return Err(format!("machine {machine} shows document {document}"));
            }
        }
    }
    Ok(())
}

pub(super) fn documents_are_their_entries(world: &mut World) -> Verdict {
    let space = world.space;
    let entries: Vec<_> = entries(world, 0)?.into_iter().map(|(_, bytes)| bytes).collect();
    let Some(founder) = &world.machines[0].process else { return Ok(()) };
    let keyring = founder.node.trust().keyring();
    // Two nodes may have made an epoch of the same number.
    let mut keys: BTreeMap<Epoch, Vec<SealKey>> = BTreeMap::new();
    for (epoch, _, epoch_keys) in keyring.epochs(space) {
        keys.entry(epoch).or_default().push(epoch_keys.entries.clone());
    }
    let expected = reference::rebuild(space, &entries, &keys)?;
    for machine in readers(world) {
        let Some(process) = world.machines[machine].process.as_mut() else { continue };
        let engine = process.node.sync_engine();
        for (document, value) in &expected {
            let found = engine.document(space, *document).ok().map(|document| document.value());
            if found != *value {
                return Err(format!("machine {machine}, {document}: {found:?} is not {value:?}"));
            }
        }
        let shown: BTreeSet<DocumentId> =
            engine.documents(space).map_err(|error| error.to_string())?.keys().copied().collect();
        let present = expected.iter().filter(|(_, value)| value.is_some());
        if shown != present.map(|(document, _)| *document).collect() {
            return Err(format!("machine {machine} lists {shown:?}"));
        }
    }
    Ok(())
}
