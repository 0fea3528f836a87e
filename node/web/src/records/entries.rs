//! The entries of a space on records: a snapshot, and the steps that were taken after it. To
//! take the same steps again leads to the same store.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DeviceId, DocumentId, EntryId, SpaceId, cbor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sync_engine_core::{
    entry::VerifiedEntry,
    sketch::{ShortId, Sketch},
    store::{
        Arrival, Batch, Cursor, EntryStore, MemoryStore, Purged, StoreEpoch, StoreError, StoreHead,
        Tip, stored,
    },
};

use super::{SPACE, Shelf};

/// After so many steps there is a new snapshot: what opening takes is within bounds, and so is
/// how often everything is written.
const STEPS_MAX: u64 = 512;

/// A record of a space.
#[derive(Serialize, Deserialize)]
enum Kept {
    /// Everything.
    Snapshot(ByteBuf),
    /// Batches that were appended.
    Append(Vec<Appended>),
    /// Superseded entries that were forgotten.
    Forget(Vec<EntryId>),
    /// Entries that were set aside, and the epoch since then.
    SetAside(Vec<EntryId>, StoreEpoch),
}

#[derive(Serialize, Deserialize)]
struct Appended {
    entries: Vec<ByteBuf>,
    source: Option<DeviceId>,
    cursor: Option<Cursor>,
}

/// The store of a space on records.
pub(super) struct RecordStore {
    memory: MemoryStore,
    space: SpaceId,
    /// Numbers of the records that there are: from the snapshot on.
    first: u64,
    next: u64,
    shelf: Shelf,
}

impl RecordStore {
    /// A new store.
    pub(super) fn create(space: SpaceId, epoch: StoreEpoch, shelf: Shelf) -> Self {
        let mut store = Self { memory: MemoryStore::new(epoch), space, first: 0, next: 0, shelf };
        store.snapshot();
        store
    }

    /// The store of these records.
    pub(super) fn open(
        space: SpaceId,
        records: &BTreeMap<u64, Vec<u8>>,
        shelf: Shelf,
    ) -> Result<Self, StoreError> {
        let mut kept = records.iter().map(|(number, bytes)| Ok((*number, read(bytes)?)));
        let Some((first, Kept::Snapshot(bytes))) = kept.next().transpose()? else {
            return Err(damaged("there is no snapshot"));
        };
        let mut memory = MemoryStore::restore(&bytes)?;
        let mut next = first + 1;
        for step in kept {
            let (number, step) = step?;
            if number != next {
                return Err(damaged("a step is missing"));
            }
            take_again(&mut memory, step)?;
            next += 1;
        }
        Ok(Self { memory, space, first, next, shelf })
    }

    fn key(&self, number: u64) -> Vec<u8> {
        [&[SPACE], self.space.0.as_slice(), &number.to_be_bytes()].concat()
    }

    fn write(&mut self, kept: &Kept) {
        self.shelf.put(self.key(self.next), cbor::encode(kept));
        self.next += 1;
    }

    fn note(&mut self, step: &Kept) {
        self.write(step);
        if self.next - self.first > STEPS_MAX {
            self.snapshot();
        }
    }

    /// Writes everything in the place of all records.
    fn snapshot(&mut self) {
        let before = self.first..self.next;
        self.first = self.next;
        self.write(&Kept::Snapshot(self.memory.save().into()));
        for number in before {
            self.shelf.delete(self.key(number));
        }
    }
}

fn read(bytes: &[u8]) -> Result<Kept, StoreError> {
    let kept = cbor::decode_from(cbor::Origin::OwnStorage, bytes, bytes.len());
    kept.map_err(|error| damaged(&error.to_string()))
}

fn damaged(why: &str) -> StoreError {
    StoreError::Damaged(why.to_owned())
}

