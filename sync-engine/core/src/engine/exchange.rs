//! The engine's side of reconciliation: frames in, frames out.

use std::collections::BTreeSet;

use node_model::{DeviceId, SpaceId, cbor::DecodeError};

use super::{Delivered, Job, JobId, Output, PeerSync, SyncEngine, findings::Traffic};
use crate::{
    entry::{EntryError, VerifiedEntry},
    receipt::Receipt,
    reconcile::{self, HEADS_MAX, Message, PROTOCOL, Session, Todo},
    store::{Batch, StoreError, StoreHead},
};

/// Why a peer's frame was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Not our protocol.
    #[error("the peer does not speak the protocol: {0}")]
    Decode(#[from] DecodeError),
    /// A later protocol.
    #[error("the peer speaks version {0} of the protocol, this node speaks {PROTOCOL}")]
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
            // So that it tells its state again, should the space be shared once more.
            self.send(peer, &Message::Denied { space });
        }
        let own = self.device;
        let mut heads = Vec::new();
        for id in spaces.iter().take(HEADS_MAX) {
            let Some(space) = self.spaces.get(id) else { continue };
            let session =
                self.sessions.entry((*id, peer)).or_insert_with(|| Session::new(*id, own, peer));
            heads.extend(session.announce(space.store.as_ref())?);
        }
        if !heads.is_empty() {
            self.send(peer, &Message::Heads { protocol: PROTOCOL, heads });
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
        self.sessions.retain(|(_, other), _| *other != peer);
        self.traffic.retain(|(_, other), _| *other != peer);
    }

    /// Starts over with a peer, and compares all ids if `full`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn restart(&mut self, peer: DeviceId, full: bool) -> Result<(), StoreError> {
        let spaces: BTreeSet<SpaceId> = self.shared_with(peer).collect();
        for space in &spaces {
            if let Some(session) = self.sessions.get_mut(&(*space, peer)) {
                let theirs = session.theirs();
                session.restart();
                if full {
                    session.compare_all();
                }
                if let (Some(head), Some(facts)) = (theirs, self.spaces.get(space)) {
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

    /// Where we stand with a peer over a space.
    #[must_use]
    pub fn peer_sync(&self, space: SpaceId, peer: DeviceId) -> Option<PeerSync> {
        let session = self.sessions.get(&(space, peer))?;
        let state = session.state(self.spaces.get(&space)?.store.head());
        let traffic = self.traffic.get(&(space, peer));
        Some(PeerSync {
            state,
            pushed: traffic.map_or(0, |traffic| traffic.pushed),
            pulled: traffic.map_or(0, |traffic| traffic.pulled),
        })
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
        match Message::decode(frame)? {
            Message::Heads { protocol, .. } if protocol != PROTOCOL => {
                Err(FrameError::Version(protocol))
            }
            Message::Heads { heads, .. } => {
                for head in heads {
                    self.on_head(peer, head, may_hold)?;
                }
                Ok(())
            }
            Message::Pull { space, after } => {
                if let Some(session) = self.sessions.get_mut(&(space, peer)) {
                    session.on_pull_asked();
                }
                self.answer(peer, space, may_hold, |store| {
                    reconcile::answer_pull(space, after, peer, store)
                })
            }
            Message::List { space, after } => {
                let todo = self.sessions.get_mut(&(space, peer)).map(Session::on_list_asked);
                self.answer(peer, space, may_hold, |store| {
                    reconcile::answer_list(space, after, store)
                })?;
                self.take_on(space, peer, todo.unwrap_or_default());
                Ok(())
            }
            Message::Sketch { space, counts, first, length } => {
                let session = self.sessions.get_mut(&(space, peer));
                if session.is_none_or(Session::on_sketch_asked) {
                    self.answer(peer, space, may_hold, |store| {
                        reconcile::answer_sketch(space, &counts, (first, length), store)
                    })?;
                }
                Ok(())
            }
            Message::Find { space, ids } => self
                .answer(peer, space, may_hold, |store| reconcile::answer_find(space, &ids, store)),
            Message::Get { space, ids } => self
                .answer(peer, space, may_hold, |store| reconcile::answer_get(space, &ids, store)),
            Message::Receipt(receipt) => {
                if self.sessions.contains_key(&(receipt.space, peer)) {
                    self.outputs.push_back(Output::Receipt { peer, receipt });
                }
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
        let (Some(space), true) = (self.spaces.get(&id), may_hold(id)) else {
            self.send(peer, &Message::Denied { space: id });
            return Ok(());
        };
        let new = || Session::new(id, self.device, peer);
        let session = self.sessions.entry((id, peer)).or_insert_with(new);
        let todo = session.on_head(head, space.store.as_ref())?;
        let told = session.announce(space.store.as_ref())?;
        self.take_on(id, peer, todo);
        if let Some(head) = told {
            self.send(peer, &Message::Heads { protocol: PROTOCOL, heads: vec![head] });
        }
        self.tell_if_equal(id, peer);
        Ok(())
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

    /// Our copy of a space when a connected peer and we last said that both are equal.
    #[must_use]
    pub fn equal_at(&self, space: SpaceId, peer: DeviceId) -> Option<StoreHead> {
        self.sessions.get(&(space, peer))?.equal_at()
    }

    /// Tells a peer that we hold what we both have.
    pub fn send_receipt(&mut self, peer: DeviceId, receipt: Receipt) {
        self.send(peer, &Message::Receipt(receipt));
    }

    fn answer(
        &mut self,
        peer: DeviceId,
        space: SpaceId,
        may_hold: &dyn Fn(SpaceId) -> bool,
        answer: impl FnOnce(&dyn crate::store::EntryStore) -> Result<Message, StoreError>,
    ) -> Result<(), FrameError> {
        let message = match self.spaces.get(&space) {
            Some(facts) if may_hold(space) => answer(facts.store.as_ref())?,
            Some(_) | None => Message::Denied { space },
        };
        self.send_entries(space, peer, &message);
        Ok(())
    }

    fn send_entries(&mut self, space: SpaceId, peer: DeviceId, message: &Message) {
        if let Message::Page { entries, .. } | Message::Entries { entries, .. } = message {
            self.traffic(space, peer).pushed += entries.len() as u64;
        }
        self.send(peer, message);
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
            Message::Ids { after, upto, more, ids, .. } => {
                session.on_ids(after, (upto, more), &ids, facts.store.as_ref())?
            }
            Message::Symbols { store, arrivals, run, .. } => {
                session.on_symbols((store, arrivals), &run)
            }
            Message::Lacking { store, arrivals, ids, .. } => {
                session.on_lacking((store, arrivals), &ids, facts.store.as_ref())?
            }
            Message::Entries { entries, .. } => session.on_entries(entries),
            Message::Denied { .. } => {
                session.on_denied();
                Todo::default()
            }
            Message::Heads { .. }
            | Message::Pull { .. }
            | Message::List { .. }
            | Message::Sketch { .. }
            | Message::Find { .. }
            | Message::Receipt(_)
            | Message::Get { .. } => Todo::default(),
        };
        self.take_on(space, peer, todo);
        Ok(())
    }

    fn take_on(&mut self, space: SpaceId, peer: DeviceId, todo: Todo) {
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

    /// The verdicts on a batch. `may_write` is the trust plane's word on its
    /// authors. Good entries are staged; bad ones are left out, each by itself.
    pub fn on_verified(
        &mut self,
        job: JobId,
        results: Vec<Result<VerifiedEntry, EntryError>>,
        may_write: &mut dyn FnMut(&VerifiedEntry) -> bool,
    ) {
        let Some(answered) = self.jobs.get_mut(&job) else {
            return;
        };
        let (peer, space) = (answered.peer, answered.space);
        answered.results = Some(results);
        // Workers answer in any order. A cursor must not become durable before
        // the entries of the pages before it, so pages are taken in theirs.
        while let Some((first, Job { results: Some(_), .. })) =
            self.jobs.iter().find(|(_, job)| (job.peer, job.space) == (peer, space))
        {
            let first = *first;
            if let Some(job) = self.jobs.remove(&first) {
                self.stage(job, may_write);
            }
        }
    }

    fn stage(&mut self, job: Job, may_write: &mut dyn FnMut(&VerifiedEntry) -> bool) {
        let Job { peer, space, cursor, results } = job;
        let results = results.unwrap_or_default();
        let count = results.len();
        let mut entries = Vec::with_capacity(count);
        for result in results {
            match result {
                Ok(entry) if entry.header().space != space => {
                    tracing::warn!(%peer, %space, entry = %entry.id(), "entry of another space");
                    self.note_refused(space, peer, "it belongs to another space".to_owned());
                }
                Ok(entry) if !may_write(&entry) => {
                    let author = entry.header().author;
                    tracing::info!(%peer, %space, entry = %entry.id(), %author, "may not write");
                    self.note_refused(space, peer, self.why_refused(space, &entry));
                }
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    tracing::warn!(%peer, %space, %error, "bad entry");
                    self.note_refused(space, peer, error.to_string());
                }
            }
        }
        self.traffic(space, peer).pulled += entries.len() as u64;
        let refused = entries.len() < count;
        let session = self.sessions.get_mut(&(space, peer));
        let has_refused = session.map_or(refused, |session| session.note_refused(refused));
        let cursor = cursor.map(|cursor| crate::store::Cursor {
            has_refused: cursor.has_refused || has_refused,
            ..cursor
        });
        let batch = Batch { entries, source: Some(peer), cursor };
        self.arrived.entry(space).or_default().push((batch, Delivered { peer, refused }));
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
            self.send(peer, &Message::Heads { protocol: PROTOCOL, heads: vec![head] });
            self.tell_if_equal(space, peer);
        }
        Ok(())
    }

    fn send(&mut self, peer: DeviceId, message: &Message) {
        self.outputs.push_back(Output::Send { peer, frame: message.encode() });
    }

    pub(super) fn traffic(&mut self, space: SpaceId, peer: DeviceId) -> &mut Traffic {
        self.traffic.entry((space, peer)).or_default()
    }
}
