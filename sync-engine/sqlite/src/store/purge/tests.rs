use std::path::Path;

use sync_engine_core::store::{Batch, EntryStore, Tip, conformance};

use super::*;
use crate::{OpenOptions, SqliteStore};

const GONE: DocumentId = DocumentId([0; 16]);

fn open(path: &Path) -> SqliteStore {
    let options = OpenOptions { vfs: None, epoch_if_new: StoreEpoch([1; 16]) };
    SqliteStore::open(path, options).expect("opens")
}

/// Where in a folder's files some bytes are.
fn files_with(folder: &Path, needle: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file"));
    let holds = |path: &Path| {
        let bytes = std::fs::read(path).expect("readable");
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    let holding = files.filter(|file| holds(&file.path()));
    holding.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

/// A store with entries that moved: some stand aside, some are superseded, some were deleted
/// once before. Gives the end of the body of each of the purged document.
fn filled(path: &Path) -> (SqliteStore, Vec<Vec<u8>>) {
    let mut store = open(path);
    let entries = conformance::entries(1, 400);
    let even: Vec<&VerifiedEntry> = entries.iter().step_by(2).take(100).collect();
    let bundle = conformance::bundle(1, 400, &even);
    store.append(&[Batch { entries: entries.clone(), ..Batch::default() }]).expect("writes");
    store.append(&[Batch { entries: vec![bundle], ..Batch::default() }]).expect("writes");
    let forgotten: Vec<EntryId> = even[..30].iter().map(|entry| entry.id()).collect();
    assert!(store.forget_superseded(&forgotten).expect("deletes") > 0);
    store.set_aside(&entries[300..320], StoreEpoch([2; 16])).expect("sets aside");
    let of_document = entries.iter().filter(|entry| entry.header().document == GONE);
    let ends = of_document.map(|entry| entry.bytes()[entry.bytes().len() - 48..].to_vec());
    (store, ends.collect())
}

#[test]
fn no_file_holds_a_trace_of_what_was_purged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("entries.db");
    let (mut store, ends) = filled(&path);
    let author = store.tips().expect("reads");
    assert!(ends.iter().any(|end| !files_with(folder.path(), end).is_empty()));
    let purged = store.purge(&BTreeSet::from([GONE]), StoreEpoch([3; 16])).expect("purges");
    // 200 entries and their bundle, without those that were forgotten before.
    assert_eq!((purged.entries, purged.has_traces), (200 - 30 + 1, false));
    for end in &ends {
        assert_eq!(files_with(folder.path(), end), Vec::<String>::new());
    }
    assert_eq!(store.tips().expect("reads"), author, "numbers stay used");
    assert!(author.values().all(|Tip { sequence, .. }| *sequence == 400));
    store.check().expect("whole");
    drop(store);
    for end in &ends {
        assert_eq!(files_with(folder.path(), end), Vec::<String>::new());
    }
}

#[test]
fn what_the_power_left_in_the_file_is_wiped_by_the_next_opening() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("entries.db");
    let (store, ends) = filled(&path);
    let epoch = StoreEpoch([3; 16]);
    // The power goes between the commit and the wiping.
    store.purge_in(&BTreeSet::from([GONE]), epoch).expect("purges").expect("something was there");
    drop(store);
    assert!(ends.iter().any(|end| !files_with(folder.path(), end).is_empty()));
    let store = open(&path);
    assert_eq!(store.head().epoch, epoch);
    for end in &ends {
        assert_eq!(files_with(folder.path(), end), Vec::<String>::new());
    }
    assert!(!has_traces(&store.connection).expect("reads"));
    store.check().expect("whole");
}
