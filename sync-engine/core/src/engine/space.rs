//! One space: its store, its keys, the documents that are loaded.

mod loaded;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{
    BlobId, DeviceId, DocumentId, EntryId, Epoch, SpaceId, limit::ENTRY_DEPS_MAX, seal::SealKey,
};

use self::loaded::Loaded;
use super::{EngineError, Writer};
use crate::{
    document::{Document, DocumentError, Summary},
    entry::{Draft, EntryError, EntryKind, VerifiedEntry},
    store::{Batch, EntryStore, StoreEpoch, StoreError, Tip},
};

/// Entries looked at in one go when the right to write has changed.
const SORTED_AT_ONCE: usize = 256;

/// A state of what is staged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    staged: usize,
    tip: Option<Tip>,
}

pub(super) struct Space {
    id: SpaceId,
    device: DeviceId,
    run: [u8; 16],
    pub(super) store: Box<dyn EntryStore>,
    /// Two members may have made an epoch of the same number.
    keys: BTreeMap<Epoch, Vec<SealKey>>,
    writing: Option<(Epoch, SealKey)>,
    loaded: Loaded,
    /// Written here, waiting for the next flush.
    staged: Vec<VerifiedEntry>,
    touched: BTreeSet<DocumentId>,
    tip: Option<Tip>,
    index: Option<BTreeMap<DocumentId, Summary>>,
    stale: BTreeSet<DocumentId>,
}

impl Space {
    pub(super) fn new(
        id: SpaceId,
        device: DeviceId,
        run: [u8; 16],
        store: Box<dyn EntryStore>,
    ) -> Result<Self, StoreError> {
        let tip = store.tip(device)?;
        Ok(Self {
            id,
            device,
            run,
            store,
            keys: BTreeMap::new(),
            writing: None,
            loaded: Loaded::default(),
            staged: Vec::new(),
            touched: BTreeSet::new(),
            tip,
            index: None,
            stale: BTreeSet::new(),
        })
    }

    /// Says whether the key is new.
    pub(super) fn use_epoch(&mut self, epoch: Epoch, key: SealKey) -> bool {
        let known = self.keys.entry(epoch).or_default();
        let is_new = !known.contains(&key);
        if is_new {
            known.push(key);
            // What could not be opened may open now.
            self.forget_loaded();
        }
        is_new
    }

    pub(super) fn keys_count(&self) -> u64 {
        self.keys.values().map(|keys| keys.len() as u64).sum()
    }

    pub(super) fn write_with(&mut self, writing: Option<(Epoch, SealKey)>) {
        self.writing = writing;
    }

    fn forget_loaded(&mut self) {
        self.loaded.clear();
        self.index = None;
    }

    /// Takes out of the set what does not count, and brings back what does again.
    /// Says which documents changed. Nothing may be staged: a document that is
    /// loaded again would number its next change like the staged one.
    pub(super) fn sort_out(
        &mut self,
        counts: &mut dyn FnMut(&VerifiedEntry) -> bool,
        new_epoch: StoreEpoch,
    ) -> Result<BTreeSet<DocumentId>, StoreError> {
        let mut changed = BTreeSet::new();
        let mut welcome = Vec::new();
        for bytes in self.store.aside()? {
            let entry = stored(bytes)?;
            if counts(&entry) {
                changed.insert(entry.header().document);
                welcome.push(entry);
            }
        }
        if !welcome.is_empty() {
            self.store.append(&[Batch { entries: welcome, source: None, cursor: None }])?;
        }
        let mut unwelcome = Vec::new();
        let mut place = 0;
        loop {
            let page = self.store.arrivals(place, SORTED_AT_ONCE, usize::MAX)?;
            let Some(last) = page.last() else { break };
            place = last.place;
            for arrival in page {
                let entry = stored(arrival.bytes)?;
                if !counts(&entry) {
                    changed.insert(entry.header().document);
                    unwelcome.push(entry);
                }
            }
        }
        if !unwelcome.is_empty() {
            self.store.set_aside(&unwelcome, new_epoch)?;
        }
        if !changed.is_empty() {
            self.forget_loaded();
        }
        Ok(changed)
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
        let mut document = Document::new((self.device, self.run), self.id, id);
        let mut entries = Vec::with_capacity(bytes.len());
        for bytes in bytes {
            entries.push(stored(bytes)?);
        }
        Self::bury_if_told(&mut document, &entries);
        document.apply(self.opened(&entries));
        Ok(Some(document))
    }

