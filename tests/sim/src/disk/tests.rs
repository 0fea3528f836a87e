//! What the disk promises, without a crash in the middle of SQLite; for that see
//! `tests/power_cut.rs`.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{DiskImage, Faults, SimDisk, Trigger};

const PATH: &str = "/node/store.db";

/// SQLite's generator is one for the process, so tests of randomness take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(disk: &SimDisk) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags_and_vfs(PATH, OpenFlags::default(), disk.vfs_name())?;
    connection.execute_batch(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
         CREATE TABLE IF NOT EXISTS item (number INTEGER PRIMARY KEY, body BLOB NOT NULL);",
    )?;
    Ok(connection)
}

fn insert(connection: &Connection, number: u32) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO item (number, body) VALUES (?1, zeroblob(3000))", [number])
}

fn count(connection: &Connection) -> u32 {
    connection
        .query_row("SELECT count(*) FROM item", [], |row| row.get(0))
        .expect("the table is readable")
}

fn failure(result: rusqlite::Result<usize>) -> ErrorCode {
    let error = result.expect_err("the fault strikes");
    error.sqlite_error_code().expect("an error of SQLite")
}

#[test]
fn a_dead_connection_can_do_nothing() {
    let _turn = turn();
    let disk = SimDisk::new(1);
    let dead = connect(&disk).expect("no fault is set");
    insert(&dead, 1).expect("no fault is set");
    disk.crash();
    let alive = connect(&disk).expect("the disk is on again");
    let before = disk.snapshot();
    assert_eq!(failure(insert(&dead, 2)), ErrorCode::SystemIoFailure);
    assert!(dead.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").is_err());
    drop(dead);
    assert_eq!(disk.snapshot(), before);
    assert_eq!(count(&alive), 1);
}

#[test]
fn a_second_connection_meets_the_lock_of_the_first() {
    let _turn = turn();
    let disk = SimDisk::new(1);
    let first = connect(&disk).expect("no fault is set");
    let second = connect(&disk).expect_err("the first connection locked the database");
    assert_eq!(second.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    drop(first);
    assert!(connect(&disk).is_ok());
}

#[test]
fn errors_of_the_disk_lose_no_commit() {
    let _turn = turn();
    let full = Faults { capacity_bytes: Some(64 << 10), ..Faults::default() };
    let failing_sync = Faults { sync_error: Trigger::Once { after: 5 }, ..Faults::default() };
    let failing_write = Faults { write_error: Trigger::Once { after: 5 }, ..Faults::default() };
    for (faults, code) in [
        (full, ErrorCode::DiskFull),
        (failing_sync, ErrorCode::SystemIoFailure),
        (failing_write, ErrorCode::SystemIoFailure),
    ] {
        let disk = SimDisk::new(7);
        let connection = connect(&disk).expect("no fault is set yet");
        disk.set_faults(faults);
        let mut committed = 0;
        let error = loop {
            match insert(&connection, committed) {
                Ok(_) => committed += 1,
                Err(error) => break failure(Err(error)),
            }
        };
        assert_eq!(error, code);
        drop(connection);
        disk.set_faults(Faults::default());
        disk.crash();
        let found = count(&connect(&disk).expect("the faults are gone"));
        // The transaction that failed may have reached the medium all the same.
        assert!(found == committed || found == committed + 1, "{found} of {committed}");
    }
}

#[test]
fn an_image_is_a_disk_of_its_own() {
    let _turn = turn();
    let disk = SimDisk::new(1);
    let connection = connect(&disk).expect("no fault is set");
    insert(&connection, 1).expect("no fault is set");
    let clone = SimDisk::from_image(disk.snapshot(), 2);
    insert(&connection, 2).expect("no fault is set");
    let cloned = connect(&clone).expect("the image is a whole database");
    assert_eq!((count(&connection), count(&cloned)), (2, 1));
    assert_ne!(disk.vfs_name(), clone.vfs_name());
}

#[test]
fn rot_flips_one_durable_bit() {
    let _turn = turn();
    let mut image = DiskImage::default();
    image.files.insert(PATH.to_owned(), vec![0; 4096]);
    let disk = SimDisk::from_image(image.clone(), 3);
    let at = disk.rot(PATH).expect("the file has synced bytes") as usize;
    let rotten = disk.snapshot();
    let ones = |image: &DiskImage| image.files[PATH].iter().map(|byte| byte.count_ones()).sum();
    assert_eq!((ones(&image), ones(&rotten)), (0_u32, 1_u32));
    assert_ne!(rotten.files[PATH][at], 0);
    assert_eq!(disk.read(PATH).as_deref(), rotten.file(PATH));
    assert_eq!(disk.rot("/no/such/file"), None);
}

#[test]
fn time_and_randomness_come_from_the_disk() {
    let _turn = turn();
    let read = |seed| {
        let disk = SimDisk::new(seed);
        disk.set_time(1_000_000_000_000);
        let connection = connect(&disk).expect("no fault is set");
        connection
            .query_row("SELECT datetime('now'), random()", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })
            .expect("a plain query")
    };
    assert_eq!(read(1).0, "2001-09-09 01:46:40");
    assert_eq!(read(1), read(1));
    assert_ne!(read(1).1, read(2).1);
}

#[test]
fn dropped_disks_leave_nothing_registered() {
    let _turn = turn();
    let disk = SimDisk::new(1);
    let name = disk.vfs_name();
    let connection = connect(&disk).expect("no fault is set");
    drop(disk);
    insert(&connection, 1).expect("an open connection keeps the disk");
    drop(connection);
    assert!(Connection::open_with_flags_and_vfs(PATH, OpenFlags::default(), name).is_err());
    let mut names = BTreeSet::new();
    for seed in 0..2_000 {
        let disk = SimDisk::new(seed);
        disk.crash();
        names.insert(disk.vfs_name());
    }
    assert_eq!(names, BTreeSet::from([name]), "names are used again");
}

#[test]
fn rollback_journals_work_too() {
    let _turn = turn();
    let disk = SimDisk::new(1);
    let connection =
        Connection::open_with_flags_and_vfs(PATH, OpenFlags::default(), disk.vfs_name())
            .expect("no fault is set");
    connection
        .execute_batch(
            "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;
             CREATE TABLE item (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
             BEGIN; INSERT INTO item VALUES (1, x'00'); ROLLBACK;
             INSERT INTO item VALUES (2, x'00');
             CREATE TEMP TABLE passing AS SELECT * FROM item; VACUUM;",
        )
        .expect("no fault is set");
    assert_eq!(count(&connection), 1);
}
