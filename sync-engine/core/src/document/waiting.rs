//! Changes that came before those that they build on.
//!
//! Each one is looked at when it comes and when one that it lacks comes, not
//! more often: a history in reverse order costs no more than another one.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ChangeHash;

use super::{
    intake::Brought,
    refusal::{Measure, TooHeavy},
};

/// Changes that wait, and their bytes. What comes between two nodes comes in
/// order but for a page or two; a document that is loaded comes as a whole.
const WAITING_CHANGES_MAX: u64 = 16_384;
const WAITING_BYTES_MAX: u64 = 16 * 1024 * 1024;

struct Held {
    brought: Brought,
    lacks: usize,
}

#[derive(Default)]
pub(super) struct Waiting {
    held: BTreeMap<ChangeHash, Held>,
    /// For each change that is lacked, those that wait for it.
    blocked: BTreeMap<ChangeHash, Vec<ChangeHash>>,
    bytes: u64,
}

impl Waiting {
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    pub(super) fn contains(&self, hash: &ChangeHash) -> bool {
        self.held.contains_key(hash)
    }

    /// Keeps a change that lacks these.
    pub(super) fn hold(&mut self, brought: Brought, lacking: &BTreeSet<ChangeHash>) {
        let hash = brought.change.hash();
        for lacked in lacking {
            self.blocked.entry(*lacked).or_default().push(hash);
        }
        self.bytes += brought.share.weight.bytes;
        self.held.insert(hash, Held { brought, lacks: lacking.len() });
    }

    /// A change is here: gives out those that lacked only it.
    pub(super) fn arrived(&mut self, hash: &ChangeHash) -> Vec<Brought> {
        let mut free = Vec::new();
        for waiter in self.blocked.remove(hash).unwrap_or_default() {
            let Some(held) = self.held.get_mut(&waiter) else { continue };
            held.lacks -= 1;
            if held.lacks == 0 {
                free.extend(self.take(&waiter));
            }
        }
        free
    }

    /// A change will never be here: gives out all that lacked it.
    pub(super) fn refused(&mut self, hash: &ChangeHash) -> Vec<Brought> {
        let waiters = self.blocked.remove(hash).unwrap_or_default();
        waiters.iter().filter_map(|waiter| self.take(waiter)).collect()
    }

    fn take(&mut self, hash: &ChangeHash) -> Option<Brought> {
        let held = self.held.remove(hash)?;
        self.bytes -= held.brought.share.weight.bytes;
        Some(held.brought)
    }

    /// Gives out what is too much, with the reason.
    pub(super) fn shed(&mut self) -> Vec<(Brought, TooHeavy)> {
        let mut shed = Vec::new();
        while let Err(reason) = self.check() {
            let Some(hash) = self.held.keys().next_back().copied() else { break };
            shed.extend(self.take(&hash).map(|brought| (brought, reason)));
        }
        if !shed.is_empty() {
            let held = &self.held;
            self.blocked.retain(|_, waiters| {
                waiters.retain(|waiter| held.contains_key(waiter));
                !waiters.is_empty()
            });
        }
        shed
    }

    fn check(&self) -> Result<(), TooHeavy> {
        let changes = self.held.len() as u64;
        TooHeavy::unless_within(Measure::WaitingChanges, changes, WAITING_CHANGES_MAX)?;
        TooHeavy::unless_within(Measure::WaitingBytes, self.bytes, WAITING_BYTES_MAX)
    }
}
