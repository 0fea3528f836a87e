//! Which entries count, when who may write has changed.

use std::collections::BTreeSet;

use node_model::DocumentId;

use super::{Batch, Space, StoreError, VerifiedEntry, stored};
use crate::store::StoreEpoch;

/// Entries looked at in one go when the right to write has changed.
const SORTED_AT_ONCE: usize = 256;

impl Space {
    /// Takes out of the set what does not count, and brings back what does again.
    /// Says which documents changed. Nothing may be staged: a document that is
    /// loaded again would number its next change like the staged one.
    pub(in crate::engine) fn sort_out(
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
        Ok(changed)
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
