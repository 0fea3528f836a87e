//! Stores on a disk that fails: while they open they refuse, rather than run with less safety;
//! while they give room back they keep all that they had.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use sim::disk::{DiskImage, Faults, SimDisk, Trigger};
use sync_engine_core::store::{
    Arrival, Batch, EntryStore, StoreEpoch, StoreError, StoreHead, conformance,
};
use sync_engine_sqlite::{OpenOptions, SqliteStore};
use trust_embedded::EmbeddedLedger;

const PATH: &str = "/store.db";

/// More operations than it takes to open a new store.
const OPERATIONS: u64 = 40;

/// SQLite's generator is one for the process, so disks take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_store_of_entries_that_opens_has_a_write_ahead_log() {
    let epoch_if_new = StoreEpoch([1; 16]);
    has_a_write_ahead_log(|disk| {
        let options = OpenOptions { vfs: Some(disk.vfs_name()), epoch_if_new };
        SqliteStore::open(Path::new(PATH), options).ok()
    });
}

#[test]
fn a_ledger_that_opens_has_a_write_ahead_log() {
    has_a_write_ahead_log(|disk| EmbeddedLedger::open(Path::new(PATH), Some(disk.vfs_name())).ok());
}

/// A rollback journal would do for SQLite, but its deletion is not synced: the power goes, the
/// journal is back, and the last commit, which was acknowledged, is gone.
fn has_a_write_ahead_log<S>(open: impl Fn(&SimDisk) -> Option<S>) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut opened = 0;
    for after in 0..OPERATIONS {
        let once = Trigger::Once { after };
        let failing_sync = Faults { sync_error: once, ..Faults::default() };
        let failing_write = Faults { write_error: once, ..Faults::default() };
        for faults in [failing_sync, failing_write] {
            let disk = SimDisk::new(after);
            disk.set_faults(faults);
            if let Some(_store) = open(&disk) {
                opened += 1;
                let file = disk.read(PATH).expect("an open store has a file");
                // File format write version, section 1.3.3 of SQLite's file format: 2 is a WAL.
                assert_eq!(file.get(18), Some(&2), "{faults:?}");
            }
        }
    }
    assert!(opened > 0, "some faults come too late to matter");
}

/// Power cuts while a store gives its room back.
const CUTS: u64 = 60;

#[test]
fn a_store_that_gives_room_back_when_the_power_goes_has_all_it_had() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for is_old in [false, true] {
        let image = after_a_burst(is_old);
        let whole = SimDisk::from_image(image.clone(), 0);
        let store = settled(&whole).expect("a good disk");
        let (operations, small) = (whole.operations(), whole.read(PATH).expect("there").len());
        let expected = contents(&store);
        drop(store);
        let large = image.file(PATH).expect("there").len();
        assert!(small < large / 2, "{large} bytes became {small}");
        for cut in 0..CUTS {
            let disk = SimDisk::from_image(image.clone(), cut);
            disk.crash_at_operation(1 + operations * cut / CUTS);
            assert!(settled(&disk).is_none(), "the power went");
            let store = open_store(&disk).expect("the power is back");
            store.check().expect("whole");
            assert!(contents(&store) == expected, "old: {is_old}, cut {cut}");
            drop(store);
            drop(settled(&disk).expect("the power is back"));
            assert!(disk.read(PATH).expect("there").len() < large / 2);
        }
    }
}

fn open_store(disk: &SimDisk) -> Result<SqliteStore, StoreError> {
    let options = OpenOptions { vfs: Some(disk.vfs_name()), epoch_if_new: StoreEpoch([1; 16]) };
    SqliteStore::open(Path::new(PATH), options)
}

/// Opens a store and gives its room back; `None` when the power goes meanwhile.
fn settled(disk: &SimDisk) -> Option<SqliteStore> {
    let mut store = open_store(disk).ok()?;
    while store.settle().ok()? {}
    // The last operation may be the one at which it goes.
    store.check().ok()?;
    Some(store)
}

fn contents(store: &SqliteStore) -> (StoreHead, Vec<Arrival>) {
    (store.head(), store.arrivals(0, usize::MAX, usize::MAX).expect("reads"))
}

/// A disk with a store of which most is free pages; an old one cannot give them back unless
/// it is written anew.
fn after_a_burst(is_old: bool) -> DiskImage {
    let disk = SimDisk::new(0);
    drop(open_store(&disk).expect("creates"));
    if is_old {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags_and_vfs(PATH, flags, disk.vfs_name());
        connection
            .and_then(|it| {
                it.execute_batch(
                    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = NONE; VACUUM",
                )
            })
            .expect("a good disk");
    }
    let mut store = open_store(&disk).expect("opens");
    let entries = conformance::entries_in(1, 4_000, 1);
    let most: Vec<_> = entries.iter().take(3_900).collect();
    let bundle = conformance::bundle(1, 4_000, &most);
    let superseded: Vec<_> = most.iter().map(|entry| entry.id()).collect();
    store.append(&[Batch { entries: entries.clone(), ..Batch::default() }]).expect("writes");
    store.append(&[Batch { entries: vec![bundle], ..Batch::default() }]).expect("writes");
    store.forget_superseded(&superseded).expect("deletes");
    drop(store);
    disk.snapshot()
}
