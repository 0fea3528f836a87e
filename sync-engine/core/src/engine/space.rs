//! One space: its store, its keys, the documents that are loaded.

mod collect;
mod compact;
mod counters;
mod index;
mod keys;
mod loaded;
mod order;
mod parts;
mod purge;
mod replaced;
mod sort;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DeviceId, DocumentId, EntryId, Epoch, SpaceId, seal::SealKey};

pub use self::{
    collect::Collected,
    compact::{BundleOrder, Compacted, MadeBundle},
    order::{LoadOrder, LoadedDocument},
};
pub(super) use self::{loaded::BYTES_MAX, parts::all_stored};

use self::{
    keys::Keys,
    loaded::Loaded,
    parts::{named_heads, named_run},
    replaced::Replaced,
};
use super::{EngineError, Writer, findings::Health};
use crate::{
    document::{Body, Document, DocumentError, Summary, guarded},
    entry::{
        Draft, EntryError, EntryKind, VerifiedEntry,
        covers::{Covers, Run},
    },
    part::Part,
    store::{Batch, EntryStore, StoreError, Tip, stored},
};

/// A state of what is staged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    staged: usize,
    tip: Option<Tip>,
}

pub(super) struct Space {
    pub(super) id: SpaceId,
    device: DeviceId,
    run: [u8; 16],
    pub(super) store: Box<dyn EntryStore>,
    /// Whether the store may hold room that nothing needs.
    pub(super) is_unsettled: bool,
    /// What is kept, when it is not everything.
    pub(super) kept: Option<Part>,
    keys: Keys,
    /// Changes when what is loaded may not count any more.
    generation: u64,
    /// Sealed bytes from which on a document is loaded elsewhere.
    pub(super) large_from: u64,
    writing: Option<(Epoch, SealKey)>,
    loaded: Loaded,
    /// Written here, waiting for the next flush.
    staged: Vec<VerifiedEntry>,
    touched: BTreeSet<DocumentId>,
    /// Changes written here that are durable since [`Self::take_written`].
    written: BTreeMap<DocumentId, u64>,
    tip: Option<Tip>,
    index: Option<BTreeMap<DocumentId, Summary>>,
    stale: BTreeSet<DocumentId>,
    /// Those of them that turned out to be large when the list was looked at.
    unlisted_large: BTreeSet<DocumentId>,
    pub(super) health: Health,
    /// Documents that were purged: nothing is written in them.
    purged: BTreeSet<DocumentId>,
    /// Documents of which nothing is read.
    left_alone: BTreeSet<DocumentId>,
    replaced: Replaced,
}

impl Space {
    pub(super) fn new(
        id: SpaceId,
        device: DeviceId,
        run: [u8; 16],
        large_from: u64,
        store: Box<dyn EntryStore>,
    ) -> Result<Self, StoreError> {
        let tip = store.tip(device)?;
        Ok(Self {
            id,
            device,
            run,
            store,
            is_unsettled: true,
            kept: None,
            keys: Keys::default(),
            generation: 0,
            large_from,
            writing: None,
            loaded: Loaded::default(),
            staged: Vec::new(),
            touched: BTreeSet::new(),
            written: BTreeMap::new(),
            tip,
            index: None,
            stale: BTreeSet::new(),
            unlisted_large: BTreeSet::new(),
            health: Health::default(),
            purged: BTreeSet::new(),
            left_alone: BTreeSet::new(),
            replaced: Replaced::default(),
        })
    }

    /// Says whether the key is new.
    pub(super) fn use_epoch(&mut self, epoch: Epoch, key: SealKey) -> bool {
        let is_new = self.keys.add(epoch, key);
        if is_new {
            // What could not be opened may open now.
            self.forget_loaded();
        }
        is_new
    }

    pub(super) fn keys_count(&self) -> u64 {
        self.keys.count()
    }

    pub(super) fn write_with(&mut self, writing: Option<(Epoch, SealKey)>) {
        self.writing = writing;
    }

