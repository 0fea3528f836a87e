//! A store that a test can reach behind the node's back, and whose disk can be full.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use node_model::{BlobId, DeviceId, DocumentId, EntryId, SpaceId};
use sync_engine_core::{
    entry::VerifiedEntry,
    sketch::{ShortId, Sketch},
    store::{
        Arrival, Batch, Cursor, EntryStore, MemoryStore, Purged, StoreEpoch, StoreError, StoreHead,
        Tip,
    },
};

use crate::SpaceStorage;

/// The disk of one node.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    stores: BTreeMap<SpaceId, MemoryStore>,
    is_full: bool,
}

impl Disk {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().expect("no thread died")
    }

    pub(super) fn fill(&self, is_full: bool) {
        self.shelf().is_full = is_full;
    }

    /// Puts an entry there that nobody checked.
    pub(super) fn slip_in(&self, space: SpaceId, entry: VerifiedEntry) {
        let batch = Batch { entries: vec![entry], source: None, cursor: None };
        let mut shelf = self.shelf();
        let store = shelf.stores.get_mut(&space).expect("it is open");
        store.append(&[batch]).expect("memory does not fail");
    }
}

impl SpaceStorage for Disk {
    fn open(&mut self, of: SpaceId, epoch: StoreEpoch) -> Result<Box<dyn EntryStore>, StoreError> {
        if self.shelf().is_full {
            return Err(StoreError::Full);
        }
        self.shelf().stores.entry(of).or_insert_with(|| MemoryStore::new(epoch));
        Ok(Box::new(Shelved { disk: self.clone(), space: of }))
    }
}

struct Shelved {
    disk: Disk,
    space: SpaceId,
}

impl Shelved {
    fn look<T>(&self, look: impl FnOnce(&mut MemoryStore) -> T) -> T {
        look(self.disk.shelf().stores.get_mut(&self.space).expect("it was opened"))
    }
}

impl EntryStore for Shelved {
    fn head(&self) -> StoreHead {
        self.look(|it| it.head())
    }

    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        if self.disk.shelf().is_full {
            return Err(StoreError::Full);
        }
        self.look(|it| it.append(batches))
    }

    fn arrivals(
        &self,
        place: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Arrival>, StoreError> {
        self.look(|it| it.arrivals(place, count_max, bytes_max))
    }

    fn ids(&self, place: u64, count_max: usize) -> Result<Vec<(u64, EntryId)>, StoreError> {
        self.look(|it| it.ids(place, count_max))
    }

    fn sketch(&self) -> Result<Sketch, StoreError> {
        self.look(|it| it.sketch())
    }

    fn ids_between(
        &self,
        first: EntryId,
        last: EntryId,
        count_max: usize,
    ) -> Result<Vec<EntryId>, StoreError> {
        self.look(|it| it.ids_between(first, last, count_max))
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        self.look(|it| it.find(short))
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        self.look(|it| it.contains(id))
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        self.look(|it| it.entry(id))
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.look(|it| it.document(document))
    }

    fn superseded(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.look(|it| it.superseded(document))
    }

    fn superseded_documents(
        &self,
        after: Option<DocumentId>,
        count_max: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.look(|it| it.superseded_documents(after, count_max))
    }

    fn forget_superseded(&mut self, ids: &[EntryId]) -> Result<u64, StoreError> {
        self.look(|it| it.forget_superseded(ids))
    }

    fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, StoreError> {
        self.look(|it| it.purge(documents, epoch))
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        self.look(|it| it.documents())
    }

    fn blobs(&self) -> Result<Vec<BlobId>, StoreError> {
        self.look(|it| it.blobs())
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        self.look(|it| it.set_aside(entries, epoch))
    }

    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.look(|it| it.aside())
    }

    fn tips(&self) -> Result<BTreeMap<DeviceId, Tip>, StoreError> {
        self.look(|it| it.tips())
    }

    fn tip(&self, author: DeviceId) -> Result<Option<Tip>, StoreError> {
        self.look(|it| it.tip(author))
    }

    fn cursor(&self, peer: DeviceId) -> Result<Option<Cursor>, StoreError> {
        self.look(|it| it.cursor(peer))
    }

    fn stored_bytes(&self) -> u64 {
        self.look(|it| it.stored_bytes())
    }
}
