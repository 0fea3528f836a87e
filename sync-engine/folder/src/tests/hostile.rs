//! What a folder may hold that nobody wrote so.

use super::*;
use crate::file::{Head, Record, join};

/// A folder with a file of Ada's.
fn with_file() -> (TempDir, PathBuf, Vec<u8>) {
    with_file_of(3)
}

fn with_file_of(count: u64) -> (TempDir, PathBuf, Vec<u8>) {
    let folder = folder();
    append(&mut look(folder.path(), ADA), &entries(1, count));
    let path = file(folder.path(), ADA, 1);
    let bytes = fs::read(&path).expect("reads");
    (folder, path, bytes)
}

/// That Ben finds nothing to use, and one thing to name.
#[track_caller]
fn is_passed_over(folder: &Path, why: &str) {
    let store = look_closely(folder, BEN);
    assert_eq!(ids(&store), []);
    let [passed] = store.passed_over() else { panic!("{:?}", store.passed_over()) };
    assert!(passed.why.contains(why), "{passed:?}");
}

#[test]
fn a_file_that_was_cut_anywhere_is_passed_over_until_it_is_whole() {
    let (folder, path, bytes) = with_file_of(1);
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).expect("writes");
        let store = look(folder.path(), BEN);
        assert_eq!((ids(&store), store.passed_over().len()), (vec![], 1), "{len} bytes");
    }
    fs::write(&path, [&bytes[..], b"x"].concat()).expect("writes");
    is_passed_over(folder.path(), "damaged");
    fs::write(&path, &bytes).expect("writes");
    let store = look_closely(folder.path(), BEN);
    assert_eq!((ids(&store).len(), store.passed_over()), (1, &[][..]));
}

#[test]
fn a_file_in_which_any_byte_is_another_is_passed_over() {
    let (folder, path, bytes) = with_file_of(1);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&path, &flipped).expect("writes");
        let store = look_closely(folder.path(), BEN);
        assert_eq!((ids(&store), store.passed_over().len()), (vec![], 1), "byte {at}");
    }
}

#[test]
fn what_is_damaged_is_appended_again_by_whoever_has_it() {
    let (folder, path, mut bytes) = with_file();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::write(&path, &bytes).expect("writes");
    let mut store = look(folder.path(), BEN);
    append(&mut store, &entries(1, 3));
    assert_eq!(files(folder.path(), BEN), [], "what stands before the entries is whole");
    store.examine(&|_| true);
    append(&mut store, &entries(1, 3));
    assert_eq!(ids(&look_closely(folder.path(), ADA)).len(), 3);
}

#[test]
fn lengths_that_are_not_there_take_no_memory() {
    let (folder, path, bytes) = with_file();
    for claimed in [u32::MAX, 5_000_000, 5_000] {
        let mut long = bytes.clone();
        long[10..14].copy_from_slice(&claimed.to_be_bytes());
        fs::write(&path, &long).expect("writes");
        is_passed_over(folder.path(), "damaged");
    }
    // Ten gigabytes, of which the disk holds none.
    let huge = fs::File::create(&path).expect("creates");
    huge.set_len(10 << 30).expect("is sparse");
    is_passed_over(folder.path(), "no file of entries");
    fs::write(&path, &bytes).expect("writes");
    let grown = fs::OpenOptions::new().write(true).open(&path).expect("opens");
    grown.set_len(10 << 30).expect("is sparse");
    is_passed_over(folder.path(), "damaged");
    // A head that is sound but for the length of an entry.
    let id = entries(1, 1)[0].id();
    let records = vec![Record::Entries {
        source: None,
        cursor: None,
        ids: join(&[id]),
        lengths: vec![u32::MAX],
        bundles: join(&[]),
    }];
    let head = Head { space: SPACE, writer: ADA, number: 1, epoch: StoreEpoch([0; 16]), records };
    fs::write(&path, head.encode(b"few")).expect("writes");
    is_passed_over(folder.path(), "damaged");
}

