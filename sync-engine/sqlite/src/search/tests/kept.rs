//! What is kept on disk.

use std::{fs, io::Read, path::PathBuf};

use super::*;

struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("makes a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("search.sealed")
    }

    fn open(&self, key: &SealKey) -> (SearchIndex, Opened) {
        SearchIndex::open(Some(&self.path()), key).expect("opens")
    }

    /// An index with some words, saved.
    fn fill(&self) -> SearchIndex {
        let (mut index, opened) = self.open(&key());
        assert_eq!(opened, Opened::Fresh(FreshBecause::Absent));
        for number in 0..40 {
            put(
                &mut index,
                number,
                "Kanarienvogel",
                &format!("number{number} Kanarienvogel sings"),
            );
        }
        let stamp = Change::Stamp { space: SPACE, stamp: b"head" };
        index.apply(&[stamp]).expect("applies");
        index.save().expect("saves");
        index
    }
}

#[test]
fn an_index_that_is_opened_again_answers_the_same_and_can_be_changed() {
    let kept = Kept::new();
    let before = kept.fill();
    let (mut after, opened) = kept.open(&key());
    assert_eq!(opened, Opened::Loaded);
    for query in ["kanarienvogel", "number7", "\"kanarienvogel sings\"", "kan -number3"] {
        assert_eq!(find(&before, query, &[SPACE]), find(&after, query, &[SPACE]), "{query}");
    }
    assert_eq!(after.stamp(SPACE).expect("reads").as_deref(), Some(&b"head"[..]));
    assert_eq!(after.stamp(OTHER).expect("reads"), None);
    assert_eq!(after.versions(SPACE).expect("reads").len(), 40);
    put(&mut after, 1, "changed", "text");
    put_in(&mut after, OTHER, 90, "", &"more ".repeat(100_000));
    after.save().expect("saves");
    let (again, _) = kept.open(&key());
    assert_eq!(found(&again, "changed"), [1]);
    assert_eq!(found(&again, "number1."), Vec::<u8>::new());
    assert_eq!(found(&again, "more"), [90]);
    let names: Vec<_> = fs::read_dir(kept.folder.path()).expect("lists").collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// Also not after unpacking: a compressed text is no secret.
#[test]
fn nothing_readable_is_in_the_file() {
    let holds_canary = |bytes: &[u8]| {
        let canaries = ["anarienvogel", "sings", "number", "SQLite", "CREATE"];
        let holds = |canary: &str| bytes.windows(canary.len()).any(|it| it == canary.as_bytes());
        canaries.into_iter().any(holds)
    };
    let unpack = |bytes: &[u8]| {
        let mut plain = Vec::new();
        // A mistake at the end does not take back what came before it.
        let _ = zstd::Decoder::new(bytes).expect("starts").read_to_end(&mut plain);
        plain
    };
    let kept = Kept::new();
    let mut index = kept.fill();
    let image = index.connection.serialize(MAIN_DB).expect("serialises");
    assert!(holds_canary(&image));
    let bytes = fs::read(kept.path()).expect("reads");
    assert!(!holds_canary(&bytes));
    assert!((0..bytes.len()).all(|at| !holds_canary(&unpack(&bytes[at..]))));
}

#[test]
fn a_file_that_does_not_open_is_as_good_as_none() {
    let kept = Kept::new();
    kept.fill();
    let good = fs::read(kept.path()).expect("reads");
    let opened = |bytes: &[u8]| {
        fs::write(kept.path(), bytes).expect("writes");
        let (mut index, opened) = kept.open(&key());
        if opened != Opened::Loaded {
            assert_eq!(found(&index, "kanarienvogel"), Vec::<u8>::new());
            put(&mut index, 1, "", "works");
            assert_eq!(found(&index, "works"), [1]);
        }
        opened
    };
    let damaged = Opened::Fresh(FreshBecause::Damaged);
    for len in [0, 1, 8, 11, 12, 13, 51, 52, 60, 61, good.len() / 2, good.len() - 1] {
        assert_eq!(opened(&good[..len]), damaged, "{len}");
    }
    for at in [0, 7, 12, 40, 60, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(opened(&changed), damaged, "{at}");
    }
    assert_eq!(opened(&[&good[..], b"x"].concat()), damaged);
    let mut future = good.clone();
    future[11] = 2;
    assert_eq!(opened(&future), Opened::Fresh(FreshBecause::OtherFormat));
    assert_eq!(opened(&good), Opened::Loaded);
    let (_, foreign) = kept.open(&SealKey::from_bytes([8; 32]));
    assert_eq!(foreign, damaged);
    fs::remove_file(kept.path()).expect("removes");
    fs::create_dir(kept.path()).expect("makes a folder");
    assert_eq!(kept.open(&key()).1, damaged);
}

/// Sealed by the right key, and wrong all the same: what a mistake of ours, or a
/// later version that forgot to say so, could leave.
#[test]
fn a_sealed_file_that_holds_something_else_is_as_good_as_none() {
    let kept = Kept::new();
    let key_of_file = key().derive("kith 2026-11 search index", &[]);
    let mut other = Connection::open_in_memory().expect("opens");
    other.execute_batch("CREATE TABLE spaces (number INTEGER)").expect("creates");
    let other = other.serialize(MAIN_DB).expect("serialises");
    for database in [&b""[..], b"not a database", &[0; 8192], &other] {
        file::write(&kept.path(), &key_of_file, database).expect("writes");
        let (mut index, opened) = kept.open(&key());
        assert_eq!(opened, Opened::Fresh(FreshBecause::Damaged));
        put(&mut index, 1, "", "works");
        assert_eq!(found(&index, "works"), [1]);
    }
}

#[test]
fn a_failed_save_keeps_the_file_before_and_is_made_up_for() {
    let kept = Kept::new();
    let mut index = kept.fill();
    let good = fs::read(kept.path()).expect("reads");
    put(&mut index, 1, "", "later");
    let in_the_way = kept.folder.path().join("search.sealed.part");
    fs::create_dir(&in_the_way).expect("makes a folder");
    assert!(matches!(index.save(), Err(SearchError::Save(_))));
    assert_eq!(fs::read(kept.path()).expect("reads"), good);
    fs::remove_dir(&in_the_way).expect("removes");
    index.save().expect("saves");
    assert_eq!(found(&kept.open(&key()).0, "later"), [1]);
}

#[test]
fn an_unchanged_index_is_not_written_again() {
    let kept = Kept::new();
    let mut index = kept.fill();
    fs::remove_file(kept.path()).expect("removes");
    index.save().expect("has nothing to do");
    assert!(!kept.path().exists());
    put(&mut index, 1, "", "changed");
    index.save().expect("saves");
    assert!(kept.path().exists());
    fresh().save().expect("has nowhere to save to");
}

#[test]
fn memory_is_given_back_when_a_large_space_is_gone() {
    let kept = Kept::new();
    let mut index = kept.fill();
    let small = index.size_bytes().expect("reads");
    let body: String = (0..20_000).map(|number| format!("{number} ")).collect();
    for number in 0..20 {
        put_in(&mut index, OTHER, number, "", &body);
    }
    let large = index.size_bytes().expect("reads");
    assert!(large > small * 4, "{small} {large}");
    index.apply(&[Change::RemoveSpace(OTHER)]).expect("applies");
    index.save().expect("saves");
    assert!(index.size_bytes().expect("reads") <= small * 2);
    assert_eq!(found(&index, "number7"), [7]);
    let (again, opened) = kept.open(&key());
    assert_eq!((found(&again, "number7"), opened), (vec![7], Opened::Loaded));
}
