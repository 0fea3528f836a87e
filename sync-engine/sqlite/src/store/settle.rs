//! Room that nothing needs goes back to the disk.
//!
//! SQLite keeps the pages of deleted rows for later ones, and the write-ahead log as large as
//! it ever was. After a burst of writes, once bundles stand for them, that is nearly all of
//! both.
//!
//! Invariant: each step is a transaction of SQLite's own; rows stay as they are.
//! Non-goal: when; the node waits for calm.

use rusqlite::Connection;

use super::SqliteStore;

/// Pages of 4 KiB that may be free, 512 KiB: soon used again, and little.
const FREE_PAGES: u64 = 128;

/// One free page for so many is no waste either: a large file does not move its pages around
/// for every document that is bundled.
const FREE_SHARE: u64 = 8;

/// Pages that are given back in one step: 1 MiB. The loop waits for it, some milliseconds.
const STEP_PAGES: u64 = 256;

/// A file in use is written anew up to so many pages, 16 MiB: some tenths of a second, once.
const RENEWED_PAGES_MAX: u64 = 4_096;

/// SQLite's number for a file whose free pages can be given back (`PRAGMA auto_vacuum`).
const INCREMENTAL: u64 = 2;

impl SqliteStore {
    /// A step, and whether there is another one to do.
    pub(super) fn settle_in(&self) -> rusqlite::Result<bool> {
        let surplus = self.surplus_pages()?;
        if surplus > 0 && self.number("auto_vacuum")? == INCREMENTAL {
            give_back(&self.connection, surplus.min(STEP_PAGES))?;
            if surplus > STEP_PAGES {
                return Ok(true);
            }
        }
        empty_log(&self.connection)?;
        Ok(false)
    }

    /// Files of earlier versions cannot give pages back until they are written anew. That is
    /// done where it is worth it and takes no time worth mentioning.
    pub(super) fn renew_old_file(&self) -> rusqlite::Result<()> {
        let used = self.number("page_count")? - self.number("freelist_count")?;
        let is_worth_it = used <= RENEWED_PAGES_MAX && self.surplus_pages()? > 0;
        if is_worth_it && self.number("auto_vacuum")? != INCREMENTAL {
            self.write_anew()?;
        }
        Ok(())
    }

    /// Writes the file anew, without free pages, so that it can give back later ones.
    pub(super) fn write_anew(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
    }

    /// Free pages that are more than a file may keep.
    fn surplus_pages(&self) -> rusqlite::Result<u64> {
        let may_keep = FREE_PAGES.max(self.number("page_count")? / FREE_SHARE);
        Ok(self.number("freelist_count")?.saturating_sub(may_keep))
    }

    fn number(&self, pragma: &str) -> rusqlite::Result<u64> {
        let number =
            self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))?;
        Ok(number.unsigned_abs())
    }
}

fn give_back(connection: &Connection, pages: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    // One row for each page.
    while rows.next()?.is_some() {}
    Ok(())
}

/// Moves all that the write-ahead log holds into the file, and cuts it to nothing.
pub(super) fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

#[cfg(test)]
mod tests;
