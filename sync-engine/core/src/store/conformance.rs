//! What every [`EntryStore`] must do; each implementation's tests call it.

mod aside;
mod count;
mod purge;
mod shards;

use std::collections::BTreeSet;

use node_model::{
    BlobId, DeviceId, DocumentId, EntryId, Epoch, SpaceId, limit::ENTRY_BLOBS_MAX, seal::SealKey,
    sign::Signer,
};

use self::shards::sketch_of;
use super::{Batch, Cursor, EntryStore, StoreEpoch, StoreError, Tip};
use crate::{
    entry::{
        Draft, EntryKind, VerifiedEntry,
        covers::{Covers, Run},
    },
    sketch::{ShortId, Sketch},
};

/// Entries of one author in two documents, each naming the one before.
///
/// # Panics
/// Never, for any `count` that fits into memory.
#[must_use]
pub fn entries(author: u8, count: u64) -> Vec<VerifiedEntry> {
    entries_in(author, count, 2)
}

/// Entries of one author, each of the next one of `documents` documents.
///
/// # Panics
/// Never, for any `count` that fits into memory.
#[must_use]
pub fn entries_in(author: u8, count: u64, documents: u64) -> Vec<VerifiedEntry> {
    let mut prev: Option<EntryId> = None;
    (0..count)
        .map(|sequence| {
            let draft = Draft {
                space: SpaceId([1; 32]),
                document: DocumentId([(sequence % documents) as u8; 16]),
                kind: EntryKind::Change,
                run: Run([author; 8]),
                sequence,
                prev,
                deps: prev.into_iter().collect(),
                covers: Covers::default(),
                blobs: vec![BlobId([author; 32])],
            };
            let entry = seal(draft, author);
            prev = Some(entry.id());
            entry
        })
        .collect()
}

fn seal(draft: Draft, author: u8) -> VerifiedEntry {
    let signer = Signer::from_secret(&[author; 32]);
    let key = SealKey::from_bytes([9; 32]);
    let mut entropy = Counting(u64::from(author) << 32 | draft.sequence);
    let plain = draft.sequence.to_be_bytes();
    let sealed = draft.seal(&mut entropy, &signer, (Epoch(1), &key), &plain);
    sealed.expect("a small entry is within all limits")
}

/// A bundle of `author` that stands for `covered`, which are of one document.
///
/// # Panics
/// When there are more than a bundle may stand for.
#[must_use]
pub fn bundle(author: u8, sequence: u64, covered: &[&VerifiedEntry]) -> VerifiedEntry {
    let mut numbers = BTreeSet::new();
    for entry in covered {
        let header = entry.header();
        numbers.insert((header.run, header.sequence));
        numbers.extend(header.covers.iter());
    }
    let draft = Draft {
        space: SpaceId([1; 32]),
        document: covered[0].header().document,
        kind: EntryKind::Bundle,
        run: Run([author; 8]),
        sequence,
        prev: None,
        deps: vec![],
        covers: Covers::of(&numbers).expect("they are few"),
        blobs: vec![BlobId([author; 32])],
    };
    seal(draft, author)
}

/// The first entry of `author`: it removes a document.
///
/// # Panics
/// Never.
#[must_use]
pub fn tombstone(author: u8, document: DocumentId) -> VerifiedEntry {
    let draft = Draft {
        space: SpaceId([1; 32]),
        document,
        kind: EntryKind::Tombstone,
        run: Run([author; 8]),
        sequence: 0,
        prev: None,
        deps: vec![],
        covers: Covers::default(),
        blobs: vec![],
    };
    seal(draft, author)
}

/// Numbers instead of randomness: the same entries every time.
struct Counting(u64);

impl rand_core::TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

