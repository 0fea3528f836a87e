//! What must hold. To add an invariant, write a function and a line in [`INVARIANTS`].

mod after_turn;
mod at_end;
mod at_rest;
mod at_start;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use node_core::{Request, Response, request::PeerSyncState};
use node_model::{AttestationId, DeviceId, EntryId};
use sync_engine_core::{entry::VerifiedEntry, store::EntryStore as _};
use trust_core::attestation::Scope;

use crate::{storage::Window, turn::Turn, world::World};

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// What was found instead.
    pub details: String,
    /// When, in virtual time.
    pub at: Duration,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" at {:.3} s: {}", self.invariant, self.at.as_secs_f64(), self.details)
    }
}

type Verdict = Result<(), String>;

/// When an invariant is looked at.
enum Check {
    /// After each turn of a node.
    Turn(fn(&mut World, &Turn) -> Verdict),
    /// When a node has started.
    Start(fn(&mut World, usize) -> Verdict),
    /// Whenever nothing moves for a moment.
    Rest(fn(&mut World) -> Verdict),
    /// At the end, when all have become equal.
    End(fn(&mut World) -> Verdict),
}

const INVARIANTS: &[(&str, Check)] = &[
    ("an acknowledged write is stored", Check::Turn(after_turn::acknowledged_is_stored)),
    ("a refused write changed nothing", Check::Turn(after_turn::refused_changed_nothing)),
    ("a failure has a reason", Check::Turn(after_turn::failure_has_a_reason)),
    ("a store only grows", Check::Turn(after_turn::store_only_grows)),
    ("a cursor tells the truth", Check::Turn(after_turn::cursor_tells_the_truth)),
    ("no nonce is used twice", Check::Turn(after_turn::nonces_are_used_once)),
    ("who knows withholds", Check::Turn(after_turn::those_who_know_withhold)),
    ("changes are told", Check::Turn(after_turn::changes_are_told)),
    ("only a broken disk is an error", Check::Turn(after_turn::errors_have_a_reason)),
    ("what was stored survives", Check::Start(at_start::stored_survives)),
    ("a node has a name and a home", Check::Start(at_start::node_is_introduced)),
    ("synced means equal", Check::Rest(at_rest::synced_means_equal)),
    ("nothing acknowledged is lost", Check::End(at_end::nothing_acknowledged_is_lost)),
    ("equal heads mean equal entries", Check::End(at_end::equal_heads_mean_equal_entries)),
    ("entries are signed by those who may write", Check::End(at_end::entries_are_signed)),
    ("who was removed writes no more", Check::End(at_end::removed_wrote_no_more)),
    ("who was removed reads no more", Check::End(at_end::removed_read_no_more)),
    ("a fork is an alarm", Check::End(at_end::forks_are_alarms)),
    ("who was not set back took no number twice", Check::End(at_end::numbers_count_once)),
    ("every request is answered", Check::End(at_end::everything_is_answered)),
    ("removed stays removed", Check::End(at_end::removed_stays_removed)),
    ("documents are what their entries say", Check::End(at_end::documents_are_their_entries)),
];

pub(crate) fn check_turn(world: &mut World, turn: &Turn) {
    for (name, check) in INVARIANTS {
        if let Check::Turn(check) = check {
            judge(world, name, |world| check(world, turn));
        }
    }
}

pub(crate) fn check_start(world: &mut World, machine: usize) {
    for (name, check) in INVARIANTS {
        if let Check::Start(check) = check {
            judge(world, name, |world| check(world, machine));
        }
    }
}

pub(crate) fn check_rest(world: &mut World) {
    for (name, check) in INVARIANTS {
        if let Check::Rest(check) = check {
            judge(world, name, check);
        }
    }
}

pub(crate) fn check_end(world: &mut World) {
    for (name, check) in INVARIANTS {
        if let Check::End(check) = check {
            judge(world, name, check);
        }
    }
}

fn judge(world: &mut World, name: &'static str, check: impl FnOnce(&mut World) -> Verdict) {
    if world.violation.is_none()
        && let Err(details) = check(world)
    {
        world.object(name, details);
    }
}

// Looks that several of them take.

fn read(bytes: &[u8]) -> Result<VerifiedEntry, String> {
    VerifiedEntry::from_storage(bytes.to_vec()).map_err(|error| error.to_string())
}

fn store(world: &World, machine: usize) -> Option<Window> {
    world.machines[machine].process.as_ref()?.stores.get(world.space)
}

fn all_ids(window: &Window) -> Result<Vec<EntryId>, String> {
    window.ids_after(0).map_err(|error| error.to_string())
}

fn ids(world: &World, machine: usize) -> Result<Vec<EntryId>, String> {
    all_ids(&store(world, machine).ok_or("no store")?)
}

