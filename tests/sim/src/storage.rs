//! The stores of a simulated node: real SQLite on its simulated disk, with a window through which
//! the invariants look at what is stored without asking the node.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use node_core::SpaceStorage;
use node_model::{BlobId, DeviceId, DocumentId, EntryId, SpaceId};
use sync_engine_core::{
    entry::VerifiedEntry,
    sketch::{ShortId, Sketch},
    store::{Arrival, Batch, Cursor, EntryStore, Purged, StoreEpoch, StoreError, StoreHead, Tip},
};
use sync_engine_sqlite::{OpenOptions, SqliteStore};

/// The stores that one process has open, by space.
#[derive(Clone, Default)]
pub(crate) struct Stores(Arc<Mutex<BTreeMap<SpaceId, Window>>>);

impl Stores {
    pub(crate) fn get(&self, space: SpaceId) -> Option<Window> {
        lock(&self.0).get(&space).cloned()
    }

    pub(crate) fn all(&self) -> Vec<(SpaceId, Window)> {
        lock(&self.0).iter().map(|(space, window)| (*space, window.clone())).collect()
    }
}

/// Opens the stores of one process.
pub(crate) struct DiskStorage {
    pub(crate) vfs: &'static str,
    pub(crate) stores: Stores,
}

impl SpaceStorage for DiskStorage {
    fn open(
        &mut self,
        space: SpaceId,
        epoch_if_new: StoreEpoch,
    ) -> Result<Box<dyn EntryStore>, StoreError> {
        let path = PathBuf::from(format!("/spaces/{space}.db"));
        let store = SqliteStore::open(&path, OpenOptions { vfs: Some(self.vfs), epoch_if_new })?;
        let watched = Watched { head: store.head(), store, moved: BTreeSet::new() };
        let window = Window(Arc::new(Mutex::new(watched)));
        lock(&self.stores.0).insert(space, window.clone());
        Ok(Box::new(window))
    }
}

struct Watched {
    store: SqliteStore,
    /// As it was after the last change; the digest takes its time without optimisation.
    head: StoreHead,
    /// Peers whose cursor was written since somebody asked.
    moved: BTreeSet<DeviceId>,
}

/// One store, for the node and for who watches it.
#[derive(Clone)]
pub(crate) struct Window(Arc<Mutex<Watched>>);

impl Window {
    /// Peers whose cursor was written since the last call.
    pub(crate) fn take_moved(&self) -> BTreeSet<DeviceId> {
        std::mem::take(&mut lock(&self.0).moved)
    }

    /// Ids after a place, in order of arrival.
    pub(crate) fn ids_after(&self, place: u64) -> Result<Vec<EntryId>, StoreError> {
        let ids = lock(&self.0).store.ids(place, usize::MAX)?;
        Ok(ids.into_iter().map(|(_, id)| id).collect())
    }

    /// Everything after a place.
    pub(crate) fn arrivals_after(&self, place: u64) -> Result<Vec<Arrival>, StoreError> {
        lock(&self.0).store.arrivals(place, usize::MAX, usize::MAX)
    }

    /// Asks SQLite to check the file.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        lock(&self.0).store.check()
    }
}

impl EntryStore for Window {
    fn head(&self) -> StoreHead {
        lock(&self.0).head
    }

    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        let mut watched = lock(&self.0);
        let new = watched.store.append(batches)?;
        watched.head = watched.store.head();
        let moved = batches.iter().filter(|batch| batch.cursor.is_some());
        watched.moved.extend(moved.filter_map(|batch| batch.source));
        Ok(new)
    }

    fn arrivals(
        &self,
        place: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Arrival>, StoreError> {
        lock(&self.0).store.arrivals(place, count_max, bytes_max)
    }

    fn ids(&self, place: u64, count_max: usize) -> Result<Vec<(u64, EntryId)>, StoreError> {
        lock(&self.0).store.ids(place, count_max)
    }

    fn sketch(&self) -> Result<Sketch, StoreError> {
        lock(&self.0).store.sketch()
    }

    fn ids_between(
        &self,
        first: EntryId,
        last: EntryId,
        count_max: usize,
    ) -> Result<Vec<EntryId>, StoreError> {
        lock(&self.0).store.ids_between(first, last, count_max)
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        lock(&self.0).store.find(short)
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        lock(&self.0).store.contains(id)
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        lock(&self.0).store.entry(id)
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        lock(&self.0).store.document(document)
    }

    fn superseded(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        lock(&self.0).store.superseded(document)
    }

    fn superseded_documents(
        &self,
        after: Option<DocumentId>,
        count_max: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        lock(&self.0).store.superseded_documents(after, count_max)
    }

    fn forget_superseded(&mut self, ids: &[EntryId]) -> Result<u64, StoreError> {
        lock(&self.0).store.forget_superseded(ids)
    }

    fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, StoreError> {
        let mut watched = lock(&self.0);
        let purged = watched.store.purge(documents, epoch)?;
        watched.head = watched.store.head();
        Ok(purged)
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        lock(&self.0).store.documents()
    }

    fn document_count(&self) -> Result<u64, StoreError> {
        lock(&self.0).store.document_count()
    }

    fn blobs(&self) -> Result<Vec<BlobId>, StoreError> {
        lock(&self.0).store.blobs()
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        let mut watched = lock(&self.0);
        watched.store.set_aside(entries, epoch)?;
        watched.head = watched.store.head();
        Ok(())
    }

    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        lock(&self.0).store.aside()
    }

    fn tips(&self) -> Result<BTreeMap<DeviceId, Tip>, StoreError> {
        lock(&self.0).store.tips()
    }

    fn tip(&self, author: DeviceId) -> Result<Option<Tip>, StoreError> {
        lock(&self.0).store.tip(author)
    }

    fn cursor(&self, peer: DeviceId) -> Result<Option<Cursor>, StoreError> {
        lock(&self.0).store.cursor(peer)
    }

    fn stored_bytes(&self) -> u64 {
        lock(&self.0).store.stored_bytes()
    }

    fn settle(&mut self) -> Result<bool, StoreError> {
        lock(&self.0).store.settle()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a world runs on one thread, so a panic ends it before the next lock")
}