fn take_again(memory: &mut MemoryStore, step: Kept) -> Result<(), StoreError> {
    match step {
        Kept::Snapshot(_) => return Err(damaged("there are two snapshots")),
        Kept::Append(batches) => {
            let batches: Result<Vec<Batch>, StoreError> =
                batches.into_iter().map(Appended::batch).collect();
            memory.append(&batches?)?;
        }
        Kept::Forget(ids) => {
            memory.forget_superseded(&ids)?;
        }
        Kept::SetAside(ids, epoch) => {
            let mut entries = Vec::new();
            for id in ids {
                let bytes = memory.entry(id)?.ok_or_else(|| damaged("an entry is missing"))?;
                entries.push(stored(bytes)?);
            }
            memory.set_aside(&entries, epoch)?;
        }
    }
    Ok(())
}

impl Appended {
    fn of(batch: &Batch) -> Self {
        let entries = batch.entries.iter().map(|entry| ByteBuf::from(entry.bytes())).collect();
        Self { entries, source: batch.source, cursor: batch.cursor }
    }

    fn batch(self) -> Result<Batch, StoreError> {
        let entries = self.entries.into_iter().map(|bytes| stored(bytes.into_vec()));
        let entries = entries.collect::<Result<_, _>>()?;
        Ok(Batch { entries, source: self.source, cursor: self.cursor })
    }
}

