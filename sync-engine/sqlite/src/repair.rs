//! A new file from what can still be read of an old one.
//!
//! Entries are what counts; all other tables are made anew from them. Places and cursors are
//! not kept: peers compare everything once.
//!
//! Invariants: nothing that does not verify gets into the new file; until that one is whole
//! and synced the old one stays where it is, and afterwards beside it.
//! Non-goal: a file whose first page is gone, which SQLite reads nothing of.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use node_model::DeviceId;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use sync_engine_core::{
    entry::{self, VerifiedEntry},
    store::{Batch, EntryStore, StoreEpoch, StoreError},
};

use crate::{
    OpenOptions, SqliteStore,
    schema::{check_format, failure},
};

/// Entries that are verified and written at a time.
const ENTRIES_AT_ONCE: usize = 512;

/// A row takes as many bytes of the file at least: how far to look where not even their number
/// can be read.
const ROW_BYTES_MIN: u64 = 64;

/// Tables of entries; superseded ones first, so that those in the set come in order after them.
const TABLES: [&str; 2] = ["superseded", "entries"];

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Entries in the new file.
    pub kept: u64,
    /// Rows that could not be read or did not verify. Where a page is damaged nobody knows how
    /// many were in it, so these are at most so many.
    pub lost: u64,
    /// Where the old file is.
    pub old: PathBuf,
}

/// Makes the tables of a space anew from its entries. Nobody else may have the file open.
///
/// # Errors
/// [`StoreError`]; the old file is where it was.
pub fn repair(path: &Path, epoch: StoreEpoch) -> Result<Repaired, StoreError> {
    let fresh = beside(path, ".new");
    remove(&fresh).and_then(|()| remove(&beside(&fresh, "-wal"))).map_err(storage)?;
    let salvaged = {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let old = Connection::open_with_flags(path, flags).map_err(failure)?;
        old.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failure)?;
        check_format(&old)?;
        // The log belongs to the old file only; what is in it must not meet the new one.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let left = old.query_row(checkpoint, [], |row| row.get::<_, i64>(0)).map_err(failure)?;
        if left != 0 {
            return Err(StoreError::Storage("somebody else has the file open".to_owned()));
        }
        let new = SqliteStore::open(&fresh, OpenOptions { vfs: None, epoch_if_new: epoch })?;
        Salvage { old, new, kept: 0, lost: 0 }.run(epoch)?
    };
    let old = free_name(path);
    let moved = || -> io::Result<()> {
        File::open(&fresh)?.sync_all()?;
        remove(&beside(path, "-wal"))?;
        fs::hard_link(path, &old)?;
        // In one step: there is a file at every moment.
        fs::rename(&fresh, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    moved().map_err(storage)?;
    let (kept, lost) = salvaged;
    Ok(Repaired { kept, lost, old })
}

/// A row of a table: its number, where the entry came from, and its bytes.
type Row = (i64, Option<DeviceId>, Vec<u8>);

struct Salvage {
    old: Connection,
    new: SqliteStore,
    kept: u64,
    lost: u64,
}

impl Salvage {
    fn run(mut self, epoch: StoreEpoch) -> Result<(u64, u64), StoreError> {
        for table in TABLES {
            self.each(table, "source", |salvage, rows| salvage.keep(rows).map(drop))?;
        }
        self.each("aside", "NULL", |salvage, rows| {
            let aside = salvage.keep(rows)?;
            salvage.new.set_aside(&aside, epoch)
        })?;
        self.new.check()?;
        Ok((self.kept, self.lost))
    }

    /// Shows all rows of a table that can be read, some at a time, by number.
    fn each(
        &mut self,
        table: &str,
        source: &str,
        mut take: impl FnMut(&mut Self, Vec<Row>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let columns = format!("SELECT rowid, {source}, bytes FROM {table} WHERE rowid");
        let next = format!("{columns} > ?1 ORDER BY rowid LIMIT 1");
        let one = format!("{columns} = ?1");
        let last = self.last(table)?;
        let (mut at, mut rows) = (0, Vec::new());
        loop {
            let row = match read(&self.old, &next, at) {
                Ok(row) => row,
                // Somewhere after `at` a page cannot be read: what follows it can, one by one.
                Err(_) => (at + 1..=last).find_map(|number| {
                    let row = read(&self.old, &one, number);
                    self.lost += u64::from(row.is_err());
                    row.ok().flatten()
                }),
            };
            let Some(row) = row else { break };
            at = row.0;
            rows.push(row);
            if rows.len() == ENTRIES_AT_ONCE {
                take(self, std::mem::take(&mut rows))?;
            }
        }
        if rows.is_empty() { Ok(()) } else { take(self, rows) }
    }

    /// The largest number that a row may have.
    fn last(&self, table: &str) -> Result<i64, StoreError> {
        let number = |sql: &str| self.old.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        if let Ok(last) = number(&format!("SELECT max(rowid) FROM {table}")) {
            return Ok(last.unwrap_or(0));
        }
        if let Ok(Some(arrivals)) = number("SELECT arrivals FROM head") {
            return Ok(arrivals);
        }
        let path = self.old.path().unwrap_or_default();
        let bytes = fs::metadata(path).map_err(storage)?.len();
        Ok(i64::try_from(bytes / ROW_BYTES_MIN).unwrap_or(i64::MAX))
    }

    /// Writes those that verify, and returns them.
    fn keep(&mut self, rows: Vec<Row>) -> Result<Vec<VerifiedEntry>, StoreError> {
        let (sources, bytes): (Vec<_>, Vec<_>) =
            rows.into_iter().map(|(_, source, bytes)| (source, bytes)).unzip();
        let mut batches: Vec<Batch> = Vec::new();
        for (source, read) in sources.into_iter().zip(entry::read_batch(bytes)) {
            let Ok(entry) = read else {
                self.lost += 1;
                continue;
            };
            match batches.last_mut().filter(|batch| batch.source == source) {
                Some(batch) => batch.entries.push(entry),
                None => batches.push(Batch { entries: vec![entry], source, cursor: None }),
            }
        }
        self.new.append(&batches)?;
        let kept: Vec<_> = batches.into_iter().flat_map(|batch| batch.entries).collect();
        self.kept += kept.len() as u64;
        Ok(kept)
    }
}

fn read(old: &Connection, sql: &str, at: i64) -> rusqlite::Result<Option<Row>> {
    let mut statement = old.prepare_cached(sql)?;
    let row = statement.query_row([at], |row| {
        // A source that cannot be read is none that would be asked.
        let source = row.get::<_, Option<[u8; 32]>>(1)?.map(DeviceId);
        Ok((row.get(0)?, source, row.get(2)?))
    });
    row.optional()
}

fn storage(error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::StorageFull {
        StoreError::Full
    } else {
        StoreError::Storage(error.to_string())
    }
}

fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where a damaged file goes that no earlier one has.
fn free_name(path: &Path) -> PathBuf {
    let first = beside(path, ".damaged");
    let more = (2_u32..).map(|number| beside(path, &format!(".damaged-{number}")));
    let mut names = std::iter::once(first.clone()).chain(more);
    names.find(|name| !name.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests;
