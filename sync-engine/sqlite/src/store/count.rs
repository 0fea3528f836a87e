//! How many documents there are that are not removed, kept as entries come and go.
//!
//! Invariant: a document counts while it has entries in the set, and no tombstone among them.
//! Non-goal: what a document is; whoever asks how many there are reads none of them.

use node_model::DocumentId;
use rusqlite::Connection;
use sync_engine_core::entry::{EntryKind, VerifiedEntry};

/// Whether a document counts.
pub(super) fn is_counted(connection: &Connection, document: DocumentId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM entries WHERE document = ?1)
             AND NOT EXISTS (SELECT 1 FROM tombstones WHERE document = ?1)",
        )?
        .query_row([document.0], |row| row.get(0))
}

/// An entry came into the set. `was_counted` is what [`is_counted`] said before that.
pub(super) fn note_new(
    connection: &Connection,
    entry: &VerifiedEntry,
    was_counted: bool,
    documents: &mut u64,
) -> rusqlite::Result<()> {
    let header = entry.header();
    match header.kind {
        EntryKind::Change | EntryKind::Bundle if was_counted => return Ok(()),
        EntryKind::Change | EntryKind::Bundle => {}
        EntryKind::Tombstone => note_tombstone(connection, entry)?,
    }
    count_again(connection, header.document, was_counted, documents)
}

/// An entry went out of the set.
pub(super) fn note_gone(
    connection: &Connection,
    entry: &VerifiedEntry,
    was_counted: bool,
    documents: &mut u64,
) -> rusqlite::Result<()> {
    let document = entry.header().document;
    if entry.header().kind == EntryKind::Tombstone {
        connection
            .prepare_cached("DELETE FROM tombstones WHERE document = ?1 AND id = ?2")?
            .execute((document.0, entry.id().0))?;
    }
    count_again(connection, document, was_counted, documents)
}

/// All entries of a document went out of the set.
pub(super) fn note_purged(
    connection: &Connection,
    document: DocumentId,
    was_counted: bool,
    documents: &mut u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM tombstones WHERE document = ?1")?
        .execute([document.0])?;
    count_again(connection, document, was_counted, documents)
}

/// Brings a file up to date that did not keep the count: looks at all entries once.
pub(crate) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT bytes FROM entries")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // What the disk has spoilt is reported by whoever reads it.
        if let Ok(entry) = VerifiedEntry::from_storage(row.get(0)?)
            && entry.header().kind == EntryKind::Tombstone
        {
            note_tombstone(connection, &entry)?;
        }
    }
    connection
        .execute(
            "UPDATE head SET documents = (SELECT count(*) FROM
             (SELECT document FROM entries EXCEPT SELECT document FROM tombstones))",
            [],
        )
        .map(|_| ())
}

fn note_tombstone(connection: &Connection, tombstone: &VerifiedEntry) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO tombstones (document, id) VALUES (?1, ?2)")?
        .execute((tombstone.header().document.0, tombstone.id().0))
        .map(|_| ())
}

fn count_again(
    connection: &Connection,
    document: DocumentId,
    was_counted: bool,
    documents: &mut u64,
) -> rusqlite::Result<()> {
    match (was_counted, is_counted(connection, document)?) {
        (false, true) => *documents += 1,
        // A count that the disk has spoilt is no reason to stop.
        (true, false) => *documents = documents.saturating_sub(1),
        (true, true) | (false, false) => {}
    }
    Ok(())
}