/// Checks an empty store. `reopen` closes it and opens it again; a store that
/// lives in memory gives itself back.
///
/// # Errors
/// The store's own.
///
/// # Panics
/// When the store breaks the contract.
pub fn check<S: EntryStore>(
    mut store: S,
    reopen: impl Fn(S) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let empty = store.head();
    assert_eq!(empty.arrivals, 0);
    let (ours, theirs) = (entries(1, 5), entries(2, 7));
    let peer = DeviceId([7; 32]);
    let cursor = Cursor { epoch: StoreEpoch([8; 16]), after: 7, has_refused: false };

    let own = Batch { entries: ours.clone(), ..Batch::default() };
    let foreign = Batch { entries: theirs.clone(), source: Some(peer), cursor: Some(cursor) };
    let new = store.append(&[own.clone(), foreign])?;
    let expected: Vec<EntryId> = ours.iter().chain(&theirs).map(VerifiedEntry::id).collect();
    assert_eq!(new, expected, "new ids, in order");
    let head = store.head();
    assert_eq!((head.arrivals, head.entries, head.epoch), (12, 12, empty.epoch));
    assert_ne!(head.digest, empty.digest);

    assert_eq!(store.append(&[own])?, [], "known entries are passed over");
    assert_eq!(store.head(), head);

    let mut store = reopen(store)?;
    assert_eq!(store.head(), head, "everything is there after opening again");
    assert_eq!(store.cursor(peer)?, Some(cursor));
    assert_eq!(store.cursor(DeviceId([0; 32]))?, None);
    check_reading(&store, &ours, &theirs, peer)?;

    let only_cursor = Cursor { after: 9, has_refused: true, ..cursor };
    let batch = Batch { entries: vec![], source: Some(peer), cursor: Some(only_cursor) };
    assert_eq!(store.append(&[batch])?, []);
    assert_eq!(store.cursor(peer)?, Some(only_cursor));
    check_setting_aside(store, &ours, &theirs, &reopen)
}

fn check_setting_aside<S: EntryStore>(
    mut store: S,
    ours: &[VerifiedEntry],
    theirs: &[VerifiedEntry],
    reopen: &impl Fn(S) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let before = store.head();
    let epoch = StoreEpoch([77; 16]);
    store.set_aside(&ours[3..], epoch)?;
    let after = store.head();
    assert_eq!((after.epoch, after.arrivals), (epoch, 10));
    assert_ne!(after.digest, before.digest);
    let mut store = reopen(store)?;
    assert_eq!(store.head(), after, "it is so after opening again");
    assert!(!store.contains(ours[4].id())? && store.contains(ours[2].id())?);
    assert_eq!(store.aside()?.len(), 2);
    let author = ours[0].header().author;
    assert_eq!(store.tip(author)?, Some(Tip { sequence: 2, id: ours[2].id() }));
    let all: Vec<EntryId> = ours[..3].iter().chain(theirs).map(VerifiedEntry::id).collect();
    let places: Vec<(u64, EntryId)> = (1..).zip(all).collect();
    assert_eq!(store.ids(0, 100)?, places, "in the same order, without gaps");

    let kept: Sketch = places.iter().map(|(_, id)| *id).collect();
    assert_eq!(sketch_of(&store)?, kept, "what is set aside is not in the sketch");

    let back = Batch { entries: ours[3..].to_vec(), source: None, cursor: None };
    assert_eq!(store.append(&[back])?.len(), 2, "what is welcome again comes back");
    assert_eq!(store.aside()?, Vec::<Vec<u8>>::new());
    assert_eq!(store.head().digest, before.digest);
    let everything: Sketch = ours.iter().chain(theirs).map(VerifiedEntry::id).collect();
    assert_eq!(sketch_of(&store)?, everything);
    assert_eq!(store.tips()?.get(&author), Some(&Tip { sequence: 4, id: ours[4].id() }));
    check_bundles(aside::check_blobs(store, ours, reopen)?, reopen)
}

