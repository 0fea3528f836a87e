pub(crate) mod count;
mod purge;
mod settle;
mod sketch;
mod tips;
mod write;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use node_model::{BlobId, DeviceId, DocumentId, EntryId};
use rusqlite::{Connection, OptionalExtension, Row};
use sync_engine_core::{
    digest::SetDigest,
    entry::{EntryKind, VerifiedEntry},
    sketch::{ShortId, Sketch},
    store::{Arrival, Batch, Cursor, EntryStore, Purged, StoreEpoch, StoreError, StoreHead, Tip},
};

use self::write::Tally;
use crate::schema::{failure, open};

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions<'a> {
    /// The SQLite VFS; `None` is the operating system's.
    pub vfs: Option<&'a str>,
    /// The epoch that a new file gets: fresh random bytes.
    pub epoch_if_new: StoreEpoch,
}

/// After so many more entries the sketch is stored again, which takes 64 KiB: without
/// it a start would read all ids. Smaller spaces need none.
const SKETCH_EVERY: u64 = 16_384;

/// A space's entries in a SQLite file, held exclusively.
pub struct SqliteStore {
    connection: Connection,
    epoch: StoreEpoch,
    tally: Tally,
    has_aside: bool,
    /// Made when it is first asked for, and kept from then on.
    sketch: RefCell<Option<Sketch>>,
}

impl SqliteStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// [`StoreError`]; the file is as it was.
    pub fn open(path: &Path, options: OpenOptions<'_>) -> Result<Self, StoreError> {
        let empty = SetDigest::default().to_bytes();
        let connection = open(path, options.vfs, &options.epoch_if_new.0, &empty)?;
        let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let arrivals = one("SELECT arrivals FROM head").map_err(failure)?;
        let documents = one("SELECT documents FROM head").map_err(failure)?;
        let has_aside = one("SELECT EXISTS (SELECT 1 FROM aside)").map_err(failure)? != 0;
        let has_bundles = one("SELECT EXISTS (SELECT 1 FROM bundles)").map_err(failure)? != 0;
        let sketched = one("SELECT place FROM sketch").optional().map_err(failure)?;
        let (epoch, digest, entries, stored_bytes) = connection
            .query_row("SELECT epoch, digest, entries, stored_bytes FROM head", [], |row| {
                let (entries, bytes) = (row.get::<_, i64>(2)?, row.get::<_, i64>(3)?);
                Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Vec<u8>>(1)?, entries, bytes))
            })
            .map_err(failure)?;
        let digest = SetDigest::from_bytes(&digest)
            .ok_or_else(|| StoreError::Damaged("the digest has a wrong length".into()))?;
        let tally = Tally {
            arrivals: arrivals.unsigned_abs(),
            entries: entries.unsigned_abs(),
            stored_bytes: stored_bytes.unsigned_abs(),
            documents: documents.unsigned_abs(),
            digest,
            has_bundles,
            sketched: sketched.unwrap_or_default().unsigned_abs(),
        };
        let epoch = StoreEpoch(epoch);
        let store = Self { connection, epoch, tally, has_aside, sketch: RefCell::default() };
        // Without room it stays for the next time.
        let _ = store.wipe_traces().and_then(|()| store.renew_old_file());
        Ok(store)
    }

    /// Asks SQLite to check the whole file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what is wrong.
    pub fn check(&self) -> Result<(), StoreError> {
        let verdict: String = self
            .connection
            .pragma_query_value(None, "integrity_check", |row| row.get(0))
            .map_err(failure)?;
        if verdict == "ok" { Ok(()) } else { Err(StoreError::Damaged(verdict)) }
    }

    fn read<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failure)?;
        let rows = statement.query_map(params, read).map_err(failure)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failure)
    }

    fn read_one<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failure)?;
        statement.query_row(params, read).optional().map_err(failure)
    }
}

