//! Large documents are loaded elsewhere: whoever waits for one keeps nobody else waiting.
//!
//! Invariant: what comes back is used only if it is what loading here would give: the same
//! keys, the same entries count, and what arrived meanwhile is applied.
//! Non-goals: who waits for it.

use std::{collections::BTreeSet, fmt};

use node_model::{DeviceId, DocumentId, EntryId, SpaceId};

use super::{Space, all_stored, keys::Keys};
use crate::{
    document::{Document, guarded, light::is_light},
    engine::{EngineError, LARGE_FROM_BYTES},
    entry::VerifiedEntry,
    store::StoreError,
};

/// Bytes that small entries may unpack to: prose packs to a third, and what says the same again
/// and again to much less.
const PLAIN_BYTES_MAX: u64 = 8 * LARGE_FROM_BYTES;

/// A large document to be loaded by a worker.
pub struct LoadOrder {
    space: SpaceId,
    id: DocumentId,
    writer: (DeviceId, [u8; 16]),
    generation: u64,
    keys: Keys,
    stored: Vec<Vec<u8>>,
}

impl fmt::Debug for LoadOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadOrder({} {}, {} entries)", self.space, self.id, self.stored.len())
    }
}

impl LoadOrder {
    /// Which document.
    #[must_use]
    pub fn place(&self) -> (SpaceId, DocumentId) {
        (self.space, self.id)
    }

    /// Bytes of its entries.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.stored.iter().map(Vec::len).sum()
    }

    /// Loads it: takes time, and needs nothing but what is in the order.
    #[must_use]
    pub fn load(self) -> LoadedDocument {
        let Self { space, id, writer, generation, keys, stored } = self;
        let loaded = all_stored(stored).map(|entries| {
            let ids = entries.iter().map(VerifiedEntry::id).collect();
            (keys.document(|| Document::new(writer, space, id), entries), ids)
        });
        LoadedDocument { space, id, generation, loaded }
    }
}

/// What became of a [`LoadOrder`].
pub struct LoadedDocument {
    space: SpaceId,
    id: DocumentId,
    generation: u64,
    loaded: Result<(Document, BTreeSet<EntryId>), StoreError>,
}

impl LoadedDocument {
    /// Which document.
    #[must_use]
    pub fn place(&self) -> (SpaceId, DocumentId) {
        (self.space, self.id)
    }

    /// Reads all of it once: if that stops whoever reads it, it does so now.
    pub fn read_through(&mut self) {
        if let Ok((document, _)) = &mut self.loaded {
            std::hint::black_box((document.summary(self.id), document.value()));
        }
    }
}

impl fmt::Debug for LoadedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.loaded.as_ref().err();
        write!(f, "LoadedDocument({} {}, failed: {failed:?})", self.space, self.id)
    }
}

impl Space {
    /// The order to load a document elsewhere; `None` where that is not worth it.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(in crate::engine) fn order(
        &self,
        id: DocumentId,
    ) -> Result<Option<LoadOrder>, EngineError> {
        if !self.is_large(id)? {
            return Ok(None);
        }
        Ok(Some(LoadOrder {
            space: self.id,
            id,
            writer: (self.device, self.run),
            generation: self.generation,
            keys: self.keys.clone(),
            stored: self.store.document(id)?,
        }))
    }

    /// Whether loading a document would keep others waiting.
    pub(in crate::engine) fn is_large(&self, id: DocumentId) -> Result<bool, EngineError> {
        if self.loaded.get(id).is_some() || !self.is_readable() || self.left_alone.contains(&id) {
            return Ok(false);
        }
        if self.store.document_bytes(id)? >= self.large_from {
            return Ok(true);
        }
        let entries = all_stored(self.store.document(id)?)?;
        let plain_bytes = entries.iter().map(|entry| u64::from(entry.header().plain_bytes));
        let is_dense = plain_bytes.sum::<u64>() > PLAIN_BYTES_MAX;
        Ok(is_dense || !is_light(self.keys.opened(&entries).map(|(_, body)| body)))
    }

    /// Takes in what a worker loaded.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(in crate::engine) fn take_loaded(
        &mut self,
        loaded: LoadedDocument,
    ) -> Result<(), EngineError> {
        let LoadedDocument { id, generation, loaded, .. } = loaded;
        let is_usable = generation == self.generation && self.loaded.get(id).is_none();
        let (mut document, known) = loaded?;
        if !is_usable {
            return Ok(());
        }
        let stored = self.store.document_ids(id)?;
        let new = stored.into_iter().map(|(_, id)| id).filter(|id| !known.contains(id));
        let mut late = Vec::new();
        for id in new {
            late.extend(self.store.entry(id)?);
        }
        let late = all_stored(late)?;
        self.keys.bury_if_told(&mut document, &late);
        if guarded(|| document.apply(self.keys.opened(&late))).is_none() {
            return Ok(());
        }
        self.apply_superseded(&mut document, id)?;
        self.remember(id, document);
        if self.stale.contains(&id) {
            self.list_as(id, None);
        }
        Ok(())
    }

    /// A bundle may leave out what its author had sent before.
    pub(super) fn apply_superseded(
        &self,
        document: &mut Document,
        id: DocumentId,
    ) -> Result<(), EngineError> {
        if document.waiting_count() > 0 {
            let superseded = all_stored(self.store.superseded(id)?)?;
            document.apply(self.keys.opened(&superseded));
        }
        Ok(())
    }
}
