//! Telling peers that a space takes nothing in, and hearing it of them: so that whoever has
//! something for somebody knows why it does not get there, and what would mend it.
//!
//! Invariants: only peers with whom a space is shared hear of it, and only what they can do
//! something about; what a peer said is forgotten with its connection.

use std::collections::BTreeMap;

use node_model::{DeviceId, SpaceId};

use super::{SyncEngine, space::Space};
use crate::{
    reconcile::{Capability, Hindrance, Message},
    store::StoreError,
};

/// Who takes nothing in, as far as it was said.
#[derive(Default)]
pub(super) struct Hindrances {
    /// Spaces whose store cannot be opened here.
    unopened: BTreeMap<SpaceId, StoreError>,
    told: BTreeMap<(SpaceId, DeviceId), Hindrance>,
    heard: BTreeMap<(SpaceId, DeviceId), Hindrance>,
}

impl Hindrances {
    pub(super) fn end(&mut self, space: SpaceId, peer: DeviceId) {
        self.told.remove(&(space, peer));
        self.heard.remove(&(space, peer));
    }

    pub(super) fn disconnect(&mut self, peer: DeviceId) {
        self.say_again(peer);
        self.heard.retain(|(_, other), _| *other != peer);
    }

    /// What was said may be lost.
    pub(super) fn say_again(&mut self, peer: DeviceId) {
        self.told.retain(|(_, other), _| *other != peer);
    }

    pub(super) fn heard(&self, space: SpaceId, peer: DeviceId) -> Option<Hindrance> {
        self.heard.get(&(space, peer)).copied()
    }
}

impl Space {
    pub(super) fn hindrance(&self) -> Option<Hindrance> {
        self.health.store_error.as_ref().map(Hindrance::from)
    }
}

impl SyncEngine {
    /// Notes whether a space of this node can be opened, and says what was noted before.
    pub fn note_unopened(
        &mut self,
        space: SpaceId,
        error: Option<StoreError>,
    ) -> Option<StoreError> {
        match error {
            Some(why) => self.hindrances.unopened.insert(space, why),
            None => self.hindrances.unopened.remove(&space),
        }
    }

    /// Spaces whose store could not be opened, and why.
    #[must_use]
    pub fn unopened(&self) -> &BTreeMap<SpaceId, StoreError> {
        &self.hindrances.unopened
    }

    /// Tells who was refused a space that it is only that it cannot be opened.
    pub(super) fn tell_unopened(&mut self, space: SpaceId, peer: DeviceId) {
        if self.hindrances.unopened.contains_key(&space) {
            self.hindrances.told.remove(&(space, peer));
            self.tell_hindrance(space, peer);
        }
    }

    pub(super) fn tell_hindrances(&mut self, space: SpaceId) {
        for peer in self.peers_of(space) {
            self.tell_hindrance(space, peer);
        }
    }

    /// Tells a peer what keeps us from taking anything in, unless it knows.
    pub(super) fn tell_hindrance(&mut self, space: SpaceId, peer: DeviceId) {
        let unopened = self.hindrances.unopened.get(&space).map(Hindrance::from);
        let why = unopened.or_else(|| self.spaces.get(&space)?.hindrance());
        let key = (space, peer);
        let is_known = self.hindrances.told.get(&key) == why.as_ref();
        if is_known || !self.able_with(peer).has(Capability::Hindrances) {
            return;
        }
        match why {
            Some(why) => self.hindrances.told.insert(key, why),
            None => self.hindrances.told.remove(&key),
        };
        self.send(peer, &Message::Hindered { space, why: why.map(Hindrance::number) });
    }

    pub(super) fn on_hindered(&mut self, space: SpaceId, peer: DeviceId, why: Option<u8>) {
        let key = (space, peer);
        match why.map(Hindrance::of).filter(|_| self.sessions.contains_key(&key)) {
            Some(why) => self.hindrances.heard.insert(key, why),
            None => self.hindrances.heard.remove(&key),
        };
    }
}
