//! The engine: spaces with their stores, and sessions with peers.
//!
//! Writes are staged and become durable together in [`SyncEngine::flush`] (group
//! commit); the caller acknowledges after it.

mod answering;
mod arrivals;
mod bundling;
mod carried;
mod choosing;
pub(crate) mod conflict;
mod derived;
mod edit;
mod exchange;
mod findings;
mod forks;
mod hindered;
mod keep;
mod loading;
mod meeting;
mod past;
mod purge;
mod space;
mod taking;
#[cfg(test)]
mod testing;
mod views;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use node_model::{
    BlobId, DeviceId, DocumentId, Entropy, EntryId, Epoch, SpaceId, Timestamp, seal::SealKey,
    sign::Signer,
};
use serde_json::Value;

pub use self::{
    arrivals::{ArrivalKind, Event, Events},
    carried::Carried,
    derived::{content_document, path_document},
    exchange::FrameError,
    findings::{CopyFacts, DocumentTrouble, Limit, PeerSync, RefusedEntries},
    keep::{EqualPart, KeptPart},
    loading::{LARGE_FROM_BYTES, Unlisted},
    space::{BundleOrder, Collected, Compacted, LoadOrder, LoadedDocument, MadeBundle},
    views::Changes,
};

use self::{
    choosing::Choosing, findings::Traffic, hindered::Hindrances, keep::Bundled, meeting::Meeting,
    space::Space,
};
use crate::{
    document::{Document, DocumentError, Meta, Summary, blobs_in},
    entry::{EntryError, EntryKind, VerifiedEntry},
    receipt::Receipt,
    reconcile::Session,
    store::{Batch, Cursor, EntryStore, StoreError, StoreHead},
};

/// Why the engine could not do it. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// We hold no such space.
    #[error("there is no such space here")]
    NoSuchSpace,
    /// We hold no such document.
    #[error("there is no such document in this space")]
    NoSuchDocument,
    /// The space's key is not here.
    #[error("this node keeps the space sealed: it holds no key for it")]
    NoKey,
    /// Larger than an entry may be.
    #[error(
        "too large: a change may have 10 MB and refer to 1,024 blobs; put large content into blobs"
    )]
    TooLarge,
    /// An admin had the document purged.
    #[error("this document was purged from the space for good: it may not come back")]
    Purged(SpaceId),
    /// The document refused.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry of ours could not be made.
    #[error(transparent)]
    Entry(EntryError),
}

/// What a write needs from outside.
pub struct Writer<'a> {
    /// The device's key.
    pub signer: &'a Signer,
    /// For nonces.
    pub entropy: &'a mut Entropy,
    /// For the time that a change carries.
    pub now: Timestamp,
}

/// Names a batch that is being verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What the engine wants done, or tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame on the sync lane.
    Send {
        /// To whom.
        peer: DeviceId,
        /// A [`reconcile::Message`](crate::reconcile::Message).
        frame: Vec<u8>,
    },
    /// Verify entries ([`crate::entry::read_batch`]), then call
    /// [`SyncEngine::on_verified`].
    Verify {
        /// Which batch.
        job: JobId,
        /// The entries' bytes.
        entries: Vec<Vec<u8>>,
    },
    /// Documents of a space changed, durably.
    Changed {
        /// The space.
        space: SpaceId,
        /// The documents.
        documents: BTreeSet<DocumentId>,
    },
    /// A peer and we have both said that our copies are equal.
    Equal {
        /// Who.
        peer: DeviceId,
        /// The space.
        space: SpaceId,
    },
    /// A peer says that it holds what we both had; who says so is not checked yet.
    Receipt {
        /// Who sent it.
        peer: DeviceId,
        /// What it sent.
        receipt: Receipt,
    },
    /// Peers said that more documents are chosen by the rule of a space.
    Chosen {
        /// The space.
        space: SpaceId,
    },
    /// Two entries of a device have one number: its keys are in two places, or its disk was
    /// set back.
    Fork {
        /// The space.
        space: SpaceId,
        /// The device.
        author: DeviceId,
        /// The entries.
        proof: (EntryId, EntryId),
    },
    /// Nothing of a space refers to these blobs any more.
    Unreferenced {
        /// The space.
        space: SpaceId,
        /// The blobs.
        blobs: BTreeSet<BlobId>,
    },
    /// Entries that refer to blobs became durable.
    Referenced {
        /// The space.
        space: SpaceId,
        /// The blobs.
        blobs: BTreeSet<BlobId>,
    },
}

/// What became of staged writes, by space.
#[derive(Debug, Default)]
pub struct Flushed(BTreeMap<SpaceId, StoreError>);

