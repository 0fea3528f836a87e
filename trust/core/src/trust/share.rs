//! What others may know of what this node knows, and what it takes from them.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, SpaceId, Timestamp};

use super::{Trust, TrustError};
use crate::{
    attestation::{Attestation, Claim, Party, Scope},
    graph::Device,
};

/// Most attestations that a node keeps by one key of somebody whom it knows, and by all
/// strangers together: a flood by one does not push out the others.
pub const SIGNER_ATTESTATIONS_MAX: usize = 8_192;

/// Most attestations that a node keeps by one key of a stranger.
pub const STRANGER_ATTESTATIONS_MAX: usize = 256;

/// What came of attestations from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Those that were not known before.
    pub new: Vec<AttestationId>,
    /// How many were malformed or wrongly signed.
    pub rejected: usize,
    /// Keys that said more than is kept of one.
    pub flooding: BTreeSet<DeviceId>,
}

impl Trust {
    /// Takes in attestations from outside and says which were new. Bad ones are
    /// left out and counted, and so is what exceeds a quota.
    ///
    /// # Errors
    /// [`TrustError`]; nothing was kept.
    pub fn receive<'a>(
        &mut self,
        bytes: impl Iterator<Item = &'a [u8]>,
        now: Timestamp,
    ) -> Result<Received, TrustError> {
        self.take_in(bytes, now, true)
    }

    /// Takes in how somebody introduces themselves with a ticket: however many strangers
    /// said something before, a guest is welcome.
    ///
    /// # Errors
    /// [`TrustError`]; nothing was kept.
    pub fn welcome<'a>(
        &mut self,
        bytes: impl Iterator<Item = &'a [u8]>,
        now: Timestamp,
    ) -> Result<Received, TrustError> {
        self.take_in(bytes, now, false)
    }

    fn take_in<'a>(
        &mut self,
        bytes: impl Iterator<Item = &'a [u8]>,
        now: Timestamp,
        has_quota: bool,
    ) -> Result<Received, TrustError> {
        let mut received = Received::default();
        let mut fresh: Vec<Attestation> = Vec::new();
        let mut in_batch: BTreeSet<AttestationId> = BTreeSet::new();
        let mut more: BTreeMap<DeviceId, usize> = BTreeMap::new();
        for bytes in bytes {
            // Known bytes cost a hash, not a signature.
            let Ok(unverified) = Attestation::from_storage(bytes) else {
                received.rejected += 1;
                continue;
            };
            if self.attestations.contains_key(&unverified.id) || in_batch.contains(&unverified.id) {
                continue;
            }
            let signer = unverified.signer;
            let count = more.get(&signer).copied().unwrap_or_default();
            if has_quota && self.is_over_quota(&unverified, (count, fresh.len())) {
                received.flooding.insert(signer);
                continue;
            }
            match Attestation::read(bytes) {
                Ok(attestation) => {
                    *more.entry(signer).or_default() += 1;
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

    /// Whether there is no room for it, with so many more by its signer, and in all.
    fn is_over_quota(&self, attestation: &Attestation, (more, in_all): (usize, usize)) -> bool {
        let kept = self.of_signer.get(&attestation.signer).copied().unwrap_or_default() + more;
        if self.is_own_key(attestation.signer) {
            return false;
        }
        if self.is_of_known(attestation) {
            return kept >= SIGNER_ATTESTATIONS_MAX;
        }
        // Counted when somebody asks for the first time: most nodes meet no stranger.
        let of_strangers = self.of_strangers.get_or_init(|| {
            self.attestations.values().filter(|said| !self.is_of_known(said)).count()
        });
        kept >= STRANGER_ATTESTATIONS_MAX || of_strangers + in_all >= SIGNER_ATTESTATIONS_MAX
    }

    /// Whether it is by a key that belongs to its issuer, and we know the issuer.
    pub(super) fn is_of_known(&self, attestation: &Attestation) -> bool {
        let link = self.graph.link(attestation.signer, attestation.issuer);
        self.knows(attestation.issuer) && (attestation.is_rooted() || link.is_some())
    }

    /// Whether it is ourselves, or somebody whom we said something of, or who is in a space
    /// of which we have heard.
    pub(super) fn knows(&self, agent: AgentId) -> bool {
        let me = self.agent();
        agent == me
            || self.graph.sides.contains_key(&(me, agent))
            || self.graph.spaces_of(agent).next().is_some()
    }

    /// Whose device it is, for whoever talks to it, unless they took it back.
    #[must_use]
    pub fn agent_of(&self, device: DeviceId) -> Option<AgentId> {
        self.link_of(device).filter(|link| link.revoked.is_none()).map(|link| link.agent)
    }

    /// A device as we see it: of several agents ourselves, then who is related to us, then
    /// who shares a space with us; first who did not take it back.
    #[must_use]
    pub fn link_of(&self, device: DeviceId) -> Option<&Device> {
        let me = self.agent();
        let shares = |agent: AgentId| {
            let members = |space| self.graph.spaces.get(&space).map(|space| &space.members);
            let mut spaces = self.graph.spaces_of(agent).filter_map(members);
            spaces.any(|members| members.contains_key(&me))
        };
        let distance = |link: &&Device| {
            let is_related = self.graph.relationship(me, link.agent).is_some();
            let is_near = [link.agent == me, is_related, shares(link.agent)];
            (link.revoked.is_some(), is_near.map(|is_near| !is_near))
        };
        let mut links = self.graph.links(device);
        // As good as always there is one: nothing to compare.
        let (first, second) = (links.next()?, links.next());
        if second.is_none() { Some(first) } else { self.graph.links(device).min_by_key(distance) }
    }

    /// The attestations that concern `agent`: what is said to everybody by us, by
    /// them and by those who share a space with them; what is said between the two
    /// of us; all about the spaces that they are in. Of spaces that they were in,
    /// what says that they are not any more.
    #[must_use]
    pub fn visible_to(&self, agent: AgentId) -> Vec<AttestationId> {
        let me = self.agent();
        let mut people = BTreeSet::from([me, agent]);
        let mut spaces: BTreeSet<SpaceId> = self.graph.spaces_of(agent).collect();
        spaces.extend(self.graph.kept_by(agent));
        let groups = self.groups_of(&spaces);
        for space in spaces.iter().chain(&groups) {
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
                let space = SpaceId(attestation.id.0);
                return spaces.contains(&space)
                    || groups.contains(&space)
                    || left.contains(&attestation.id);
            }
            let is_of_group = groups.contains(&SpaceId(scope.0))
                && matches!(
                    attestation.claim,
                    // What is purged there says nothing of who is in it, but is named.
                    Claim::SpaceGrant { .. }
                        | Claim::SpaceRevocation { .. }
                        | Claim::DocumentPurge { .. }
                );
            let is_between_us = (*issuer == me && scope.0 == agent.0)
                || (*issuer == agent && scope.0 == me.0)
                || (agent == me && (*issuer == me || scope.0 == me.0));
            is_between_us
                || is_of_group
                || spaces.contains(&SpaceId(scope.0))
                || left.contains(&attestation.id)
        };
        self.attestations.values().filter(concerns).map(|attestation| attestation.id).collect()
    }

    /// Spaces whose members are in these as groups, and in those: who they are is part of
    /// who is in these.
    pub(super) fn groups_of(&self, spaces: &BTreeSet<SpaceId>) -> BTreeSet<SpaceId> {
        let mut groups = BTreeSet::new();
        let mut waiting: Vec<SpaceId> = spaces.iter().copied().collect();
        while let Some(space) = waiting.pop() {
            let facts = self.graph.spaces.get(&space);
            let parties = facts
                .into_iter()
                .flat_map(|it| it.membership.members.keys().chain(it.membership.former.keys()));
            for party in parties {
                if let Party::Group(group) = party
                    && !spaces.contains(group)
                    && groups.insert(*group)
                {
                    waiting.push(*group);
                }
            }
        }
        groups
    }

    /// A membership statement with everything that its issuer knew; without all of it, it
    /// does not count.
    #[must_use]
    pub fn with_past(&self, id: AttestationId) -> BTreeSet<AttestationId> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            if found.insert(id)
                && let Some(attestation) = self.attestations.get(&id)
            {
                waiting.extend(attestation.claim.after());
            }
        }
        found
    }

    /// What a decision rests on, with all that is needed to come to it again: the
    /// statements, what their issuers knew, the removals that count in the spaces they
    /// are about, and the links of the devices that signed, with what took these back.
    pub(super) fn closure(&self, because: &[AttestationId]) -> BTreeSet<AttestationId> {
        let mut found: BTreeSet<AttestationId> =
            because.iter().flat_map(|id| self.with_past(*id)).collect();
        let spaces: BTreeSet<SpaceId> = found
            .iter()
            .filter_map(|id| {
                let said = self.attestations.get(id)?;
                let is_founding = said.scope == Scope::FOUNDING;
                Some(SpaceId(if is_founding { id.0 } else { said.scope.0 }))
            })
            .collect();
        for facts in spaces.iter().filter_map(|space| self.graph.spaces.get(space)) {
            found.extend(facts.membership.removals.iter().flat_map(|id| self.with_past(*id)));
        }
        self.with_devices(found)
    }

    /// Statements with the links of the devices that signed them. Of devices that were
    /// taken back, what did it, and the chains that it let stand.
    fn with_devices(&self, mut found: BTreeSet<AttestationId>) -> BTreeSet<AttestationId> {
        loop {
            let before = found.len();
            let said = found.iter().filter_map(|id| self.attestations.get(id));
            let chains: BTreeSet<(DeviceId, AgentId, Scope)> =
                said.map(|said| (said.signer, said.issuer, said.scope)).collect();
            for (signer, issuer, scope) in chains {
                let Some(device) = self.graph.link(signer, issuer) else { continue };
                found.insert(device.evidence);
                let Some(revoked) = &device.revoked else { continue };
                found.extend(revoked.because.iter().copied());
                // Foundings are in no chain: others of this device's would bring spaces along.
                if scope != Scope::FOUNDING {
                    let chain = self.attestations.values();
                    let chain = chain.filter(|it| (it.signer, it.scope) == (signer, scope));
                    found.extend(chain.map(|it| it.id));
                }
            }
            if found.len() == before {
                found.retain(|id| self.attestations.contains_key(id));
                return found;
            }
        }
    }
}
