//! Where the entries of one space are kept.
//!
//! Invariant: what [`EntryStore::append`] accepted is there after any crash, and
//! its place in the arrival order changes only with the store's epoch.

pub mod conformance;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DeviceId, DocumentId, EntryId};
use serde::{Deserialize, Serialize};

use crate::{
    digest::SetDigest,
    entry::VerifiedEntry,
    sketch::{ShortId, Sketch},
};

/// Names one copy of a store; a new one is drawn when a store is created, so a
/// cursor into another copy is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreEpoch(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// What a store says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreHead {
    /// Which copy.
    pub epoch: StoreEpoch,
    /// How many entries have arrived; also the place of the newest one.
    pub arrivals: u64,
    /// [`SetDigest`] of all ids.
    pub digest: [u8; 32],
}

/// How far we have read a peer's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Which copy of the peer's store.
    pub epoch: StoreEpoch,
    /// Everything up to this place is here or was refused.
    pub after: u64,
    /// Whether something on the way was refused and may be welcome later.
    pub has_refused: bool,
}

/// The last entry of an author in a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its number.
    pub sequence: u64,
    /// Its id.
    pub id: EntryId,
}

/// An entry with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the order of arrival, from 1.
    pub place: u64,
    /// From which peer it came; `None` when written here, this device when it came in a file.
    pub source: Option<DeviceId>,
    /// The entry's bytes.
    pub bytes: Vec<u8>,
}

/// Entries to append, in order, with a cursor that becomes durable with them.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The entries; known ones are passed over.
    pub entries: Vec<VerifiedEntry>,
    /// From which peer they came; `None` when written here, this device when they came in a
    /// file.
    pub source: Option<DeviceId>,
    /// Our place in that peer's store afterwards.
    pub cursor: Option<Cursor>,
}

/// Why a store could not do it. What was asked for did not happen; what was
/// there before still is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room; nothing of the batch was kept.
    #[error("the disk is full; free some space, nothing that was saved before is lost")]
    Full,
    /// The file was made by a newer version.
    #[error(
        "the space's database has format {found}, this version reads up to {known}; update kith"
    )]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format that we read.
        known: u32,
    },
    /// The file is damaged.
    #[error(
        "the space's database is damaged: {0}; restore the data directory from a backup, or remove the space's folder and sync it again from a peer"
    )]
    Damaged(String),
    /// The storage refused.
    #[error("the space's database failed: {0}")]
    Storage(String),
}

/// The entries of one space. They are appended; what its author had no right to
/// write, as turned out later, is set aside and never lost.
pub trait EntryStore: Send {
    /// Which copy, how many, and the digest of them all.
    fn head(&self) -> StoreHead;

    /// Appends batches in one transaction; durable when it returns. Returns the
    /// ids that were new, in order.
    ///
    /// # Errors
    /// [`StoreError`]; none of the batches was kept.
    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError>;

    /// Entries after `place`, in order of arrival: at most `count_max`, and no
    /// more once `bytes_max` are reached.
    ///
    /// # Errors
    /// [`StoreError`].
    fn arrivals(
        &self,
        place: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Arrival>, StoreError>;

    /// Ids after `place`, with their places.
    ///
    /// # Errors
    /// [`StoreError`].
    fn ids(&self, place: u64, count_max: usize) -> Result<Vec<(u64, EntryId)>, StoreError>;

    /// The sketch of all ids.
    ///
    /// # Errors
    /// [`StoreError`].
    fn sketch(&self) -> Result<Sketch, StoreError>;

    /// The entry whose id begins like this, with its place.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError>;

    /// Whether an entry is here.
    ///
    /// # Errors
    /// [`StoreError`].
    fn contains(&self, id: EntryId) -> Result<bool, StoreError>;

    /// The bytes of an entry.
    ///
    /// # Errors
    /// [`StoreError`].
    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError>;

    /// The entries of a document, in order of arrival.
    ///
    /// # Errors
    /// [`StoreError`].
    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError>;

    /// All documents that have entries, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    fn documents(&self) -> Result<Vec<DocumentId>, StoreError>;

    /// All blobs that entries refer to.
    ///
    /// # Errors
    /// [`StoreError`].
    fn blobs(&self) -> Result<Vec<BlobId>, StoreError>;

    /// Takes entries out of the set, in one transaction, and keeps them aside. What
    /// peers know of the order is worth nothing afterwards, so the store gets a new
    /// epoch. Appending one of them again takes it back.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was taken out.
    fn set_aside(&mut self, entries: &[VerifiedEntry], epoch: StoreEpoch)
    -> Result<(), StoreError>;

    /// What was set aside, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError>;

    /// The last entry of each author.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tips(&self) -> Result<BTreeMap<DeviceId, Tip>, StoreError>;

    /// The last entry of an author.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tip(&self, author: DeviceId) -> Result<Option<Tip>, StoreError>;

    /// Our place in a peer's store.
    ///
    /// # Errors
    /// [`StoreError`].
    fn cursor(&self, peer: DeviceId) -> Result<Option<Cursor>, StoreError>;

    /// Bytes of all entries.
    fn stored_bytes(&self) -> u64;
}

/// A store that lives as long as the process.
#[derive(Debug)]
pub struct MemoryStore {
    epoch: StoreEpoch,
    arrivals: Vec<(VerifiedEntry, Option<DeviceId>)>,
    places: BTreeMap<EntryId, usize>,
    tips: BTreeMap<DeviceId, Tip>,
    cursors: BTreeMap<DeviceId, Cursor>,
    aside: BTreeMap<EntryId, Vec<u8>>,
    digest: SetDigest,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(epoch: StoreEpoch) -> Self {
        Self {
            epoch,
            arrivals: Vec::new(),
            places: BTreeMap::new(),
            tips: BTreeMap::new(),
            cursors: BTreeMap::new(),
            aside: BTreeMap::new(),
            digest: SetDigest::default(),
        }
    }

