//! The last words between devices that have nothing to do with each other any more:
//! who was removed hears it, and who left says it, also when nobody was there to
//! hear it at that moment.

use std::collections::BTreeSet;

use data_plane_core::net::{Lane, NetCommand};
use node_model::{AgentId, AttestationId, DeviceId, Now, SpaceId};
use serde_bytes::ByteBuf;
use trust_core::{Action, Attestation, Claim, Party, pairing::Message};

use crate::{effect::Effect, node::Node, pair::INTRODUCTION_MAX};

/// Beginning of the notes that remember which device heard of our leaving a space.
const FAREWELL_NOTE: &str = "farewell/";

impl Node {
    /// Tells a device that was welcome once why it is not any more, or that we left.
    pub(crate) fn bid_farewell(&mut self, device: DeviceId) {
        #[cfg(feature = "planted-bugs")]
        if node_model::planted::active(node_model::planted::Bug::SilentLeave) {
            return;
        }
        let Some(facts) = self.trust.link_of(device) else { return };
        if self.may(device, Action::Connect) {
            return;
        }
        let (me, agent) = (self.trust.agent(), facts.agent);
        let says_so = |said: &&Attestation| {
            let ends_relation = said.issuer == me
                && matches!(said.claim, Claim::Relationship { with, terms: None } if with == agent);
            let takes_back =
                matches!(said.claim, Claim::DeviceRevocation { device: of, .. } if of == device);
            ends_relation || takes_back || removes(said, agent) || is_leave(said, me)
        };
        let visible = self.trust.visible_to(agent).into_iter();
        let mut said: Vec<&Attestation> =
            visible.filter_map(|id| self.trust.attestation(id)).filter(says_so).collect();
        said.sort_unstable_by_key(|said| std::cmp::Reverse((said.height, said.id)));
        let leaves: Vec<AttestationId> =
            said.iter().filter(|said| is_leave(said, me)).map(|said| said.id).collect();
        let ids: Vec<AttestationId> = said.into_iter().map(|said| said.id).collect();
        // What they rest on goes first: once somebody knows, they listen no more.
        let past = self.introduction(self.past_of(&ids));
        for attestations in [past, self.introduction(ids)] {
            if !attestations.is_empty() {
                self.send(device, Lane::Pair, Message::Farewell { attestations }.encode());
            }
        }
        for leave in leaves {
            self.note_farewell(leave, device);
        }
    }

    /// What the issuers of removals knew, newest first: whoever was away while others came
    /// and went does not have it, and without it a removal does not count.
    fn past_of(&self, removals: &[AttestationId]) -> Vec<AttestationId> {
        let past: BTreeSet<AttestationId> =
            removals.iter().flat_map(|id| self.trust.with_past(*id)).collect();
        let others = past.into_iter().filter(|id| !removals.contains(id));
        let mut past: Vec<&Attestation> =
            others.filter_map(|id| self.trust.attestation(id)).collect();
        past.sort_unstable_by_key(|said| std::cmp::Reverse((said.height, said.id)));
        past.into_iter().map(|said| said.id).collect()
    }

    /// Ends connections with those who are not welcome any more. If they did not hear
    /// why, or could not keep it, they hear it when they come again.
    pub(crate) fn part_with_former(&mut self) {
        for device in self.data.connected().collect::<Vec<_>>() {
            let is_known = self.trust.graph().devices.contains_key(&device);
            if is_known && !self.may(device, Action::Connect) && !self.is_pairing_with(device) {
                self.effects.push_back(Effect::Net(NetCommand::Disconnect { device }));
            }
        }
    }

    /// Somebody whom we know says that we are not welcome any more, or left. Each
    /// statement is signed by whoever may say so; from strangers there is nothing to
    /// hear.
    pub(crate) fn on_farewell(&mut self, now: Now, device: DeviceId, attestations: &[ByteBuf]) {
        if !self.may(device, Action::Connect) || attestations.len() > INTRODUCTION_MAX {
            return;
        }
        self.receive_attestations(now, device, attestations);
    }

    /// Devices of members of spaces that we left, while none of them heard of it: one
    /// tells the others.
    pub(crate) fn owed_farewells(&self) -> BTreeSet<DeviceId> {
        let (me, graph) = (self.trust.agent(), self.trust.graph());
        let mut owed = BTreeSet::new();
        for (space, facts) in &graph.spaces {
            let is_gone = facts.membership.former.contains_key(&Party::Agent(me))
                && !facts.members.contains_key(&me);
            if is_gone && self.leave_of(*space).is_some_and(|leave| !self.was_told(leave)) {
                let devices = facts.members.keys().flat_map(|agent| graph.devices_of(*agent));
                owed.extend(devices.map(|(device, _)| device));
            }
        }
        owed
    }

    pub(crate) fn leave_of(&self, space: SpaceId) -> Option<AttestationId> {
        let me = self.trust.agent();
        let past = self.trust.graph().spaces.get(&space)?.membership.former.get(&Party::Agent(me));
        let because = past?.because.iter().filter_map(|id| self.trust.attestation(*id));
        because.filter(|said| is_leave(said, me)).map(|said| said.id).next()
    }

    fn was_told(&self, leave: AttestationId) -> bool {
        self.trust.note::<DeviceId>(&format!("{FAREWELL_NOTE}{leave}")).is_some()
    }

    fn note_farewell(&mut self, leave: AttestationId, device: DeviceId) {
        if !self.was_told(leave)
            && let Err(error) = self.trust.put_note(&format!("{FAREWELL_NOTE}{leave}"), &device)
        {
            tracing::warn!(%device, %error, "could not remember a farewell");
        }
    }
}

fn removes(said: &Attestation, agent: AgentId) -> bool {
    matches!(said.claim, Claim::SpaceRevocation { party: Party::Agent(of), .. } if of == agent)
}

fn is_leave(said: &Attestation, me: AgentId) -> bool {
    said.issuer == me && removes(said, me)
}
