//! What a purge leaves, and what it does not.

use std::collections::BTreeSet;

use node_model::{BlobId, DocumentId, EntryId};

use super::{append_all, entries};
use crate::{
    digest::SetDigest,
    entry::VerifiedEntry,
    sketch::{ShortId, Sketch},
    store::{EntryStore, Purged, StoreEpoch, StoreError},
};

const GONE: DocumentId = DocumentId([0; 16]);
const KEPT: DocumentId = DocumentId([1; 16]);

/// Checks a store that holds entries of both documents, of the first also superseded ones.
pub(super) fn check<S: EntryStore>(
    mut store: S,
    reopen: &impl Fn(S) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let (lonely, shared) = (entries(5, 1), entries(4, 3));
    append_all(&mut store, &[&lonely[0], &shared[0], &shared[1], &shared[2]])?;
    store.set_aside(&shared[2..], StoreEpoch([78; 16]))?;
    let before = store.head();
    let superseded = store.superseded(GONE)?;
    let of_document = store.document(GONE)?;
    assert!(!superseded.is_empty() && store.aside()?.len() == 1, "there is something of each");
    let cursor = store.cursor(node_model::DeviceId([7; 32]))?;
    let left: Vec<(u64, EntryId)> = of(&store, KEPT)?;

    let documents = BTreeSet::from([GONE, DocumentId([8; 16])]);
    let purged = store.purge(&documents, StoreEpoch([79; 16]))?;
    let mut store = reopen(store)?;
    let head = store.head();
    assert_eq!(purged.entries as usize, superseded.len() + of_document.len() + 1);
    let all = superseded.iter().chain(&of_document).map(Vec::len).sum::<usize>();
    assert_eq!(purged.bytes as usize, all + shared[2].bytes().len());
    assert_eq!(purged.blobs, BTreeSet::from([BlobId([5; 32])]), "others are referred to");
    assert!(!store.blobs()?.contains(&BlobId([5; 32])));
    assert!(store.blobs()?.contains(&BlobId([4; 32])));
    assert_ne!(head.epoch, before.epoch, "what peers know is worth nothing");
    assert_eq!(store.ids(0, 100)?.into_iter().map(|(_, id)| id).collect::<Vec<_>>(), ids(&left));
    check_absence(&store, &[&lonely[0], &shared[0], &shared[2]], &left)?;
    assert_eq!(store.cursor(node_model::DeviceId([7; 32]))?, cursor, "we read them all the same");

    let again = store.purge(&documents, StoreEpoch([80; 16]))?;
    assert_eq!(again, Purged::default());
    let mut store = reopen(store)?;
    assert_eq!(store.head(), head, "nothing was there");
    // Not even what a bundle stood for that is gone, too.
    assert_eq!(append_all(&mut store, &[&lonely[0]])?, [lonely[0].id()]);
    super::count::check(store, reopen)
}

fn check_absence(
    store: &impl EntryStore,
    gone: &[&VerifiedEntry],
    left: &[(u64, EntryId)],
) -> Result<(), StoreError> {
    let mut digest = SetDigest::default();
    left.iter().for_each(|(_, id)| digest.add(*id));
    assert_eq!(store.head().digest, digest.finish());
    assert_eq!(store.head().entries as usize, left.len());
    assert_eq!(store.sketch()?, ids(left).into_iter().collect::<Sketch>());
    assert_eq!(store.documents()?, [KEPT]);
    assert_eq!(store.document(GONE)?, Vec::<Vec<u8>>::new());
    assert_eq!(store.superseded(GONE)?, Vec::<Vec<u8>>::new());
    assert_eq!(store.superseded_documents(None, 9)?, []);
    assert_eq!(store.aside()?, Vec::<Vec<u8>>::new());
    for entry in gone {
        assert!(!store.contains(entry.id())?);
        assert_eq!(store.entry(entry.id())?, None);
        assert_eq!(store.find(ShortId::of(entry.id()))?, None);
    }
    let page = store.arrivals(0, 100, usize::MAX)?;
    let bytes: usize = page.iter().map(|arrival| arrival.bytes.len()).sum();
    assert_eq!(store.stored_bytes() as usize, bytes);
    assert!(page.last().is_some_and(|last| last.place <= store.head().arrivals));
    Ok(())
}

fn of(store: &impl EntryStore, document: DocumentId) -> Result<Vec<(u64, EntryId)>, StoreError> {
    let mut own = Vec::new();
    for arrival in store.arrivals(0, 100, usize::MAX)? {
        let entry = VerifiedEntry::from_storage(arrival.bytes);
        let entry = entry.map_err(|error| StoreError::Damaged(error.to_string()))?;
        if entry.header().document == document {
            own.push((arrival.place, entry.id()));
        }
    }
    Ok(own)
}

fn ids(placed: &[(u64, EntryId)]) -> Vec<EntryId> {
    placed.iter().map(|(_, id)| *id).collect()
}
