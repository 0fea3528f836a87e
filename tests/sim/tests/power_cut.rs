//! Cuts the power inside SQLite, many times, and looks whether an acknowledged commit is gone.
//!
//! The disk is simulated, SQLite is real. So that a healthy result means something, every kind of
//! damage must have happened, and a drive that lies about syncs must be found out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::{Connection, OpenFlags};
use sim::disk::{FaultCounts, Faults, SimDisk, Trigger};

const SEEDS: u64 = 1_000;
const TRANSACTIONS_MAX: u32 = 30;
const PATH: &str = "/node/store.db";

/// SQLite's generator is one for the process, so runs that are compared take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const WAL: &str =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;";
/// Commits are synced by the next checkpoint.
const WAL_UNSAFE: &str =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;";
const DELETE: &str = "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;";
/// The deletion that commits is not synced.
const DELETE_UNSAFE: &str = "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;";
const TRUNCATE: &str = "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL;";

/// What a run must remember over power cuts.
#[derive(Default)]
struct Acknowledged {
    /// The transactions `1..=committed` returned success.
    committed: u32,
    /// The next one was begun, and may be there or not.
    begun: u32,
}

/// What the oracle objects to: a database that cannot be read, contradicts itself, or has lost
/// an acknowledged commit.
struct Complaint {
    is_lost_commit: bool,
    text: String,
}

impl Complaint {
    fn broken(text: impl ToString) -> Self {
        Self { is_lost_commit: false, text: text.to_string() }
    }
}

/// What one seed led to.
struct Outcome {
    complaint: Option<Complaint>,
    counts: FaultCounts,
    content_hash: [u8; 32],
}

#[test]
fn a_wal_keeps_every_acknowledged_commit() {
    let _turn = turn();
    let counts = keeps_every_acknowledged_commit(WAL, SEEDS);
    all_happened(&counts);
}

#[test]
fn a_rollback_journal_keeps_every_acknowledged_commit() {
    let _turn = turn();
    let mut counts = keeps_every_acknowledged_commit(DELETE, SEEDS / 4);
    counts.add(&keeps_every_acknowledged_commit(TRUNCATE, SEEDS / 4));
    all_happened(&counts);
}

fn keeps_every_acknowledged_commit(pragmas: &'static str, seeds: u64) -> FaultCounts {
    let mut counts = FaultCounts::default();
    for seed in 0..seeds {
        let outcome = run(seed, pragmas, Faults::default());
        if let Some(complaint) = outcome.complaint {
            panic!("seed {seed}, {pragmas}: {}", complaint.text);
        }
        counts.add(&outcome.counts);
    }
    counts
}

/// The classes of damage that a power cut can do; the other faults are not set.
fn all_happened(counts: &FaultCounts) {
    for (class, count) in &counts.named()[..9] {
        assert!(*count > 0, "{class} never happened: {counts:?}");
    }
}

#[test]
fn a_lying_drive_is_found_out() {
    let faults = Faults { lost_sync: Trigger::PerMille(500), ..Faults::default() };
    loses_a_commit(WAL, faults);
}

#[test]
fn careless_pragmas_are_found_out() {
    loses_a_commit(WAL_UNSAFE, Faults::default());
    loses_a_commit(DELETE_UNSAFE, Faults::default());
}

fn loses_a_commit(pragmas: &'static str, faults: Faults) {
    let _turn = turn();
    let complaints = (0..100).map(|seed| run(seed, pragmas, faults).complaint);
    let lost = complaints.flatten().filter(|it| it.is_lost_commit);
    assert!(lost.count() > 0, "the oracle is blind to {pragmas}");
}

#[test]
fn a_seed_replays_byte_for_byte() {
    let _turn = turn();
    for seed in 0..50 {
        let [first, second] = [(); 2].map(|()| run(seed, WAL, Faults::default()));
        assert_eq!(first.content_hash, second.content_hash, "seed {seed}");
        assert_eq!(first.counts, second.counts, "seed {seed}");
    }
}

