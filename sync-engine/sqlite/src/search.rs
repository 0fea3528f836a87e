//! A full-text index of a node's documents: SQLite's FTS5, in memory, kept on
//! disk as one sealed file.
//!
//! Invariants: nothing readable reaches the disk, not even as a temporary file;
//! whatever a query or the file holds, an answer or a clear error comes out; a
//! search sees only the spaces that it is given.
//! Non-goals: deciding who may see which space; noticing what changed (the caller
//! compares stamps and versions); surviving damage. The index is derived, and a
//! file that does not open is as good as none.
//!
//! Words are folded by FTS5's `unicode61` without diacritics: "Müller" is found
//! by "muller", not by "mueller". Scripts without spaces between words are not
//! parted: such a run of characters is found by its beginning.

mod file;
mod query;
mod read;
mod schema;
mod snippet;
mod write;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use node_model::{DocumentId, SpaceId, seal::SealKey};
use rusqlite::{Connection, ErrorCode, MAIN_DB};
use sync_engine_core::text::Searchable;
use zstd::bulk::Compressor;

pub use self::{query::QUERY_BYTES_MAX, query::WORDS_MAX, read::Found, read::Hit, read::Query};

/// Version of the index: its schema, its tokenizer, and what
/// [`Searchable::of`] takes out of a document. A file of another version is not
/// read, and everything is indexed again.
pub const FORMAT: u32 = 1;

/// Most bytes of the index in memory. A document with 4 KB of text takes about
/// 7 KB, so these are some 70,000; SQLite itself stops at twice as much.
pub const INDEX_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Longest stamp or version: a store's head has 56 bytes, a digest 32.
pub const STAMP_BYTES_MAX: usize = 256;

/// Stands before a matched word in a snippet. No indexed text holds it.
pub const MARK_START: char = '\u{2}';

/// Stands after a matched word in a snippet. No indexed text holds it.
pub const MARK_END: char = '\u{3}';

/// How many results a search returns: 10, unless asked for 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(usize);

impl Limit {
    /// The most: what one page of an answer holds.
    pub const MAX: Self = Self(100);

    /// This many, or the nearest number that is allowed.
    #[must_use]
    pub fn new(results: usize) -> Self {
        Self(results.clamp(1, Self::MAX.0))
    }

    /// As a number.
    #[must_use]
    pub fn count(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(10)
    }
}

/// How an index was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// With what was saved.
    Loaded,
    /// Empty: everything is to be indexed again.
    Fresh(FreshBecause),
}

/// Why an index is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshBecause {
    /// There is no file, or none is wanted.
    Absent,
    /// Another version of Kith wrote it.
    OtherFormat,
    /// It cannot be read, was changed, or belongs to another key.
    Damaged,
}

/// Why an index could not do it.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The query has nothing to look for.
    #[error("name at least one word to search for; words after - are left out")]
    NoWords,
    /// The query is longer than [`QUERY_BYTES_MAX`].
    #[error("the search is longer than {QUERY_BYTES_MAX} bytes; use fewer words")]
    TooLong,
    /// The query has more than [`WORDS_MAX`] words.
    #[error("the search has more than {WORDS_MAX} words; use fewer")]
    TooManyWords,
    /// A stamp or version is longer than [`STAMP_BYTES_MAX`]. Nothing was changed.
    #[error("a stamp is longer than {STAMP_BYTES_MAX} bytes")]
    StampTooLong,
    /// No room within [`INDEX_BYTES_MAX`]. Nothing was changed.
    #[error("the search index is full; documents that are not in it yet are not found")]
    Full,
    /// SQLite failed; changes were not made. Whoever opens the index without its
    /// file starts again.
    #[error("the search index failed: {0}; it is made anew at the next start")]
    Index(rusqlite::Error),
    /// The file could not be written; the one before is still there.
    #[error("the search index could not be saved: {0}")]
    Save(#[from] std::io::Error),
}

impl From<rusqlite::Error> for SearchError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => Self::Full,
            Some(_) | None => Self::Index(error),
        }
    }
}

/// One change of the index.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Adds a document or replaces it.
    Put {
        /// Its space.
        space: SpaceId,
        /// Which document.
        document: DocumentId,
        /// What of it was indexed, such as its heads; see [`SearchIndex::versions`].
        version: &'a [u8],
        /// Its words.
        text: &'a Searchable,
    },
    /// Takes a document out, if it is there.
    Remove {
        /// Its space.
        space: SpaceId,
        /// Which document.
        document: DocumentId,
    },
    /// Takes a space out, with its documents and its stamp.
    RemoveSpace(SpaceId),
    /// Notes which state of the space's store the index reflects.
    Stamp {
        /// The space.
        space: SpaceId,
        /// The state, such as the store's head.
        stamp: &'a [u8],
    },
}

