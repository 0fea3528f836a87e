//! What must hold after each turn of a node.

use std::{collections::BTreeSet, time::Duration};

use node_core::{FailureKind, Response, request::Role};
use node_model::{DocumentId, EntryId, SpaceId};
use sync_engine_core::{
    entry::EntryKind,
    store::{Arrival, EntryStore as _},
};

use super::{
    Verdict, all_ids,
    at_start::{held_still, is_kept},
    read, store,
};
use crate::{
    reference::{self, Promise},
    turn::Turn,
    workload::Asked,
    world::World,
};

/// A node tries a space again that it could not open after 10 s; then a moment, to get to it.
const STILL_UNOPENED_MAX: Duration = Duration::from_secs(15);

pub(super) fn acknowledged_is_stored(world: &mut World, turn: &Turn) -> Verdict {
    let space = world.space;
    for (asked, answer) in &turn.replies {
        let (Asked::Write { documents, mark, is_removal }, Ok(Response::Written(written))) =
            (asked, answer)
        else {
            continue;
        };
        for document in documents {
            let ids = written_here(turn, space, *document, *is_removal)?;
            if ids.is_empty() {
                return Err(format!("machine {}: no entry of document {document}", turn.machine));
            }
            for id in ids {
                let promise =
                    Promise { machine: turn.machine, document: *document, is_removal: *is_removal };
                world.reference.acknowledged.insert(id, promise);
            }
        }
        if *is_removal {
            continue;
        }
        let Some(process) = world.machines[turn.machine].process.as_mut() else { continue };
        for (document, heads) in written {
            for head in heads {
                let change = head.parse().map_err(|error| format!("{head}: {error}"))?;
                let carrier = process.node.sync_engine().carrier(space, *document, &change);
                carrier.map_err(|error| format!("head {head} of document {document}: {error}"))?;
            }
        }
        // Several writes that waited for one large document are done in one turn.
        let is_alone =
            turn.replies.iter().filter(|(it, _)| matches!(it, Asked::Write { .. })).count() == 1;
        if let (1, true, Some((path, value)), Some(document)) =
            (turn.inputs, is_alone, mark, documents.first())
        {
            let found = process.node.sync_engine().document(space, *document);
            let found = found.map_err(|error| error.to_string())?.value();
            if found.pointer(path) != Some(value) {
                return Err(format!("document {document} has no {value} at {path}: {found}"));
            }
        }
    }
    Ok(())
}

/// Entries of a document that were written here in a turn.
fn written_here(
    turn: &Turn,
    space: SpaceId,
    document: DocumentId,
    is_removal: bool,
) -> Result<Vec<EntryId>, String> {
    let kind = if is_removal { EntryKind::Tombstone } else { EntryKind::Change };
    let mut ids = Vec::new();
    for arrival in turn.stored.arrivals.get(&space).into_iter().flatten() {
        if arrival.source.is_none() {
            let entry = read(&arrival.bytes)?;
            if entry.header().document == document && entry.header().kind == kind {
                ids.push(entry.id());
            }
        }
    }
    Ok(ids)
}

pub(super) fn refused_changed_nothing(world: &mut World, turn: &Turn) -> Verdict {
    let [(Asked::Write { .. }, Err(failure))] = turn.replies.as_slice() else { return Ok(()) };
    let stored = turn.stored.arrivals.get(&world.space).into_iter().flatten();
    let written = stored.filter(|arrival| arrival.source.is_none()).count();
    if turn.inputs == 1 && written > 0 {
        return Err(format!("machine {}: {failure}, yet {written} entries", turn.machine));
    }
    Ok(())
}

pub(super) fn failure_has_a_reason(world: &mut World, turn: &Turn) -> Verdict {
    let machine = &world.machines[turn.machine];
    for (asked, answer) in &turn.replies {
        let Err(failure) = answer else { continue };
        if !matches!(asked, Asked::Write { .. } | Asked::Read | Asked::Sync) {
            continue;
        }
        let is_explained = match failure.kind {
            FailureKind::NotFound | FailureKind::Conflict => true,
            FailureKind::NotAllowed => {
                machine.is_leaving || !machine.first_role.includes(Role::Writer)
            }
            // A space that could not be opened is tried again after a while.
            FailureKind::DiskFull | FailureKind::Storage => machine
                .disk_failed_at
                .is_some_and(|at| world.now().saturating_sub(at) <= STILL_UNOPENED_MAX),
            FailureKind::Invalid | FailureKind::Unreachable | FailureKind::TooLarge => false,
        };
        if !is_explained {
            return Err(format!("machine {}: {failure:?} to {asked:?}", turn.machine));
        }
    }
    Ok(())
}

