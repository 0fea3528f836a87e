//! Entries of purged documents go, and what the file still holds of them.
//!
//! SQLite leaves the bytes of deleted rows where they were, in free pages and in the
//! write-ahead log, and those of rows that it moved; so the file is written anew. Until that
//! is done a table of its own, `traces`, says that it is due, whatever happens in between.

use std::collections::BTreeSet;

use node_model::{BlobId, DocumentId, EntryId};
use rusqlite::{Connection, Transaction};
use sync_engine_core::{
    entry::VerifiedEntry,
    store::{Purged, StoreEpoch},
};

use super::{
    SqliteStore, count,
    settle::empty_log,
    write::{Tally, write_head},
};

impl SqliteStore {
    /// `None` when nothing of the documents is here; then nothing has changed.
    pub(super) fn purge_in(
        &self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> rusqlite::Result<Option<(Tally, Purged)>> {
        let transaction = self.connection.unchecked_transaction()?;
        let (mut tally, mut purged) = (self.tally.clone(), Purged::default());
        for document in documents {
            let was_counted = count::is_counted(&transaction, *document)?;
            for (id, bytes) in delete(&transaction, "entries", *document)? {
                tally.entries -= 1;
                tally.digest.remove(id);
                tally.stored_bytes -= bytes.len() as u64;
                note(&mut purged, bytes);
            }
            for (_, bytes) in delete(&transaction, "superseded", *document)? {
                tally.stored_bytes -= bytes.len() as u64;
                note(&mut purged, bytes);
            }
            transaction
                .prepare_cached("DELETE FROM bundles WHERE document = ?1")?
                .execute([document.0])?;
            count::note_purged(&transaction, *document, was_counted, &mut tally.documents)?;
        }
        if self.has_aside {
            delete_aside(&transaction, documents, &mut purged)?;
        }
        if purged.entries == 0 {
            return Ok(None);
        }
        purged.blobs =
            unreferenced(&transaction, &["entries", "superseded", "aside"], purged.blobs)?;
        forget_blobs(&transaction, &purged.blobs)?;
        transaction.execute("DELETE FROM sketch", [])?;
        tally.sketched = 0;
        write_head(&transaction, &tally)?;
        transaction.execute("UPDATE head SET epoch = ?1", [epoch.0])?;
        transaction.execute_batch("CREATE TABLE IF NOT EXISTS traces (one INTEGER) STRICT")?;
        transaction.commit()?;
        Ok(Some((tally, purged)))
    }

    /// Writes the file anew if a purge left traces in it, and empties its log.
    pub(super) fn wipe_traces(&self) -> rusqlite::Result<()> {
        if !has_traces(&self.connection)? {
            return Ok(());
        }
        self.write_anew()?;
        empty_log(&self.connection)?;
        self.connection.execute_batch("DROP TABLE traces")?;
        Ok(())
    }
}

fn has_traces(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'traces'")?
        .exists([])
}

fn delete(
    transaction: &Transaction<'_>,
    table: &str,
    document: DocumentId,
) -> rusqlite::Result<Vec<(EntryId, Vec<u8>)>> {
    let sql = format!("DELETE FROM {table} WHERE document = ?1 RETURNING id, bytes");
    let mut statement = transaction.prepare_cached(&sql)?;
    let rows = statement.query_map([document.0], |row| Ok((EntryId(row.get(0)?), row.get(1)?)))?;
    rows.collect()
}

fn delete_aside(
    transaction: &Transaction<'_>,
    documents: &BTreeSet<DocumentId>,
    purged: &mut Purged,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("SELECT bytes FROM aside")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        let Ok(entry) = VerifiedEntry::from_storage(bytes) else { continue };
        if documents.contains(&entry.header().document) {
            transaction
                .prepare_cached("DELETE FROM aside WHERE id = ?1")?
                .execute([entry.id().0])?;
            note(purged, entry.bytes().to_vec());
        }
    }
    Ok(())
}

fn note(purged: &mut Purged, bytes: Vec<u8>) {
    purged.entries += 1;
    purged.bytes += bytes.len() as u64;
    // What the disk has spoilt names no blobs.
    if let Ok(entry) = VerifiedEntry::from_storage(bytes) {
        purged.blobs.extend(entry.header().blobs.iter().copied());
    }
}

/// Nothing in the set refers to these any more, nor what it stands for.
pub(super) fn forget_blobs(
    transaction: &Transaction<'_>,
    blobs: &BTreeSet<BlobId>,
) -> rusqlite::Result<()> {
    for blob in blobs {
        transaction.prepare_cached("DELETE FROM blobs WHERE id = ?1")?.execute([blob.0])?;
    }
    Ok(())
}

/// Those of `blobs` to which no entry in some tables refers any more. Looks through all
/// entries only while there are some left.
pub(super) fn unreferenced(
    transaction: &Transaction<'_>,
    tables: &[&str],
    mut blobs: BTreeSet<BlobId>,
) -> rusqlite::Result<BTreeSet<BlobId>> {
    for table in tables {
        if blobs.is_empty() {
            break;
        }
        let mut statement = transaction.prepare(&format!("SELECT bytes FROM {table}"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()?.filter(|_| !blobs.is_empty()) {
            let Ok(entry) = VerifiedEntry::from_storage(row.get(0)?) else { continue };
            entry.header().blobs.iter().for_each(|blob| {
                blobs.remove(blob);
            });
        }
    }
    Ok(blobs)
}

#[cfg(test)]
mod tests;