impl Flushed {
    /// Whether everything staged in `space` is durable.
    ///
    /// # Errors
    /// The store's error; nothing of that space's staged writes was kept.
    pub fn result(&self, space: SpaceId) -> Result<(), StoreError> {
        self.0.get(&space).map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// Numbers of a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceCounts {
    /// Documents that are not removed.
    pub documents: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of entries.
    pub bytes: u64,
}

struct Job {
    peer: DeviceId,
    space: SpaceId,
    cursor: Option<Cursor>,
    results: Option<Vec<Result<VerifiedEntry, EntryError>>>,
}

struct Delivered {
    peer: DeviceId,
    refused: bool,
}

/// The sync engine of one node.
pub struct SyncEngine {
    device: DeviceId,
    run: [u8; 16],
    spaces: BTreeMap<SpaceId, Space>,
    sessions: BTreeMap<(SpaceId, DeviceId), Session>,
    traffic: BTreeMap<(SpaceId, DeviceId), Traffic>,
    jobs: BTreeMap<JobId, Job>,
    next_job: u64,
    arrived: BTreeMap<SpaceId, Vec<(Batch, Delivered)>>,
    choosing: Choosing,
    meetings: BTreeMap<DeviceId, Meeting>,
    hindrances: Hindrances,
    limits: Vec<Limit>,
    large_from: u64,
    outputs: VecDeque<Output>,
}

impl SyncEngine {
    /// An engine without spaces. `run` is random and never the same again: a device whose
    /// disk was set back must not number other changes like those that it lost.
    #[must_use]
    pub fn new(device: DeviceId, run: [u8; 16]) -> Self {
        Self {
            device,
            run,
            spaces: BTreeMap::new(),
            sessions: BTreeMap::new(),
            traffic: BTreeMap::new(),
            jobs: BTreeMap::new(),
            next_job: 0,
            arrived: BTreeMap::new(),
            choosing: Choosing::default(),
            meetings: BTreeMap::new(),
            hindrances: Hindrances::default(),
            limits: Vec::new(),
            large_from: LARGE_FROM_BYTES,
            outputs: VecDeque::new(),
        }
    }

    /// Sealed bytes from which on documents of spaces that are opened from now on are
    /// [large](SyncEngine::is_large).
    pub fn call_large_from(&mut self, bytes: u64) {
        self.large_from = bytes;
    }

    /// Takes over a space's store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_space(
        &mut self,
        space: SpaceId,
        store: Box<dyn EntryStore>,
    ) -> Result<(), StoreError> {
        let blobs: BTreeSet<BlobId> = store.blobs()?.into_iter().collect();
        if !blobs.is_empty() {
            self.outputs.push_back(Output::Referenced { space, blobs });
        }
        self.spaces
            .insert(space, Space::new(space, self.device, self.run, self.large_from, store)?);
        Ok(())
    }

    /// Whether the space is open here.
    #[must_use]
    pub fn has_space(&self, space: SpaceId) -> bool {
        self.spaces.contains_key(&space)
    }

    /// Hands over an epoch's key. Says whether it is new, so that there may be more to
    /// read.
    pub fn use_epoch(&mut self, space: SpaceId, epoch: Epoch, key: SealKey) -> bool {
        let is_new = self.spaces.get_mut(&space).is_some_and(|it| it.use_epoch(epoch, key));
        if is_new {
            self.choose_again(space);
        }
        is_new
    }

    /// Says which epoch new entries are sealed with; `None` seals nothing.
    pub fn write_with(&mut self, space: SpaceId, writing: Option<(Epoch, SealKey)>) {
        if let Some(space) = self.spaces.get_mut(&space) {
            space.write_with(writing);
        }
    }

    /// Stages all that `write` stages, or nothing when it fails.
    ///
    /// # Errors
    /// What `write` returned; nothing of it is staged.
    pub fn atomically<T, E: From<EngineError>>(
        &mut self,
        space: SpaceId,
        write: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mark = self.space_mut(space)?.mark();
        let written = write(self);
        if written.is_err() {
            self.space_mut(space)?.unstage(mark);
        }
        written
    }

