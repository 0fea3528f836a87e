//! A part of a store: the entries of some documents.
//!
//! A node with little room keeps some documents of a space. Two nodes compare the
//! [`Selection`] that both keep, as if its entries were a store of their own: it has a
//! digest, a sketch and an epoch. A document is selected whole, so that what a change
//! builds on is selected with it.
//!
//! Invariants: a part is what a scan of its documents would find; it is brought up to date
//! with each append, and made anew when the store's order changes.
//! Non-goals: types, folders and times, which nobody without keys can see; who may.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, btree_map},
    sync::Arc,
};

use node_model::{DocumentId, EntryId};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    digest::SetDigest,
    sketch::Sketch,
    store::{EntryStore, StoreEpoch, StoreError, StoreHead},
};

/// Most documents of a selection: 1 MiB on the way. Whoever wants more of a space has room
/// for all of it.
pub const SELECTED_MAX: usize = 65_536;

/// Names a set of documents; equal for equal sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SelectionId(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// Some documents of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    documents: BTreeSet<DocumentId>,
    id: SelectionId,
}

impl Selection {
    /// These documents; `None` when they are more than [`SELECTED_MAX`].
    #[must_use]
    pub fn new(documents: BTreeSet<DocumentId>) -> Option<Self> {
        if documents.len() > SELECTED_MAX {
            return None;
        }
        let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 selection of documents");
        documents.iter().for_each(|document| {
            hasher.update(&document.0);
        });
        let id = SelectionId(*hasher.finalize().as_bytes());
        Some(Self { documents, id })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> SelectionId {
        self.id
    }

    /// The documents.
    #[must_use]
    pub fn documents(&self) -> &BTreeSet<DocumentId> {
        &self.documents
    }

    /// Whether a document is among them.
    #[must_use]
    pub fn contains(&self, document: DocumentId) -> bool {
        self.documents.contains(&document)
    }

    /// The ids in ascending order, 16 bytes each.
    #[must_use]
    pub fn to_bytes(&self) -> ByteBuf {
        ByteBuf::from(self.documents.iter().flat_map(|document| document.0).collect::<Vec<u8>>())
    }

    /// Reads what [`Selection::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if !is_selection(bytes) {
            return None;
        }
        Self::new(ids(bytes).collect())
    }
}

/// Whether these bytes are at most [`SELECTED_MAX`] document ids, each once, in order.
pub(crate) fn is_selection(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(16)
        && bytes.len() / 16 <= SELECTED_MAX
        && ids(bytes).is_sorted_by(|one, next| one < next)
}

fn ids(bytes: &[u8]) -> impl Iterator<Item = DocumentId> {
    bytes.chunks_exact(16).filter_map(|id| id.try_into().ok()).map(DocumentId)
}

/// What two sides both keep; `None` is everything.
#[must_use]
pub fn common(
    one: Option<&Arc<Selection>>,
    other: Option<&Arc<Selection>>,
) -> Option<Arc<Selection>> {
    match (one, other) {
        (None, both) | (both, None) => both.cloned(),
        (Some(one), Some(other)) if one.id == other.id => Some(Arc::clone(one)),
        (Some(one), Some(other)) => {
            let both = one.documents.intersection(&other.documents).copied().collect();
            Selection::new(both).map(Arc::new)
        }
    }
}

/// What an append changed in the set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetChange {
    /// Entries that came into it.
    pub new: Vec<(DocumentId, EntryId)>,
    /// Entries that bundles took out of it.
    pub gone: Vec<(DocumentId, EntryId)>,
    /// Place of the newest entry of the store afterwards.
    pub arrivals: u64,
}

/// What a selection makes of a store.
#[derive(Clone, Debug)]
pub struct Part {
    selection: Arc<Selection>,
    digest: SetDigest,
    entries: u64,
    /// How many are of each document; without those of which there is none.
    counts: BTreeMap<DocumentId, u64>,
    /// A place that all its entries are at or before.
    arrivals: u64,
    /// Made when it is first asked for, and kept from then on.
    sketch: RefCell<Option<Sketch>>,
    looked_at: u64,
}

