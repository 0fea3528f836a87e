use std::collections::BTreeSet;

use node_model::EntryId;
use sync_engine_core::store::conformance;

use super::*;

const NEW: StoreEpoch = StoreEpoch([2; 16]);

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, OpenOptions { vfs: None, epoch_if_new: StoreEpoch([1; 16]) })
}

fn ids(store: &SqliteStore) -> Vec<EntryId> {
    store.ids(0, usize::MAX).expect("reads").into_iter().map(|(_, id)| id).collect()
}

/// A file with entries of three authors, a bundle with what it stands for, and one entry set
/// aside.
fn filled(path: &Path) -> SqliteStore {
    let mut store = open(path).expect("creates");
    let singles = conformance::entries(1, 600);
    let bundle = conformance::bundle(1, 600, &singles.iter().take(40).collect::<Vec<_>>());
    let batch = |entries, source| Batch { entries, source, cursor: None };
    let batches = [
        batch(singles, None),
        batch(conformance::entries(2, 500), Some(DeviceId([2; 32]))),
        batch(vec![bundle], None),
        batch(conformance::entries(3, 5), Some(DeviceId([2; 32]))),
    ];
    store.append(&batches).expect("writes");
    store.set_aside(&batches[3].entries[..1], StoreEpoch([7; 16])).expect("writes");
    store
}

#[test]
fn a_whole_file_is_made_anew_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    let before = filled(&path);
    let (head, order, aside) = (before.head(), ids(&before), before.aside().expect("reads"));
    let (bytes, tips) = (before.stored_bytes(), before.tips().expect("reads"));
    drop(before);
    let repaired = repair(&path, NEW).expect("repairs");
    assert_eq!((repaired.kept, repaired.lost), (1_106, 0));
    let after = open(&path).expect("opens");
    assert_eq!((after.head().digest, after.head().entries), (head.digest, head.entries));
    assert_eq!((after.head().epoch, ids(&after)), (NEW, order));
    assert_eq!((after.aside().expect("reads"), after.stored_bytes()), (aside, bytes));
    assert_eq!(after.tips().expect("reads"), tips);
    let source = after.arrivals(0, 1_000, usize::MAX).expect("reads").pop().expect("many").source;
    assert_eq!(source, Some(DeviceId([2; 32])));
    drop(after);
    let old = open(&repaired.old).expect("the old one is beside it, whole");
    assert_eq!(old.head(), head);
}

#[test]
fn what_can_be_read_of_a_damaged_file_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    let whole = filled(&path);
    let known: BTreeSet<EntryId> = ids(&whole).into_iter().collect();
    drop(whole);
    let mut bytes = fs::read(&path).expect("is there");
    let pages = bytes.len() / 4_096;
    for page in [pages / 4, pages / 2, pages - 3] {
        bytes[page * 4_096..(page + 1) * 4_096].fill(0xa5);
    }
    fs::write(&path, &bytes).expect("writes");
    assert!(open(&path).and_then(|store| store.check()).is_err(), "this is damage");

    let repaired = repair(&path, NEW).expect("repairs");
    assert!(repaired.kept > 700 && repaired.lost > 0, "{repaired:?}");
    let mut after = open(&path).expect("opens");
    after.check().expect("it is whole");
    // What comes back is in nobody's way.
    let in_set: BTreeSet<EntryId> = ids(&after).into_iter().collect();
    assert!(in_set.len() > 500);
    let entries = conformance::entries(1, 600);
    let singles: BTreeSet<EntryId> = entries.iter().map(VerifiedEntry::id).collect();
    assert!(in_set.iter().all(|id| known.contains(id) || singles.contains(id)));
    after.append(&[Batch { entries, ..Batch::default() }]).expect("writes");
    assert_eq!(fs::read(&repaired.old).expect("is there"), bytes, "the old one is as it was");
}

#[test]
fn what_was_changed_in_a_file_is_not_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    drop(filled(&path));
    let connection = Connection::open(&path).expect("opens");
    let read = "SELECT bytes FROM entries WHERE place = ?1";
    for place in [700, 701] {
        let mut bytes: Vec<u8> =
            connection.query_row(read, [place], |row| row.get(0)).expect("is there");
        bytes[99] ^= 1;
        let forge = "UPDATE entries SET bytes = ?1 WHERE place = ?2";
        connection.execute(forge, (bytes, place)).expect("writes");
    }
    drop(connection);
    let repaired = repair(&path, NEW).expect("repairs");
    assert_eq!((repaired.kept, repaired.lost), (1_104, 2));
    // A second time: neither of the old files is lost.
    let again = repair(&path, StoreEpoch([3; 16])).expect("repairs");
    assert_eq!((again.kept, again.lost), (1_104, 0));
    assert_ne!(again.old, repaired.old);
    assert!(repaired.old.exists());
}

#[test]
fn what_cannot_be_repaired_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.db");
    drop(filled(&path));
    let mut bytes = fs::read(&path).expect("is there");
    bytes[..64].fill(0xa5);
    fs::write(&path, &bytes).expect("writes");
    assert!(matches!(repair(&path, NEW), Err(StoreError::Damaged(_))));
    assert_eq!(fs::read(&path).expect("is there"), bytes);
    let missing = folder.path().join("missing.db");
    assert!(repair(&missing, NEW).is_err() && !missing.exists());
}
