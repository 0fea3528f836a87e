//! The engine's side of reconciliation: frames in, frames out.

use std::collections::BTreeSet;

use node_model::{DeviceId, SpaceId, cbor::DecodeError};

use super::{Delivered, Job, JobId, Output, SyncEngine, findings::Traffic, keep::EqualPart};
use crate::{
    receipt::Receipt,
    reconcile::{self, HEADS_MAX, Message, PROTOCOL, PROTOCOL_OLDEST, Session, Todo},
    store::{Batch, StoreError},
};

/// Why a peer's frame was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Not our protocol.
    #[error("the peer does not speak the protocol: {0}")]
    Decode(#[from] DecodeError),
    /// No version of the protocol that we speak, and the nearest to it.
    #[error(
        "the peer speaks version {0} of the protocol, this node {PROTOCOL_OLDEST} to {PROTOCOL}"
    )]
    Version(u16),
    /// Our own store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SyncEngine {
    /// Sets which spaces are shared with a connected peer: begins what is new,
    /// ends what is not any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn share(&mut self, peer: DeviceId, spaces: &BTreeSet<SpaceId>) -> Result<(), StoreError> {
        let ended: Vec<SpaceId> =
            self.shared_with(peer).filter(|space| !spaces.contains(space)).collect();
        for space in ended {
            self.sessions.remove(&(space, peer));
            self.hindrances.end(space, peer);
            // So that it tells its state again, should the space be shared once more.
            self.send(peer, &Message::Denied { space });
        }
        self.greet(peer);
        let mut heads = Vec::new();
        for id in spaces.iter().take(HEADS_MAX) {
            self.begin(*id, peer)?;
            if let (Some(session), Some(space)) =
                (self.sessions.get_mut(&(*id, peer)), self.spaces.get(id))
            {
                heads.extend(session.announce(space.store.as_ref())?);
            }
        }
        if !heads.is_empty() {
            self.send(peer, &Message::Heads { protocol: self.version_with(peer), heads });
        }
        Ok(())
    }

    /// Who writes in a space has changed: what was refused may be welcome now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn retry_refused(&mut self, space: SpaceId) -> Result<(), StoreError> {
        let Some(facts) = self.spaces.get(&space) else {
            return Ok(());
        };
        let mut todos = Vec::new();
        for ((_, peer), session) in
            self.sessions.range_mut((space, DeviceId([0; 32]))..=(space, DeviceId([255; 32])))
        {
            todos.push((*peer, session.retry_refused(facts.store.as_ref())?));
        }
        todos.into_iter().for_each(|(peer, todo)| self.take_on(space, peer, todo));
        Ok(())
    }

    /// A peer is gone.
    pub fn disconnect(&mut self, peer: DeviceId) {
        self.stop_sharing(peer);
        self.meetings.remove(&peer);
    }

    /// Nothing is shared with a peer any more; it may stay connected.
    pub fn stop_sharing(&mut self, peer: DeviceId) {
        self.sessions.retain(|(_, other), _| *other != peer);
        self.traffic.retain(|(_, other), _| *other != peer);
        self.hindrances.disconnect(peer);
        self.choosing.disconnect(peer);
    }

    /// Starts over with a peer, and compares all ids if `full`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn restart(&mut self, peer: DeviceId, full: bool) -> Result<(), StoreError> {
        let spaces: BTreeSet<SpaceId> = self.shared_with(peer).collect();
        self.greet_again(peer);
        for space in &spaces {
            if let Some(session) = self.sessions.get_mut(&(*space, peer)) {
                session.restart();
                if full {
                    session.compare_all();
                }
                if let (Some(head), Some(facts)) = (session.heard(), self.spaces.get(space)) {
                    let todo = session.on_head(head, facts.store.as_ref())?;
                    self.take_on(*space, peer, todo);
                }
            }
        }
        self.share(peer, &spaces)
    }

    /// Spaces with a session with this peer.
    pub fn shared_with(&self, peer: DeviceId) -> impl Iterator<Item = SpaceId> {
        self.sessions.keys().filter(move |(_, other)| *other == peer).map(|(space, _)| *space)
    }

    /// Takes a frame of the sync lane. `may_hold` is the trust plane's word on
    /// which spaces the peer may be sent.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn on_frame(
        &mut self,
        peer: DeviceId,
        frame: &[u8],
        may_hold: &dyn Fn(SpaceId) -> bool,
    ) -> Result<(), FrameError> {
        let message = Message::decode(frame)?;
        self.meet(peer, &message)?;
        match message {
            Message::Hello(_) => Ok(()),
            Message::Heads { heads, .. } => {
                for head in heads {
                    self.on_head(peer, head, may_hold)?;
                }
                Ok(())
            }
            Message::Keep { space, documents } => {
                let documents = documents.as_ref().map(|documents| documents.as_slice());
                Ok(self.on_keep(peer, space, documents, may_hold)?)
            }
            Message::Choose { space, rule } => {
                self.on_choose(peer, space, rule);
                Ok(())
            }
            Message::Chosen { space, documents } => Ok(self.on_chosen(peer, space, &documents)?),
            Message::Pull { space, after } => {
                if let Some(session) = self.sessions.get_mut(&(space, peer)) {
                    session.on_pull_asked();
                }
                self.answer(peer, space, may_hold, |view| {
                    reconcile::answer_pull(space, after, peer, view)
                })
            }
            Message::List { space, after } => {
                let todo = self.sessions.get_mut(&(space, peer)).map(Session::on_list_asked);
                self.answer(peer, space, may_hold, |view| {
                    reconcile::answer_list(space, after, view)
                })?;
                self.take_on(space, peer, todo.unwrap_or_default());
                Ok(())
            }
            Message::Sketch { space, counts, first, length, shard } => {
                self.on_sketch(peer, space, (&counts, (first, length), shard), may_hold)
            }
            Message::Find { space, ids } => self.answer(peer, space, may_hold, |view| {
                reconcile::answer_find(space, &ids, view.store())
            }),
            Message::Get { space, ids } => self.answer(peer, space, may_hold, |view| {
                reconcile::answer_get(space, &ids, view.store())
            }),
            Message::Receipt(receipt) => {
                if self.sessions.contains_key(&(receipt.space, peer)) {
                    self.outputs.push_back(Output::Receipt { peer, receipt });
                }
                Ok(())
            }
            Message::Hindered { space, why } => {
                self.on_hindered(space, peer, why);
                Ok(())
            }
            answer @ (Message::Page { .. }
            | Message::Ids { .. }
            | Message::Symbols { .. }
            | Message::Lacking { .. }
            | Message::Entries { .. }
            | Message::Denied { .. }) => Ok(self.on_answer(peer, answer)?),
        }
    }

    fn on_head(
        &mut self,
        peer: DeviceId,
        head: reconcile::Head,
        may_hold: &dyn Fn(SpaceId) -> bool,
    ) -> Result<(), StoreError> {
        let id = head.space;
        if !self.spaces.contains_key(&id) || !may_hold(id) {
            self.send(peer, &Message::Denied { space: id });
            if may_hold(id) {
                self.tell_unopened(id, peer);
            }
            return Ok(());
        }
        self.begin(id, peer)?;
        if let (Some(session), Some(space)) =
            (self.sessions.get_mut(&(id, peer)), self.spaces.get(&id))
        {
            let todo = session.on_head(head, space.store.as_ref())?;
            let told = session.announce(space.store.as_ref())?;
            self.take_on(id, peer, todo);
            self.send_head(peer, told);
        }
        self.tell_if_equal(id, peer);
        Ok(())
    }

    pub(super) fn announce_to(&mut self, space: SpaceId, peer: DeviceId) -> Result<(), StoreError> {
        if let (Some(session), Some(facts)) =
            (self.sessions.get_mut(&(space, peer)), self.spaces.get(&space))
        {
            let told = session.announce(facts.store.as_ref())?;
            self.send_head(peer, told);
        }
        Ok(())
    }

    fn send_head(&mut self, peer: DeviceId, told: Option<reconcile::Head>) {
        if let Some(head) = told {
            let protocol = self.version_with(peer);
            self.send(peer, &Message::Heads { protocol, heads: vec![head] });
        }
    }

    fn tell_if_equal(&mut self, space: SpaceId, peer: DeviceId) {
        let (Some(session), Some(facts)) =
            (self.sessions.get_mut(&(space, peer)), self.spaces.get(&space))
        else {
            return;
        };
        if session.note_if_equal(facts.store.head()) {
            self.outputs.push_back(Output::Equal { peer, space });
        }
    }

    /// What of a space is compared with a connected peer, when both last said that it is
    /// equal.
    #[must_use]
    pub fn equal_at(&self, space: SpaceId, peer: DeviceId) -> Option<EqualPart> {
        let session = self.sessions.get(&(space, peer))?;
        Some(EqualPart {
            head: session.equal_at()?,
            is_all_of_ours: session.is_all_of_ours(),
            is_all_of_theirs: session.is_all_of_theirs(),
            is_still: session.is_equal_still(self.spaces.get(&space)?.store.head()),
        })
    }

    /// Tells a peer that we hold what we both have.
    pub fn send_receipt(&mut self, peer: DeviceId, receipt: Receipt) {
        self.send(peer, &Message::Receipt(receipt));
    }

    fn on_answer(&mut self, peer: DeviceId, answer: Message) -> Result<(), StoreError> {
        let (Message::Page { space, .. }
        | Message::Ids { space, .. }
        | Message::Symbols { space, .. }
        | Message::Lacking { space, .. }
        | Message::Entries { space, .. }
        | Message::Denied { space }) = &answer
        else {
            return Ok(());
        };
        let space = *space;
        let (Some(session), Some(facts)) =
            (self.sessions.get_mut(&(space, peer)), self.spaces.get(&space))
        else {
            return Ok(());
        };
        let todo = match answer {
            Message::Page { store, after, upto, more, entries, .. } => {
                session.on_page(store, after, (upto, more), entries, facts.store.as_ref())?
            }
            Message::Ids { store, after, upto, more, ids, .. } => {
                session.on_ids(store, after, (upto, more), &ids, facts.store.as_ref())?
            }
            Message::Symbols { store, arrivals, run, .. } => {
                session.on_symbols((store, arrivals), &run, facts.store.as_ref())?
            }
            Message::Lacking { store, arrivals, ids, .. } => {
                session.on_lacking((store, arrivals), &ids, facts.store.as_ref())?
            }
            Message::Entries { entries, .. } => session.on_entries(entries),
            Message::Denied { .. } => {
                session.on_denied(facts.store.as_ref())?;
                self.hindrances.end(space, peer);
                Todo::default()
            }
            Message::Hello(_)
            | Message::Heads { .. }
            | Message::Keep { .. }
            | Message::Choose { .. }
            | Message::Chosen { .. }
            | Message::Pull { .. }
            | Message::List { .. }
            | Message::Sketch { .. }
            | Message::Find { .. }
            | Message::Receipt(_)
            | Message::Hindered { .. }
            | Message::Get { .. } => Todo::default(),
        };
        self.take_on(space, peer, todo);
        Ok(())
    }

    pub(super) fn take_on(&mut self, space: SpaceId, peer: DeviceId, todo: Todo) {
        for message in [todo.tell, todo.ask].into_iter().flatten() {
            self.send(peer, &message);
        }
        let Some(delivery) = todo.deliver else {
            return;
        };
        if delivery.entries.is_empty() {
            let batch = Batch { entries: vec![], source: Some(peer), cursor: delivery.cursor };
            let delivered = Delivered { peer, refused: false };
            self.arrived.entry(space).or_default().push((batch, delivered));
            return;
        }
        let job = JobId(self.next_job);
        self.next_job += 1;
        self.jobs.insert(job, Job { peer, space, cursor: delivery.cursor, results: None });
        self.outputs.push_back(Output::Verify { job, entries: delivery.entries });
    }

    pub(super) fn go_on(
        &mut self,
        space: SpaceId,
        delivered: Vec<Delivered>,
    ) -> Result<(), StoreError> {
        for Delivered { peer, refused } in delivered {
            let (Some(session), Some(facts)) =
                (self.sessions.get_mut(&(space, peer)), self.spaces.get(&space))
            else {
                continue;
            };
            let todo = session.on_delivered(refused, facts.store.as_ref())?;
            self.take_on(space, peer, todo);
        }
        Ok(())
    }

    pub(super) fn announce(&mut self, space: SpaceId) -> Result<(), StoreError> {
        let Some(facts) = self.spaces.get(&space) else {
            return Ok(());
        };
        let mut heads = Vec::new();
        for ((_, peer), session) in
            self.sessions.range_mut((space, DeviceId([0; 32]))..=(space, DeviceId([255; 32])))
        {
            if session.is_busy() {
                continue;
            }
            if let Some(head) = session.announce(facts.store.as_ref())? {
                heads.push((*peer, session.push(facts.store.as_ref())?, head));
            }
        }
        for (peer, page, head) in heads {
            if let Some(page) = page {
                self.send_entries(space, peer, &page);
            }
            self.send_head(peer, Some(head));
            self.tell_if_equal(space, peer);
        }
        Ok(())
    }

    pub(super) fn traffic(&mut self, space: SpaceId, peer: DeviceId) -> &mut Traffic {
        self.traffic.entry((space, peer)).or_default()
    }
}

#[cfg(test)]
mod tests;
