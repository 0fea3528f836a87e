//! Meeting somebody whom this node does not know, though they may belong to a space of ours:
//! an admin let them in while we were away.
//!
//! Who does not let a peer in asks it, once in a connection, who it is. Whoever is asked
//! answers only those whom it knows, with what says that it belongs to a space of theirs.
//! Invariant: a stranger hears the same from us whatever we hold, and nothing of what it says
//! is kept unless that lets it in.

use std::{collections::BTreeMap, time::Duration};

use data_plane_core::net::Lane;
use node_model::{DeviceId, Now};
use serde_bytes::ByteBuf;
use trust_core::{Action, Question, Rule, pairing::Message};

use crate::node::Node;

/// Most introductions in [`WEIGHED_WITHIN`] that are weighed against everything that is known,
/// which takes a large node some hundred milliseconds. Only whoever holds an admin's word
/// gets that far.
const WEIGHED_MAX: u32 = 10;

/// See [`WEIGHED_MAX`].
const WEIGHED_WITHIN: Duration = Duration::from_secs(60);

/// What was asked and said of introductions, as long as the connections last.
#[derive(Debug, Default)]
pub(crate) struct Introductions {
    /// Who asked us, and whether we answered.
    asked: BTreeMap<DeviceId, bool>,
    /// Whom we asked, and whether they answered.
    strangers: BTreeMap<DeviceId, bool>,
    /// Since when how many were weighed.
    weighed: (Duration, u32),
}

impl Introductions {
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.asked.remove(&device);
        self.strangers.remove(&device);
    }

    /// Who takes part in a pairing says there what an introduction would say.
    pub(crate) fn note_pairing(&mut self, device: DeviceId) {
        self.asked.insert(device, true);
    }

    /// Whether it is the first answer of a stranger in this connection.
    fn is_first_of(&mut self, device: DeviceId) -> bool {
        self.strangers.get_mut(&device).is_some_and(|spoke| !std::mem::replace(spoke, true))
    }

    fn may_weigh(&mut self, now: Now) -> bool {
        let (since, count) = self.weighed;
        let is_over = now.monotonic.saturating_sub(since) >= WEIGHED_WITHIN;
        let (since, count) = if is_over { (now.monotonic, 0) } else { (since, count) };
        self.weighed = (since, (count + 1).min(WEIGHED_MAX));
        count < WEIGHED_MAX
    }
}

impl Node {
    /// Asks a device that just connected who it is, if it is not let in. Who took part in a
    /// ticket hears it too, and has nothing to say; a device that was taken back is gone.
    pub(crate) fn ask_who(&mut self, device: DeviceId) {
        let decision = self.trust.decide(Question { device, action: Action::Connect });
        if decision.is_allowed() || decision.rule == Rule::RevokedDevice {
            return;
        }
        self.pairings.introductions.strangers.insert(device, false);
        self.send(device, Lane::Pair, Message::Who.encode());
    }

    pub(crate) fn on_who(&mut self, device: DeviceId) {
        self.pairings.introductions.asked.entry(device).or_insert(false);
        self.introduce_if_asked(device);
    }

    /// Answers a device that asked who we are as soon as we know it, once.
    pub(crate) fn introduce_if_asked(&mut self, device: DeviceId) {
        if self.pairings.introductions.asked.get(&device) != Some(&false) {
            return;
        }
        let said = self.trust.introduction_to(device);
        let attestations: Vec<ByteBuf> =
            said.into_iter().map(|said| ByteBuf::from(said.bytes())).collect();
        if !attestations.is_empty() {
            self.pairings.introductions.asked.insert(device, true);
            self.send(device, Lane::Pair, Message::Introduction { attestations }.encode());
        }
    }

    pub(crate) fn on_introduction(&mut self, now: Now, device: DeviceId, attestations: &[ByteBuf]) {
        if self.may(device, Action::Connect) || !self.pairings.introductions.is_first_of(device) {
            return;
        }
        let bytes = attestations.iter().map(|bytes| bytes.as_slice());
        let Some(introduction) = self.trust.weigh_introduction(device, bytes) else {
            tracing::debug!(%device, "a stranger introduced itself: nobody we know vouches for it");
            return;
        };
        if !self.pairings.introductions.may_weigh(now) {
            tracing::warn!(%device, "too many strangers introduce themselves; later again");
            return;
        }
        match self.trust.take_introduction(introduction, now.wall) {
            Ok(true) => {
                tracing::info!(%device, "introduced by a grant of somebody we know");
                self.trust_changed(now);
            }
            Ok(false) => tracing::debug!(%device, "what a stranger says of itself does not hold"),
            Err(error) => tracing::error!(%device, %error, "could not keep an introduction"),
        }
    }
}