#[test]
fn a_file_that_names_other_entries_than_it_holds_is_passed_over() {
    let (folder, path, _) = with_file();
    let entry = entries(1, 1).remove(0);
    let forged = |id, bytes: &[u8]| {
        let records = vec![Record::Entries {
            source: None,
            cursor: None,
            ids: join(&[id]),
            lengths: vec![bytes.len() as u32],
            bundles: join(&[]),
        }];
        let epoch = StoreEpoch([0; 16]);
        Head { space: SPACE, writer: ADA, number: 1, epoch, records }.encode(bytes)
    };
    let mut unsigned = entry.bytes().to_vec();
    *unsigned.last_mut().expect("is long") ^= 1;
    for bytes in [
        forged(EntryId([5; 32]), entry.bytes()),
        forged(entry.id(), &unsigned),
        forged(entry.id(), b"no entry"),
    ] {
        fs::write(&path, bytes).expect("writes");
        is_passed_over(folder.path(), "damaged");
    }
    fs::write(&path, forged(entry.id(), entry.bytes())).expect("writes");
    assert_eq!(ids(&look_closely(folder.path(), BEN)), [entry.id()]);
    // Who does not read it to its end is not deceived when an entry is taken out.
    fs::write(&path, forged(entry.id(), &unsigned)).expect("writes");
    assert!(look(folder.path(), BEN).entry(entry.id()).is_err());
}

#[test]
fn names_are_not_believed() {
    let (folder, path, bytes) = with_file();
    let ada = path.parent().expect("has one").to_owned();
    fs::remove_file(&path).expect("removes");
    let why_of_names = [
        ("1 (conflicted copy).entries", "a copy"),
        ("1.sync-conflict-20260101.entries", "a copy"),
        (".kith-part-abc", "not written to its end"),
        ("01.entries", "a copy"),
        ("-1.entries", "a copy"),
        ("99999999999999999999999.entries", "a copy"),
        ("Thumbs.db", "another program"),
        ("2.entries", "another file under this name"),
    ];
    for (name, why) in why_of_names {
        fs::write(ada.join(name), &bytes).expect("writes");
        is_passed_over(folder.path(), why);
        fs::remove_file(ada.join(name)).expect("removes");
    }
    fs::create_dir(&path).expect("creates");
    is_passed_over(folder.path(), "a folder");
    fs::remove_dir(&path).expect("removes");
    // The same file in another's folder, and in another space.
    let bens = file(folder.path(), BEN, 1);
    fs::create_dir(bens.parent().expect("has one")).expect("creates");
    fs::write(&bens, &bytes).expect("writes");
    is_passed_over(folder.path(), "another file under this name");
    fs::remove_file(&bens).expect("removes");
    let other = SpaceId([2; 32]);
    let place = SpacePlace::new(folder.path(), other).file(ADA, 1, Kind::Entries);
    fs::create_dir_all(place.parent().expect("has one")).expect("creates");
    fs::write(&place, &bytes).expect("writes");
    let store = FolderStore::open(folder.path(), other, BEN, StoreEpoch([1; 16])).expect("reads");
    assert_eq!((store.head().arrivals, store.passed_over().len()), (0, 1));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let (folder, path, bytes) = with_file();
    let outside = tempfile::tempdir().expect("a temporary folder");
    let target = outside.path().join("1.entries");
    fs::write(&target, &bytes).expect("writes");
    fs::remove_file(&path).expect("removes");
    symlink(&target, &path).expect("links");
    is_passed_over(folder.path(), "no file of entries");
    let ada = path.parent().expect("has one").to_owned();
    fs::remove_dir_all(&ada).expect("removes");
    symlink(outside.path(), &ada).expect("links");
    is_passed_over(folder.path(), "no writer's folder");
    // Nor does anything go out through one.
    let mut store = look(folder.path(), ADA);
    let batch = Batch { entries: entries(2, 1), ..Batch::default() };
    assert!(store.append_all(&[batch]).is_err());
    assert_eq!(fs::read_dir(outside.path()).expect("lists").count(), 1);
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    symlink(folder.path().join("kith"), elsewhere.path().join("kith")).expect("links");
    assert!(!is_ours(elsewhere.path()).expect("reads"));
}

#[test]
fn numbers_that_somebody_used_up_stop_the_writer_and_nobody_else() {
    let (folder, path, bytes) = with_file();
    fs::write(path.with_file_name("999999999999.entries"), bytes).expect("writes");
    let batch = || [Batch { entries: entries(2, 1), ..Batch::default() }];
    assert!(look(folder.path(), ADA).append_all(&batch()).is_err());
    assert_eq!(look(folder.path(), BEN).append_all(&batch()).expect("writes").len(), 1);
}

#[test]
fn what_was_being_written_when_it_stopped_is_swept_away() {
    let (folder, path, _) = with_file();
    let part = path.with_file_name(".kith-part-abc");
    fs::write(&part, "half").expect("writes");
    let place = SpacePlace::new(folder.path(), SPACE);
    place.prepare(BEN).expect("makes a folder");
    assert!(part.exists());
    place.prepare(ADA).expect("removes");
    assert!(!part.exists() && path.exists());
}
