//! What must hold whenever nothing moves for a moment.

use node_core::request::PeerSyncState;

use super::{Verdict, head, peer_state};
use crate::{machine::Process, world::World};

pub(super) fn synced_means_equal(world: &mut World) -> Verdict {
    for (one, other) in world.network.links().collect::<Vec<_>>() {
        let is_excused = world.network.is_tainted_between(one, other) && !world.is_long_healed();
        let is_idle =
            |number: usize| world.machines[number].process.as_ref().is_some_and(Process::is_idle);
        let is_quiet = is_idle(one) && is_idle(other) && world.network.is_quiet_between(one, other);
        if is_excused || !is_quiet || head(world, one) == head(world, other) {
            continue;
        }
        for (from, to) in [(one, other), (other, one)] {
            // Who is removed has nothing to be equal with, for those who know.
            let space = world.space;
            let knows = [one, other].into_iter().any(|number| {
                let agent = world.machines[number].agent;
                let process = world.machines[from].process.as_ref();
                process.is_some_and(|process| process.knows_without(space, agent))
            });
            if knows {
                continue;
            }
            if peer_state(world, from, to) == Some(PeerSyncState::Synced) {
                return Err(format!("machine {from} says that it is equal to {to}"));
            }
        }
    }
    Ok(())
}
