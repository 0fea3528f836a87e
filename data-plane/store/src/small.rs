//! Small blobs, many to a file: one SQLite database with an index in memory.
//!
//! A transaction for hundreds of blobs costs one sync; iroh-blobs pays for each
//! with an actor, a hash tree and files. SQLite reads and writes blobs of this
//! size faster than a file system does (<https://sqlite.org/fasterthanfs.html>).

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use node_model::BlobId;
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use crate::BlobError;

/// Largest blob that is kept here, in bytes.
pub(crate) const SMALL_BYTES_MAX: u64 = 100 * 1024;

/// Bytes that may wait for a commit; beyond it one is made.
const PENDING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Version of the database's layout (`PRAGMA user_version`).
const FORMAT: u32 = 1;

/// The small blobs of a store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Small {
    shared: Arc<Shared>,
}

struct Shared {
    index: Mutex<Index>,
    /// Reading goes on while the other connection waits for the disk.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

#[derive(Default)]
struct Index {
    /// Lengths of what is durable.
    held: BTreeMap<BlobId, u64>,
    pending: BTreeMap<BlobId, Bytes>,
    pending_bytes: usize,
    /// Whether some are being written now: neither pending nor held.
    is_writing: bool,
}

impl Small {
    pub(crate) fn open(path: &Path) -> Result<Self, BlobError> {
        let writer = connect(path)?;
        let reader = connect(path)?;
        let held = read_index(&reader)?;
        let index = Mutex::new(Index { held, ..Index::default() });
        let (reader, writer) = (Mutex::new(reader), Mutex::new(writer));
        Ok(Self { shared: Arc::new(Shared { index, reader, writer }) })
    }

    /// Takes a blob; held only after a commit.
    pub(crate) async fn add(&self, blob: BlobId, bytes: Bytes) -> Result<(), BlobError> {
        let is_full = {
            let mut index = lock(&self.shared.index);
            if index.held.contains_key(&blob) {
                return Ok(());
            }
            let len = bytes.len();
            if index.pending.insert(blob, bytes).is_none() {
                index.pending_bytes += len;
            }
            index.pending_bytes > PENDING_BYTES_MAX
        };
        if is_full { self.commit().await } else { Ok(()) }
    }

    /// Makes everything that was added durable, also what somebody else is writing. After an
    /// error it has to be added again.
    pub(crate) async fn commit(&self) -> Result<(), BlobError> {
        let is_done = {
            let index = lock(&self.shared.index);
            index.pending.is_empty() && !index.is_writing
        };
        if is_done {
            return Ok(());
        }
        self.blocking(|shared| {
            let mut writer = lock(&shared.writer);
            let pending = {
                let mut index = lock(&shared.index);
                index.pending_bytes = 0;
                index.is_writing = !index.pending.is_empty();
                std::mem::take(&mut index.pending)
            };
            let written = if pending.is_empty() { Ok(()) } else { write(&mut writer, &pending) };
            let mut index = lock(&shared.index);
            index.is_writing = false;
            if written.is_ok() {
                let lengths = pending.iter().map(|(blob, bytes)| (*blob, bytes.len() as u64));
                index.held.extend(lengths);
            }
            written
        })
        .await
    }

    /// The length of a blob that is durable here.
    pub(crate) fn size(&self, blob: BlobId) -> Option<u64> {
        lock(&self.shared.index).held.get(&blob).copied()
    }

    pub(crate) fn list(&self) -> Vec<(BlobId, u64)> {
        let index = lock(&self.shared.index);
        index.held.iter().map(|(blob, size)| (*blob, *size)).collect()
    }

