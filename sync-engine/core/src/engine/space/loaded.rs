//! The documents of a space that are kept loaded.
//!
//! Invariant: what has changes that are in no store yet stays.

use std::collections::{BTreeMap, BTreeSet};

use node_model::DocumentId;

use crate::document::Document;

/// Documents kept loaded in a space: enough for what a person has open, some
/// megabytes at the usual size.
const DOCUMENTS_MAX: usize = 128;

/// Memory that they may take together, but for the last one used: a document may
/// take more by itself, and a member may make many of those.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Loaded documents, and which of them were used last.
#[derive(Default)]
pub(super) struct Loaded {
    documents: BTreeMap<DocumentId, Document>,
    /// Oldest first.
    recent: Vec<DocumentId>,
}

impl Loaded {
    pub(super) fn get(&self, id: DocumentId) -> Option<&Document> {
        self.documents.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: DocumentId) -> Option<&mut Document> {
        self.documents.get_mut(&id)
    }

    /// Takes a document out, or forgets it.
    pub(super) fn take(&mut self, id: DocumentId) -> Option<Document> {
        self.recent.retain(|recent| *recent != id);
        self.documents.remove(&id)
    }

    pub(super) fn clear(&mut self) {
        self.documents.clear();
        self.recent.clear();
    }

    /// Keeps a document as the last one used, and forgets those that are too many
    /// but for the `staged` ones.
    pub(super) fn remember(
        &mut self,
        id: DocumentId,
        document: Document,
        staged: &BTreeSet<DocumentId>,
    ) {
        let others = self.documents.values().map(Document::memory_bytes).sum::<u64>();
        let mut bytes = others.saturating_add(document.memory_bytes());
        let settled = self.recent.iter().filter(|recent| !staged.contains(*recent));
        for oldest in settled.copied().collect::<Vec<_>>() {
            if self.documents.len() < DOCUMENTS_MAX && bytes <= BYTES_MAX {
                break;
            }
            let freed = self.take(oldest);
            bytes -= freed.map_or(0, |document| document.memory_bytes());
        }
        self.recent.push(id);
        self.documents.insert(id, document);
    }
}
