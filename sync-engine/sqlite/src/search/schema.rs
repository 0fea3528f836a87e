//! The database in memory: its tables and its limits.

use rusqlite::{Connection, MAIN_DB, OpenFlags, functions::FunctionFlags};
use sync_engine_core::text::BODY_BYTES_MAX;

use super::{INDEX_BYTES_MAX, SearchError};

/// SQLite's default, which the images that we load were made with.
const PAGE_BYTES: usize = 4096;

/// An index of the first two letters halves the time for them (50 to 25 ms among
/// 10,000 documents) for a tenth of the memory; one of three gains too little.
/// The texts themselves are compressed, and read through `unpacked` for snippets
/// and for taking a document out.
const CREATE: &str = "
CREATE TABLE spaces (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, stamp BLOB) STRICT;
CREATE TABLE documents (
    row INTEGER PRIMARY KEY,
    space INTEGER NOT NULL,
    document BLOB NOT NULL,
    version BLOB NOT NULL,
    title TEXT NOT NULL,
    body_bytes INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (space, document)
) STRICT;
CREATE VIEW texts AS SELECT row, title, unpacked(body, body_bytes) AS body FROM documents;
CREATE VIRTUAL TABLE search USING fts5(
    title, body, content='texts', content_rowid='row',
    tokenize='unicode61 remove_diacritics 2', prefix='2'
);
";

/// An empty index.
pub(super) fn create() -> Result<Connection, SearchError> {
    let connection = in_memory()?;
    configure(&connection)?;
    connection.execute_batch(CREATE)?;
    Ok(connection)
}

/// The index that was serialised like this.
pub(super) fn load(image: &super::file::Image) -> Result<Connection, SearchError> {
    let mut connection = in_memory()?;
    connection.deserialize_read_exact(MAIN_DB, image.reader()?, image.bytes(), false)?;
    configure(&connection)?;
    // Reads the schema of every table, so that what does not fit shows now.
    let one = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    connection.query_row("SELECT count(stamp) FROM spaces", [], one)?;
    connection.query_row("SELECT count(*) FROM documents", [], one)?;
    connection.query_row("SELECT count(*) FROM search WHERE search MATCH '\"kith\"'", [], one)?;
    Ok(connection)
}

/// A database of SQLite's own memory file system: unlike `:memory:` it is one
/// piece of memory, which is serialised without a copy.
fn in_memory() -> Result<Connection, SearchError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    Ok(Connection::open_with_flags_and_vfs("search", flags, "memdb")?)
}

fn configure(connection: &Connection) -> Result<(), SearchError> {
    // Neither sorting nor rolling back may write plain text to a disk.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    // What was taken out does not stay in free pages.
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    let pages_max = (INDEX_BYTES_MAX / PAGE_BYTES) as i64;
    connection.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(32);
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("unpacked", 2, flags, |context| {
        let packed = context.get_raw(0).as_blob()?;
        let bytes: u32 = context.get(1)?;
        let user = |error| rusqlite::Error::UserFunctionError(Box::new(error));
        let body =
            zstd::bulk::decompress(packed, BODY_BYTES_MAX.min(bytes as usize)).map_err(user)?;
        String::from_utf8(body).map_err(|error| rusqlite::Error::UserFunctionError(error.into()))
    })?;
    Ok(())
}

/// Returns memory once more than half of it is free.
pub(super) fn give_back(connection: &Connection) -> Result<(), SearchError> {
    let free: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if free > pages / 2 {
        connection.execute_batch("VACUUM")?;
    }
    Ok(())
}

pub(super) fn size_bytes(connection: &Connection) -> Result<u64, SearchError> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    Ok(pages.unsigned_abs() * PAGE_BYTES as u64)
}
