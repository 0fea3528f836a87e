//! What connected peers and we tell each other of statements.
//!
//! Invariant: each is sent what concerns it and what it did not say that it has; who could not
//! keep something says again what is here, and so gets it again.
//! Non-goals: what concerns whom, and what counts; the trust plane knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use data_plane_core::net::Lane;
use node_model::{AgentId, AttestationId, DeviceId, Now};
use serde_bytes::ByteBuf;
use trust_core::exchange::{self, ATTESTATIONS_PER_MESSAGE_MAX, Message, Offer};

use crate::node::Node;

/// How long after statements could not be kept they are asked for again: nothing for a disk that
/// is full for days, and soon for somebody who made room.
const GREET_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What a connected peer was told and told us.
#[derive(Debug, Default)]
pub(crate) struct Acquaintance {
    /// Attestations that it has, as far as we know.
    pub(crate) knows: BTreeSet<AttestationId>,
    /// Attestations that it said it has and that did not come yet.
    pub(crate) lacking: BTreeSet<AttestationId>,
    /// Whether it said what it has.
    pub(crate) has_spoken: bool,
    /// Whether we said what we have.
    pub(crate) was_told: bool,
    /// Whether it was not admitted when it connected: what it said before it was is lost.
    pub(crate) came_as_stranger: bool,
    /// Whether it asked to be told again, which it does once.
    pub(crate) was_asked: bool,
    /// Where we said that others may be found.
    pub(crate) told_of: BTreeMap<DeviceId, Vec<String>>,
    /// Spaces that it offers us.
    pub(crate) offers: Vec<Offer>,
    /// Spaces that we offered it.
    pub(crate) offered: Vec<Offer>,
}

impl Node {
    /// Tells a connected, admitted device what concerns it, as far as it was not
    /// told, and shares its spaces.
    pub(crate) fn greet(&mut self, now: Now, device: DeviceId) {
        let share = self.shares.get(&device).cloned().unwrap_or_default();
        let Some(agent) = self.trust.agent_of(device).filter(|_| share.is_admitted) else {
            return;
        };
        if !self.acquaintances.entry(device).or_default().was_told {
            self.acquaintances.entry(device).or_default().was_told = true;
            let here = Message::Here { addresses: self.reachable_at() };
            self.send(device, Lane::Trust, here.encode());
            let have = Message::have(&self.trust.visible_to(agent));
            self.send(device, Lane::Trust, have.encode());
            let acquaintance = self.acquaintances.entry(device).or_default();
            if std::mem::take(&mut acquaintance.came_as_stranger) {
                self.send(device, Lane::Trust, Message::Again.encode());
            }
        }
        self.introduce_if_asked(device);
        self.pass_on(device, agent);
        self.tell_whereabouts(device, agent);
        self.tell_offers(device, agent);
        self.log_store_error(|node| node.sync.share(device, &share.spaces));
        self.sync.read_with(device, &self.read_by(agent, &share.spaces));
        self.route(now);
    }

    /// Sends the attestations that concern a peer and that it does not have.
    /// Only once it said what it has.
    pub(crate) fn pass_on(&mut self, device: DeviceId, agent: AgentId) {
        let Some(acquaintance) = self.acquaintances.get_mut(&device) else {
            return;
        };
        if !acquaintance.has_spoken {
            return;
        }
        let lacking: Vec<_> = self
            .trust
            .visible_to(agent)
            .into_iter()
            .filter(|id| acquaintance.knows.insert(*id))
            .filter_map(|id| self.trust.attestation(id))
            .map(|attestation| ByteBuf::from(attestation.bytes()))
            .collect();
        for some in lacking.chunks(ATTESTATIONS_PER_MESSAGE_MAX) {
            let message = Message::Attestations { attestations: some.to_vec() };
            self.send(device, Lane::Trust, message.encode());
        }
    }

    pub(crate) fn receive_trust(&mut self, now: Now, device: DeviceId, frame: &[u8]) {
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%device, %error, "bad trust frame");
                return;
            }
        };
        match message {
            Message::Here { addresses } => self.learn_addresses(now, device, addresses),
            Message::There { whereabouts } => self.hear_whereabouts(now, device, whereabouts),
            Message::Have { ids } => {
                let ids: BTreeSet<_> = exchange::ids(&ids).collect();
                let unknown = |id: &&_| self.trust.attestation(**id).is_none();
                let lacking: BTreeSet<_> = ids.iter().filter(unknown).copied().collect();
                let acquaintance = self.acquaintances.entry(device).or_default();
                acquaintance.has_spoken = true;
                acquaintance.lacking = lacking;
                // What it could not keep is not among them: it gets that again.
                acquaintance.knows = ids;
                if let Some(agent) = self.trust.agent_of(device) {
                    self.pass_on(device, agent);
                }
            }
            Message::Attestations { attestations } => {
                self.receive_attestations(now, device, &attestations);
            }
            Message::Offers { offers } => {
                self.acquaintances.entry(device).or_default().offers = offers;
            }
            Message::Follow { space } => self.let_follow(now, device, space),
            Message::Again => {
                let acquaintance = self.acquaintances.entry(device).or_default();
                if !std::mem::replace(&mut acquaintance.was_asked, true) {
                    acquaintance.was_told = false;
                    self.greet(now, device);
                }
            }
        }
    }

    pub(crate) fn receive_attestations(
        &mut self,
        now: Now,
        device: DeviceId,
        attestations: &[ByteBuf],
    ) {
        let bytes = attestations.iter().map(|bytes| bytes.as_slice());
        match self.trust.receive(bytes, now.wall) {
            Ok(received) => {
                for signer in &received.flooding {
                    tracing::warn!(%device, %signer, "says more than is kept of one");
                }
                if received.rejected > 0 {
                    tracing::warn!(%device, count = received.rejected, "bad attestations");
                }
                if let Some(acquaintance) = self.acquaintances.get_mut(&device) {
                    acquaintance.knows.extend(&received.new);
                }
                if !received.new.is_empty() {
                    self.trust_changed(now);
                }
            }
            Err(error) => {
                tracing::error!(%device, %error, "could not keep attestations");
                self.acquaintances.entry(device).or_default().was_told = false;
                self.greet_at.get_or_insert(now.monotonic + GREET_AGAIN_AFTER);
            }
        }
    }

    /// Says again what is here to those whose statements could not be kept, if it is time: they
    /// say them again.
    pub(crate) fn greet_again(&mut self, now: Now) {
        if self.greet_at.is_some_and(|at| now.monotonic >= at) {
            self.greet_at = None;
            for device in self.data.connected().collect::<Vec<_>>() {
                self.greet(now, device);
            }
        }
    }

    /// Whether a connected peer and we have told each other what we have, and it
    /// came.
    pub(crate) fn is_acquainted(&self, device: DeviceId) -> bool {
        self.acquaintances
            .get(&device)
            .is_some_and(|it| it.has_spoken && it.was_told && it.lacking.is_empty())
    }
}