/// Bundles and what they stand for, in any order, and set aside again.
fn check_bundles<S: EntryStore>(
    mut store: S,
    reopen: &impl Fn(S) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let before = store.head();
    let singles = entries(3, 6);
    let even: Vec<&VerifiedEntry> = singles.iter().step_by(2).collect();
    let small = bundle(3, 6, &even[..2]);
    let large = bundle(3, 7, &[&small, even[2]]);
    let append = append_all::<S>;

    let (first, late) = (even[0], even[1]);
    assert_eq!(append(&mut store, &[first, &singles[1], &singles[3]])?.len(), 3);
    assert_eq!(append(&mut store, &[&small])?, [small.id()]);
    assert_eq!(append(&mut store, &[late])?, [], "a bundle stands for what comes after it");
    let mut store = reopen(store)?;
    let head = store.head();
    assert_eq!(head.entries, before.entries + 3);
    assert!(store.contains(late.id())? && store.contains(first.id())?, "they are kept");
    assert_eq!(store.entry(late.id())?.as_deref(), Some(late.bytes()));
    assert_eq!(store.find(ShortId::of(first.id()))?, Some((0, first.id())));
    let mut kept = vec![first.bytes().to_vec(), late.bytes().to_vec()];
    kept.sort_by_key(|bytes| {
        VerifiedEntry::from_storage(bytes.clone()).map(|entry| entry.id()).ok()
    });
    assert_eq!(store.superseded(DocumentId([0; 16]))?, kept);
    let of_document = store.document(DocumentId([0; 16]))?;
    assert!(of_document.contains(&small.bytes().to_vec()));
    assert!(!of_document.contains(&first.bytes().to_vec()));
    let page = store.arrivals(before.arrivals, 100, usize::MAX)?;
    assert_eq!(page.len(), 3);
    assert!(page.is_sorted_by(|a, b| a.place < b.place), "places stay, with gaps");
    assert!(page.iter().all(|arrival| arrival.place <= head.arrivals));

    let placed: Vec<EntryId> =
        store.document_ids(DocumentId([0; 16]))?.into_iter().map(|(_, id)| id).collect();
    assert!(placed.contains(&small.id()) && !placed.contains(&first.id()), "of the set only");

    assert!(append(&mut store, &[even[2], &large])?.contains(&large.id()));
    let ids: BTreeSet<EntryId> =
        store.ids(before.arrivals, 100)?.into_iter().map(|(_, id)| id).collect();
    let expected = BTreeSet::from([singles[1].id(), singles[3].id(), large.id()]);
    assert_eq!(ids, expected, "a bundle stands for bundles");
    let all: Sketch = store.ids(0, 100)?.into_iter().map(|(_, id)| id).collect();
    assert_eq!(sketch_of(&store)?, all);

    store.set_aside(std::slice::from_ref(&large), StoreEpoch([78; 16]))?;
    let mut store = reopen(store)?;
    let ids: BTreeSet<EntryId> =
        store.ids(before.entries, 100)?.into_iter().map(|(_, id)| id).collect();
    let expected = BTreeSet::from([singles[1].id(), singles[3].id(), small.id(), even[2].id()]);
    assert_eq!(ids, expected, "what only it stood for is back");
    assert_eq!(store.aside()?, [large.bytes().to_vec()]);
    let all: Sketch = store.ids(0, 100)?.into_iter().map(|(_, id)| id).collect();
    assert_eq!(sketch_of(&store)?, all);
    let tip = Tip { sequence: 6, id: small.id() };
    assert_eq!(store.tip(small.header().author)?, Some(tip));

    assert_eq!(append(&mut store, &[&large])?, [large.id()]);
    assert_eq!(store.head().entries, before.entries + 3);
    let store = check_forgetting(store, &singles, [&small, &large], reopen)?;
    purge::check(store, reopen)
}

fn append_all<S: EntryStore>(
    store: &mut S,
    entries: &[&VerifiedEntry],
) -> Result<Vec<EntryId>, StoreError> {
    let entries = entries.iter().copied().cloned().collect();
    store.append(&[Batch { entries, ..Batch::default() }])
}

/// What bundles stand for goes, and nothing else changes.
fn check_forgetting<S: EntryStore>(
    mut store: S,
    singles: &[VerifiedEntry],
    [small, large]: [&VerifiedEntry; 2],
    reopen: &impl Fn(S) -> Result<S, StoreError>,
) -> Result<S, StoreError> {
    let document = DocumentId([0; 16]);
    assert_eq!(store.superseded_documents(None, 9)?, [document]);
    assert_eq!(store.superseded_documents(Some(document), 9)?, []);
    assert_eq!(store.superseded_documents(None, 0)?, []);
    let (head, stored, blobs) = (store.head(), store.stored_bytes(), store.blobs()?);
    let superseded = store.superseded(document)?;
    let gone = [&singles[0], small];
    let ids = [singles[0].id(), small.id(), large.id(), singles[1].id(), EntryId([0; 32])];
    let bytes = store.forget_superseded(&ids)?;
    let mut store = reopen(store)?;
    assert_eq!(store.head(), head, "the set is as it was");
    assert_eq!(store.stored_bytes(), stored - bytes);
    assert_eq!(store.blobs()?, blobs);
    assert!(store.contains(large.id())? && store.contains(singles[1].id())?, "in the set");
    if bytes == 0 {
        assert_eq!(store.superseded(document)?, superseded, "all of it or nothing");
        return Ok(store);
    }
    assert_eq!(bytes, gone.iter().map(|entry| entry.bytes().len() as u64).sum::<u64>());
    for entry in gone {
        assert!(!store.contains(entry.id())?);
    }
    let again = Batch { entries: vec![singles[0].clone()], ..Batch::default() };
    assert_eq!(store.append(&[again])?, [], "a bundle still stands for it");
    assert_eq!(store.head().digest, head.digest);
    Ok(store)
}