fn entries(world: &World, machine: usize) -> Result<Vec<(EntryId, Vec<u8>)>, String> {
    let window = store(world, machine).ok_or("no store")?;
    let arrivals = window.arrivals_after(0).map_err(|error| error.to_string())?;
    arrivals.into_iter().map(|a| Ok((read(&a.bytes)?.id(), a.bytes))).collect()
}

/// What a machine holds, as entries of their own or in bundles.
fn held(world: &World, machine: usize) -> Result<BTreeSet<EntryId>, String> {
    let ids = ids(world, machine)?.into_iter().collect();
    Ok(world.reference.with_covered(&ids))
}

/// How many entries a machine holds, and their digest.
fn head(world: &World, machine: usize) -> Option<(u64, [u8; 32])> {
    let head = store(world, machine)?.head();
    Some((head.entries, head.digest))
}

fn readers(world: &World) -> Vec<usize> {
    let holds_keys = |number: &usize| world.machines[*number].role.holds_keys();
    world.staying().into_iter().filter(holds_keys).collect()
}

/// Statements of one key after the same one, by whom they are: of all that those who stay know of
/// each other.
fn forks(world: &World) -> Vec<(DeviceId, BTreeSet<AttestationId>)> {
    let mut followers: BTreeMap<_, BTreeSet<AttestationId>> = BTreeMap::new();
    for number in world.staying() {
        let Some(process) = &world.machines[number].process else { continue };
        let trust = process.node.trust();
        for other in world.staying() {
            for id in trust.visible_to(world.machines[other].agent) {
                let Some(said) = trust.attestation(id) else { continue };
                let is_alone = said.scope == Scope::FOUNDING;
                let is_beginning = said.is_rooted() && said.prev.is_none();
                if !is_alone && !is_beginning {
                    let place = (said.signer, said.scope, said.prev);
                    followers.entry(place).or_default().insert(id);
                }
            }
        }
    }
    let forks = followers.into_iter().filter(|(_, said)| said.len() > 1);
    forks.map(|((signer, ..), said)| (signer, said)).collect()
}

fn peer_state(world: &mut World, from: usize, to: usize) -> Option<PeerSyncState> {
    let device = world.machines[to].device;
    let Some(Response::Peers(peers)) = world.look(from, Request::Peers) else { return None };
    peers.into_iter().find(|peer| peer.device == device).map(|peer| peer.state)
}

impl World {
    /// Whether nothing went wrong for so long that everybody compared.
    fn is_long_healed(&self) -> bool {
        self.healed_at.is_some_and(|at| self.now() > at + self.sync_interval * 3)
    }

    /// What a machine does not know of who may do what.
    fn trust_difference(&self, machine: usize) -> Option<String> {
        let trust = self.machines[machine].process.as_ref()?.node.trust();
        let members = &trust.graph().spaces.get(&self.space)?.members;
        for other in &self.machines {
            let role = members.get(&other.agent).map(|member| member.role);
            if role != self.last_role(other.number) {
                let number = other.number;
                return Some(format!("machine {machine} knows {number} as {role:?}"));
            }
        }
        let lacks_key = trust.keyring().epochs(self.space).next().is_none();
        let needs_key = self.machines[machine].role.holds_keys();
        (needs_key && lacks_key).then(|| format!("machine {machine} has no key"))
    }

    /// In what the nodes still differ.
    pub(crate) fn difference(&mut self) -> Option<String> {
        for machine in self.staying() {
            let Some(own) = head(self, machine) else {
                return Some(format!("machine {machine} does not run"));
            };
            let first = head(self, 0)?;
            if let Some(difference) = self.trust_difference(machine) {
                return Some(difference);
            }
            if own != first {
                return Some(format!("machine {machine} has {} entries, 0 has {}", own.0, first.0));
            }
            let blobs = store(self, machine)?.blobs().ok()?;
            let held = self.network.fetches.held(machine);
            let staying = self.staying();
            // What only the removed ever held is gone with them.
            let is_there =
                |blob| staying.iter().any(|other| self.network.fetches.held(*other).contains(blob));
            if let Some(blob) = blobs.iter().find(|blob| !held.contains(blob) && is_there(blob)) {
                return Some(format!("machine {machine} lacks blob {blob}"));
            }
        }
        for (one, other) in self.network.links().collect::<Vec<_>>() {
            if [one, other].into_iter().any(|number| self.machines[number].is_leaving) {
                continue;
            }
            for (from, to) in [(one, other), (other, one)] {
                let state = peer_state(self, from, to);
                if state != Some(PeerSyncState::Synced) {
                    return Some(format!("machine {from} says of {to}: {state:?}"));
                }
            }
        }
        None
    }
}
