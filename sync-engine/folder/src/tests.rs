mod hostile;
mod purge;
mod vectors;

use std::{
    fs,
    path::{Path, PathBuf},
};

use node_model::{DeviceId, EntryId, SpaceId};
use sync_engine_core::{
    entry::VerifiedEntry,
    store::{
        Batch, EntryStore, StoreEpoch,
        conformance::{self, entries},
    },
};
use tempfile::TempDir;

use crate::{FolderStore, Kind, SpacePlace, begin, is_ours, spaces};

/// The space of [`entries`].
const SPACE: SpaceId = SpaceId([1; 32]);
const ADA: DeviceId = DeviceId([65; 32]);
const BEN: DeviceId = DeviceId([66; 32]);

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    begin(folder.path()).expect("begins");
    folder
}

fn look(folder: &Path, device: DeviceId) -> FolderStore {
    FolderStore::open(folder, SPACE, device, StoreEpoch([9; 16])).expect("reads")
}

/// Looks, and reads all files to their end.
fn look_closely(folder: &Path, device: DeviceId) -> FolderStore {
    let mut store = look(folder, device);
    store.examine(&|_| true);
    store
}

fn append(store: &mut FolderStore, entries: &[VerifiedEntry]) {
    let batch = Batch { entries: entries.to_vec(), ..Batch::default() };
    store.append_all(&[batch]).expect("writes");
}

fn ids(store: &FolderStore) -> Vec<EntryId> {
    let ids = store.ids(0, usize::MAX).expect("is in memory");
    ids.into_iter().map(|(_, id)| id).collect()
}

fn file(folder: &Path, writer: DeviceId, number: u64) -> PathBuf {
    SpacePlace::new(folder, SPACE).file(writer, number, Kind::Entries)
}

fn files(folder: &Path, writer: DeviceId) -> Vec<(u64, Kind)> {
    SpacePlace::new(folder, SPACE).files(writer, &mut Vec::new()).expect("lists")
}

#[test]
fn a_folder_conforms() {
    let folder = folder();
    let reopen = |store: FolderStore| {
        drop(store);
        let reopened = FolderStore::open(folder.path(), SPACE, ADA, StoreEpoch([3; 16]))?;
        assert_eq!(reopened.passed_over(), []);
        Ok(reopened)
    };
    conformance::check(look(folder.path(), ADA), reopen).expect("the disk works");
}

#[test]
fn what_one_appends_others_see() {
    let folder = folder();
    let (first, second) = (entries(1, 5), entries(2, 3));
    let mut ada = look(folder.path(), ADA);
    append(&mut ada, &first);
    let mut ben = look(folder.path(), BEN);
    assert_eq!(ids(&ben), first.iter().map(VerifiedEntry::id).collect::<Vec<_>>());
    let page = ben.arrivals(0, 1, usize::MAX).expect("reads");
    assert_eq!((page[0].source, &page[0].bytes[..]), (Some(ADA), first[0].bytes()));
    append(&mut ben, &[&first[..], &second].concat());
    let own: usize = 3;
    assert_eq!(files(folder.path(), BEN).len(), 1);
    let only_ben = tempfile::tempdir().expect("a temporary folder");
    copy(&file(folder.path(), BEN, 1), &file(only_ben.path(), BEN, 1), None);
    assert_eq!(ids(&look(only_ben.path(), ADA)).len(), own, "only what the folder lacked");
    assert_eq!(look(folder.path(), ADA).head().digest, ben.head().digest);
}

#[test]
fn a_view_in_which_others_write_begins_with_another_epoch_when_files_change() {
    let folder = folder();
    append(&mut look(folder.path(), ADA), &entries(1, 2));
    append(&mut look(folder.path(), BEN), &entries(2, 2));
    let first = look(folder.path(), ADA).head();
    assert_eq!(look(folder.path(), ADA).head(), first, "nothing changed");
    let mut ada = look(folder.path(), ADA);
    append(&mut ada, &entries(3, 1));
    assert_eq!(ada.head().epoch, first.epoch, "it is at the end");
    let reopened = look(folder.path(), ADA).head();
    assert_ne!(reopened.epoch, first.epoch, "it is before what others wrote");
    assert_eq!(reopened.digest, ada.head().digest);
}