fn check_reading(
    store: &impl EntryStore,
    ours: &[VerifiedEntry],
    theirs: &[VerifiedEntry],
    peer: DeviceId,
) -> Result<(), StoreError> {
    let all: Vec<&VerifiedEntry> = ours.iter().chain(theirs).collect();
    let page = store.arrivals(0, 100, usize::MAX)?;
    assert_eq!(page.len(), all.len());
    for (arrival, entry) in page.iter().zip(&all) {
        assert_eq!(arrival.bytes, entry.bytes());
    }
    assert_eq!(page.first().map(|arrival| arrival.source), Some(None));
    assert_eq!(page.last().map(|arrival| arrival.source), Some(Some(peer)));
    assert!(page.is_sorted_by_key(|arrival| arrival.place));

    let third = page[2].place;
    assert_eq!(store.arrivals(third, 2, usize::MAX)?[..], page[3..5]);
    assert_eq!(store.arrivals(third, 100, 1)?.len(), 1, "one entry, however large");
    let last = page[11].place;
    assert!(store.arrivals(last, 100, usize::MAX)?.is_empty());
    assert_eq!(last, store.head().arrivals, "the last place is the number of arrivals");

    let ids = store.ids(third, 3)?;
    assert_eq!(
        ids.iter().map(|(_, id)| *id).collect::<Vec<_>>(),
        [all[3].id(), all[4].id(), all[5].id()]
    );
    assert!(store.contains(all[0].id())? && !store.contains(EntryId([0; 32]))?);
    let sketch: Sketch = all.iter().map(|entry| entry.id()).collect();
    assert_eq!(sketch_of(store)?, sketch, "the sketch is that of the ids");
    assert_eq!(store.find(ShortId::of(all[7].id()))?, Some((page[7].place, all[7].id())));
    assert_eq!(store.find(ShortId([0; 16]))?, None);
    assert_eq!(store.entry(all[6].id())?.as_deref(), Some(all[6].bytes()));
    assert_eq!(store.entry(EntryId([0; 32]))?, None);

    let places = store.places(third, 3)?;
    let named =
        |(place, entry): (u64, &&VerifiedEntry)| (place, entry.id(), entry.header().document);
    let expected: Vec<_> = (third + 1..).zip(&all[3..6]).map(named).collect();
    assert_eq!(places, expected);
    let expected: Vec<_> = store.places(0, 100)?.into_iter().collect();
    let of_first = expected.iter().filter(|(.., document)| *document == DocumentId([0; 16]));
    let of_first: Vec<_> = of_first.map(|(place, id, _)| (*place, *id)).collect();
    assert_eq!(store.document_ids(DocumentId([0; 16]))?, of_first);
    assert_eq!(store.document_ids(DocumentId([9; 16]))?, []);

    let even: Vec<Vec<u8>> = all
        .iter()
        .filter(|entry| entry.header().document == DocumentId([0; 16]))
        .map(|entry| entry.bytes().to_vec())
        .collect();
    assert_eq!(store.document(DocumentId([0; 16]))?, even);
    assert_eq!(store.document_bytes(DocumentId([0; 16]))?, even.concat().len() as u64);
    assert_eq!(store.document_bytes(DocumentId([9; 16]))?, 0);
    assert_eq!(store.documents()?, [DocumentId([0; 16]), DocumentId([1; 16])]);
    assert_eq!(store.blobs()?, [BlobId([1; 32]), BlobId([2; 32])]);
    assert!(store.blobs()?.len() <= ENTRY_BLOBS_MAX);

    let author = ours[0].header().author;
    let tip = ours.last().map(|entry| Tip { sequence: 4, id: entry.id() });
    assert_eq!(store.tip(author)?, tip);
    assert_eq!(store.tip(DeviceId([0; 32]))?, None);
    Ok(())
}