    /// The next thing to do or to tell.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Stages a new document, or an update of the one that has this id.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn write_document(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        meta: &Meta,
        value: &Value,
    ) -> Result<(), EngineError> {
        let space = self.space_mut(space)?;
        let mut blobs = BTreeSet::new();
        blobs_in(value, &mut blobs);
        let exists = space.exists(document)?;
        space.write(writer, document, blobs, |document| {
            if exists { document.update(meta, value) } else { document.fill(meta, value) }
        })
    }

    /// Stages the removal of a document.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn remove_document(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<(), EngineError> {
        self.space_mut(space)?.bury(writer, document)
    }

    /// A document, to read it.
    ///
    /// # Errors
    /// [`EngineError`]; a removed document is [`DocumentError::Removed`].
    pub fn document(
        &mut self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<&mut Document, EngineError> {
        let document = self.space_mut(space)?.document(document)?;
        if document.is_removed() { Err(DocumentError::Removed.into()) } else { Ok(document) }
    }

    /// All documents of a space.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn documents(
        &mut self,
        space: SpaceId,
    ) -> Result<&BTreeMap<DocumentId, Summary>, EngineError> {
        self.space_mut(space)?.index()
    }

    /// Numbers of a space, without looking at its documents.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn counts(&self, space: SpaceId) -> Result<SpaceCounts, EngineError> {
        let store = &self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store;
        let (documents, entries) = (store.document_count()?, store.head().entries);
        Ok(SpaceCounts { documents, entries, bytes: store.stored_bytes() })
    }

    /// Bytes of all entries of a space.
    #[must_use]
    pub fn stored_bytes(&self, space: SpaceId) -> u64 {
        self.spaces.get(&space).map_or(0, |space| space.store.stored_bytes())
    }

    /// The entries of a document, as they are stored.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn stored(
        &self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        Ok(self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store.document(document)?)
    }

    /// Head of a space's store.
    #[must_use]
    pub fn head(&self, space: SpaceId) -> Option<StoreHead> {
        Some(self.spaces.get(&space)?.store.head())
    }

    /// Ids of all entries of a space, for checks.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn entry_ids(&self, space: SpaceId) -> Result<Vec<EntryId>, EngineError> {
        let space = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        let ids = space.store.ids(0, usize::MAX)?;
        Ok(ids.into_iter().map(|(_, id)| id).collect())
    }

    /// Makes everything staged durable, one transaction for each space, goes on
    /// with the sessions and announces what is new.
    pub fn flush(&mut self) -> Flushed {
        let mut flushed = Flushed::default();
        let spaces: Vec<SpaceId> = self.spaces.keys().copied().collect();
        for id in spaces {
            loop {
                match self.flush_space(id) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(space = %id, %error, "could not store");
                        flushed.0.insert(id, error);
                        break;
                    }
                }
            }
        }
        flushed
    }

    /// Whether there was something to store; then there may be more.
    fn flush_space(&mut self, id: SpaceId) -> Result<bool, StoreError> {
        let Some(space) = self.spaces.get_mut(&id) else {
            return Ok(false);
        };
        let (mut batches, delivered): (Vec<_>, Vec<_>) =
            self.arrived.remove(&id).unwrap_or_default().into_iter().unzip();
        batches.extend(space.take_staged());
        if batches.is_empty() {
            return Ok(false);
        }
        let room = self.room_in(id);
        let Some(space) = self.spaces.get_mut(&id) else { return Ok(false) };
        let was_hindered = space.hindrance().is_some();
        let has_parts = space.kept.is_some() || self.sessions.values().any(Session::has_part);
        let before = if has_parts { space.bundled(&batches) } else { Ok(Bundled::new()) };
        match before.and_then(|before| Ok((space.append(&batches, room)?, before))) {
            Ok((new, before)) => {
                let new: BTreeSet<EntryId> = new.into_iter().collect();
                space.committed(&batches, &new);
                self.tell(id, &batches, &new);
                if has_parts && let Err(error) = self.note_change(id, &batches, &new, &before) {
                    tracing::error!(space = %id, %error, "could not look at what arrived");
                    self.end_sessions(id);
                }
                if was_hindered {
                    self.tell_hindrances(id);
                }
                self.go_on(id, delivered)?;
                self.announce(id)?;
                Ok(true)
            }
            Err(error) => {
                // What is still being verified may be kept, but comes after a gap.
                for job in self.jobs.values_mut().filter(|job| job.space == id) {
                    job.cursor = None;
                }
                space.rolled_back()?;
                // Whatever was under way starts over with the next connection
                // or announcement; its cursor was not stored.
                for Delivered { peer, .. } in delivered {
                    if let Some(session) = self.sessions.get_mut(&(id, peer)) {
                        session.restart();
                    }
                    // What came meanwhile was to be told once it was through.
                    self.announce_to(id, peer)?;
                }
                self.tell_hindrances(id);
                Err(error)
            }
        }
    }

    fn tell(&mut self, space: SpaceId, batches: &[Batch], new: &BTreeSet<EntryId>) {
        let mut documents = BTreeSet::new();
        let mut blobs = BTreeSet::new();
        for (batch, entry) in
            batches.iter().flat_map(|batch| batch.entries.iter().map(move |entry| (batch, entry)))
        {
            if new.contains(&entry.id()) {
                // A bundle that was made here says nothing that was not said.
                if batch.source.is_some() || entry.header().kind != EntryKind::Bundle {
                    documents.insert(entry.header().document);
                }
                blobs.extend(entry.header().blobs.iter().copied());
            }
        }
        if !blobs.is_empty() {
            self.outputs.push_back(Output::Referenced { space, blobs });
        }
        if !documents.is_empty() {
            self.tell_chosen(space, &documents);
            self.outputs.push_back(Output::Changed { space, documents });
        }
    }

    fn space_mut(&mut self, space: SpaceId) -> Result<&mut Space, EngineError> {
        self.spaces.get_mut(&space).ok_or(EngineError::NoSuchSpace)
    }
}