/// Up to four lives of one store, each ended by a power cut, and a last one to look.
fn run(seed: u64, pragmas: &'static str, faults: Faults) -> Outcome {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let disk = SimDisk::new(seed);
    disk.set_faults(faults);
    let mut acknowledged = Acknowledged::default();
    let mut complaint = None;
    for _ in 0..1 + rng.next_u64() % 4 {
        disk.crash_at_operation(1 + rng.next_u64() % 250);
        complaint = live(&disk, pragmas, &mut acknowledged, &mut rng);
        if complaint.is_some() {
            break;
        }
    }
    let complaint = complaint.or_else(|| {
        let looked =
            open(&disk, pragmas).and_then(|connection| check(&connection, &mut acknowledged));
        looked.unwrap_or_else(|error| Some(Complaint::broken(error)))
    });
    Outcome { complaint, counts: disk.counts(), content_hash: disk.snapshot().content_hash() }
}

/// One life. An error is what the power cut makes of a call, or else a complaint.
fn live(
    disk: &SimDisk,
    pragmas: &str,
    acknowledged: &mut Acknowledged,
    rng: &mut ChaCha8Rng,
) -> Option<Complaint> {
    let boot = disk.boot();
    match write_until_dead(disk, pragmas, acknowledged, rng) {
        Ok(complaint) => complaint,
        Err(error) if disk.boot() == boot => Some(Complaint::broken(error)),
        Err(_) => None,
    }
}

fn write_until_dead(
    disk: &SimDisk,
    pragmas: &str,
    acknowledged: &mut Acknowledged,
    rng: &mut ChaCha8Rng,
) -> rusqlite::Result<Option<Complaint>> {
    let connection = open(disk, pragmas)?;
    let complaint = check(&connection, acknowledged)?;
    if complaint.is_some() {
        return Ok(complaint);
    }
    for _ in 0..1 + rng.next_u64() % u64::from(TRANSACTIONS_MAX) {
        let number = acknowledged.committed + 1;
        acknowledged.begun = number;
        commit(&connection, number, rng)?;
        acknowledged.committed = number;
    }
    if rng.next_u64().is_multiple_of(2) {
        // A node that ends well, and then the power goes.
        drop(connection);
    }
    disk.crash();
    Ok(None)
}

fn open(disk: &SimDisk, pragmas: &str) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags_and_vfs(PATH, OpenFlags::default(), disk.vfs_name())?;
    connection.execute_batch(pragmas)?;
    connection.execute_batch(
        "PRAGMA wal_autocheckpoint=12;
         CREATE TABLE IF NOT EXISTS item (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
         CREATE TABLE IF NOT EXISTS total (id INTEGER PRIMARY KEY, items INTEGER NOT NULL);",
    )?;
    Ok(connection)
}

/// One transaction over several pages, sometimes over many.
fn commit(connection: &Connection, number: u32, rng: &mut ChaCha8Rng) -> rusqlite::Result<()> {
    let length = match rng.next_u64() % 8 {
        0 => 20_000,
        _ => rng.next_u64() % 3_000,
    } as usize;
    let transaction = connection.unchecked_transaction()?;
    let body = body(number, length);
    transaction.execute("INSERT INTO item VALUES (?1, ?2)", (number, body))?;
    transaction.execute("INSERT OR REPLACE INTO total VALUES (1, ?1)", [number])?;
    transaction.commit()
}

fn body(number: u32, length: usize) -> Vec<u8> {
    vec![number as u8; length]
}

/// Whether the store is whole and holds what was acknowledged, and nothing that was never begun.
fn check(
    connection: &Connection,
    acknowledged: &mut Acknowledged,
) -> rusqlite::Result<Option<Complaint>> {
    let inconsistent = |text: String| Ok(Some(Complaint::broken(text)));
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if integrity != "ok" {
        return inconsistent(integrity);
    }
    let mut statement = connection.prepare("SELECT number, body FROM item ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        found += 1;
        let (number, content) = (row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?);
        if number != found || content != body(number, content.len()) {
            return inconsistent(format!("item {number} in place of {found}"));
        }
    }
    let total = "SELECT coalesce(max(items), 0) FROM total";
    let total: u32 = connection.query_row(total, [], |row| row.get(0))?;
    let Acknowledged { committed, begun } = *acknowledged;
    if found != total || found > begun {
        return inconsistent(format!("{found} items, {total} counted, {begun} begun"));
    }
    if found < committed {
        return Ok(Some(Complaint {
            is_lost_commit: true,
            text: format!("{committed} commits were acknowledged, {found} found"),
        }));
    }
    acknowledged.committed = found;
    Ok(None)
}
