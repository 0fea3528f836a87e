//! How somebody whom a node does not know yet shows that it may talk to them: with the link of
//! their device, and the grants that lead from a space of ours to them.
//!
//! Invariants: only whom we know hears of a space from us; what a stranger brings is kept if it
//! lets the stranger in, by the rules for everything else, and otherwise leaves no trace.
//! Non-goals: whether they were removed since, which whoever knows it tells later.

use std::collections::{BTreeSet, VecDeque};

use node_model::{AgentId, AttestationId, DeviceId, SpaceId, Timestamp};

use super::{Trust, TrustError};
use crate::{
    attestation::{Attestation, Claim},
    decision::{Action, Question, decide},
    graph::Graph,
    pairing::{INTRODUCTION_BYTES_MAX, INTRODUCTION_STATEMENTS_MAX},
    words::Role,
};

/// What a stranger says of themselves that is new here, well signed.
#[derive(Debug)]
pub struct Introduction {
    device: DeviceId,
    fresh: Vec<Attestation>,
}

impl Trust {
    /// How this device introduces itself to one that it knows and that does not know it:
    /// what is needed most first, as much as fits into a frame. Nothing for whom we do not
    /// let in ourselves.
    #[must_use]
    pub fn introduction_to(&self, device: DeviceId) -> Vec<&Attestation> {
        let question = Question { device, action: Action::Connect };
        let Some(them) = self.agent_of(device).filter(|_| self.decide(question).is_allowed())
        else {
            return vec![];
        };
        // Whatever it rests on: nothing that would not concern them anyhow.
        let visible: BTreeSet<AttestationId> = self.visible_to(them).into_iter().collect();
        let mut chosen = Vec::new();
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for id in self.wanted_of_us(them) {
            let is_wanted = visible.contains(&id) && seen.insert(id);
            let Some(said) = self.attestations.get(&id).filter(|_| is_wanted) else { continue };
            let is_full = chosen.len() >= INTRODUCTION_STATEMENTS_MAX
                || bytes + said.bytes().len() > INTRODUCTION_BYTES_MAX;
            if is_full {
                break;
            }
            bytes += said.bytes().len();
            chosen.push(said);
        }
        chosen
    }

    /// Everything that lets `them` know us, in the order of need. Of the spaces that we
    /// share those with the shortest proof come first: one is enough.
    fn wanted_of_us(&self, them: AgentId) -> Vec<AttestationId> {
        let me = self.agent();
        let link = self.graph.link(self.device(), me).map(|own| own.evidence);
        let is_name =
            |said: &&Attestation| said.issuer == me && matches!(said.claim, Claim::Profile { .. });
        let names = self.attestations.values().filter(is_name);
        let name = names.max_by_key(|said| (said.height, said.id)).map(|said| said.id);
        let mut wanted: Vec<AttestationId> = link.into_iter().chain(name).collect();
        if them == me {
            return wanted;
        }
        let mut proofs: Vec<(usize, SpaceId, Vec<AttestationId>)> = Vec::new();
        for space in self.graph.spaces_of(me) {
            let Some(facts) = self.graph.spaces.get(&space) else { continue };
            if let (Some(own), true) = (facts.members.get(&me), facts.members.contains_key(&them)) {
                let proof = self.newest_first(&own.because);
                proofs.push((proof.len(), space, proof));
            }
        }
        proofs.sort_unstable();
        wanted.extend(proofs.into_iter().flat_map(|(_, _, proof)| proof));
        wanted
    }

    /// What a standing rests on, then what the issuers of that knew, and so on: whoever was
    /// away lacks what is near the end. With each statement the link of the device that
    /// signed it; last what else it takes.
    fn newest_first(&self, because: &[AttestationId]) -> Vec<AttestationId> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut waiting: VecDeque<AttestationId> = because.iter().copied().collect();
        while let Some(id) = waiting.pop_front() {
            let Some(said) = self.attestations.get(&id).filter(|said| seen.insert(said.id)) else {
                continue;
            };
            found.push(id);
            let link = self.graph.link(said.signer, said.issuer).map(|device| device.evidence);
            found.extend(link.filter(|link| seen.insert(*link)));
            waiting.extend(said.claim.after());
        }
        found.extend(self.closure(because).into_iter().filter(|id| !seen.contains(id)));
        found
    }

    /// Looks at how a stranger introduces themselves. `None` when nothing comes of it,
    /// which costs a few hashes, and for whoever made statements up one signature.
    #[must_use]
    pub fn weigh_introduction<'a>(
        &self,
        device: DeviceId,
        bytes: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Introduction> {
        let mut unverified: Vec<(Attestation, &[u8])> = Vec::new();
        for bytes in bytes.take(INTRODUCTION_STATEMENTS_MAX) {
            let said = Attestation::from_storage(bytes).ok()?;
            let is_new = !self.attestations.contains_key(&said.id)
                && unverified.iter().all(|(other, _)| other.id != said.id);
            if is_new && is_of_use(&said.claim) {
                unverified.push((said, bytes));
            }
        }
        if !self.might_know(device, unverified.iter().map(|(said, _)| said)) {
            return None;
        }
        let read = unverified.into_iter().map(|(_, bytes)| Attestation::read(bytes).ok());
        Some(Introduction { device, fresh: read.collect::<Option<_>>()? })
    }

    /// Whether somebody whom we know might vouch for the device with this: the agent itself
    /// with a new device, or an admin of a space by a grant that we had not seen. Nobody
    /// else can make us weigh it against everything that we know.
    fn might_know<'a>(
        &self,
        device: DeviceId,
        said: impl Iterator<Item = &'a Attestation> + Clone,
    ) -> bool {
        let graph = &self.graph;
        let is_link = |it: &Attestation| {
            let Claim::DeviceLink { device: linked, .. } = &it.claim else { return false };
            it.is_rooted() && *linked == device
        };
        let link = said.clone().find(|said| is_link(said)).map(|link| link.issuer);
        let is_admitting = |it: &Attestation| {
            let Claim::SpaceGrant { space, .. } = &it.claim else { return false };
            let members = graph.spaces.get(space).map(|space| &space.members);
            let issuer = members.and_then(|members| members.get(&it.issuer));
            issuer.is_some_and(|issuer| issuer.role.includes(Role::Admin))
        };
        let is_linked = link.is_some() || graph.devices.contains_key(&device);
        link.is_some_and(|agent| self.knows(agent)) || (is_linked && { said }.any(is_admitting))
    }

    /// Takes in how a stranger introduced themselves, if with it they may connect. Says
    /// whether they may.
    ///
    /// # Errors
    /// [`TrustError`]; nothing was kept.
    pub fn take_introduction(
        &mut self,
        Introduction { device, fresh }: Introduction,
        now: Timestamp,
    ) -> Result<bool, TrustError> {
        let graph = Graph::derive(self.attestations.values().chain(&fresh), now);
        let question = Question { device, action: Action::Connect };
        if !decide(&graph, self.device(), question).is_allowed() {
            return Ok(false);
        }
        self.commit(fresh, &[], now)?;
        Ok(true)
    }
}

/// Whether it says who somebody is, or in which space, or is named by what says so.
fn is_of_use(claim: &Claim) -> bool {
    matches!(
        claim,
        Claim::DeviceLink { .. }
            | Claim::DeviceRevocation { .. }
            | Claim::Profile { .. }
            | Claim::SpaceFounding { .. }
            | Claim::SpaceGrant { .. }
            | Claim::SpaceRevocation { .. }
            | Claim::DocumentPurge { .. }
    )
}

#[cfg(test)]
mod tests;
