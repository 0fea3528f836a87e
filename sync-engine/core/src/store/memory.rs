//! A store without a disk: for tests, and whoever needs no more.

mod saved;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DeviceId, DocumentId, EntryId};

use super::{
    Arrival, Batch, Cursor, EntryStore, Purged, StoreEpoch, StoreError, StoreHead, Tip, raise_tip,
};
use crate::{
    digest::SetDigest,
    entry::{EntryKind, VerifiedEntry},
    sketch::{ShortId, Sketch},
};

type Sourced = (VerifiedEntry, Option<DeviceId>);

/// A store that lives as long as the process.
#[derive(Debug)]
pub struct MemoryStore {
    epoch: StoreEpoch,
    /// By place.
    arrivals: BTreeMap<u64, Sourced>,
    last_place: u64,
    places: BTreeMap<EntryId, u64>,
    /// Places of each document that has some.
    documents: BTreeMap<DocumentId, BTreeSet<u64>>,
    superseded: BTreeMap<EntryId, Sourced>,
    /// Of each document those that are here, superseded or not.
    bundles: BTreeMap<DocumentId, BTreeMap<EntryId, VerifiedEntry>>,
    tips: BTreeMap<DeviceId, Tip>,
    cursors: BTreeMap<DeviceId, Cursor>,
    aside: BTreeMap<EntryId, VerifiedEntry>,
    digest: SetDigest,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(epoch: StoreEpoch) -> Self {
        Self {
            epoch,
            arrivals: BTreeMap::new(),
            last_place: 0,
            places: BTreeMap::new(),
            documents: BTreeMap::new(),
            superseded: BTreeMap::new(),
            bundles: BTreeMap::new(),
            tips: BTreeMap::new(),
            cursors: BTreeMap::new(),
            aside: BTreeMap::new(),
            digest: SetDigest::default(),
        }
    }

    fn after(&self, place: u64) -> impl Iterator<Item = (u64, &Sourced)> {
        self.arrivals.range(place.saturating_add(1)..).map(|(place, sourced)| (*place, sourced))
    }

    /// The entries of a document in the set, in order of arrival.
    fn of(&self, document: DocumentId) -> impl Iterator<Item = &VerifiedEntry> {
        let places = self.documents.get(&document).into_iter().flatten();
        places.filter_map(|place| self.arrivals.get(place)).map(|(entry, _)| entry)
    }

    fn is_superseded(&self, entry: &VerifiedEntry) -> bool {
        let bundles = self.bundles.get(&entry.header().document).into_iter().flatten();
        bundles.into_iter().any(|(_, bundle)| bundle.covers(entry.header()))
    }

    /// Says whether it is new in the set.
    fn take_in(&mut self, entry: &VerifiedEntry, source: Option<DeviceId>) -> bool {
        let id = entry.id();
        if self.places.contains_key(&id) || self.superseded.contains_key(&id) {
            return false;
        }
        self.aside.remove(&id);
        if entry.header().kind == EntryKind::Bundle {
            self.bundles.entry(entry.header().document).or_default().insert(id, entry.clone());
            self.supersede(entry);
        }
        let is_new = !self.is_superseded(entry);
        if is_new {
            self.put(entry.clone(), source);
        } else {
            self.superseded.insert(id, (entry.clone(), source));
        }
        is_new
    }

    fn supersede(&mut self, bundle: &VerifiedEntry) {
        let own = self.of(bundle.header().document);
        let covered = own.filter(|other| bundle.covers(other.header())).map(VerifiedEntry::id);
        for id in covered.collect::<Vec<_>>() {
            if let Some(sourced) = self.take_out(id) {
                self.superseded.insert(id, sourced);
            }
        }
    }

    /// Takes an entry out of the set.
    fn take_out(&mut self, id: EntryId) -> Option<Sourced> {
        let place = self.places.remove(&id)?;
        let sourced = self.arrivals.remove(&place)?;
        self.digest.remove(id);
        let document = sourced.0.header().document;
        if let Some(places) = self.documents.get_mut(&document) {
            places.remove(&place);
            if places.is_empty() {
                self.documents.remove(&document);
            }
        }
        Some(sourced)
    }

