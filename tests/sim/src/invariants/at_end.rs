//! What must hold when all have become equal.

use std::collections::{BTreeMap, BTreeSet};

use node_core::request::Role;
use node_model::{DocumentId, EntryId, Epoch, seal::SealKey};
use trust_core::{attestation::Prefix, history::AnomalyKind};

use super::{Verdict, entries, forks, head, held, ids, read, readers};
use crate::{
    reference::{self, Promise},
    world::World,
};

pub(super) fn nothing_acknowledged_is_lost(world: &mut World) -> Verdict {
    for machine in world.staying() {
        let held = held(world, machine)?;
        for (id, promise) in counting(world)? {
            if !held.contains(&id) {
                let writer = promise.machine;
                return Err(format!("machine {machine} lacks {id}, acknowledged at {writer}"));
            }
        }
    }
    Ok(())
}

pub(super) fn equal_heads_mean_equal_entries(world: &mut World) -> Verdict {
    let first: BTreeSet<_> = ids(world, 0)?.into_iter().collect();
    for machine in world.staying() {
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
    for machine in world.staying() {
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

/// Acknowledged writes that count: of whoever is removed, those up to the last that was named.
fn counting(world: &World) -> Result<Vec<(EntryId, &Promise)>, String> {
    let pins = world.pins(0);
    let leaving = world.leaving().map(|number| world.machines[number].device);
    let mut counting = Vec::new();
    for (id, promise) in &world.reference.acknowledged {
        let (author, sequence) = world.reference.written.get(id).ok_or("nobody held an entry")?;
        // Of a device whose disk was set back there may be two entries of the last number.
        let is_pinned = pins.get(author).is_some_and(|(last, prefix)| {
            sequence < last || (sequence == last && Prefix::from(*id) == *prefix)
        });
        let is_spread = world.reference.spread.contains(id);
        if leaving != Some(*author) || (is_pinned && is_spread) {
            counting.push((*id, promise));
        }
    }
    Ok(counting)
}

pub(super) fn removed_wrote_no_more(world: &mut World) -> Verdict {
    let Some(leaving) = world.leaving() else { return Ok(()) };
    let device = world.machines[leaving].device;
    let last = world.pins(0).get(&device).copied();
    for machine in world.staying() {
        if world.pins(machine).get(&device).copied() != last {
            return Err(format!("machine {machine} and 0 know another last entry of {leaving}"));
        }
        for (id, bytes) in entries(world, machine)? {
            let entry = read(&bytes)?;
            let (author, sequence) = (entry.header().author, entry.header().sequence);
            if author == device && last.is_none_or(|(last, _)| sequence > last) {
                return Err(format!(
                    "machine {machine} shows {id}, number {sequence} of {leaving}"
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn removed_read_no_more(world: &mut World) -> Verdict {
    let Some(leaving) = world.leaving() else { return Ok(()) };
    let Some(process) = &world.machines[leaving].process else { return Ok(()) };
    let keys: Vec<_> = process.node.trust().keyring().epochs(world.space).collect();
    for (id, bytes) in entries(world, 0)? {
        let entry = read(&bytes)?;
        let opens = keys.iter().any(|(_, _, keys)| entry.open(&keys.entries).is_ok());
        if world.reference.withheld.contains(&id) && opens {
            return Err(format!("machine {leaving} can read {id}"));
        }
    }
    Ok(())
}

pub(super) fn forks_are_alarms(world: &mut World) -> Verdict {
    let forks = forks(world);
    for machine in world.staying() {
        let Some(process) = &world.machines[machine].process else { continue };
        let graph = process.node.trust().graph();
        for (signer, statements) in &forks {
            let knows = |id| process.node.trust().attestation(id).is_some();
            let is_told = graph
                .anomalies
                .iter()
                .any(|anomaly| anomaly.kind == AnomalyKind::Fork && anomaly.signer == *signer);
            if statements.iter().copied().all(knows) && !is_told {
                return Err(format!("machine {machine} says nothing of the fork of {signer}"));
            }
        }
    }
    Ok(())
}

pub(super) fn numbers_count_once(world: &mut World) -> Verdict {
    let honest = world.machines.iter().filter(|machine| !machine.is_restored);
    let honest: BTreeSet<_> = honest.map(|machine| machine.device).collect();
    for machine in &world.machines {
        let forked = machine.process.as_ref().map(|process| process.node.forked());
        if let Some(device) = forked.into_iter().flatten().find(|it| honest.contains(it)) {
            return Err(format!("machine {} says so of {device}", machine.number));
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
    let space = world.space;
    let removals = counting(world)?.into_iter().filter(|(_, promise)| promise.is_removal);
    let removed: BTreeSet<_> = removals.map(|(_, promise)| promise.document).collect();
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
    let mut entries: Vec<_> = entries(world, 0)?.into_iter().map(|(_, bytes)| bytes).collect();
    // A bundle must not leave out what it stands for.
    let promised = counting(world)?.into_iter();
    entries.extend(promised.filter_map(|(id, _)| world.reference.bytes.get(&id).cloned()));
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
