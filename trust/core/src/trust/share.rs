//! What others may know of what this node knows, and what it takes from them.

use std::collections::BTreeSet;

use node_model::{AgentId, AttestationId, SpaceId, Timestamp};

use super::{Trust, TrustError};
use crate::attestation::{Attestation, Claim, Party, Scope};

/// Most attestations that a node keeps of one other issuer: a flood of one does
/// not push out the others.
pub const ISSUER_ATTESTATIONS_MAX: usize = 8_192;

/// What came of attestations from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Those that were not known before.
    pub new: Vec<AttestationId>,
    /// How many were malformed or wrongly signed.
    pub rejected: usize,
    /// Issuers who sent more than is kept of one.
    pub flooding: BTreeSet<AgentId>,
}

impl Trust {
    /// Takes in attestations from outside and says which were new. Bad ones are
    /// left out and counted.
    ///
    /// # Errors
    /// [`TrustError`]; nothing was kept.
    pub fn receive<'a>(
        &mut self,
        bytes: impl Iterator<Item = &'a [u8]>,
        now: Timestamp,
    ) -> Result<Received, TrustError> {
        let mut received = Received::default();
        let mut fresh: Vec<Attestation> = Vec::new();
        let mut in_batch: BTreeSet<AttestationId> = BTreeSet::new();
        for bytes in bytes {
            // Known bytes cost a hash, not a signature.
            let Ok(unverified) = Attestation::from_storage(bytes) else {
                received.rejected += 1;
                continue;
            };
            if self.attestations.contains_key(&unverified.id) || in_batch.contains(&unverified.id) {
                continue;
            }
            let issuer = unverified.issuer;
            let known = self.of_issuer.get(&issuer).copied().unwrap_or_default();
            let more = fresh.iter().filter(|other| other.issuer == issuer).count();
            if issuer != self.agent() && known + more >= ISSUER_ATTESTATIONS_MAX {
                received.flooding.insert(issuer);
                continue;
            }
            match Attestation::read(bytes) {
                Ok(attestation) => {
                    in_batch.insert(attestation.id);
                    fresh.push(attestation);
                }
                Err(_) => received.rejected += 1,
            }
        }
        received.new = fresh.iter().map(|attestation| attestation.id).collect();
        self.commit(fresh, &[], now)?;
        Ok(received)
    }

    /// The attestations that concern `agent`: what is said to everybody by us, by
    /// them and by those who share a space with them; what is said between the two
    /// of us; all about the spaces that they are in. Of spaces that they were in,
    /// what says that they are not any more.
    #[must_use]
    pub fn visible_to(&self, agent: AgentId) -> Vec<AttestationId> {
        let me = self.agent();
        let mut people = BTreeSet::from([me, agent]);
        let spaces: BTreeSet<SpaceId> = self.graph.spaces_of(agent).collect();
        for space in &spaces {
            if let Some(facts) = self.graph.spaces.get(space) {
                people.extend(facts.members.keys().copied());
                // Whoever signed what the space rests on, though they left since.
                people.extend(facts.membership.former.keys().filter_map(|party| match party {
                    Party::Agent(agent) => Some(*agent),
                    Party::Group(_) => None,
                }));
            }
        }
        let left: BTreeSet<AttestationId> = self
            .graph
            .spaces
            .values()
            .filter_map(|facts| facts.membership.former.get(&Party::Agent(agent)))
            .flat_map(|past| past.because.iter().copied())
            .flat_map(|id| self.with_past(id))
            .collect();
        people.extend(left.iter().filter_map(|id| Some(self.attestations.get(id)?.issuer)));
        let concerns = |attestation: &&Attestation| {
            let Attestation { scope, issuer, .. } = attestation;
            if *scope == Scope(issuer.0) {
                return people.contains(issuer);
            }
            if *scope == Scope::FOUNDING {
                return spaces.contains(&SpaceId(attestation.id.0))
                    || left.contains(&attestation.id);
            }
            let is_between_us = (*issuer == me && scope.0 == agent.0)
                || (*issuer == agent && scope.0 == me.0)
                || (agent == me && (*issuer == me || scope.0 == me.0));
            is_between_us || spaces.contains(&SpaceId(scope.0)) || left.contains(&attestation.id)
        };
        self.attestations.values().filter(concerns).map(|attestation| attestation.id).collect()
    }

    /// A membership statement with everything that its issuer knew.
    fn with_past(&self, id: AttestationId) -> BTreeSet<AttestationId> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            if found.insert(id)
                && let Some(attestation) = self.attestations.get(&id)
                && let Claim::SpaceGrant { after, .. } | Claim::SpaceRevocation { after, .. } =
                    &attestation.claim
            {
                waiting.extend(after.iter().copied());
            }
        }
        found
    }

    /// What a decision rests on, with all that is needed to come to it again: the
    /// statements, what their issuers knew, and the links of the devices that signed.
    pub(super) fn closure(&self, because: &[AttestationId]) -> BTreeSet<AttestationId> {
        let mut found: BTreeSet<AttestationId> =
            because.iter().flat_map(|id| self.with_past(*id)).collect();
        let signers: BTreeSet<_> =
            found.iter().filter_map(|id| Some(self.attestations.get(id)?.signer)).collect();
        found.extend(
            signers.iter().filter_map(|signer| Some(self.graph.devices.get(signer)?.evidence)),
        );
        found
    }
}
