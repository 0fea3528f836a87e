use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use node_model::{BlobId, DeviceId, DocumentId, EntryId};
use rusqlite::{Connection, OptionalExtension, Row};
use sync_engine_core::{
    digest::SetDigest,
    entry::VerifiedEntry,
    sketch::{ShortId, Sketch},
    store::{
        Arrival, Batch, Cursor, EntryStore, StoreEpoch, StoreError, StoreHead, Tip, raise_tip,
    },
};

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

/// Ids that are read at once to bring a sketch up to date.
const SKETCH_PAGE: usize = 16_384;

/// A space's entries in a SQLite file, held exclusively.
pub struct SqliteStore {
    connection: Connection,
    epoch: StoreEpoch,
    arrivals: u64,
    stored_bytes: u64,
    digest: SetDigest,
    has_aside: bool,
    /// Made when it is first asked for, and kept from then on.
    sketch: RefCell<Option<Sketch>>,
    /// Up to which place the stored sketch goes.
    sketched: u64,
}

impl SqliteStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// [`StoreError`]; the file is as it was.
    pub fn open(path: &Path, options: OpenOptions<'_>) -> Result<Self, StoreError> {
        let empty = SetDigest::default().to_bytes();
        let connection = open(path, options.vfs, &options.epoch_if_new.0, &empty)?;
        let (epoch, digest, stored_bytes) = connection
            .query_row("SELECT epoch, digest, stored_bytes FROM head", [], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
            })
            .map_err(failure)?;
        let arrivals: i64 = connection
            .query_row("SELECT coalesce(max(place), 0) FROM entries", [], |row| row.get(0))
            .map_err(failure)?;
        let digest = SetDigest::from_bytes(&digest)
            .ok_or_else(|| StoreError::Damaged("the digest has a wrong length".into()))?;
        let epoch = StoreEpoch(epoch);
        let (arrivals, stored_bytes) = (arrivals.unsigned_abs(), stored_bytes.unsigned_abs());
        let has_aside: bool = connection
            .query_row("SELECT EXISTS (SELECT 1 FROM aside)", [], |row| row.get(0))
            .map_err(failure)?;
        let sketched: Option<i64> = connection
            .query_row("SELECT place FROM sketch", [], |row| row.get(0))
            .optional()
            .map_err(failure)?;
        Ok(Self {
            connection,
            epoch,
            arrivals,
            stored_bytes,
            digest,
            has_aside,
            sketch: RefCell::default(),
            sketched: sketched.unwrap_or_default().unsigned_abs(),
        })
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

    fn append_in(&self, batches: &[Batch], tally: &mut Tally) -> rusqlite::Result<Vec<EntryId>> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO entries (place, id, document, source, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO NOTHING",
        )?;
        let mut new = Vec::new();
        let mut tips: BTreeMap<DeviceId, Tip> = BTreeMap::new();
        for batch in batches {
            for entry in &batch.entries {
                let header = entry.header();
                let inserted = insert.execute((
                    signed(tally.arrivals + 1),
                    entry.id().0,
                    header.document.0,
                    batch.source.map(|source| source.0),
                    entry.bytes(),
                ))?;
                if inserted == 1 {
                    tally.arrivals += 1;
                    tally.stored_bytes += entry.bytes().len() as u64;
                    tally.digest.add(entry.id());
                    raise_tip(&mut tips, entry);
                    if tally.has_aside {
                        transaction
                            .prepare_cached("DELETE FROM aside WHERE id = ?1")?
                            .execute([entry.id().0])?;
                    }
                    for blob in &header.blobs {
                        transaction
                            .prepare_cached("INSERT OR IGNORE INTO blobs (id) VALUES (?1)")?
                            .execute([blob.0])?;
                    }
                    new.push(entry.id());
                }
            }
            if let (Some(peer), Some(cursor)) = (batch.source, batch.cursor) {
                write_cursor(&transaction, peer, cursor)?;
            }
        }
        write_tips(&transaction, &tips)?;
        let sketch = self.sketch.borrow();
        let is_due = tally.arrivals >= self.sketched + SKETCH_EVERY;
        if let Some(mut sketch) = sketch.clone().filter(|_| is_due) {
            new.iter().for_each(|id| sketch.insert(*id));
            tally.sketched = tally.arrivals;
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO sketch (one, place, state) VALUES (1, ?1, ?2)",
                )?
                .execute((signed(tally.arrivals), sketch.to_bytes()))?;
        }
        drop(sketch);
        if !new.is_empty() {
            transaction
                .prepare_cached("UPDATE head SET digest = ?1, stored_bytes = ?2")?
                .execute((tally.digest.to_bytes(), signed(tally.stored_bytes)))?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(new)
    }

    fn set_aside_in(
        &self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
        tally: &mut Tally,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut authors = BTreeSet::new();
        for entry in entries {
            let removed = transaction
                .prepare_cached("DELETE FROM entries WHERE id = ?1")?
                .execute([entry.id().0])?;
            if removed == 1 {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO aside (id, bytes) VALUES (?1, ?2)")?
                    .execute((entry.id().0, entry.bytes()))?;
                tally.arrivals -= 1;
                tally.stored_bytes -= entry.bytes().len() as u64;
                tally.digest.remove(entry.id());
                authors.insert(entry.header().author);
            }
        }
        transaction.execute_batch(
            "UPDATE entries SET place = -place;
             UPDATE entries SET place = numbered.place
             FROM (SELECT id, row_number() OVER (ORDER BY place DESC) AS place FROM entries)
             AS numbered WHERE entries.id = numbered.id;",
        )?;
        let mut tips = BTreeMap::new();
        let mut statement = transaction.prepare("SELECT bytes FROM entries")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Ok(entry) = VerifiedEntry::from_storage(row.get(0)?)
                && authors.contains(&entry.header().author)
            {
                raise_tip(&mut tips, &entry);
            }
        }
        drop(rows);
        drop(statement);
        for author in authors {
            transaction.execute("DELETE FROM tips WHERE author = ?1", [author.0])?;
        }
        write_tips(&transaction, &tips)?;
        // Its place means nothing in the new order.
        transaction.execute("DELETE FROM sketch", [])?;
        tally.sketched = 0;
        transaction.execute(
            "UPDATE head SET epoch = ?1, digest = ?2, stored_bytes = ?3",
            (epoch.0, tally.digest.to_bytes(), signed(tally.stored_bytes)),
        )?;
        transaction.commit()
    }

    fn tally(&self) -> Tally {
        Tally {
            arrivals: self.arrivals,
            stored_bytes: self.stored_bytes,
            digest: self.digest.clone(),
            has_aside: self.has_aside,
            sketched: self.sketched,
        }
    }

    fn take_over(&mut self, tally: Tally) {
        self.arrivals = tally.arrivals;
        self.stored_bytes = tally.stored_bytes;
        self.digest = tally.digest;
        self.sketched = tally.sketched;
    }

    /// The stored sketch, with what arrived since.
    fn load_sketch(&self) -> Result<Sketch, StoreError> {
        let stored: Option<(i64, Vec<u8>)> =
            self.read_one("SELECT place, state FROM sketch", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let (mut place, mut sketch) = match stored {
            Some((place, state)) => {
                let wrong = || StoreError::Damaged("the sketch has a wrong length".into());
                (place.unsigned_abs(), Sketch::from_bytes(&state).ok_or_else(wrong)?)
            }
            None => (0, Sketch::default()),
        };
        loop {
            let page = self.ids(place, SKETCH_PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(sketch) };
            place = *last;
            page.into_iter().for_each(|(_, id)| sketch.insert(id));
        }
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

/// What a transaction changes beside rows; taken over once it is committed.
struct Tally {
    arrivals: u64,
    stored_bytes: u64,
    digest: SetDigest,
    has_aside: bool,
    sketched: u64,
}

/// SQLite's integers are signed; ours count things and never reach the sign.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn write_tips(connection: &Connection, tips: &BTreeMap<DeviceId, Tip>) -> rusqlite::Result<()> {
    for (author, tip) in tips {
        connection
            .prepare_cached(
                "INSERT INTO tips (author, sequence, id) VALUES (?1, ?2, ?3)
                 ON CONFLICT (author) DO UPDATE SET sequence = excluded.sequence, id = excluded.id
                 WHERE excluded.sequence > tips.sequence",
            )?
            .execute((author.0, signed(tip.sequence), tip.id.0))?;
    }
    Ok(())
}

fn write_cursor(connection: &Connection, peer: DeviceId, cursor: Cursor) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO cursors (peer, epoch, after, has_refused) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (peer) DO UPDATE SET
             epoch = excluded.epoch, after = excluded.after, has_refused = excluded.has_refused",
        )?
        .execute((peer.0, cursor.epoch.0, signed(cursor.after), cursor.has_refused))
        .map(|_| ())
}

