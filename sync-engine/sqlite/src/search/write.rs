//! Changes of the index.

use std::borrow::Cow;

use node_model::{DocumentId, SpaceId};
use rusqlite::{Connection, OptionalExtension};
use sync_engine_core::text::{BODY_BYTES_MAX, Searchable, TITLE_BYTES_MAX};
use zstd::bulk::Compressor;

use super::{Change, MARK_END, MARK_START, STAMP_BYTES_MAX, SearchError};

/// Of the texts: halves a page of prose, at 300 MB a second.
pub(super) const COMPRESSION_LEVEL: i32 = 1;

/// What FTS5 is told to take out must be what was put in, to the byte.
const TAKE_OUT: &str = "INSERT INTO search (search, rowid, title, body)
    SELECT 'delete', row, title, body FROM texts WHERE row = ?1";

/// Makes all changes, or none. Says whether something was removed, whose words are still here.
pub(super) fn apply(
    connection: &mut Connection,
    compressor: &mut Compressor<'static>,
    changes: &[Change<'_>],
) -> Result<bool, SearchError> {
    let transaction = connection.transaction()?;
    let mut is_any_gone = false;
    for change in changes {
        match change {
            Change::Put { space, document, version, text } => {
                check_length(version)?;
                let number = number_of(&transaction, *space)?;
                let text = Text::of(text);
                put(&transaction, compressor, (number, *document), version, &text)?;
            }
            Change::Remove { space, document } => {
                is_any_gone |= remove(&transaction, *space, *document)?;
            }
            Change::RemoveSpace(space) => is_any_gone |= remove_space(&transaction, *space)?,
            Change::Stamp { space, stamp } => {
                check_length(stamp)?;
                let number = number_of(&transaction, *space)?;
                transaction
                    .prepare_cached("UPDATE spaces SET stamp = ?2 WHERE number = ?1")?
                    .execute((number, stamp))?;
            }
        }
    }
    transaction.commit()?;
    Ok(is_any_gone)
}

/// Takes out the words of what was removed: until then they stay, marked as gone.
pub(super) fn wipe(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("INSERT INTO search (search) VALUES ('optimize')", []).map(drop)
}

fn check_length(stamp: &[u8]) -> Result<(), SearchError> {
    if stamp.len() > STAMP_BYTES_MAX { Err(SearchError::StampTooLong) } else { Ok(()) }
}

/// A text within its bounds and without our marks.
struct Text<'a> {
    title: Cow<'a, str>,
    body: Cow<'a, str>,
}

impl<'a> Text<'a> {
    fn of(text: &'a Searchable) -> Self {
        Self { title: clean(&text.title, TITLE_BYTES_MAX), body: clean(&text.body, BODY_BYTES_MAX) }
    }
}

fn clean(text: &str, bytes_max: usize) -> Cow<'_, str> {
    let text = &text[..text.floor_char_boundary(bytes_max)];
    let marks = [MARK_START, MARK_END];
    if text.contains(marks) { text.replace(marks, " ").into() } else { text.into() }
}

fn number_of(connection: &Connection, space: SpaceId) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO spaces (id) VALUES (?1) ON CONFLICT (id) DO NOTHING")?
        .execute([space.0])?;
    connection
        .prepare_cached("SELECT number FROM spaces WHERE id = ?1")?
        .query_row([space.0], |row| row.get(0))
}

fn put(
    connection: &Connection,
    compressor: &mut Compressor<'static>,
    (number, document): (i64, DocumentId),
    version: &[u8],
    text: &Text<'_>,
) -> Result<(), SearchError> {
    let old: Option<(i64, bool)> = connection
        .prepare_cached(
            "SELECT row, title = ?3 AND body = ?4 FROM texts
             WHERE row = (SELECT row FROM documents WHERE space = ?1 AND document = ?2)",
        )?
        .query_row((number, document.0, &*text.title, &*text.body), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((row, true)) = old {
        connection
            .prepare_cached("UPDATE documents SET version = ?2 WHERE row = ?1")?
            .execute((row, version))?;
        return Ok(());
    }
    if let Some((row, _)) = old {
        take_out(connection, row)?;
    }
    let body_bytes = text.body.len() as i64;
    let packed = compressor.compress(text.body.as_bytes())?;
    connection
        .prepare_cached(
            "INSERT INTO documents (space, document, version, title, body_bytes, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((number, document.0, version, &*text.title, body_bytes, packed))?;
    connection
        .prepare_cached("INSERT INTO search (rowid, title, body) VALUES (?1, ?2, ?3)")?
        .execute((connection.last_insert_rowid(), &*text.title, &*text.body))?;
    Ok(())
}

fn take_out(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    connection.prepare_cached(TAKE_OUT)?.execute([row])?;
    connection.prepare_cached("DELETE FROM documents WHERE row = ?1")?.execute([row])?;
    Ok(())
}

/// Says whether it was there.
fn remove(connection: &Connection, space: SpaceId, document: DocumentId) -> rusqlite::Result<bool> {
    let row: Option<i64> = connection
        .prepare_cached(
            "SELECT row FROM documents
             WHERE space = (SELECT number FROM spaces WHERE id = ?1) AND document = ?2",
        )?
        .query_row((space.0, document.0), |row| row.get(0))
        .optional()?;
    row.map_or(Ok(false), |row| take_out(connection, row).map(|()| true))
}

/// Says whether it was there.
fn remove_space(connection: &Connection, space: SpaceId) -> rusqlite::Result<bool> {
    let rows: Vec<i64> = connection
        .prepare_cached(
            "SELECT row FROM documents WHERE space = (SELECT number FROM spaces WHERE id = ?1)",
        )?
        .query_map([space.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    rows.into_iter().try_for_each(|row| take_out(connection, row))?;
    let gone = connection.prepare_cached("DELETE FROM spaces WHERE id = ?1")?.execute([space.0])?;
    Ok(gone > 0)
}