    fn forget_loaded(&mut self) {
        self.loaded.clear();
        self.index = None;
        self.generation += 1;
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The document, loaded.
    pub(super) fn document(&mut self, id: DocumentId) -> Result<&mut Document, EngineError> {
        if self.loaded.get(id).is_none() {
            let document = self.load(id)?.ok_or(EngineError::NoSuchDocument)?;
            self.remember(id, document);
        }
        self.loaded.get_mut(id).ok_or(EngineError::NoSuchDocument)
    }

    /// Looks at a document; one that is not loaded is not kept.
    pub(super) fn look_at<T>(
        &mut self,
        id: DocumentId,
        look: impl FnOnce(&mut Document) -> T,
    ) -> Result<T, EngineError> {
        let mut brought = None;
        let document = match self.loaded.get_mut(id) {
            Some(document) => document,
            None => brought.insert(self.load(id)?.ok_or(EngineError::NoSuchDocument)?),
        };
        if document.is_removed() { Err(DocumentError::Removed.into()) } else { Ok(look(document)) }
    }

    pub(super) fn exists(&mut self, id: DocumentId) -> Result<bool, EngineError> {
        match self.document(id) {
            Ok(document) => Ok(!document.is_removed()),
            Err(EngineError::NoSuchDocument) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn load(&self, id: DocumentId) -> Result<Option<Document>, EngineError> {
        let bytes = self.store.document(id)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if self.keys.is_empty() {
            return Err(EngineError::NoKey);
        }
        let new = || {
            let mut document = Document::new((self.device, self.run), self.id, id);
            if self.left_alone.contains(&id) {
                document.leave_alone();
            }
            document
        };
        let mut document = self.keys.document(new, all_stored(bytes)?);
        self.apply_superseded(&mut document, id)?;
        Ok(Some(document))
    }

    fn remember(&mut self, id: DocumentId, document: Document) {
        // What is staged is in no store yet.
        self.loaded.remember(id, document, &self.touched);
    }

    pub(super) fn leave_alone(&mut self, id: DocumentId) {
        self.left_alone.insert(id);
    }

    pub(super) fn make_room(&mut self) {
        self.loaded.make_room(&self.touched);
    }

    pub(super) fn loaded_bytes(&self) -> u64 {
        self.loaded.bytes()
    }

    pub(super) fn forget_oldest(&mut self) -> bool {
        self.loaded.forget_oldest(&self.touched)
    }

    /// Makes a new document, or changes one that exists.
    pub(super) fn write(
        &mut self,
        writer: &mut Writer<'_>,
        id: DocumentId,
        blobs: BTreeSet<BlobId>,
        change: impl FnOnce(&mut Document) -> Result<(), DocumentError>,
    ) -> Result<(), EngineError> {
        let mut document = match self.loaded.take(id) {
            Some(document) => document,
            None => self
                .load(id)?
                .unwrap_or_else(|| Document::new((self.device, self.run), self.id, id)),
        };
        if document.is_removed() {
            return Err(EngineError::Document(DocumentError::Removed));
        }
        let deps = named_heads(&mut document);
        // Whatever fails from here on drops the document, and with it the
        // change; the next use loads it as it is stored.
        change(&mut document)?;
        if let Some((hash, bytes)) = document.commit(writer.now)? {
            let blobs = blobs.into_iter().collect();
            let draft = self.draft(id, EntryKind::Change, deps, blobs);
            let entry = self.seal(writer, draft, &bytes)?;
            document.note_entry(hash, entry);
        }
        self.remember(id, document);
        Ok(())
    }

    /// Removes a document.
    pub(super) fn bury(
        &mut self,
        writer: &mut Writer<'_>,
        id: DocumentId,
    ) -> Result<(), EngineError> {
        if self.document(id)?.is_removed() {
            return Err(EngineError::Document(DocumentError::Removed));
        }
        self.bury_what_is_known(writer, id)
    }

    /// Removes a document, or says again that it is removed, knowing more of it.
    pub(super) fn bury_what_is_known(
        &mut self,
        writer: &mut Writer<'_>,
        id: DocumentId,
    ) -> Result<(), EngineError> {
        let document = self.document(id)?;
        let (deps, known) = (named_heads(document), document.known());
        let draft = self.draft(id, EntryKind::Tombstone, deps, vec![]);
        let entry = self.seal(writer, draft, &known)?;
        self.document(id)?.bury(entry, &known);
        Ok(())
    }

    fn draft(
        &self,
        document: DocumentId,
        kind: EntryKind,
        deps: Vec<EntryId>,
        blobs: Vec<BlobId>,
    ) -> Draft {
        Draft {
            space: self.id,
            document,
            kind,
            run: named_run(self.run),
            sequence: self.tip.map_or(0, |tip| tip.sequence + 1),
            prev: self.tip.map(|tip| tip.id),
            deps,
            covers: Covers::default(),
            blobs,
        }
    }

    fn seal(
        &mut self,
        writer: &mut Writer<'_>,
        draft: Draft,
        plain: &[u8],
    ) -> Result<EntryId, EngineError> {
        let (epoch, key) = self.writing.as_ref().ok_or(EngineError::NoKey)?;
        let (document, sequence) = (draft.document, draft.sequence);
        self.need_kept(document)?;
        let entry =
            draft.seal(writer.entropy, writer.signer, (*epoch, key), plain).map_err(|error| {
                match error {
                    EntryError::OverLimit => EngineError::TooLarge,
                    EntryError::Decode(_)
                    | EntryError::OtherVersion(_)
                    | EntryError::Covers
                    | EntryError::Body
                    | EntryError::Signature(_)
                    | EntryError::Sealed => EngineError::Entry(error),
                }
            })?;
        let id = entry.id();
        self.tip = Some(Tip { sequence, id });
        self.touched.insert(document);
        self.staged.push(entry);
        Ok(id)
    }

    /// The state of what is staged, to come back to.
    pub(super) fn mark(&self) -> Mark {
        Mark { staged: self.staged.len(), tip: self.tip }
    }

    /// Forgets what was staged since `mark`.
    pub(super) fn unstage(&mut self, mark: Mark) {
        for entry in self.staged.drain(mark.staged..) {
            let document = entry.header().document;
            self.loaded.take(document);
        }
        self.tip = mark.tip;
    }

    /// What was written here since the last flush, as a batch.
    pub(super) fn take_staged(&mut self) -> Option<Batch> {
        let entries = std::mem::take(&mut self.staged);
        if entries.is_empty() { None } else { Some(Batch { entries, source: None, cursor: None }) }
    }

    /// Batches are durable: brings what is loaded up to date.
    pub(super) fn committed(&mut self, batches: &[Batch], new: &BTreeSet<EntryId>) {
        self.stale.append(&mut self.touched);
        let own = batches.iter().filter(|batch| batch.source.is_none());
        for entry in own.flat_map(|batch| &batch.entries) {
            if entry.header().kind == EntryKind::Change {
                *self.written.entry(entry.header().document).or_default() += 1;
            }
        }
        for batch in batches.iter().filter(|batch| batch.source.is_some()) {
            let mut arrived: BTreeMap<DocumentId, Vec<VerifiedEntry>> = BTreeMap::new();
            for entry in batch.entries.iter().filter(|entry| new.contains(&entry.id())) {
                arrived.entry(entry.header().document).or_default().push(entry.clone());
            }
            for (id, entries) in arrived {
                self.stale.insert(id);
                let Some(mut document) = self.loaded.take(id) else { continue };
                // So much is applied when somebody asks for it, by a worker.
                let bytes: usize = entries.iter().map(|entry| entry.bytes().len()).sum();
                if bytes as u64 >= self.large_from {
                    continue;
                }
                self.keys.bury_if_told(&mut document, &entries);
                if guarded(|| document.catch_up(self.keys.opened(&entries))) == Some(true) {
                    self.remember(id, document);
                }
            }
        }
    }

    /// The store refused: forgets everything that it does not hold.
    pub(super) fn rolled_back(&mut self) -> Result<(), StoreError> {
        for id in std::mem::take(&mut self.touched) {
            self.loaded.take(id);
            self.stale.insert(id);
        }
        self.tip = self.store.tip(self.device)?;
        Ok(())
    }
}