#[test]
fn many_appends_make_a_few_files_and_keep_their_order() {
    let folder = folder();
    let (all, theirs) = (entries(1, 300), entries(2, 2));
    append(&mut look(folder.path(), BEN), &theirs);
    let mut store = look(folder.path(), ADA);
    let old = file(folder.path(), ADA, 1);
    for (at, entry) in all.iter().enumerate() {
        append(&mut store, std::slice::from_ref(entry));
        if at == 0 {
            fs::copy(&old, folder.path().join("old")).expect("copies");
        }
    }
    assert!(files(folder.path(), ADA).len() <= 17, "{:?}", files(folder.path(), ADA));
    assert!(!old.exists());
    let expected: Vec<_> = all.iter().chain(&theirs).map(VerifiedEntry::id).collect();
    let again = look_closely(folder.path(), ADA);
    assert_eq!((ids(&again), again.passed_over()), (expected.clone(), &[][..]));
    // A synchroniser that was away brings back what was merged: nothing counts twice.
    fs::copy(folder.path().join("old"), &old).expect("copies");
    assert_eq!(ids(&look(folder.path(), ADA)), expected);
}

#[test]
fn what_was_set_aside_stays_so_after_merging() {
    let folder = folder();
    let all = entries(1, 40);
    let mut store = look(folder.path(), ADA);
    append(&mut store, &all[..3]);
    store.set_aside(&all[1..3], StoreEpoch([7; 16])).expect("writes");
    append(&mut store, &all[2..3]);
    all[3..].iter().for_each(|entry| append(&mut store, std::slice::from_ref(entry)));
    assert!(files(folder.path(), ADA).len() < 20);
    let expected = all.iter().map(VerifiedEntry::id).filter(|id| *id != all[1].id());
    let again = look(folder.path(), ADA);
    assert_eq!(ids(&again), expected.collect::<Vec<_>>());
    assert_eq!(again.aside().expect("reads"), [all[1].bytes()]);
    assert_eq!(again.head().epoch, StoreEpoch([7; 16]));
    assert_eq!(look(folder.path(), BEN).head().arrivals, 40, "it is Ada's view, not Ben's");
}

fn copy(from: &Path, to: &Path, bytes_max: Option<usize>) {
    let bytes = fs::read(from).expect("reads");
    fs::create_dir_all(to.parent().expect("has one")).expect("creates");
    let len = bytes_max.unwrap_or(bytes.len()).min(bytes.len());
    fs::write(to, &bytes[..len]).expect("writes");
}

#[test]
fn copies_that_arrive_in_any_order_and_in_parts_converge() {
    // Two folders that a synchroniser keeps equal, at its own pace.
    let (here, there) = (folder(), folder());
    let (first, second) = (entries(1, 4), entries(2, 4));
    let mut ada = look(here.path(), ADA);
    first.iter().for_each(|entry| append(&mut ada, std::slice::from_ref(entry)));
    let mut ben = look(there.path(), BEN);
    second.iter().for_each(|entry| append(&mut ben, std::slice::from_ref(entry)));
    let moves: Vec<_> = (1..=4)
        .flat_map(|number| {
            let of = |writer, from: &TempDir, to: &TempDir| {
                (file(from.path(), writer, number), file(to.path(), writer, number))
            };
            [of(ADA, &here, &there), of(BEN, &there, &here)]
        })
        .collect();
    let expected = {
        let everything = folder();
        append(&mut look(everything.path(), ADA), &[first, second].concat());
        look(everything.path(), ADA).head().digest
    };
    // Each step is prime to eight, so each is another order of all moves.
    for step in [1, 3, 5, 7] {
        for at in 0..moves.len() {
            let (from, to) = &moves[(at * step) % moves.len()];
            copy(from, to, Some(20 * (at + 1)));
            for (folder, device) in [(&here, ADA), (&there, BEN)] {
                let partly = look_closely(folder.path(), device);
                assert!(partly.head().arrivals >= 4, "what is one's own is there");
            }
            copy(from, to, None);
        }
        for (folder, device) in [(&here, ADA), (&there, BEN)] {
            let whole = look_closely(folder.path(), device);
            assert_eq!((whole.head().digest, whole.passed_over()), (expected, &[][..]));
        }
        moves.iter().for_each(|(_, to)| fs::remove_file(to).expect("removes"));
    }
}

#[test]
fn a_folder_of_something_else_is_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(is_ours(folder.path()).expect("reads"), "it could become one");
    begin(folder.path()).expect("begins");
    assert!(is_ours(folder.path()).expect("reads"));
    let stranger = folder.path().join("kith").join("holiday.jpg");
    fs::write(&stranger, "x").expect("writes");
    assert!(!is_ours(folder.path()).expect("reads"));
    append(&mut look(folder.path(), ADA), &entries(1, 1));
    assert!(is_ours(folder.path()).expect("reads"));
    assert_eq!(spaces(folder.path()).expect("reads"), [SPACE]);
    let other = tempfile::tempdir().expect("a temporary folder");
    fs::write(other.path().join("kith"), "x").expect("writes");
    assert!(!is_ours(other.path()).expect("reads"));
    assert!(begin(other.path()).is_err());
}
