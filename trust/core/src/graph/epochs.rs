//! Keys of spaces, as far as they were handed out and explained.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, Timestamp};

use super::Space;
use crate::{
    attestation::{Attestation, Claim, Party},
    keyring::WrappedKey,
    words::Role,
};

/// An epoch's key, as far as it was handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochFacts {
    /// The key, by the device that can open it. A bad one must not keep out a good
    /// one, so all are kept.
    pub wraps: BTreeMap<DeviceId, Vec<WrappedKey>>,
    /// Who handed it to whom.
    pub given: BTreeSet<(AgentId, DeviceId)>,
    /// Devices that say that they can open nothing that they were handed.
    pub asking: BTreeSet<DeviceId>,
    /// Who handed it out.
    pub issuers: BTreeSet<AgentId>,
    /// Who says to have made it: not everybody who hands it on. And whether all is here that
    /// they knew of who has keys no more.
    pub makers: BTreeMap<AgentId, bool>,
    /// When it was first handed out, by its issuer's clock.
    pub issued_at: Timestamp,
}

impl Space {
    /// Takes notice of a statement about one of its epochs.
    pub(super) fn note_epoch(&mut self, attestation: &Attestation, known: &mut Known<'_>) {
        let Claim::SpaceEpoch { epoch, key, is_new, wraps, after, .. } = &attestation.claim else {
            return;
        };
        if !holds_or_held_keys(self, attestation.issuer) {
            return;
        }
        let facts = self.epochs.entry((*epoch, *key)).or_insert_with(|| EpochFacts {
            issued_at: attestation.issued_at,
            ..EpochFacts::default()
        });
        if wraps.is_empty() && !is_new {
            facts.asking.insert(attestation.signer);
            return;
        }
        facts.issuers.insert(attestation.issuer);
        if *is_new {
            let maker = facts.makers.entry(attestation.issuer).or_insert(true);
            *maker &= after.iter().all(|id| known.holds(*id));
        }
        for wrap in wraps {
            facts.given.insert((attestation.issuer, wrap.device));
            facts.wraps.entry(wrap.device).or_default().push(wrap.clone());
        }
    }
}

/// Keys that a member handed out before they left still open what was written
/// with them.
fn holds_or_held_keys(space: &Space, agent: AgentId) -> bool {
    let holds = |role: Role| role.holds_keys();
    space.members.get(&agent).is_some_and(|member| holds(member.role))
        || space
            .membership
            .former
            .get(&Party::Agent(agent))
            .is_some_and(|past| past.role.is_some_and(holds))
}

/// All statements that are here, and what was found out about them.
pub(super) struct Known<'a> {
    by_id: Vec<&'a Attestation>,
    whole: BTreeSet<AttestationId>,
}

impl<'a> Known<'a> {
    /// Statements in the order of their ids.
    pub(super) fn new(by_id: Vec<&'a Attestation>) -> Self {
        Self { by_id, whole: BTreeSet::new() }
    }

    /// Whether a statement is here with all that it is after.
    pub(super) fn holds(&mut self, id: AttestationId) -> bool {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            if self.whole.contains(&id) || !seen.insert(id) {
                continue;
            }
            let Ok(place) = self.by_id.binary_search_by_key(&id, |said| said.id) else {
                return false;
            };
            waiting.extend(self.by_id[place].claim.after());
        }
        self.whole.append(&mut seen);
        true
    }
}
