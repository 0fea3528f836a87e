//! Changes from outside into Automerge.
//!
//! A writer of a space may send anything. Each change is weighed before Automerge
//! reads it, and counted against what the document may be. Some malformed changes
//! make Automerge panic, and one that it refuses takes its whole batch along; so
//! each batch is tried, and the bad ones are found by halving. Automerge gets a
//! change only after those that it depends on: one that waits inside would spoil a
//! later batch, and somebody else's change would pay for it.
//!
//! Invariants: whatever comes, in whatever order, everybody's good changes count,
//! as long as the document has room; and each change that does not is named.

mod read;
mod turn;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, AutoCommit, Change, ChangeHash};
use node_model::EntryId;

use self::{
    read::{read, share_of},
    turn::{Ahead, Step, Turn},
};
use super::{
    budget::{Budget, Share},
    bundle::{self, Body},
    graph::Graph,
    guarded,
    refusal::Refusal,
    search::{Search, middle},
    waiting::Waiting,
};

/// Changes applied at once. Each takes 2 KB beside its operations until then; one
/// by one they would cost 500 times as much.
const BATCH_CHANGES_MAX: usize = 16_384;

/// Bytes applied at once: each is held three times until then. One change more
/// may be over it.
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How much a document in use takes in: operations that may land apart from each
/// other, 20 µs each (measured). All at once they cost 3 µs.
const CATCH_UP_MAX: u64 = 1 << 13;

/// Operations in the document for which an actor that is new to it costs as much
/// as one that lands apart: all numbers of actors behind it change.
const OPERATIONS_AN_ACTOR: u64 = 128;

/// A change and the entry that brought it.
#[derive(Clone)]
pub(super) struct Brought {
    pub(super) entry: EntryId,
    pub(super) change: Change,
    pub(super) share: Share,
}

impl Brought {
    pub(super) fn operations(&self) -> u64 {
        self.share.weight.operations
    }
}

/// A change that is in the document.
struct Applied {
    entry: Option<EntryId>,
    /// The highest number of an operation up to it.
    operation_max: u64,
}

/// What a document has taken in, and what not.
#[derive(Default)]
pub(super) struct Intake {
    /// Which changes know of which.
    graph: Graph,
    applied: BTreeMap<ChangeHash, Applied>,
    actors: BTreeMap<ActorId, Turn>,
    budget: Budget,
    refused: BTreeMap<EntryId, Refusal>,
    /// Changes that will not count: those that build on them will not either.
    left_out: BTreeSet<ChangeHash>,
    pub(super) waiting: Waiting,
    /// What can be applied, each one after those that it builds on.
    ready: Vec<Brought>,
    is_ready: BTreeSet<ChangeHash>,
    ready_bytes: u64,
    search: Search,
    /// Operations of all changes that are applied.
    operations: u64,
    /// Whether nothing is read.
    is_left_alone: bool,
}

impl Intake {
    pub(super) fn refused(&self) -> &BTreeMap<EntryId, Refusal> {
        &self.refused
    }

    pub(super) fn leave_alone(&mut self) {
        self.is_left_alone = true;
    }

    pub(super) fn changes_count(&self) -> u64 {
        self.applied.len() as u64
    }