    fn bury_if_told(document: &mut Document, entries: &[VerifiedEntry]) {
        for entry in entries {
            match entry.header().kind {
                EntryKind::Tombstone => document.bury(entry.id(), &entry.header().deps),
                EntryKind::Change => {
                    #[cfg(feature = "planted-bugs")]
                    if node_model::planted::active(node_model::planted::Bug::ReorderedTombstone) {
                        document.unbury();
                    }
                }
            }
        }
    }

    /// The changes in entries. Each is opened when the document is ready for it:
    /// together they may unpack to any size.
    fn opened<'a>(
        &'a self,
        entries: &'a [VerifiedEntry],
    ) -> impl Iterator<Item = (EntryId, Vec<u8>)> + 'a {
        let changes = entries.iter().filter(|entry| entry.header().kind == EntryKind::Change);
        changes.filter_map(|entry| {
            let mut keys = self.keys.get(&entry.header().epoch).into_iter().flatten();
            // What we cannot open stays sealed; it is not lost.
            let opened = keys.find_map(|key| entry.open(key).ok());
            opened.map(|change| (entry.id(), change))
        })
    }

    fn remember(&mut self, id: DocumentId, document: Document) {
        // What is staged is in no store yet.
        self.loaded.remember(id, document, &self.touched);
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
        let deps = named_heads(self.document(id)?);
        let draft = self.draft(id, EntryKind::Tombstone, deps.clone(), vec![]);
        let entry = self.seal(writer, draft, &[])?;
        self.document(id)?.bury(entry, &deps);
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
            sequence: self.tip.map_or(0, |tip| tip.sequence + 1),
            prev: self.tip.map(|tip| tip.id),
            deps,
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
        let entry =
            draft.seal(writer.entropy, writer.signer, (*epoch, key), plain).map_err(|error| {
                match error {
                    EntryError::OverLimit => EngineError::TooLarge,
                    EntryError::Decode(_)
                    | EntryError::Newer
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
        for batch in batches.iter().filter(|batch| batch.source.is_some()) {
            let mut arrived: BTreeMap<DocumentId, Vec<VerifiedEntry>> = BTreeMap::new();
            for entry in batch.entries.iter().filter(|entry| new.contains(&entry.id())) {
                arrived.entry(entry.header().document).or_default().push(entry.clone());
            }
            for (id, entries) in arrived {
                self.stale.insert(id);
                let Some(mut document) = self.loaded.take(id) else { continue };
                Self::bury_if_told(&mut document, &entries);
                if document.catch_up(self.opened(&entries)) {
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

    /// All documents that are not removed, by id.
    pub(super) fn index(&mut self) -> Result<&BTreeMap<DocumentId, Summary>, EngineError> {
        let stale = match &self.index {
            Some(_) => std::mem::take(&mut self.stale).into_iter().collect(),
            None => {
                self.stale.clear();
                self.store.documents()?
            }
        };
        let mut index = self.index.take().unwrap_or_default();
        for id in stale {
            let summary = match self.loaded.get(id) {
                Some(document) => summary(document, id),
                None => self.load(id)?.as_ref().and_then(|document| summary(document, id)),
            };
            match summary {
                Some(summary) => index.insert(id, summary),
                None => index.remove(&id),
            };
        }
        Ok(self.index.insert(index))
    }
}

fn stored(bytes: Vec<u8>) -> Result<VerifiedEntry, StoreError> {
    VerifiedEntry::from_storage(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// The heads that an entry names: as many as it may. The change inside names all.
fn named_heads(document: &mut Document) -> Vec<EntryId> {
    let mut heads = document.head_entries();
    heads.truncate(ENTRY_DEPS_MAX);
    heads
}

fn summary(document: &Document, id: DocumentId) -> Option<Summary> {
    (!document.is_removed()).then(|| document.summary(id))
}
