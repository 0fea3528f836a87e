//! What a peer asks of a space, answered from its store, if the peer may have it.

use node_model::{DeviceId, SpaceId};

use super::{SyncEngine, exchange::FrameError};
use crate::{
    reconcile::{self, Message, Session, View},
    sketch::{Shard, Sketch},
    store::{EntryStore, StoreError},
};

/// What a peer asks of a sketch: its counts, a run, and of which shard.
type Asked<'a> = (&'a [u8], (u32, u32), Option<Shard>);

impl SyncEngine {
    pub(super) fn on_sketch(
        &mut self,
        peer: DeviceId,
        space: SpaceId,
        (counts, run, shard): Asked<'_>,
        may_hold: &dyn Fn(SpaceId) -> bool,
    ) -> Result<(), FrameError> {
        let session = self.sessions.get_mut(&(space, peer));
        if !session.is_none_or(Session::on_sketch_asked) {
            return Ok(());
        }
        match shard {
            None => self.answer(peer, space, may_hold, |view| {
                reconcile::answer_sketch(space, counts, run, view)
            }),
            Some(shard) => self.answer_shard(peer, (space, shard), may_hold, |it| {
                reconcile::answer_shard(space, counts, run, it)
            }),
        }
    }

    pub(super) fn answer(
        &mut self,
        peer: DeviceId,
        space: SpaceId,
        may_hold: &dyn Fn(SpaceId) -> bool,
        answer: impl FnOnce(View<'_>) -> Result<Message, StoreError>,
    ) -> Result<(), FrameError> {
        let session = self.sessions.get(&(space, peer));
        let message = match self.spaces.get(&space) {
            Some(facts) if may_hold(space) => {
                let store = facts.store.as_ref();
                answer(session.map_or(View::whole(store), |session| session.view(store)))?
            }
            Some(_) | None => Message::Denied { space },
        };
        self.send_entries(space, peer, &message);
        Ok(())
    }

    fn answer_shard(
        &mut self,
        peer: DeviceId,
        (space, shard): (SpaceId, Shard),
        may_hold: &dyn Fn(SpaceId) -> bool,
        answer: impl FnOnce((&dyn EntryStore, Option<&Sketch>)) -> Message,
    ) -> Result<(), FrameError> {
        let session = self.sessions.get_mut(&(space, peer));
        let message = match self.spaces.get(&space) {
            Some(facts) if may_hold(space) => {
                let store = facts.store.as_ref();
                let sketch = match session {
                    Some(session) => session.sketch_for_peer(shard, store)?,
                    None => None,
                };
                answer((store, sketch.as_ref()))
            }
            Some(_) | None => Message::Denied { space },
        };
        self.send(peer, &message);
        Ok(())
    }

    pub(super) fn send_entries(&mut self, space: SpaceId, peer: DeviceId, message: &Message) {
        if let Message::Page { entries, .. } | Message::Entries { entries, .. } = message {
            self.traffic(space, peer).pushed += entries.len() as u64;
        }
        self.send(peer, message);
    }
}
