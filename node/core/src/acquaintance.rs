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
use trust_core::{
    Action,
    exchange::{self, ATTESTATIONS_PER_MESSAGE_MAX, Message, Offer},
};

use crate::node::Node;

/// How long after statements could not be kept they are asked for again: nothing for a disk that
/// is full for days, and soon for somebody who made room.
const GREET_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long whoever was a stranger when it connected may take to say what it has before it is
/// asked to: mostly it does so once it has admitted us, which is not lost.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// What was sent less long ago and is not among what a peer has may be on its way. Who could
/// not keep it says so later than that.
const ON_THE_WAY_MAX: Duration = Duration::from_secs(5);
const _: () = assert!(ON_THE_WAY_MAX.as_secs() < GREET_AGAIN_AFTER.as_secs());

/// What a connected peer was told and told us.
#[derive(Debug, Default)]
pub(crate) struct Acquaintance {
    /// Attestations that it has, as far as we know.
    pub(crate) knows: BTreeSet<AttestationId>,
    /// Those that were sent to it not long ago, and when.
    sent: BTreeMap<AttestationId, Duration>,
    /// Attestations that it said it has and that did not come yet.
    pub(crate) lacking: BTreeSet<AttestationId>,
    /// Whether it said what it has.
    pub(crate) has_spoken: bool,
    /// Whether we said what we have.
    pub(crate) was_told: bool,
    /// When it is said again, since something could not be kept.
    tell_again_at: Option<Duration>,
    /// Whether it was not admitted when it connected: what it said before it was is lost.
    pub(crate) came_as_stranger: bool,
    /// When it is asked what it has, if it has not said so.
    ask_at: Option<Duration>,
    /// Whether it asked to be told again, which it does once.
    pub(crate) was_asked: bool,
    /// Where we said that others may be found.
    pub(crate) told_of: BTreeMap<DeviceId, Vec<String>>,
    /// Spaces that it offers us.
    pub(crate) offers: Vec<Offer>,
    /// Spaces that we offered it.
    pub(crate) offered: Vec<Offer>,
}

impl Acquaintance {
    /// Takes what it says that it has. What it could not keep is not among that: it gets that
    /// again.
    fn hear_have(&mut self, now: Duration, ids: BTreeSet<AttestationId>) {
        self.has_spoken = true;
        self.ask_at = None;
        self.forget_sent(now);
        self.knows = ids;
        self.knows.extend(self.sent.keys());
    }

    /// Whether both have said what they have, and it came.
    fn is_complete(&self) -> bool {
        let is_told = self.was_told && self.tell_again_at.is_none();
        self.has_spoken && is_told && self.lacking.is_empty()
    }

    fn forget_sent(&mut self, now: Duration) {
        self.sent.retain(|_, at| now < *at + ON_THE_WAY_MAX);
    }
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
            if std::mem::take(&mut acquaintance.came_as_stranger) && !acquaintance.has_spoken {
                acquaintance.ask_at = Some(now.monotonic + ASK_AFTER);
            }
        }
        self.introduce_if_asked(device);
        self.pass_on(now, device, agent);
        self.tell_whereabouts(device, agent);
        self.tell_offers(device, agent);
        self.log_store_error(|node| node.sync.share(device, &share.spaces));
        self.sync.read_with(device, &self.read_by(agent, &share.spaces));
        self.route(now);
    }

    /// Sends the attestations that concern a peer and that it does not have.
    /// Only once it said what it has.
    pub(crate) fn pass_on(&mut self, now: Now, device: DeviceId, agent: AgentId) {
        let Some(acquaintance) = self.acquaintances.get_mut(&device) else {
            return;
        };
        if !acquaintance.has_spoken {
            return;
        }
        acquaintance.forget_sent(now.monotonic);
        let visible = self.trust.visible_to(agent).into_iter();
        let new: Vec<_> = visible.filter(|id| acquaintance.knows.insert(*id)).collect();
        acquaintance.sent.extend(new.iter().map(|id| (*id, now.monotonic)));
        let lacking: Vec<_> = new
            .into_iter()
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
                acquaintance.lacking = lacking;
                acquaintance.hear_have(now.monotonic, ids);
                if let Some(agent) = self.trust.agent_of(device) {
                    self.pass_on(now, device, agent);
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
                let acquaintance = self.acquaintances.entry(device).or_default();
                acquaintance.tell_again_at = Some(now.monotonic + GREET_AGAIN_AFTER);
            }
        }
    }

    /// When [`Node::greet_again`] is due.
    pub(crate) fn greet_again_at(&self) -> Option<Duration> {
        let peers = self.acquaintances.values();
        peers.flat_map(|it| [it.ask_at, it.tell_again_at]).flatten().min()
    }

    /// If it is time, says again what is here to those whose statements could not be kept: they
    /// say them again. And asks those who did not say what they have.
    pub(crate) fn greet_again(&mut self, now: Now) {
        let (mut silent, mut unkept) = (Vec::new(), Vec::new());
        for (device, acquaintance) in &mut self.acquaintances {
            let is_due = |at: &mut Duration| now.monotonic >= *at;
            if acquaintance.ask_at.take_if(is_due).is_some() {
                silent.push(*device);
            }
            if acquaintance.tell_again_at.take_if(is_due).is_some() {
                acquaintance.was_told = false;
                unkept.push(*device);
            }
        }
        silent.retain(|device| self.may(*device, Action::Connect));
        for device in silent {
            self.send(device, Lane::Trust, Message::Again.encode());
        }
        for device in unkept {
            self.greet(now, device);
        }
    }

    /// Whether a connected peer and we have told each other what we have, and it
    /// came.
    pub(crate) fn is_acquainted(&self, device: DeviceId) -> bool {
        self.acquaintances.get(&device).is_some_and(|it| it.is_complete())
    }
}
