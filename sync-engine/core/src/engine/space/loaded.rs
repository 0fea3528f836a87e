//! The documents of a space that are kept loaded.
//!
//! Invariant: what has changes that are in no store yet stays.

use std::collections::{BTreeMap, BTreeSet};

use node_model::DocumentId;

use crate::document::Document;

/// Documents kept loaded in a space: enough for what a person has open, some
/// megabytes at the usual size.
const DOCUMENTS_MAX: usize = 128;

/// Memory that they may take together, in one space and in all of them, but for the last one
/// used: a document may take more by itself, and a member may make many of those.
pub(in crate::engine) const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory of a document that is not kept while a worker loads another one: for a moment, that
/// may take twice what all of these together may.
const KEPT_BYTES_MAX: u64 = BYTES_MAX / 4;

/// Loaded documents, and which of them were used last.
#[derive(Default)]
pub(super) struct Loaded {
    /// With the memory that each took when it came. Boxed: each write takes one out and puts it
    /// back, and a map moves what it holds by the kilobytes then.
    documents: BTreeMap<DocumentId, Box<(Document, u64)>>,
    /// The sum of these.
    bytes: u64,
    /// Oldest first.
    recent: Vec<DocumentId>,
}

impl Loaded {
    pub(super) fn get(&self, id: DocumentId) -> Option<&Document> {
        self.documents.get(&id).map(|held| &held.0)
    }

    pub(super) fn get_mut(&mut self, id: DocumentId) -> Option<&mut Document> {
        self.documents.get_mut(&id).map(|held| &mut held.0)
    }

    /// Takes a document out, or forgets it.
    pub(super) fn take(&mut self, id: DocumentId) -> Option<Document> {
        let (document, bytes) = *self.documents.remove(&id)?;
        self.recent.retain(|recent| *recent != id);
        self.bytes -= bytes;
        Some(document)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps a document as the last one used, and forgets those that are too many
    /// but for the `staged` ones.
    pub(super) fn remember(
        &mut self,
        id: DocumentId,
        document: Document,
        staged: &BTreeSet<DocumentId>,
    ) {
        let bytes = document.memory_bytes();
        if self.is_full(bytes) {
            let settled = self.recent.iter().filter(|recent| !staged.contains(*recent));
            for oldest in settled.copied().collect::<Vec<_>>() {
                if !self.is_full(bytes) {
                    break;
                }
                self.take(oldest);
            }
        }
        self.bytes += bytes;
        self.recent.push(id);
        self.documents.insert(id, Box::new((document, bytes)));
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Forgets the oldest document but for the `staged` ones and the last one used. Says
    /// whether there was one.
    pub(super) fn forget_oldest(&mut self, staged: &BTreeSet<DocumentId>) -> bool {
        let before_last = self.recent.len().saturating_sub(1);
        let oldest = self.recent[..before_last].iter().find(|id| !staged.contains(id)).copied();
        oldest.is_some_and(|id| self.take(id).is_some())
    }

    /// Forgets the documents that take much by themselves, but for the `staged` ones.
    pub(super) fn make_room(&mut self, staged: &BTreeSet<DocumentId>) {
        let large = self.documents.iter().filter(|(_, held)| held.1 > KEPT_BYTES_MAX);
        let settled = large.map(|(id, _)| *id).filter(|id| !staged.contains(id));
        for id in settled.collect::<Vec<_>>() {
            self.take(id);
        }
    }

    fn is_full(&self, more: u64) -> bool {
        self.documents.len() >= DOCUMENTS_MAX || self.bytes.saturating_add(more) > BYTES_MAX
    }
}