    /// Puts an entry into the set, at a place.
    fn place(&mut self, place: u64, sourced: Sourced) {
        self.places.insert(sourced.0.id(), place);
        self.documents.entry(sourced.0.header().document).or_default().insert(place);
        self.arrivals.insert(place, sourced);
    }

    fn put(&mut self, entry: VerifiedEntry, source: Option<DeviceId>) {
        self.last_place += 1;
        self.digest.add(entry.id());
        raise_tip(&mut self.tips, &entry);
        self.place(self.last_place, (entry, source));
    }

    fn everything(&self) -> impl Iterator<Item = &VerifiedEntry> {
        let kept = self.arrivals.values().chain(self.superseded.values()).map(|(entry, _)| entry);
        kept.chain(self.aside.values())
    }

    fn any(&self, id: EntryId) -> Option<&VerifiedEntry> {
        let in_set = self.places.get(&id).and_then(|place| self.arrivals.get(place));
        in_set.or_else(|| self.superseded.get(&id)).map(|(entry, _)| entry)
    }
}

impl EntryStore for MemoryStore {
    fn head(&self) -> StoreHead {
        StoreHead {
            epoch: self.epoch,
            arrivals: self.last_place,
            entries: self.arrivals.len() as u64,
            digest: self.digest.finish(),
        }
    }

    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        let mut new = Vec::new();
        for batch in batches {
            for entry in &batch.entries {
                if self.take_in(entry, batch.source) {
                    new.push(entry.id());
                }
            }
            if let (Some(peer), Some(cursor)) = (batch.source, batch.cursor) {
                self.cursors.insert(peer, cursor);
            }
        }
        Ok(new)
    }

    fn arrivals(
        &self,
        place: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Arrival>, StoreError> {
        let mut bytes = 0;
        let mut page = Vec::new();
        for (place, (entry, source)) in self.after(place).take(count_max) {
            bytes += entry.bytes().len();
            page.push(Arrival { place, source: *source, bytes: entry.bytes().to_vec() });
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(page)
    }

    fn ids(&self, place: u64, count_max: usize) -> Result<Vec<(u64, EntryId)>, StoreError> {
        let page = self.after(place).take(count_max);
        Ok(page.map(|(place, (entry, _))| (place, entry.id())).collect())
    }

    fn sketch(&self) -> Result<Sketch, StoreError> {
        Ok(self.places.keys().copied().collect())
    }

    fn ids_between(
        &self,
        first: EntryId,
        last: EntryId,
        count_max: usize,
    ) -> Result<Vec<EntryId>, StoreError> {
        Ok(self.places.range(first..=last).map(|(id, _)| *id).take(count_max).collect())
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        let wanted = short.first()..=short.last();
        let in_set = self.places.range(wanted.clone()).map(|(id, place)| (*place, *id));
        let superseded = self.superseded.range(wanted).map(|(id, _)| (0, *id));
        Ok(in_set.chain(superseded).next())
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        Ok(self.any(id).is_some())
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.any(id).map(|entry| entry.bytes().to_vec()))
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.of(document).map(|entry| entry.bytes().to_vec()).collect())
    }

    fn superseded(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        let all = self.superseded.values();
        let own = all.filter(|(entry, _)| entry.header().document == document);
        Ok(own.map(|(entry, _)| entry.bytes().to_vec()).collect())
    }

    fn superseded_documents(
        &self,
        after: Option<DocumentId>,
        count_max: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let all = self.superseded.values().map(|(entry, _)| entry.header().document);
        let later: BTreeSet<DocumentId> = all.filter(|id| Some(*id) > after).collect();
        Ok(later.into_iter().take(count_max).collect())
    }

    fn forget_superseded(&mut self, ids: &[EntryId]) -> Result<u64, StoreError> {
        let gone = ids.iter().filter_map(|id| self.superseded.remove(id));
        Ok(gone.map(|(entry, _)| entry.bytes().len() as u64).sum())
    }

    fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, StoreError> {
        let is_meant = |entry: &VerifiedEntry| documents.contains(&entry.header().document);
        let mut purged = Purged::default();
        for entry in self.everything().filter(|entry| is_meant(entry)) {
            purged.entries += 1;
            purged.bytes += entry.bytes().len() as u64;
            purged.blobs.extend(entry.header().blobs.iter().copied());
        }
        if purged.entries == 0 {
            return Ok(purged);
        }
        for document in documents {
            for id in self.of(*document).map(VerifiedEntry::id).collect::<Vec<_>>() {
                self.take_out(id);
            }
        }
        self.superseded.retain(|_, (entry, _)| !is_meant(entry));
        self.bundles.retain(|document, _| !documents.contains(document));
        self.aside.retain(|_, entry| !is_meant(entry));
        let kept: BTreeSet<BlobId> =
            self.everything().flat_map(|entry| entry.header().blobs.iter().copied()).collect();
        purged.blobs.retain(|blob| !kept.contains(blob));
        self.epoch = epoch;
        Ok(purged)
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        Ok(self.documents.keys().copied().collect())
    }

    fn document_count(&self) -> Result<u64, StoreError> {
        let mut removed: BTreeMap<DocumentId, bool> = BTreeMap::new();
        for header in self.arrivals.values().map(|(entry, _)| entry.header()) {
            *removed.entry(header.document).or_default() |= header.kind == EntryKind::Tombstone;
        }
        Ok(removed.into_values().filter(|is_removed| !is_removed).count() as u64)
    }

    fn blobs(&self) -> Result<Vec<BlobId>, StoreError> {
        let all = self.arrivals.values().chain(self.superseded.values());
        let blobs = all.flat_map(|(entry, _)| entry.header().blobs.clone());
        Ok(blobs.collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        for entry in entries {
            if self.take_out(entry.id()).is_some() {
                if let Some(bundles) = self.bundles.get_mut(&entry.header().document) {
                    bundles.remove(&entry.id());
                }
                self.aside.insert(entry.id(), entry.clone());
            }
        }
        for (id, (entry, source)) in std::mem::take(&mut self.superseded) {
            if self.is_superseded(&entry) {
                self.superseded.insert(id, (entry, source));
            } else {
                self.put(entry, source);
            }
        }
        let kept = std::mem::take(&mut self.arrivals).into_values();
        (self.places, self.documents) = (BTreeMap::new(), BTreeMap::new());
        self.last_place = kept.len() as u64;
        (1..).zip(kept).for_each(|(place, sourced)| self.place(place, sourced));
        self.tips.clear();
        self.arrivals.values().for_each(|(entry, _)| raise_tip(&mut self.tips, entry));
        self.epoch = epoch;
        Ok(())
    }

    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.aside.values().map(|entry| entry.bytes().to_vec()).collect())
    }

    fn tips(&self) -> Result<BTreeMap<DeviceId, Tip>, StoreError> {
        Ok(self.tips.clone())
    }

    fn tip(&self, author: DeviceId) -> Result<Option<Tip>, StoreError> {
        Ok(self.tips.get(&author).copied())
    }

    fn cursor(&self, peer: DeviceId) -> Result<Option<Cursor>, StoreError> {
        Ok(self.cursors.get(&peer).copied())
    }

    fn stored_bytes(&self) -> u64 {
        let all = self.arrivals.values().chain(self.superseded.values());
        all.map(|(entry, _)| entry.bytes().len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[test]
    fn memory_conforms() {
        let store = MemoryStore::new(StoreEpoch([1; 16]));
        let reopen = |store: MemoryStore| MemoryStore::restore(&store.save());
        conformance::check(store, reopen).expect("memory does not fail");
    }

    #[test]
    fn what_was_not_saved_here_is_damaged() {
        for bytes in [&b""[..], b"garbage", &[0xa0]] {
            let restored = MemoryStore::restore(bytes).map(|_| ());
            assert!(matches!(restored, Err(StoreError::Damaged(_))), "{bytes:?}");
        }
    }
}