    /// How many changes wait for others that have not come.
    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.count()
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.budget.memory_bytes()
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Changes and the entries that brought them.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&ChangeHash, EntryId)> {
        self.applied.iter().filter_map(|(hash, applied)| Some((hash, applied.entry?)))
    }

    pub(super) fn entry(&self, hash: &ChangeHash) -> Option<EntryId> {
        self.applied.get(hash)?.entry
    }

    /// Changes in the order of their hashes, from this one on.
    pub(super) fn changes_from(&self, first: &ChangeHash) -> impl Iterator<Item = &ChangeHash> {
        self.applied.range(first..).map(|(hash, _)| hash)
    }

    pub(super) fn knows_actor(&self, actor: &ActorId) -> bool {
        self.actors.contains_key(actor)
    }

    /// Notes which entry carries a change that was made here.
    pub(super) fn note_entry(&mut self, hash: &ChangeHash, entry: EntryId) {
        if let Some(applied) = self.applied.get_mut(hash) {
            applied.entry = Some(entry);
        }
    }

    /// Notes which bundle carries these changes now.
    pub(super) fn note_bundle(&mut self, changes: &BTreeSet<ChangeHash>, bundle: EntryId) {
        changes.iter().for_each(|hash| self.note_entry(hash, bundle));
    }

    /// Notes a change that was made here.
    ///
    /// # Errors
    /// The [`Refusal`] that it would meet elsewhere.
    pub(super) fn note_own(&mut self, change: &Change) -> Result<(), Refusal> {
        if self.is_left_alone {
            return Err(Refusal::LeftAlone);
        }
        let share = share_of(change.raw_bytes(), change)?;
        self.budget.take(&share).map_err(Refusal::DocumentFull)?;
        let mut ahead = Ahead::default();
        let turn = self.turn_of(&Step::of(change), &ahead)?;
        ahead.note_step(&Step::of(change), None, turn);
        self.operations += share.weight.operations;
        self.keep(ahead);
        Ok(())
    }

    /// Takes in changes; those that came too early wait.
    pub(super) fn take_in<B: Into<Body>>(
        &mut self,
        auto: &mut AutoCommit,
        bodies: impl IntoIterator<Item = (EntryId, B)>,
    ) {
        self.search = Search::default();
        for (entry, body) in bodies {
            self.refused.remove(&entry);
            match body.into() {
                Body::Change(bytes) => self.read_change(entry, bytes),
                Body::Bundle(bytes) => self.read_bundle(auto, entry, &bytes),
            }
            self.settle_if_full(auto);
        }
        self.settle_ready(auto);
        self.shed();
    }

    fn read_change(&mut self, entry: EntryId, bytes: Vec<u8>) {
        let read = if self.is_left_alone { Err(Refusal::LeftAlone) } else { read(bytes) };
        match read {
            Ok((change, share)) => self.place(Brought { entry, change, share }),
            Err(refusal) => {
                self.refused.insert(entry, refusal);
            }
        }
    }

    fn settle_if_full(&mut self, auto: &mut AutoCommit) {
        if self.ready.len() >= BATCH_CHANGES_MAX || self.ready_bytes >= BATCH_BYTES_MAX {
            self.settle_ready(auto);
        }
    }

    fn shed(&mut self) {
        for (brought, reason) in self.waiting.shed() {
            self.budget.release(&brought.share);
            self.refused.insert(brought.entry, Refusal::DocumentFull(reason));
        }
    }

    /// The same for a document in use, unless what came is so much that to take in
    /// all of the document at once is faster. Then the document is unfit.
    pub(super) fn catch_up<B: Into<Body>>(
        &mut self,
        auto: &mut AutoCommit,
        bodies: impl IntoIterator<Item = (EntryId, B)>,
    ) -> bool {
        self.search = Search::default();
        let operations = self.operations;
        for (entry, body) in bodies {
            self.refused.remove(&entry);
            match body.into() {
                Body::Change(bytes) => self.read_change(entry, bytes),
                Body::Bundle(bytes) if bundle::is_heavy(&bytes, CATCH_UP_MAX) => return false,
                Body::Bundle(bytes) => self.read_bundle(auto, entry, &bytes),
            }
        }
        let cost = |brought: &Brought| {
            let Share { weight, new_actors } = &brought.share;
            let actors = new_actors * (operations / OPERATIONS_AN_ACTOR);
            weight.operations + weight.predecessors + actors
        };
        if self.ready.iter().map(cost).sum::<u64>() > CATCH_UP_MAX {
            return false;
        }
        let is_fit = self.settle_at_once(auto);
        self.shed();
        is_fit
    }

    /// Applies what is ready without a copy to go back to, which would cost as much as
    /// the document is large, for each change. If Automerge refuses, it is unfit. Where
    /// something was refused before, more may follow: then it is worth the copy.
    fn settle_at_once(&mut self, auto: &mut AutoCommit) -> bool {
        let mut ahead = Ahead::default();
        for brought in &self.ready {
            match self.turn(auto, brought, &ahead) {
                Ok(turn) if self.refused.is_empty() => ahead.note(brought, turn),
                Ok(_) | Err(_) => {
                    self.settle_ready(auto);
                    return true;
                }
            }
        }
        let ready = self.take_ready();
        let is_fit = ready.is_empty() || apply(auto, &ready);
        if is_fit {
            self.operations += ready.iter().map(Brought::operations).sum::<u64>();
            self.keep(ahead);
        }
        is_fit
    }

    /// Finds the place of a change: with those that are ready, or waiting.
    fn place(&mut self, brought: Brought) {
        let hash = brought.change.hash();
        if let Some(applied) = self.applied.get_mut(&hash) {
            applied.entry = Some(brought.entry);
            return;
        }
        if self.is_ready.contains(&hash) || self.waiting.contains(&hash) {
            return;
        }
        if let Err(reason) = self.budget.take(&brought.share) {
            self.leave_out(&brought, Refusal::DocumentFull(reason));
            return;
        }
        let deps = brought.change.deps();
        if deps.iter().any(|dep| self.left_out.contains(dep)) {
            self.refuse(&brought, Refusal::NotTaken);
            return;
        }
        let is_here =
            |dep: &ChangeHash| self.applied.contains_key(dep) || self.is_ready.contains(dep);
        let lacking: BTreeSet<_> = deps.iter().filter(|dep| !is_here(dep)).copied().collect();
        if !lacking.is_empty() {
            self.waiting.hold(brought, &lacking);
            return;
        }
        let mut free = vec![brought];
        while let Some(brought) = free.pop() {
            let hash = brought.change.hash();
            free.extend(self.waiting.arrived(&hash));
            self.is_ready.insert(hash);
            self.ready_bytes += brought.share.weight.bytes;
            self.ready.push(brought);
        }
    }

    /// Leaves out a change that was counted.
    fn refuse(&mut self, brought: &Brought, refusal: Refusal) {
        self.budget.release(&brought.share);
        self.leave_out(brought, refusal);
    }

    /// Leaves out a change, and those that wait for it.
    fn leave_out(&mut self, brought: &Brought, refusal: Refusal) {
        self.refused.insert(brought.entry, refusal);
        let hash = brought.change.hash();
        self.left_out.insert(hash);
        let mut gone = self.waiting.refused(&hash);
        while let Some(waiter) = gone.pop() {
            self.budget.release(&waiter.share);
            self.refused.insert(waiter.entry, Refusal::NotTaken);
            self.left_out.insert(waiter.change.hash());
            gone.extend(self.waiting.refused(&waiter.change.hash()));
        }
    }

    fn settle_ready(&mut self, auto: &mut AutoCommit) {
        let ready = self.take_ready();
        self.settle(auto, ready, false);
    }

    fn take_ready(&mut self) -> Vec<Brought> {
        self.is_ready.clear();
        self.ready_bytes = 0;
        std::mem::take(&mut self.ready)
    }

    /// Applies what can be, and finds what cannot by halving. What has no place after
    /// a change that turns out to be bad is looked at again without that one.
    fn settle(&mut self, auto: &mut AutoCommit, changes: Vec<Brought>, is_search: bool) {
        let mut pending = changes;
        while !pending.is_empty() {
            let mut ahead = Ahead::default();
            let (mut fitting, mut others) = (Vec::with_capacity(pending.len()), Vec::new());
            for brought in pending {
                match self.turn(auto, &brought, &ahead) {
                    Ok(turn) => {
                        ahead.note(&brought, turn);
                        fitting.push(brought);
                    }
                    Err(refusal) => others.push((brought, refusal)),
                }
            }
            if fitting.is_empty() || self.settle_fitting(auto, fitting, ahead, is_search) {
                others.iter().for_each(|(brought, refusal)| self.refuse(brought, *refusal));
                return;
            }
            if !self.search.affords_looks(others.len()) {
                others.iter().for_each(|(brought, _)| self.refuse(brought, Refusal::NotTried));
                return;
            }
            pending = others.into_iter().map(|(brought, _)| brought).collect();
        }
    }

    /// Whether all could be applied together; if not, some may have been.
    fn settle_fitting(
        &mut self,
        auto: &mut AutoCommit,
        fitting: Vec<Brought>,
        ahead: Ahead,
        is_search: bool,
    ) -> bool {
        if is_search && !self.search.affords(&fitting, self.operations) {
            self.settle_parts(auto, fitting, Refusal::NotTried);
            return false;
        }
        let before = auto.clone();
        if apply(auto, &fitting) {
            self.operations += fitting.iter().map(Brought::operations).sum::<u64>();
            self.keep(ahead);
            return true;
        }
        *auto = before;
        self.settle_parts(auto, fitting, Refusal::NotTaken);
        false
    }

    /// Applies what can be of changes that cannot be applied together; of one alone,
    /// says why.
    fn settle_parts(&mut self, auto: &mut AutoCommit, mut changes: Vec<Brought>, why: Refusal) {
        if let [brought] = changes.as_slice() {
            return self.refuse(brought, why);
        }
        let right = changes.split_off(middle(&changes));
        self.settle(auto, changes, true);
        self.settle(auto, right, true);
    }

    fn keep(&mut self, ahead: Ahead) {
        ahead.changes.keys().for_each(|hash| {
            self.left_out.remove(hash);
        });
        for (hash, deps, operations) in ahead.order {
            self.graph.add(hash, &deps, operations);
        }
        self.applied.extend(ahead.changes);
        self.actors.extend(ahead.actors);
    }
}

fn apply(auto: &mut AutoCommit, changes: &[Brought]) -> bool {
    let applied = guarded(|| {
        let changes: Vec<_> = changes.iter().map(|brought| brought.change.clone()).collect();
        auto.apply_changes(changes).is_ok()
    });
    let mut is_here = |change: &Change| auto.get_change_meta_by_hash(&change.hash()).is_some();
    applied == Some(true) && changes.iter().all(|brought| is_here(&brought.change))
}

#[cfg(test)]
mod tests;
