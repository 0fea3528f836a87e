//! Which entries count, when who may write has changed.

use std::collections::BTreeSet;

use node_model::{BlobId, DocumentId, SpaceId};

use super::{Batch, Space, StoreError, VerifiedEntry, stored};
use crate::{
    engine::{EngineError, Output, SyncEngine},
    store::StoreEpoch,
};

/// Entries looked at in one go when the right to write has changed.
const SORTED_AT_ONCE: usize = 256;

impl SyncEngine {
    /// Who may write has changed: sets aside what does not count any more, and
    /// takes back what does again. `new_epoch` is random.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn sort_out(
        &mut self,
        space: SpaceId,
        counts: &mut dyn FnMut(&VerifiedEntry) -> bool,
        new_epoch: StoreEpoch,
    ) -> Result<(), EngineError> {
        let sorted = self.space_mut(space)?.sort_out(counts, new_epoch)?;
        let Sorted { documents, referenced, unreferenced } = sorted;
        if !unreferenced.is_empty() {
            self.outputs.push_back(Output::Unreferenced { space, blobs: unreferenced });
        }
        if !referenced.is_empty() {
            self.outputs.push_back(Output::Referenced { space, blobs: referenced });
        }
        if !documents.is_empty() {
            self.look_again(space).inspect_err(|_| self.end_sessions(space))?;
            self.choose_again(space);
            self.outputs.push_back(Output::Changed { space, documents });
            self.announce(space)?;
        }
        Ok(())
    }
}

/// What changed when entries were set aside or came back.
struct Sorted {
    documents: BTreeSet<DocumentId>,
    referenced: BTreeSet<BlobId>,
    unreferenced: BTreeSet<BlobId>,
}

impl Space {
    /// Takes out of the set what does not count, and brings back what does again.
    /// Says which documents changed, and to which blobs something refers and did not before,
    /// or does not any more. Nothing may be staged: a document that is loaded again would
    /// number its next change like the staged one.
    fn sort_out(
        &mut self,
        counts: &mut dyn FnMut(&VerifiedEntry) -> bool,
        new_epoch: StoreEpoch,
    ) -> Result<Sorted, StoreError> {
        let before: BTreeSet<BlobId> = self.store.blobs()?.into_iter().collect();
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
        // What a bundle stood for comes back when the bundle goes, and is looked at next.
        loop {
            let unwelcome = self.unwelcome(counts)?;
            if unwelcome.is_empty() {
                break;
            }
            changed.extend(unwelcome.iter().map(|entry| entry.header().document));
            self.store.set_aside(&unwelcome, new_epoch)?;
        }
        if !changed.is_empty() {
            self.forget_loaded();
            self.is_unsettled = true;
        }
        let after: BTreeSet<BlobId> = self.store.blobs()?.into_iter().collect();
        Ok(Sorted {
            documents: changed,
            referenced: after.difference(&before).copied().collect(),
            unreferenced: before.difference(&after).copied().collect(),
        })
    }

    fn unwelcome(
        &self,
        counts: &mut dyn FnMut(&VerifiedEntry) -> bool,
    ) -> Result<Vec<VerifiedEntry>, StoreError> {
        let mut unwelcome = Vec::new();
        let mut place = 0;
        loop {
            let page = self.store.arrivals(place, SORTED_AT_ONCE, usize::MAX)?;
            let Some(last) = page.last() else { return Ok(unwelcome) };
            place = last.place;
            for arrival in page {
                let entry = stored(arrival.bytes)?;
                if !counts(&entry) {
                    unwelcome.push(entry);
                }
            }
        }
    }
}
