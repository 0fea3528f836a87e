//! Whether a decision can be come to again from its evidence: what it names, what the
//! issuers of that knew, the removals that count there, and why the signers' devices
//! may or may not speak.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, SpaceId};

use super::{Case, View, rules::Oracle};
use crate::{
    attestation::{Attestation, Claim, Scope},
    decision::{Decision, decide},
    graph::Graph,
};

/// Comes to decisions again.
pub(super) struct Evidence<'a> {
    view: &'a View<'a>,
    oracle: Oracle<'a>,
    /// What is known from the evidence, by what a decision names.
    derived: BTreeMap<Vec<AttestationId>, Graph>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(view: &'a View<'a>, oracle: Oracle<'a>) -> Self {
        Self { view, oracle, derived: BTreeMap::new() }
    }

    /// The decision that the evidence of one gives alone.
    pub(super) fn decide_again(&mut self, (own, question): Case, decision: &Decision) -> Decision {
        if !self.derived.contains_key(&decision.because) {
            let closure = self.closure(&decision.because);
            let graph = Graph::derive(closure.iter().map(|id| self.view.known[id]), self.view.now);
            self.derived.insert(decision.because.clone(), graph);
        }
        decide(&self.derived[&decision.because], own, question)
    }

    fn closure(&self, because: &[AttestationId]) -> BTreeSet<AttestationId> {
        let mut found = BTreeSet::new();
        self.add_with_past(because.to_vec(), &mut found);
        let spaces: BTreeSet<SpaceId> = found.iter().filter_map(|id| self.space(*id)).collect();
        for space in spaces {
            self.add_with_past(self.oracle.removals(space), &mut found);
        }
        loop {
            let said = found.iter().map(|id| self.view.known[id]);
            let chains: BTreeSet<(DeviceId, AgentId, Scope)> =
                said.map(|said| (said.signer, said.issuer, said.scope)).collect();
            let before = found.len();
            for (signer, issuer, scope) in chains {
                found.extend(self.about_device(signer, issuer, scope).map(|said| said.id));
            }
            if found.len() == before {
                return found;
            }
        }
    }

    fn add_with_past(&self, mut waiting: Vec<AttestationId>, found: &mut BTreeSet<AttestationId>) {
        while let Some(id) = waiting.pop() {
            let Some(said) = self.view.known.get(&id).filter(|_| found.insert(id)) else {
                continue;
            };
            if let Claim::SpaceGrant { after, .. }
            | Claim::SpaceRevocation { after, .. }
            | Claim::DocumentPurge { after, .. } = &said.claim
            {
                waiting.extend(after);
            }
        }
    }

    fn space(&self, id: AttestationId) -> Option<SpaceId> {
        let said = self.view.known[&id];
        if let Claim::SpaceGrant { space, .. }
        | Claim::SpaceRevocation { space, .. }
        | Claim::DocumentPurge { space, .. } = said.claim
        {
            return Some(space);
        }
        matches!(said.claim, Claim::SpaceFounding { .. }).then_some(SpaceId(id.0))
    }

    /// Whose a device is; and if it was taken back, by what, and all that it said in a
    /// scope: its chains there end in the pins. Foundings are in no chain.
    fn about_device(
        &self,
        device: DeviceId,
        agent: AgentId,
        scope: Scope,
    ) -> impl Iterator<Item = &'a Attestation> {
        let people = &self.oracle.people;
        let is_taken_back = people.is_taken_back(device, agent);
        let in_scope = move |said: &Attestation| {
            said.signer == device && said.scope == scope && scope != Scope::FOUNDING
        };
        let about = people.known.iter().copied().filter(move |said| {
            let takes_back = said.issuer == agent && people.takes_back(said) == Some(device);
            takes_back || (is_taken_back && in_scope(said))
        });
        people.link(device, agent).into_iter().chain(about)
    }
}
