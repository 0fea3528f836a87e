//! Where the entries of one space are kept.
//!
//! A bundle takes the entries that it stands for out of the set, whichever of them come
//! before it or after it; they are *superseded*, and kept. So the set is a function of
//! all entries that ever arrived, and two stores that saw the same ones are equal.
//!
//! Invariant: what [`EntryStore::append`] accepted is there after any crash, and
//! its place in the arrival order changes only with the store's epoch.

pub mod conformance;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DeviceId, DocumentId, EntryId};
use serde::{Deserialize, Serialize};

pub use self::memory::MemoryStore;
use crate::{
    entry::{EntryKind, VerifiedEntry},
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
    /// Place of the newest entry: how many have arrived, with those that are superseded
    /// by now.
    pub arrivals: u64,
    /// How many entries are in the set.
    pub entries: u64,
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

/// What became of purged documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// How many entries are gone.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that only they referred to.
    pub blobs: BTreeSet<BlobId>,
    /// Whether some of their bytes are still in files, where nothing refers to them; the next
    /// opening wipes them.
    pub has_traces: bool,
}

/// Why a store could not do it. What was asked for did not happen; what was
/// there before still is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room; nothing of the batch was kept.
    #[error("the disk is full; free some space, nothing that was saved before is lost")]
    Full,
    /// As much is kept as was agreed to; nothing of the batch was kept.
    #[error("as much is kept of this space as you agreed to keep for its founder")]
    Quota,
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
    /// Made by a development version whose format is not read any more.
    #[error(
        "the space's database has format {found} of a development version; the oldest that this version reads is {oldest}; export the space with the version that wrote it"
    )]
    Older {
        /// Format of the file.
        found: u32,
        /// Oldest format that we read.
        oldest: u32,
    },
    /// The file is damaged.
    #[error(
        "the space's database is damaged: {0}; stop the node and run `kith space repair`, which keeps what can still be read"
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
    /// ids that were new in the set, in order. What a bundle in the set stands for is kept
    /// as superseded, and is not new.
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

    /// Ids and documents after `place`, with their places.
    ///
    /// # Errors
    /// [`StoreError`].
    fn places(
        &self,
        place: u64,
        count_max: usize,
    ) -> Result<Vec<(u64, EntryId, DocumentId)>, StoreError> {
        let page = self.arrivals(place, count_max, usize::MAX)?;
        let named = page.into_iter().map(|arrival| {
            let entry = stored(arrival.bytes)?;
            Ok((arrival.place, entry.id(), entry.header().document))
        });
        named.collect()
    }

    /// The sketch of all ids.
    ///
    /// # Errors
    /// [`StoreError`].
    fn sketch(&self) -> Result<Sketch, StoreError>;

    /// Ids in the set from `first` to `last`, both included, at most `count_max`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn ids_between(
        &self,
        first: EntryId,
        last: EntryId,
        count_max: usize,
    ) -> Result<Vec<EntryId>, StoreError>;

    /// The entry whose id begins like this, with its place; 0 when it is superseded.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError>;

    /// Whether an entry is here, superseded or not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn contains(&self, id: EntryId) -> Result<bool, StoreError>;

    /// The bytes of an entry, superseded or not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError>;

    /// The entries of a document, in order of arrival.
    ///
    /// # Errors
    /// [`StoreError`].
    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Bytes of the entries of a document.
    ///
    /// # Errors
    /// [`StoreError`].
    fn document_bytes(&self, document: DocumentId) -> Result<u64, StoreError> {
        Ok(self.document(document)?.iter().map(|bytes| bytes.len() as u64).sum())
    }

    /// Ids of a document's entries, with their places, in order of arrival.
    ///
    /// # Errors
    /// [`StoreError`].
    fn document_ids(&self, document: DocumentId) -> Result<Vec<(u64, EntryId)>, StoreError> {
        let mut ids = Vec::new();
        for bytes in self.document(document)? {
            let id = stored(bytes)?.id();
            ids.extend(self.find(ShortId::of(id))?.filter(|(_, found)| *found == id));
        }
        Ok(ids)
    }

    /// The superseded entries of a document, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    fn superseded(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Documents after `after` that have superseded entries, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    fn superseded_documents(
        &self,
        after: Option<DocumentId>,
        count_max: usize,
    ) -> Result<Vec<DocumentId>, StoreError>;

    /// Deletes superseded entries for good; what is in the set or set aside stays, and the
    /// set stays as it is: what a bundle among them stood for is still superseded. Returns
    /// how many bytes that were. A store that others read by themselves keeps them, and
    /// returns 0.
    ///
    /// # Errors
    /// [`StoreError`]; all are still there.
    fn forget_superseded(&mut self, ids: &[EntryId]) -> Result<u64, StoreError>;

    /// Deletes all entries of documents for good, in one transaction: in the set, superseded
    /// and set aside, and then what files still hold of their bytes. What peers know of the
    /// set is worth nothing afterwards, so the store gets a new epoch, unless there was
    /// nothing to delete. Authors do not use their numbers again: tips stay.
    ///
    /// Entries of these documents that are appended later are like any others; whoever
    /// appends refuses them.
    ///
    /// # Errors
    /// [`StoreError`]; all are still there.
    fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, StoreError>;

    /// All documents that have entries, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    fn documents(&self) -> Result<Vec<DocumentId>, StoreError>;

    /// How many documents have entries in the set, without those that have a tombstone there.
    ///
    /// # Errors
    /// [`StoreError`].
    fn document_count(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for document in self.documents()? {
            let mut is_removed = false;
            for bytes in self.document(document)? {
                is_removed |= stored(bytes)?.header().kind == EntryKind::Tombstone;
            }
            count += u64::from(!is_removed);
        }
        Ok(count)
    }

    /// All blobs that entries of the set refer to, or what they stand for; not those that only
    /// what was set aside refers to.
    ///
    /// # Errors
    /// [`StoreError`].
    fn blobs(&self) -> Result<Vec<BlobId>, StoreError>;

    /// Takes entries out of the set, in one transaction, and keeps them aside. What
    /// peers know of the order is worth nothing afterwards, so the store gets a new
    /// epoch. What only they stood for comes back into the set. Appending one of them
    /// again takes it back.
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

    /// Bytes of all entries, superseded ones among them.
    fn stored_bytes(&self) -> u64;

    /// Gives room that nothing needs any more back to the disk, a little at a time, and says
    /// whether there is more to give back. For when nobody has written for a while. What is
    /// in the store stays as it is, whatever happens meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]; the room is given back another time.
    fn settle(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// An entry that a store kept.
///
/// # Errors
/// [`StoreError::Damaged`]: it is not as it was kept.
pub fn stored(bytes: Vec<u8>) -> Result<VerifiedEntry, StoreError> {
    VerifiedEntry::from_storage(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Notes an entry as its author's last one, if it is.
pub fn raise_tip(tips: &mut BTreeMap<DeviceId, Tip>, entry: &VerifiedEntry) {
    let tip = Tip { sequence: entry.header().sequence, id: entry.id() };
    let known = tips.entry(entry.header().author).or_insert(tip);
    if tip.sequence > known.sequence {
        *known = tip;
    }
}
