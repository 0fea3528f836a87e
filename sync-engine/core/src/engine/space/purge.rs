//! Documents of a space that were purged.

use std::collections::BTreeSet;

use node_model::DocumentId;

use super::{EngineError, Space};
use crate::store::{Purged, StoreEpoch, StoreError};

impl Space {
    /// Deletes what is here of documents, and writes nothing in them from now on; these are
    /// all that were purged. Nothing of theirs may be staged.
    pub(in crate::engine) fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        new_epoch: StoreEpoch,
    ) -> Result<Purged, StoreError> {
        self.purged.clone_from(documents);
        let purged = self.store.purge(documents, new_epoch)?;
        if purged.entries > 0 {
            // What a worker loads of them is not to come back.
            self.generation += 1;
            for id in documents {
                self.loaded.take(*id);
                self.stale.insert(*id);
                self.written.remove(id);
                self.health.look_at(*id, None);
            }
        }
        Ok(purged)
    }

    pub(in crate::engine) fn is_purged(&self, document: DocumentId) -> bool {
        self.purged.contains(&document)
    }

    pub(super) fn need_kept(&self, document: DocumentId) -> Result<(), EngineError> {
        if self.is_purged(document) { Err(EngineError::Purged(self.id)) } else { Ok(()) }
    }
}