pub(super) fn changes_are_told(_: &mut World, turn: &Turn) -> Verdict {
    for (space, arrivals) in &turn.stored.arrivals {
        let told = turn.changed.get(space);
        for arrival in arrivals {
            let entry = read(&arrival.bytes)?;
            let document = entry.header().document;
            if entry.header().kind == EntryKind::Bundle && arrival.source.is_none() {
                // It says nothing new.
                continue;
            }
            if !told.is_some_and(|told| told.contains(&document)) {
                return Err(format!("machine {} kept quiet about {document}", turn.machine));
            }
        }
    }
    Ok(())
}

pub(super) fn errors_have_a_reason(_: &mut World, turn: &Turn) -> Verdict {
    match turn.errors.first() {
        Some(error) if !turn.has_disk_failed => Err(format!("machine {}: {error}", turn.machine)),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn store_only_grows(world: &mut World, turn: &Turn) -> Verdict {
    for (space, ids) in &turn.stored.reordered {
        let held = world.reference.held.get(&(turn.machine, *space)).cloned().unwrap_or_default();
        let now: BTreeSet<EntryId> = ids.iter().copied().collect();
        let process = world.machines[turn.machine].process.as_ref();
        let window = process.and_then(|process| process.stores.get(*space)).ok_or("no store")?;
        let still = held_still(&window, &world.reference.bytes, &held, ids)?;
        let mut lost = still.iter().filter(|id| !now.contains(*id));
        if let Some(id) = lost.find(|id| !world.is_by_leaving(**id)) {
            return Err(format!("machine {} set {id} aside", turn.machine));
        }
        world.reference.held.insert((turn.machine, *space), ids.clone());
        let epoch = store(world, turn.machine).map(|store| store.head().epoch);
        if let Some(epoch) = epoch.filter(|_| *space == world.space) {
            world.reference.epochs.insert((turn.machine, *space), epoch);
        }
    }
    for (space, arrivals) in &turn.stored.arrivals {
        if turn.stored.reordered.contains_key(space) {
            continue;
        }
        if !arrivals.is_sorted_by(|a, b| a.place < b.place) {
            return Err(format!("machine {}: places are not in order", turn.machine));
        }
        let process = world.machines[turn.machine].process.as_ref();
        let Some(window) = process.and_then(|process| process.stores.get(*space)) else { continue };
        let held = world.reference.held.entry((turn.machine, *space)).or_default();
        for Arrival { bytes, .. } in arrivals {
            held.push(read(bytes)?.id());
        }
        let now = all_ids(&window)?;
        *held = held_still(&window, &world.reference.bytes, held, &now)?;
        if *held != now {
            return Err(format!(
                "machine {}: {} entries were stored, now others are there: {}",
                turn.machine,
                held.len(),
                now.len()
            ));
        }
    }
    Ok(())
}

pub(super) fn cursor_tells_the_truth(world: &mut World, turn: &Turn) -> Verdict {
    let Some(own) = store(world, turn.machine) else { return Ok(()) };
    for peer in own.take_moved() {
        let Some(number) = world.network.number_of(peer) else { continue };
        let cursor = own.cursor(peer).map_err(|error| error.to_string())?;
        let (Some(cursor), Some(theirs)) = (cursor, store(world, number)) else { continue };
        // Who was set back may have other entries in the places that were read.
        let is_excused = [turn.machine, number].iter().any(|n| world.machines[*n].is_restored);
        if cursor.epoch != theirs.head().epoch || cursor.has_refused || is_excused {
            continue;
        }
        let read = theirs.ids(0, usize::MAX).map_err(|error| error.to_string())?;
        for (place, id) in read.into_iter().take_while(|(place, _)| *place <= cursor.after) {
            let is_here = is_kept(&own, &world.reference.bytes, id)?;
            if !is_here && !world.is_by_leaving(id) {
                return Err(format!(
                    "machine {} read {number} up to {}, but lacks {id} at {place}",
                    turn.machine, cursor.after
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn nonces_are_used_once(world: &mut World, turn: &Turn) -> Verdict {
    for Arrival { bytes, .. } in turn.stored.arrivals.values().flatten() {
        let entry = read(bytes)?;
        world.reference.note(&entry);
        let is_by_leaving = world.is_by_leaving(entry.id());
        if is_by_leaving && !world.machines[turn.machine].is_leaving {
            world.reference.spread.insert(entry.id());
        }
        let other = world.reference.nonces.insert(reference::nonce(bytes)?, entry.id());
        if let Some(other) = other.filter(|other| *other != entry.id()) {
            return Err(format!("{other} and {} have one nonce", entry.id()));
        }
    }
    Ok(())
}

/// Notes what is written by those who know of a removal, which `removed_read_no_more` looks at.
pub(super) fn those_who_know_withhold(world: &mut World, turn: &Turn) -> Verdict {
    if turn.knew_of_removal && !world.machines[turn.machine].is_leaving {
        let arrivals = turn.stored.arrivals.get(&world.space).into_iter().flatten();
        for arrival in arrivals.filter(|arrival| arrival.source.is_none()) {
            world.reference.withheld.insert(read(&arrival.bytes)?.id());
        }
    }
    Ok(())
}