impl Part {
    /// Looks at all entries of the selected documents.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn of(selection: Arc<Selection>, store: &dyn EntryStore) -> Result<Self, StoreError> {
        let mut part = Self {
            selection: Arc::clone(&selection),
            digest: SetDigest::default(),
            entries: 0,
            counts: BTreeMap::new(),
            arrivals: store.head().arrivals,
            sketch: RefCell::default(),
            looked_at: 0,
        };
        for document in &selection.documents {
            part.take_in(*document, store)?;
        }
        Ok(part)
    }

    /// The part of another selection: looks at the documents that only one of both has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn changed_to(
        &self,
        selection: Arc<Selection>,
        store: &dyn EntryStore,
    ) -> Result<Self, StoreError> {
        let mut part = self.clone();
        (part.looked_at, part.arrivals) = (0, store.head().arrivals);
        for document in self.selection.documents.difference(&selection.documents) {
            let ids = store.document_ids(*document)?;
            part.looked_at += 1 + ids.len() as u64;
            ids.into_iter().for_each(|(_, id)| part.remove(*document, id));
        }
        for document in selection.documents.difference(&self.selection.documents) {
            part.take_in(*document, store)?;
        }
        part.selection = selection;
        Ok(part)
    }

    fn take_in(&mut self, document: DocumentId, store: &dyn EntryStore) -> Result<(), StoreError> {
        let ids = store.document_ids(document)?;
        self.looked_at += 1 + ids.len() as u64;
        ids.into_iter().for_each(|(_, id)| self.add(document, id));
        Ok(())
    }

    fn add(&mut self, document: DocumentId, id: EntryId) {
        self.digest.add(id);
        self.entries += 1;
        *self.counts.entry(document).or_default() += 1;
        if let Some(sketch) = self.sketch.get_mut() {
            sketch.insert(id);
        }
    }

    fn remove(&mut self, document: DocumentId, id: EntryId) {
        self.digest.remove(id);
        self.entries = self.entries.saturating_sub(1);
        if let btree_map::Entry::Occupied(mut count) = self.counts.entry(document) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        if let Some(sketch) = self.sketch.get_mut() {
            sketch.remove(id);
        }
    }

    /// The store's set has changed.
    pub fn note(&mut self, change: &SetChange) {
        for (document, id) in &change.new {
            if self.selection.contains(*document) {
                self.add(*document, *id);
                self.arrivals = change.arrivals;
            }
        }
        for (document, id) in &change.gone {
            if self.selection.contains(*document) {
                self.remove(*document, *id);
            }
        }
    }

    /// Which documents.
    #[must_use]
    pub fn selection(&self) -> &Arc<Selection> {
        &self.selection
    }

    /// How many of its documents have entries.
    #[must_use]
    pub fn here(&self) -> u64 {
        self.counts.len() as u64
    }

    /// How many entries and documents were looked at to make it.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// What it says of itself: like a store, with an epoch of its own.
    #[must_use]
    pub fn head(&self, epoch: StoreEpoch) -> StoreHead {
        StoreHead {
            epoch: part_epoch(epoch, self.selection.id),
            arrivals: self.arrivals,
            entries: self.entries,
            digest: self.digest.finish(),
        }
    }

    /// The sketch of its ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sketch(&self, store: &dyn EntryStore) -> Result<Sketch, StoreError> {
        if let Some(sketch) = self.sketch.borrow().as_ref() {
            return Ok(sketch.clone());
        }
        let mut sketch = Sketch::default();
        for document in &self.selection.documents {
            for (_, id) in store.document_ids(*document)? {
                sketch.insert(id);
            }
        }
        Ok(self.sketch.borrow_mut().insert(sketch).clone())
    }
}

/// Names a part of a copy, so that a cursor into another part is noticed.
fn part_epoch(epoch: StoreEpoch, selection: SelectionId) -> StoreEpoch {
    let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 part of a store");
    hasher.update(&epoch.0).update(&selection.0);
    let mut derived = [0; 16];
    hasher.finalize_xof().fill(&mut derived);
    StoreEpoch(derived)
}