impl EntryStore for RecordStore {
    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        let mut unknown = Vec::new();
        for batch in batches {
            let mut rest = Batch { entries: vec![], ..*batch };
            for entry in &batch.entries {
                if !self.memory.contains(entry.id())? {
                    rest.entries.push(entry.clone());
                }
            }
            let is_known = match (rest.source, rest.cursor) {
                (Some(peer), Some(cursor)) => self.memory.cursor(peer)? == Some(cursor),
                (Some(_) | None, _) => true,
            };
            if !rest.entries.is_empty() || !is_known {
                unknown.push(rest);
            }
        }
        if unknown.is_empty() {
            return Ok(vec![]);
        }
        let new = self.memory.append(&unknown)?;
        self.note(&Kept::Append(unknown.iter().map(Appended::of).collect()));
        Ok(new)
    }

    fn forget_superseded(&mut self, ids: &[EntryId]) -> Result<u64, StoreError> {
        let bytes = self.memory.forget_superseded(ids)?;
        if bytes > 0 {
            self.note(&Kept::Forget(ids.to_vec()));
        }
        Ok(bytes)
    }

    fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, StoreError> {
        let purged = self.memory.purge(documents, epoch)?;
        if purged.entries > 0 {
            // Not as a step: their bytes would stay in those before it.
            self.snapshot();
        }
        Ok(purged)
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        let mut ids = Vec::new();
        for entry in entries {
            if self.memory.find(ShortId::of(entry.id()))?.is_some_and(|(place, _)| place > 0) {
                ids.push(entry.id());
            }
        }
        self.memory.set_aside(entries, epoch)?;
        self.note(&Kept::SetAside(ids, epoch));
        Ok(())
    }

    fn head(&self) -> StoreHead {
        self.memory.head()
    }

    fn arrivals(
        &self,
        place: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Arrival>, StoreError> {
        self.memory.arrivals(place, count_max, bytes_max)
    }

    fn ids(&self, place: u64, count_max: usize) -> Result<Vec<(u64, EntryId)>, StoreError> {
        self.memory.ids(place, count_max)
    }

    fn sketch(&self) -> Result<Sketch, StoreError> {
        self.memory.sketch()
    }

    fn ids_between(
        &self,
        first: EntryId,
        last: EntryId,
        count_max: usize,
    ) -> Result<Vec<EntryId>, StoreError> {
        self.memory.ids_between(first, last, count_max)
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        self.memory.find(short)
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        self.memory.contains(id)
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.entry(id)
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.memory.document(document)
    }

    fn superseded(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.memory.superseded(document)
    }

    fn superseded_documents(
        &self,
        after: Option<DocumentId>,
        count_max: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.memory.superseded_documents(after, count_max)
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        self.memory.documents()
    }

    fn document_count(&self) -> Result<u64, StoreError> {
        self.memory.document_count()
    }

    fn blobs(&self) -> Result<Vec<BlobId>, StoreError> {
        self.memory.blobs()
    }

    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.memory.aside()
    }

    fn tips(&self) -> Result<BTreeMap<DeviceId, Tip>, StoreError> {
        self.memory.tips()
    }

    fn tip(&self, author: DeviceId) -> Result<Option<Tip>, StoreError> {
        self.memory.tip(author)
    }

    fn cursor(&self, peer: DeviceId) -> Result<Option<Cursor>, StoreError> {
        self.memory.cursor(peer)
    }

    fn stored_bytes(&self) -> u64 {
        self.memory.stored_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Change;

    const SPACE_ID: SpaceId = SpaceId([5; 32]);

    /// What the script has, after it kept the changes.
    fn records(shelf: &Shelf, before: &mut BTreeMap<u64, Vec<u8>>) {
        let number = |key: &[u8]| key.last_chunk().copied().map(u64::from_be_bytes).expect("ours");
        for change in shelf.take() {
            match change {
                Change::Put(key, value) => before.insert(number(&key), value),
                Change::Delete(key) => before.remove(&number(&key)),
            };
        }
    }

    #[test]
    fn entries_on_records_conform() {
        let (shelf, kept) = (Shelf::default(), std::sync::Mutex::new(BTreeMap::new()));
        let store = RecordStore::create(SPACE_ID, StoreEpoch([1; 16]), shelf.clone());
        let reopen = |store: RecordStore| {
            let mut kept = kept.lock().expect("nobody panicked");
            // Each check begins with a store of its own, or goes on with this one.
            kept.retain(|number, _| (store.first..store.next).contains(number));
            records(&shelf, &mut kept);
            RecordStore::open(SPACE_ID, &kept, shelf.clone())
        };
        sync_engine_core::store::conformance::check(store, reopen).expect("conforms");
    }

    #[test]
    fn a_snapshot_takes_the_place_of_many_steps() {
        let (shelf, mut kept) = (Shelf::default(), BTreeMap::new());
        let mut store = RecordStore::create(SPACE_ID, StoreEpoch([1; 16]), shelf.clone());
        for after in 0..STEPS_MAX + 10 {
            let cursor = Cursor { epoch: StoreEpoch([2; 16]), after, has_refused: false };
            let source = Some(DeviceId([3; 32]));
            let batch = Batch { entries: vec![], source, cursor: Some(cursor) };
            store.append(std::slice::from_ref(&batch)).expect("memory does not fail");
            store.append(&[batch]).expect("memory does not fail");
            records(&shelf, &mut kept);
            assert!(kept.len() as u64 <= STEPS_MAX + 1);
        }
        assert!(kept.len() < 20, "{}", kept.len());
        let again = RecordStore::open(SPACE_ID, &kept, shelf).expect("whole");
        let peer = DeviceId([3; 32]);
        assert_eq!(again.cursor(peer), store.cursor(peer));
    }

    #[test]
    fn records_with_a_gap_or_without_a_snapshot_are_damaged() {
        let (shelf, mut kept) = (Shelf::default(), BTreeMap::new());
        let mut store = RecordStore::create(SPACE_ID, StoreEpoch([1; 16]), shelf.clone());
        for after in 0..3 {
            let cursor = Cursor { epoch: StoreEpoch([2; 16]), after, has_refused: false };
            let source = Some(DeviceId([3; 32]));
            let batch = Batch { entries: vec![], source, cursor: Some(cursor) };
            store.append(&[batch]).expect("memory does not fail");
        }
        records(&shelf, &mut kept);
        for missing in [0, 1, 2] {
            let mut rest = kept.clone();
            rest.remove(&missing);
            let opened = RecordStore::open(SPACE_ID, &rest, shelf.clone()).map(|_| ());
            assert!(matches!(opened, Err(StoreError::Damaged(_))), "without {missing}");
        }
    }
}
