//! The default ledger: sealed records in one SQLite file.
//!
//! Invariant: [`Ledger::put`] returns after the commit was synced to the disk.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use trust_core::ledger::{Ledger, LedgerError, Record};

/// Version of the file's layout (`PRAGMA user_version`).
pub const FORMAT: u32 = 2;

/// Sealed records in a SQLite file, held exclusively.
pub struct EmbeddedLedger {
    connection: Connection,
}

impl EmbeddedLedger {
    /// Opens or creates the file; `vfs` names a SQLite VFS other than the
    /// operating system's.
    ///
    /// # Errors
    /// [`LedgerError`]; the file is as it was.
    pub fn open(path: &Path, vfs: Option<&str>) -> Result<Self, LedgerError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
            None => Connection::open_with_flags(path, flags),
        }
        .map_err(failure)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failure)?;
        let found: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(failure)?;
        if found > FORMAT {
            return Err(LedgerError::Newer { found, known: FORMAT });
        }
        if found == 1 {
            // Nobody has one: statements had another form before the first release.
            return Err(LedgerError::Storage("it is of a version before the first release".into()));
        }
        if !use_wal(&connection).map_err(failure)? {
            return Err(LedgerError::Storage("it cannot have a write-ahead log".to_owned()));
        }
        connection.pragma_update(None, "synchronous", "FULL").map_err(failure)?;
        if found == 0 {
            create(&connection).map_err(failure)?;
        }
        Ok(Self { connection })
    }

    fn put_all(&self, records: &[Record]) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        for (key, value) in records {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO records (key, value) VALUES (?1, ?2)")?
                .execute((key, value))?;
        }
        transaction.commit()
    }

    fn replace_all(&self, records: &[Record]) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute("DELETE FROM records", [])?;
        for (key, value) in records {
            transaction
                .prepare_cached("INSERT INTO records (key, value) VALUES (?1, ?2)")?
                .execute((key, value))?;
        }
        transaction.commit()
    }

    /// Writes the file anew without what was deleted, and cuts its log to nothing.
    fn wipe(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch("VACUUM")?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn read_all(&self) -> rusqlite::Result<Vec<Record>> {
        self.connection
            .prepare("SELECT key, value FROM records ORDER BY key")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }
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

fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(
        "CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    )?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

impl Ledger for EmbeddedLedger {
    fn put(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        if records.is_empty() {
            return Ok(());
        }
        self.put_all(records).map_err(failure)
    }

    fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        // Before it, too: what cannot be wiped for want of room is not replaced.
        self.wipe().map_err(failure)?;
        self.replace_all(records).map_err(failure)?;
        // It is replaced, whatever comes of this; there was room for it just now.
        let _ = self.wipe();
        Ok(())
    }

    fn all(&self) -> Result<Vec<Record>, LedgerError> {
        self.read_all().map_err(failure)
    }
}

fn failure(error: rusqlite::Error) -> LedgerError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LedgerError::Full,
        Some(_) | None => LedgerError::Storage(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_ledger_conforms_and_keeps_what_it_got() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trust.db");
        let mut ledger = EmbeddedLedger::open(&path, None).expect("new");
        trust_core::ledger::conformance(&mut ledger).expect("conforms");
        drop(ledger);
        let ledger = EmbeddedLedger::open(&path, None).expect("again");
        assert_eq!(ledger.all().expect("reads").len(), 2);
    }

    #[test]
    fn of_what_is_replaced_no_bytes_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut ledger = EmbeddedLedger::open(&folder.path().join("trust.db"), None).expect("new");
        let secret = |number: u8| [number; 40];
        for number in 1..200 {
            ledger.put(&[(vec![number], secret(number).to_vec())]).expect("puts");
        }
        ledger.replace(&[(vec![1], vec![1])]).expect("replaces");
        for file in std::fs::read_dir(folder.path()).expect("a folder") {
            let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
            let is_left = |number: u8| bytes.windows(40).any(|it| it == secret(number));
            assert!(!(1..200).any(is_left));
        }
    }

    #[test]
    fn a_ledger_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trust.db");
        let ledger = EmbeddedLedger::open(&path, None).expect("new");
        ledger.connection.pragma_update(None, "user_version", FORMAT + 1).expect("writes");
        drop(ledger);
        let error = EmbeddedLedger::open(&path, None).err();
        assert_eq!(error, Some(LedgerError::Newer { found: FORMAT + 1, known: FORMAT }));
    }
}
