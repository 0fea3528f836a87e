//! Opening and versions of the file.

use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use sync_engine_core::store::StoreError;

use crate::store::count;

/// Version of the file's layout (`PRAGMA user_version`).
pub const FORMAT: u32 = 5;

/// The oldest layout that is read. Before it entries were of another form, which nobody
/// reads any more; no release wrote it.
pub(crate) const OLDEST: u32 = 4;

/// Marks the file as ours (`PRAGMA application_id`): "KITH".
const APPLICATION_ID: u32 = 0x4b49_5448;

/// SQLite before this one can lose a committed WAL when two connections reset it
/// (sqlite.org/wal.html#walresetbug).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// After so many pages of 4 KiB the write-ahead log is emptied: some hundred single writes, and
/// half of what SQLite would let it grow to.
const LOG_PAGES: u32 = 500;

/// To so many bytes the write-ahead log is cut when it starts over: these pages with their
/// headers. A bundle of a large document makes it longer, once.
const LOG_BYTES_MAX: u32 = 2 * 1024 * 1024;

const CREATE: &str = "
CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    document BLOB NOT NULL,
    source BLOB,
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX entries_by_document ON entries (document);
CREATE TABLE blobs (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE tips (author BLOB PRIMARY KEY, sequence INTEGER NOT NULL, id BLOB NOT NULL)
    STRICT, WITHOUT ROWID;
CREATE TABLE cursors (
    peer BLOB PRIMARY KEY,
    epoch BLOB NOT NULL,
    after INTEGER NOT NULL,
    has_refused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch BLOB NOT NULL,
    digest BLOB NOT NULL,
    arrivals INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    documents INTEGER NOT NULL
) STRICT;
CREATE TABLE aside (id BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE sketch (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    place INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT;
CREATE TABLE bundles (
    document BLOB NOT NULL,
    author BLOB NOT NULL,
    id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    covers BLOB NOT NULL,
    PRIMARY KEY (document, author, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE superseded (
    id BLOB PRIMARY KEY,
    document BLOB NOT NULL,
    source BLOB,
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX superseded_by_document ON superseded (document);
";

/// The tombstones in the set: how many documents there are is kept (`head.documents`) without
/// those that are removed.
const CREATE_TOMBSTONES: &str = "
CREATE TABLE tombstones (document BLOB NOT NULL, id BLOB NOT NULL, PRIMARY KEY (document, id))
    STRICT, WITHOUT ROWID;
";

pub(crate) fn open(
    path: &Path,
    vfs: Option<&str>,
    epoch: &[u8],
    digest: &[u8],
) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(StoreError::Storage(format!(
            "SQLite {} has a known defect; at least 3.51.3 is needed",
            rusqlite::version()
        )));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    }
    .map_err(failure)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failure)?;
    let found = check_format(&connection)?;
    if found == 0 {
        // Before anything is written: later it takes writing the file anew.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failure)?;
    }
    if !use_wal(&connection).map_err(failure)? {
        return Err(StoreError::Storage("it cannot have a write-ahead log".to_owned()));
    }
    #[cfg(feature = "planted-bugs")]
    let level = if node_model::planted::active(node_model::planted::Bug::SkippedFsync) {
        "OFF"
    } else {
        "FULL"
    };
    #[cfg(not(feature = "planted-bugs"))]
    let level = "FULL";
    connection.pragma_update(None, "synchronous", level).map_err(failure)?;
    // Pages of 4 KiB: 4 MiB of cache, so that many spaces stay small.
    connection.pragma_update(None, "cache_size", -4096).map_err(failure)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(failure)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX).map_err(failure)?;
    connection.set_prepared_statement_cache_capacity(32);
    if found == 0 {
        create(&connection, epoch, digest).map_err(failure)?;
    } else if found < FORMAT {
        upgrade(&connection).map_err(failure)?;
    }
    Ok(connection)
}

/// The version of the file's layout, if it is one that we read; 0 of a new file.
pub(crate) fn check_format(connection: &Connection) -> Result<u32, StoreError> {
    let found: u32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failure)?;
    if found > FORMAT {
        return Err(StoreError::Newer { found, known: FORMAT });
    }
    if (1..OLDEST).contains(&found) {
        return Err(StoreError::Older { found, oldest: OLDEST });
    }
    Ok(found)
}

/// Switches to a write-ahead log, and says whether it is one now. SQLite commits
/// the switch after the row that names the new mode: that row alone proves nothing.
fn use_wal(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare("PRAGMA journal_mode=WAL")?;
    let mut rows = statement.query([])?;
    let mut is_wal = false;
    while let Some(row) = rows.next()? {
        is_wal = row.get::<_, String>(0)? == "wal";
    }
    Ok(is_wal)
}

fn create(connection: &Connection, epoch: &[u8], digest: &[u8]) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(CREATE)?;
    transaction.execute_batch(CREATE_TOMBSTONES)?;
    transaction.execute(
        "INSERT INTO head (one, epoch, digest, arrivals, entries, stored_bytes, documents)
         VALUES (1, ?1, ?2, 0, 0, 0, 0)",
        (epoch, digest),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// From format 4, which did not keep how many documents there are: all of it, or nothing.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(CREATE_TOMBSTONES)?;
    transaction
        .execute_batch("ALTER TABLE head ADD COLUMN documents INTEGER NOT NULL DEFAULT 0")?;
    count::begin(&transaction)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Tells a full disk and a damaged file from everything else.
pub(crate) fn failure(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged(error.to_string())
        }
        Some(_) | None => StoreError::Storage(error.to_string()),
    }
}