/// SQLite's integers are signed; ours count things and never reach the sign.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl EntryStore for SqliteStore {
    fn head(&self) -> StoreHead {
        let Tally { arrivals, entries, digest, .. } = &self.tally;
        let digest = digest.finish();
        StoreHead { epoch: self.epoch, arrivals: *arrivals, entries: *entries, digest }
    }

    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        let mut all = batches.iter().flat_map(|batch| &batch.entries);
        let has_bundle = all.any(|entry| entry.header().kind == EntryKind::Bundle);
        let count: usize = batches.iter().map(|batch| batch.entries.len()).sum();
        let is_due = self.tally.arrivals + count as u64 >= self.tally.sketched + SKETCH_EVERY;
        // A bundle may take out what is in the stored sketch.
        if is_due || (has_bundle && self.tally.sketched > 0) {
            self.sketch()?;
        }
        let appended = self.append_in(batches).map_err(failure)?;
        self.tally = appended.tally;
        if let Some(sketch) = self.sketch.get_mut() {
            appended.new.iter().for_each(|id| sketch.insert(*id));
            appended.gone.iter().for_each(|id| sketch.remove(*id));
        }
        Ok(appended.new)
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        self.tally = self.set_aside_in(entries, epoch).map_err(failure)?;
        *self.sketch.get_mut() = None;
        self.epoch = epoch;
        self.has_aside = true;
        Ok(())
    }

    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read("SELECT bytes FROM aside ORDER BY id", [], |row| row.get(0))
    }

    fn tips(&self) -> Result<BTreeMap<DeviceId, Tip>, StoreError> {
        let tips = self.read("SELECT author, sequence, id FROM tips", [], |row| {
            let (sequence, id) = (row.get::<_, i64>(1)?.unsigned_abs(), EntryId(row.get(2)?));
            Ok((DeviceId(row.get(0)?), Tip { sequence, id }))
        })?;
        Ok(tips.into_iter().collect())
    }

    fn arrivals(
        &self,
        place: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Arrival>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT place, source, bytes FROM entries WHERE place > ?1 ORDER BY place LIMIT ?2",
            )
            .map_err(failure)?;
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let mut rows = statement.query((signed(place), count_max)).map_err(failure)?;
        let mut page = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(failure)? {
            let arrival = read_arrival(row).map_err(failure)?;
            bytes += arrival.bytes.len();
            page.push(arrival);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(page)
    }

    fn ids(&self, place: u64, count_max: usize) -> Result<Vec<(u64, EntryId)>, StoreError> {
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        self.read(
            "SELECT place, id FROM entries WHERE place > ?1 ORDER BY place LIMIT ?2",
            (signed(place), count_max),
            |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), EntryId(row.get(1)?))),
        )
    }

    fn places(
        &self,
        place: u64,
        count_max: usize,
    ) -> Result<Vec<(u64, EntryId, DocumentId)>, StoreError> {
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        self.read(
            "SELECT place, id, document FROM entries WHERE place > ?1 ORDER BY place LIMIT ?2",
            (signed(place), count_max),
            |row| {
                let (place, id) = (row.get::<_, i64>(0)?.unsigned_abs(), EntryId(row.get(1)?));
                Ok((place, id, DocumentId(row.get(2)?)))
            },
        )
    }

    fn document_ids(&self, document: DocumentId) -> Result<Vec<(u64, EntryId)>, StoreError> {
        self.read(
            "SELECT place, id FROM entries WHERE document = ?1 ORDER BY place",
            [document.0],
            |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), EntryId(row.get(1)?))),
        )
    }

    fn document_bytes(&self, document: DocumentId) -> Result<u64, StoreError> {
        let sums = self.read(
            "SELECT coalesce(sum(length(bytes)), 0) FROM entries WHERE document = ?1",
            [document.0],
            |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()),
        )?;
        Ok(sums.into_iter().sum())
    }

    fn sketch(&self) -> Result<Sketch, StoreError> {
        if let Some(sketch) = self.sketch.borrow().as_ref() {
            return Ok(sketch.clone());
        }
        let sketch = self.load_sketch()?;
        Ok(self.sketch.borrow_mut().insert(sketch).clone())
    }

    fn ids_between(
        &self,
        first: EntryId,
        last: EntryId,
        count_max: usize,
    ) -> Result<Vec<EntryId>, StoreError> {
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        self.read(
            "SELECT id FROM entries WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
            (first.0, last.0, count_max),
            |row| row.get(0).map(EntryId),
        )
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        self.read_one(
            "SELECT place, id FROM entries WHERE id BETWEEN ?1 AND ?2
             UNION ALL SELECT 0, id FROM superseded WHERE id BETWEEN ?1 AND ?2 LIMIT 1",
            (short.first().0, short.last().0),
            |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), EntryId(row.get(1)?))),
        )
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        let found = self.read_one(
            "SELECT 1 FROM entries WHERE id = ?1 UNION ALL SELECT 1 FROM superseded WHERE id = ?1",
            [id.0],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_one(
            "SELECT bytes FROM entries WHERE id = ?1
             UNION ALL SELECT bytes FROM superseded WHERE id = ?1",
            [id.0],
            |row| row.get(0),
        )
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(
            "SELECT bytes FROM entries WHERE document = ?1 ORDER BY place",
            [document.0],
            |row| row.get(0),
        )
    }

    fn superseded(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(
            "SELECT bytes FROM superseded WHERE document = ?1 ORDER BY id",
            [document.0],
            |row| row.get(0),
        )
    }

    fn superseded_documents(
        &self,
        after: Option<DocumentId>,
        count_max: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let after = after.map_or_else(Vec::new, |after| after.0.to_vec());
        self.read(
            "SELECT DISTINCT document FROM superseded WHERE document > ?1
             ORDER BY document LIMIT ?2",
            (after, count_max),
            |row| Ok(DocumentId(row.get(0)?)),
        )
    }

    fn forget_superseded(&mut self, ids: &[EntryId]) -> Result<u64, StoreError> {
        let bytes = self.forget_in(ids).map_err(failure)?;
        self.tally.stored_bytes -= bytes;
        Ok(bytes)
    }

    fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, StoreError> {
        let purged = match self.purge_in(documents, epoch).map_err(failure)? {
            None => Purged::default(),
            Some((tally, purged)) => {
                self.tally = tally;
                *self.sketch.get_mut() = None;
                self.epoch = epoch;
                purged
            }
        };
        let has_traces = self.wipe_traces().is_err();
        Ok(Purged { has_traces, ..purged })
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        self.read("SELECT DISTINCT document FROM entries ORDER BY document", [], |row| {
            Ok(DocumentId(row.get(0)?))
        })
    }

    fn document_count(&self) -> Result<u64, StoreError> {
        Ok(self.tally.documents)
    }

    fn blobs(&self) -> Result<Vec<BlobId>, StoreError> {
        self.read("SELECT id FROM blobs ORDER BY id", [], |row| Ok(BlobId(row.get(0)?)))
    }

    fn tip(&self, author: DeviceId) -> Result<Option<Tip>, StoreError> {
        self.read_one("SELECT sequence, id FROM tips WHERE author = ?1", [author.0], |row| {
            Ok(Tip { sequence: row.get::<_, i64>(0)?.unsigned_abs(), id: EntryId(row.get(1)?) })
        })
    }

    fn cursor(&self, peer: DeviceId) -> Result<Option<Cursor>, StoreError> {
        self.read_one(
            "SELECT epoch, after, has_refused FROM cursors WHERE peer = ?1",
            [peer.0],
            |row| {
                Ok(Cursor {
                    epoch: StoreEpoch(row.get(0)?),
                    after: row.get::<_, i64>(1)?.unsigned_abs(),
                    has_refused: row.get(2)?,
                })
            },
        )
    }

    fn stored_bytes(&self) -> u64 {
        self.tally.stored_bytes
    }

    fn settle(&mut self) -> Result<bool, StoreError> {
        self.settle_in().map_err(failure)
    }
}

fn read_arrival(row: &Row<'_>) -> rusqlite::Result<Arrival> {
    let source: Option<[u8; 32]> = row.get(1)?;
    Ok(Arrival {
        place: row.get::<_, i64>(0)?.unsigned_abs(),
        source: source.map(DeviceId),
        bytes: row.get(2)?,
    })
}
