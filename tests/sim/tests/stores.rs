//! Stores on a disk that fails while they open: they refuse, rather than run with less safety.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sim::disk::{Faults, SimDisk, Trigger};
use sync_engine_core::store::StoreEpoch;
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
