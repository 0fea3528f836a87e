//! New keys for a space: when they are made, for whom, and what their maker says it knew.
//!
//! Invariant: whom a key was kept from gets it from nobody who does not know why. Statements
//! arrive in any order, and a disk may be full in between: a key can be here before the
//! removal that it was made for, and its own maker's list of readers does not tell somebody
//! who was left out from somebody who was not known yet.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, Entropy, Epoch, SpaceId, Timestamp};

use super::{Trust, TrustError, speak::Drafts};
use crate::{
    attestation::{Attestation, Claim, LOSSES_MAX, Party, WRAPS_MAX},
    graph::{Graph, Recipient, Space},
    keyring::{EpochKeys, commons_recipient, wrap},
    words::{Reach, Role},
};

/// How long keys of a space are used before they are changed without a reason.
const EPOCH_AGE_MAX_MILLIS: u64 = 90 * 24 * 60 * 60 * 1_000;

impl Trust {
    /// Gives a space a new epoch, if this device has keys of an older one.
    pub(super) fn draft_rotation(
        &self,
        entropy: &mut Entropy,
        drafts: &mut Drafts,
        graph: &Graph,
        space: SpaceId,
    ) {
        let Some((newest, _, keys)) = self.keyring.epochs(space).last() else { return };
        let known = graph.spaces.get(&space).and_then(|it| it.epochs.keys().next_back());
        let newest = known.map_or(newest, |(epoch, _)| newest.max(*epoch));
        // Somebody may have used up the numbers; two keys of one number are two keys.
        let next = Epoch(newest.0.saturating_add(1));
        let keys = keys.next(entropy);
        let mut readers: Vec<_> = graph.readers(space).into_iter().collect();
        let is_commons = graph.spaces.get(&space).is_some_and(|it| it.reach == Reach::Commons);
        readers.extend(is_commons.then(|| commons_recipient(space)));
        let after = self.losses(drafts, graph, space);
        self.hand_out(entropy, drafts, (space, next, &keys), Some(&after), &readers);
    }

    /// Hands out a key; `made_after` of a new one is what its maker knew.
    pub(super) fn hand_out(
        &self,
        entropy: &mut Entropy,
        drafts: &mut Drafts,
        (space, epoch, keys): (SpaceId, Epoch, &EpochKeys),
        made_after: Option<&[AttestationId]>,
        readers: &[Recipient],
    ) {
        let is_new = made_after.is_some();
        for some in readers.chunks(WRAPS_MAX) {
            let wraps = some.iter().filter_map(|it| wrap(entropy, space, epoch, keys, *it));
            let (key, wraps) = (keys.id(), wraps.collect::<Vec<_>>());
            // Without any it would say that this device lacks the key.
            if is_new || !wraps.is_empty() {
                let after = made_after.unwrap_or_default().to_vec();
                self.say(drafts, Claim::SpaceEpoch { space, epoch, key, is_new, wraps, after });
            }
        }
    }

    /// What is to be said without being asked, since the world has changed: keys
    /// for devices that lack them, new keys where somebody left or they are old.
    /// Says whether there was anything.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn keep_keys(&mut self, entropy: &mut Entropy, now: Timestamp) -> Result<bool, TrustError> {
        let mut drafts = self.drafts(now);
        for space in self.spaces() {
            self.draft_asks(&mut drafts, space);
            self.draft_wraps(entropy, &mut drafts, &self.graph, space);
            if self.role_in(space).is_some_and(|role| role.includes(Role::Admin))
                && self.is_rotation_due(space, now)
            {
                self.draft_rotation(entropy, &mut drafts, &self.graph, space);
            }
        }
        let drafts = drafts.into_list();
        let is_any = !drafts.is_empty();
        self.commit(drafts, &[], now)?;
        Ok(is_any)
    }

    fn is_rotation_due(&self, space: SpaceId, now: Timestamp) -> bool {
        let Some((epoch, key, _)) = self.writing_epoch(space) else {
            return true;
        };
        let facts = self.graph.spaces.get(&space).and_then(|it| it.epochs.get(&(epoch, key)));
        // Keys dated by a clock that was ahead are not old.
        facts.is_some_and(|facts| now.0.saturating_sub(facts.issued_at.0) > EPOCH_AGE_MAX_MILLIS)
    }

    /// Makes sure that what is written to a space now is sealed from everybody who
    /// was removed: rotates if no epoch is clean. Says whether it did.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn prepare_to_write(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        space: SpaceId,
    ) -> Result<bool, TrustError> {
        let may_write = self.role_in(space).is_some_and(|role| role.includes(Role::Writer));
        if !may_write || self.writing_epoch(space).is_some() {
            return Ok(false);
        }
        let mut drafts = self.drafts(now);
        self.draft_rotation(entropy, &mut drafts, &self.graph, space);
        self.commit(drafts.into_list(), &[], now)?;
        Ok(true)
    }

    /// Why somebody has keys of a space no more who had some: what took back their device,
    /// removed them, or removed whom they were in it by. Of those first who had the newest.
    fn losses(&self, drafts: &Drafts, graph: &Graph, space: SpaceId) -> Vec<AttestationId> {
        let Some(facts) = graph.spaces.get(&space) else { return vec![] };
        let mut lost = last_epochs(facts);
        lost.remove(&commons_recipient(space).id());
        for reader in graph.readers(space) {
            lost.remove(&reader.id());
        }
        let mut reasons: BTreeMap<AttestationId, Epoch> = BTreeMap::new();
        let mut gone: BTreeMap<AgentId, Epoch> = BTreeMap::new();
        for (key, epoch) in lost {
            let linked = graph.links(key).map(|link| link.agent);
            for agent in linked.chain(graph.agents_behind(key)) {
                raise(&mut gone, agent, epoch);
            }
            let revoked = graph.links(key).filter_map(|link| link.revoked.as_ref());
            for reason in revoked.filter_map(|it| it.because.first()) {
                raise(&mut reasons, *reason, epoch);
            }
        }
        let groups = self.groups_of(&BTreeSet::from([space]));
        let facts = groups.iter().filter_map(|group| graph.spaces.get(group)).chain([facts]);
        for removal in facts.flat_map(|facts| &facts.membership.removals) {
            let epoch = match self.attestations.get(removal).or_else(|| drafts.get(*removal)) {
                Some(Attestation { claim: Claim::SpaceRevocation { party, .. }, .. }) => {
                    match party {
                        Party::Agent(agent) => gone.get(agent),
                        Party::Group(_) => gone.values().max(),
                    }
                }
                Some(_) | None => None,
            };
            if let Some(epoch) = epoch {
                raise(&mut reasons, *removal, *epoch);
            }
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(id, epoch)| (std::cmp::Reverse(*epoch), *id));
        reasons.into_iter().take(LOSSES_MAX).map(|(id, _)| id).collect()
    }
}

fn raise<K: Ord>(newest: &mut BTreeMap<K, Epoch>, key: K, epoch: Epoch) {
    let known = newest.entry(key).or_insert(epoch);
    *known = epoch.max(*known);
}

/// The newest epoch of which each key was given something.
fn last_epochs(facts: &Space) -> BTreeMap<DeviceId, Epoch> {
    let given = facts.epochs.iter();
    given.flat_map(|((epoch, _), it)| it.wraps.keys().map(|key| (*key, *epoch))).collect()
}

#[cfg(test)]
mod tests;