/// The index of a node.
pub struct SearchIndex {
    connection: Connection,
    compressor: Compressor<'static>,
    kept: Option<(PathBuf, SealKey)>,
    is_changed: bool,
    /// What was removed is not searched any more, but its words are still there.
    has_removed: bool,
}

impl SearchIndex {
    /// Opens what [`save`](Self::save) wrote, or an empty index: when the file is
    /// absent, damaged, of another version, or sealed with another key, and when
    /// there is no path, in which case saving does nothing.
    ///
    /// # Errors
    /// [`SearchError::Index`] when SQLite cannot make a database in memory.
    pub fn open(path: Option<&Path>, key: &SealKey) -> Result<(Self, Opened), SearchError> {
        let key = key.derive("kith 2026-11 search index", &[]);
        let loaded = match path {
            Some(path) => file::read(path, &key)
                .and_then(|image| schema::load(&image).map_err(|_| FreshBecause::Damaged)),
            None => Err(FreshBecause::Absent),
        };
        let (connection, opened) = match loaded {
            Ok(connection) => (connection, Opened::Loaded),
            Err(because) => (schema::create()?, Opened::Fresh(because)),
        };
        let compressor = Compressor::new(write::COMPRESSION_LEVEL)?;
        let kept = path.map(|path| (path.to_owned(), key));
        Ok((Self { connection, compressor, kept, is_changed: false, has_removed: false }, opened))
    }

    /// Makes all changes, in order, or none. Many at once cost less: a few
    /// hundred documents are a good number.
    ///
    /// # Errors
    /// [`SearchError::StampTooLong`], [`SearchError::Full`], [`SearchError::Index`].
    pub fn apply(&mut self, changes: &[Change<'_>]) -> Result<(), SearchError> {
        self.has_removed |= write::apply(&mut self.connection, &mut self.compressor, changes)?;
        self.is_changed |= !changes.is_empty();
        Ok(())
    }

    /// Which state of a space's store the index reflects; `None` before the first
    /// stamp.
    ///
    /// # Errors
    /// [`SearchError::Index`].
    pub fn stamp(&self, space: SpaceId) -> Result<Option<Vec<u8>>, SearchError> {
        read::stamp(&self.connection, space)
    }

    /// The spaces of which something is here.
    ///
    /// # Errors
    /// [`SearchError::Index`].
    pub fn spaces(&self) -> Result<Vec<SpaceId>, SearchError> {
        read::spaces(&self.connection)
    }

    /// The documents of a space that are here, with the version that was indexed.
    ///
    /// # Errors
    /// [`SearchError::Index`].
    pub fn versions(&self, space: SpaceId) -> Result<BTreeMap<DocumentId, Vec<u8>>, SearchError> {
        read::versions(&self.connection, space)
    }

    /// The best results, best first. `deadline` says when to stop; it is asked at
    /// each match, and what was found by then is returned.
    ///
    /// A query is words, all of which must occur; `"words in quotes"` in this
    /// order; `-word` or `-"words"` must not occur; the last word may go on.
    ///
    /// # Errors
    /// [`SearchError::NoWords`], [`SearchError::TooLong`],
    /// [`SearchError::TooManyWords`], [`SearchError::Index`].
    pub fn search(
        &self,
        query: &Query<'_>,
        deadline: &mut dyn FnMut() -> bool,
    ) -> Result<Found, SearchError> {
        read::search(&self.connection, query, deadline)
    }

    /// Writes the index to its file, if it has changed; of what was removed nothing is left
    /// there. Durable when it returns.
    ///
    /// # Errors
    /// [`SearchError::Save`] and [`SearchError::Index`]; what was saved before is
    /// still there.
    pub fn save(&mut self) -> Result<(), SearchError> {
        let Some((path, key)) = self.kept.as_ref().filter(|_| self.is_changed) else {
            return Ok(());
        };
        if self.has_removed {
            write::wipe(&self.connection)?;
            self.has_removed = false;
        }
        schema::give_back(&self.connection)?;
        let image = self.connection.serialize(MAIN_DB)?;
        file::write(path, key, &image)?;
        self.is_changed = false;
        Ok(())
    }

    /// Bytes that the index takes in memory.
    ///
    /// # Errors
    /// [`SearchError::Index`].
    pub fn size_bytes(&self) -> Result<u64, SearchError> {
        schema::size_bytes(&self.connection)
    }
}

#[cfg(test)]
mod tests;
