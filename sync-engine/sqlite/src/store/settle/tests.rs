use std::path::Path;

use node_model::EntryId;
use sync_engine_core::store::{Batch, EntryStore, StoreEpoch, conformance};

use super::*;
use crate::OpenOptions;

fn open(path: &Path) -> SqliteStore {
    let options = OpenOptions { vfs: None, epoch_if_new: StoreEpoch([1; 16]) };
    SqliteStore::open(path, options).expect("opens")
}

fn bytes_of(path: &Path, ending: &str) -> u64 {
    let name = path.file_name().expect("a file").to_string_lossy();
    let file = path.with_file_name(format!("{name}{ending}"));
    file.metadata().map_or(0, |it| it.len())
}

/// Writes a burst of changes to two documents, bundles most of them and deletes what the
/// bundles stand for. Gives the ids that are left.
fn burst(store: &mut SqliteStore) -> Vec<EntryId> {
    let entries = conformance::entries(1, 10_000);
    store.append(&[Batch { entries: entries.clone(), ..Batch::default() }]).expect("writes");
    for document in 0..2 {
        let of_document: Vec<_> = entries.iter().skip(document).step_by(2).take(4_000).collect();
        let bundle = conformance::bundle(1, 10_000 + document as u64, &of_document);
        store.append(&[Batch { entries: vec![bundle], ..Batch::default() }]).expect("writes");
        let superseded: Vec<EntryId> = of_document.iter().map(|entry| entry.id()).collect();
        assert!(store.forget_superseded(&superseded).expect("deletes") > 0);
    }
    let left = ids(store);
    assert_eq!(left.len(), 2_000 + 2);
    left
}

fn ids(store: &SqliteStore) -> Vec<EntryId> {
    store.ids(0, usize::MAX).expect("reads").into_iter().map(|(_, id)| id).collect()
}

#[test]
fn a_burst_of_writes_gives_its_room_back_in_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("entries.db");
    let mut store = open(&path);
    let left = burst(&mut store);
    let before = (bytes_of(&path, "") + bytes_of(&path, "-wal"), store.head());
    let mut steps = 1;
    while store.settle().expect("settles") {
        steps += 1;
    }
    assert!(steps > 1, "the loop has other things to do");
    assert_eq!(bytes_of(&path, "-wal"), 0);
    let free = store.number("freelist_count").expect("a number");
    assert!(free > 0 && free <= FREE_PAGES.max(store.number("page_count").expect("a number") / 8));
    // Of 10,000 entries 2,002 are left.
    assert!(bytes_of(&path, "") < before.0 / 3);
    assert_eq!((store.head(), ids(&store)), (before.1, left.clone()));
    store.check().expect("whole");
    assert!(!store.settle().expect("settles"), "nothing is left to do");
    drop(store);
    let store = open(&path);
    assert_eq!((store.head(), ids(&store)), (before.1, left));
}

#[test]
fn a_file_of_an_earlier_version_is_written_anew_where_that_is_worth_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("entries.db");
    let mut store = open(&path);
    // As earlier versions made it.
    store.connection.execute_batch("PRAGMA auto_vacuum = NONE; VACUUM").expect("works");
    drop(store);
    store = open(&path);
    assert_eq!(store.number("auto_vacuum"), Ok(0), "there is nothing to give back");
    let left = burst(&mut store);
    assert!(!store.settle().expect("settles"), "it cannot");
    assert_eq!(bytes_of(&path, "-wal"), 0, "its log can");
    let (before, head) = (bytes_of(&path, ""), store.head());
    drop(store);
    let store = open(&path);
    assert_eq!(store.number("auto_vacuum"), Ok(INCREMENTAL));
    assert_eq!(store.number("freelist_count"), Ok(0));
    assert_eq!((store.head(), ids(&store)), (head, left));
    store.check().expect("whole");
    drop(store);
    assert!(bytes_of(&path, "") < before / 2);
}

#[test]
fn a_log_that_grew_once_is_cut_when_it_starts_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("entries.db");
    let mut store = open(&path);
    store
        .append(&[Batch { entries: conformance::entries(1, 20_000), ..Batch::default() }])
        .expect("writes");
    assert!(bytes_of(&path, "-wal") > 6_000_000, "one transaction is as long as it is");
    let more = Batch { entries: conformance::entries(2, 1), ..Batch::default() };
    store.append(&[more]).expect("writes");
    assert!(bytes_of(&path, "-wal") <= 2 * 1024 * 1024);
}