    fn after(&self, place: u64) -> impl Iterator<Item = (u64, &(VerifiedEntry, Option<DeviceId>))> {
        let skipped = usize::try_from(place).unwrap_or(usize::MAX);
        (1u64..).zip(&self.arrivals).skip(skipped)
    }
}

/// Notes an entry as its author's last one, if it is.
pub fn raise_tip(tips: &mut BTreeMap<DeviceId, Tip>, entry: &VerifiedEntry) {
    let tip = Tip { sequence: entry.header().sequence, id: entry.id() };
    let known = tips.entry(entry.header().author).or_insert(tip);
    if tip.sequence > known.sequence {
        *known = tip;
    }
}

impl EntryStore for MemoryStore {
    fn head(&self) -> StoreHead {
        let digest = self.digest.finish();
        StoreHead { epoch: self.epoch, arrivals: self.arrivals.len() as u64, digest }
    }

    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        let mut new = Vec::new();
        for batch in batches {
            for entry in &batch.entries {
                if self.places.contains_key(&entry.id()) {
                    continue;
                }
                self.places.insert(entry.id(), self.arrivals.len());
                self.digest.add(entry.id());
                self.aside.remove(&entry.id());
                raise_tip(&mut self.tips, entry);
                self.arrivals.push((entry.clone(), batch.source));
                new.push(entry.id());
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
        Ok(self
            .after(place)
            .take(count_max)
            .map(|(place, (entry, _))| (place, entry.id()))
            .collect())
    }

    fn sketch(&self) -> Result<Sketch, StoreError> {
        Ok(self.places.keys().copied().collect())
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        let mut found = self.places.range(short.first()..=short.last());
        Ok(found.next().map(|(id, at)| (*at as u64 + 1, *id)))
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        Ok(self.places.contains_key(&id))
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.places.get(&id).map(|at| self.arrivals[*at].0.bytes().to_vec()))
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        let own = self.arrivals.iter().filter(|(entry, _)| entry.header().document == document);
        Ok(own.map(|(entry, _)| entry.bytes().to_vec()).collect())
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        let all: BTreeSet<_> =
            self.arrivals.iter().map(|(entry, _)| entry.header().document).collect();
        Ok(all.into_iter().collect())
    }

    fn blobs(&self) -> Result<Vec<BlobId>, StoreError> {
        let all: BTreeSet<_> =
            self.arrivals.iter().flat_map(|(entry, _)| entry.header().blobs.clone()).collect();
        Ok(all.into_iter().collect())
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        for entry in entries {
            if self.places.contains_key(&entry.id()) {
                self.digest.remove(entry.id());
                self.aside.insert(entry.id(), entry.bytes().to_vec());
            }
        }
        self.arrivals.retain(|(entry, _)| !self.aside.contains_key(&entry.id()));
        self.places = (0..).zip(&self.arrivals).map(|(at, (entry, _))| (entry.id(), at)).collect();
        self.tips.clear();
        self.arrivals.iter().for_each(|(entry, _)| raise_tip(&mut self.tips, entry));
        self.epoch = epoch;
        Ok(())
    }

    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.aside.values().cloned().collect())
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
        self.arrivals.iter().map(|(entry, _)| entry.bytes().len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_conforms() {
        let store = MemoryStore::new(StoreEpoch([1; 16]));
        conformance::check(store, Ok).expect("memory does not fail");
    }
}