impl EntryStore for SqliteStore {
    fn head(&self) -> StoreHead {
        let digest = self.digest.finish();
        StoreHead { epoch: self.epoch, arrivals: self.arrivals, digest }
    }

    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        let count: usize = batches.iter().map(|batch| batch.entries.len()).sum();
        if self.arrivals + count as u64 >= self.sketched + SKETCH_EVERY {
            self.sketch()?;
        }
        let mut tally = self.tally();
        let new = self.append_in(batches, &mut tally).map_err(failure)?;
        self.take_over(tally);
        if let Some(sketch) = self.sketch.get_mut() {
            new.iter().for_each(|id| sketch.insert(*id));
        }
        Ok(new)
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        let mut tally = self.tally();
        self.set_aside_in(entries, epoch, &mut tally).map_err(failure)?;
        self.take_over(tally);
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

    fn sketch(&self) -> Result<Sketch, StoreError> {
        if let Some(sketch) = self.sketch.borrow().as_ref() {
            return Ok(sketch.clone());
        }
        let sketch = self.load_sketch()?;
        Ok(self.sketch.borrow_mut().insert(sketch).clone())
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        self.read_one(
            "SELECT place, id FROM entries WHERE id BETWEEN ?1 AND ?2 LIMIT 1",
            (short.first().0, short.last().0),
            |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), EntryId(row.get(1)?))),
        )
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        let found = self.read_one("SELECT 1 FROM entries WHERE id = ?1", [id.0], |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_one("SELECT bytes FROM entries WHERE id = ?1", [id.0], |row| row.get(0))
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(
            "SELECT bytes FROM entries WHERE document = ?1 ORDER BY place",
            [document.0],
            |row| row.get(0),
        )
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        self.read("SELECT DISTINCT document FROM entries ORDER BY document", [], |row| {
            Ok(DocumentId(row.get(0)?))
        })
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
        self.stored_bytes
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