    /// All bytes of a blob.
    pub(crate) async fn read(&self, blob: BlobId) -> Result<Vec<u8>, BlobError> {
        self.blocking(move |shared| {
            let reader = lock(&shared.reader);
            let mut statement = reader
                .prepare_cached("SELECT bytes FROM blobs WHERE id = ?1")
                .map_err(|error| failure(&error))?;
            let found = statement.query_row([blob.0], |row| row.get(0)).optional();
            found.map_err(|error| failure(&error))?.ok_or(BlobError::NotHere)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let shared = self.shared.clone();
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.map_err(|_| BlobError::Closed)?
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> Result<Connection, BlobError> {
    let connection = Connection::open(path).map_err(|error| failure(&error))?;
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|error| failure(&error))?;
    if found > FORMAT {
        return Err(BlobError::Newer { found, known: FORMAT });
    }
    let is_wal = prepare(&connection, found == 0).map_err(|error| failure(&error))?;
    if !is_wal {
        return Err(BlobError::Io("the blob database has no write-ahead log".to_owned()));
    }
    Ok(connection)
}

/// Prepares a connection, and says whether it has a write-ahead log: SQLite
/// commits the switch after the row that names the new mode, so all rows are read.
fn prepare(connection: &Connection, is_new: bool) -> rusqlite::Result<bool> {
    if is_new {
        connection.pragma_update(None, "page_size", 8_192)?;
    }
    let mut is_wal = false;
    connection.pragma(None, "journal_mode", "WAL", |row| {
        is_wal = row.get::<_, String>(0)? == "wal";
        Ok(())
    })?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -4_096)?;
    if is_new {
        connection.execute_batch(
            "BEGIN;
             CREATE TABLE IF NOT EXISTS blobs (id BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
             COMMIT;",
        )?;
        connection.pragma_update(None, "user_version", FORMAT)?;
    }
    Ok(is_wal)
}

fn read_index(connection: &Connection) -> Result<BTreeMap<BlobId, u64>, BlobError> {
    let read = || {
        let mut statement = connection.prepare("SELECT id, length(bytes) FROM blobs")?;
        let rows = statement.query_map([], |row| {
            let len: u32 = row.get(1)?;
            Ok((BlobId(row.get(0)?), u64::from(len)))
        })?;
        rows.collect::<rusqlite::Result<_>>()
    };
    read().map_err(|error| failure(&error))
}

fn write(writer: &mut Connection, pending: &BTreeMap<BlobId, Bytes>) -> Result<(), BlobError> {
    let mut write = || {
        let transaction = writer.transaction()?;
        let mut insert = transaction
            .prepare_cached("INSERT OR IGNORE INTO blobs (id, bytes) VALUES (?1, ?2)")?;
        for (blob, bytes) in pending {
            insert.execute((blob.0, &bytes[..]))?;
        }
        drop(insert);
        transaction.commit()
    };
    write().map_err(|error| failure(&error))
}

fn failure(error: &rusqlite::Error) -> BlobError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BlobError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => BlobError::Damaged,
        Some(_) | None => BlobError::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is said once.
    const SIGNALS_MAX: usize = 1;

    #[tokio::test]
    async fn what_somebody_else_is_writing_is_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let small = Small::open(&folder.path().join("small.db")).expect("opens");
        let blob = BlobId([7; 32]);
        lock(&small.shared.index).is_writing = true;
        let (begun, has_begun) = std::sync::mpsc::sync_channel(SIGNALS_MAX);
        let (end, is_to_end) = std::sync::mpsc::sync_channel::<()>(SIGNALS_MAX);
        let writer = small.clone();
        let other = std::thread::spawn(move || {
            let _writer = lock(&writer.shared.writer);
            begun.send(()).expect("somebody waits");
            is_to_end.recv().expect("somebody says so");
            let mut index = lock(&writer.shared.index);
            index.held.insert(blob, 1);
            index.is_writing = false;
        });
        has_begun.recv().expect("it begins");
        let committed = async {
            small.commit().await.expect("commits");
            small.size(blob)
        };
        let finish = async { end.send(()).expect("it is there") };
        // In this order: whoever does not wait has looked already.
        let (size, ()) = tokio::join!(biased; committed, finish);
        assert_eq!(size, Some(1));
        other.join().expect("does not panic");
    }
}
