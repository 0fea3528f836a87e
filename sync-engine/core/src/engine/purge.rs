//! Documents that are gone for good: deleted here, and refused.
//!
//! Invariant: after [`SyncEngine::purge`] no entry of a purged document is in the store; which
//! documents these are is said again at every start.
//! Non-goal: who may purge; the trust plane says which documents were.

use std::collections::BTreeSet;

use node_model::{DocumentId, SpaceId};

use super::{EngineError, Output, SyncEngine};
use crate::{
    entry::VerifiedEntry,
    store::{Purged, StoreEpoch},
};

impl SyncEngine {
    /// Says which documents of a space were purged, all of them: deletes what is here of
    /// them, and writes nothing in them from now on. `new_epoch` is random. To be called when
    /// nothing is staged.
    ///
    /// # Errors
    /// [`EngineError`]; nothing was deleted, and nothing is written in them all the same.
    pub fn purge(
        &mut self,
        space: SpaceId,
        documents: &BTreeSet<DocumentId>,
        new_epoch: StoreEpoch,
    ) -> Result<Purged, EngineError> {
        let purged = self.space_mut(space)?.purge(documents, new_epoch)?;
        if purged.entries > 0 {
            let blobs = purged.blobs.clone();
            if !blobs.is_empty() {
                self.outputs.push_back(Output::Unreferenced { space, blobs });
            }
            self.outputs.push_back(Output::Changed { space, documents: documents.clone() });
            self.look_again(space).inspect_err(|_| self.end_sessions(space))?;
            self.announce(space)?;
        }
        Ok(purged)
    }

    /// Why an entry was refused whose author may not write it, in words.
    pub(super) fn why_refused(&self, space: SpaceId, entry: &VerifiedEntry) -> String {
        let header = entry.header();
        match self.spaces.get(&space) {
            Some(facts) if facts.is_purged(header.document) => {
                format!("its document {} was purged for good", header.document)
            }
            Some(_) | None => format!("its author {} may not write", header.author),
        }
    }
}

#[cfg(test)]
mod tests;
