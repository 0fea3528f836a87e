use std::path::Path;

use sync_engine_core::{
    sketch::Sketch,
    store::{Batch, EntryStore, StoreEpoch, StoreError, conformance},
};

use crate::{FORMAT, OpenOptions, SqliteStore, schema::OLDEST};

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, OpenOptions { vfs: None, epoch_if_new: StoreEpoch([1; 16]) })
}

#[test]
fn sqlite_conforms() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    let store = open(&path).expect("creates");
    let reopen = |store: SqliteStore| {
        drop(store);
        open(&path)
    };
    conformance::check(store, reopen).expect("a good disk does not fail");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    drop(open(&path).expect("creates"));
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection.pragma_update(None, "user_version", FORMAT + 1).expect("writes");
    drop(connection);
    let before = std::fs::read(&path).expect("is there");
    let error = open(&path).err().expect("is refused");
    assert_eq!(error, StoreError::Newer { found: FORMAT + 1, known: FORMAT });
    assert_eq!(std::fs::read(&path).expect("is there"), before);
}

#[test]
fn a_database_of_a_development_version_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    drop(open(&path).expect("creates"));
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection.pragma_update(None, "user_version", OLDEST - 1).expect("writes");
    drop(connection);
    let before = std::fs::read(&path).expect("is there");
    let error = open(&path).err().expect("is refused");
    assert_eq!(error, StoreError::Older { found: OLDEST - 1, oldest: OLDEST });
    assert_eq!(std::fs::read(&path).expect("is there"), before);
}

#[test]
fn a_database_that_did_not_count_documents_counts_them_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    let mut store = open(&path).expect("creates");
    let mut entries = conformance::entries_in(1, 30, 10);
    let removed = [0, 3].map(|number| entries[number].header().document);
    entries.extend(removed.map(|document| conformance::tombstone(2, document)));
    store.append(&[Batch { entries, ..Batch::default() }]).expect("writes");
    drop(store);
    let connection = rusqlite::Connection::open(&path).expect("opens");
    let before = "DROP TABLE tombstones; ALTER TABLE head DROP COLUMN documents";
    connection.execute_batch(before).expect("writes");
    connection.pragma_update(None, "user_version", 4).expect("writes");
    drop(connection);
    for _ in 0..2 {
        let mut store = open(&path).expect("opens");
        assert_eq!(store.document_count(), Ok(8));
        let again = conformance::tombstone(3, removed[0]);
        store.append(&[Batch { entries: vec![again], ..Batch::default() }]).expect("writes");
        assert_eq!(store.document_count(), Ok(8), "it was removed before");
    }
}

#[test]
fn a_stored_sketch_goes_without_what_is_superseded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    let mut store = open(&path).expect("creates");
    let entries = conformance::entries(1, 20_000);
    let singles: Vec<_> = entries.iter().step_by(2).take(4_000).collect();
    let bundle = conformance::bundle(1, 20_000, &singles);
    store.append(&[Batch { entries: entries.clone(), ..Batch::default() }]).expect("writes");
    let mut store = open_again(store, &path);
    store.append(&[Batch { entries: vec![bundle], ..Batch::default() }]).expect("writes");
    let store = open_again(store, &path);
    let left: Sketch = store.ids(0, usize::MAX).expect("reads").iter().map(|(_, id)| *id).collect();
    assert_eq!(left.size(), 16_001);
    assert_eq!(store.sketch().expect("reads"), left);
}

fn open_again(store: SqliteStore, path: &Path) -> SqliteStore {
    drop(store);
    open(path).expect("opens")
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    let mut store = open(&path).expect("creates");
    let entries = conformance::entries(1, 50);
    store.append(&[Batch { entries, ..Batch::default() }]).expect("writes");
    drop(store);
    let mut bytes = std::fs::read(&path).expect("is there");
    bytes[..64].fill(0xa5);
    std::fs::write(&path, &bytes).expect("writes");
    let error = open(&path).err().expect("is refused");
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert_eq!(std::fs::read(&path).expect("is there"), bytes);
}
