//! The two ways in which a store changes, each one transaction.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DeviceId, DocumentId, EntryId, cbor};
use rusqlite::{Connection, OptionalExtension, Transaction};
use sync_engine_core::{
    digest::SetDigest,
    entry::{
        EntryKind, Header, VerifiedEntry,
        covers::{COVERS_BYTES_MAX, Covers},
    },
    store::{Batch, Cursor, StoreEpoch, Tip, raise_tip},
};

use super::{
    SKETCH_EVERY, SqliteStore, count,
    purge::{forget_blobs, unreferenced},
    signed,
    tips::{tips_of, write_tips},
};

/// What a transaction changes beside rows; taken over once it is committed.
#[derive(Clone)]
pub(super) struct Tally {
    /// Place of the newest entry.
    pub(super) arrivals: u64,
    /// How many are in the set.
    pub(super) entries: u64,
    pub(super) stored_bytes: u64,
    /// How many are not removed.
    pub(super) documents: u64,
    pub(super) digest: SetDigest,
    pub(super) has_bundles: bool,
    /// Up to which place the stored sketch goes.
    pub(super) sketched: u64,
}

/// What came of batches.
pub(super) struct Appended {
    pub(super) tally: Tally,
    /// What is new in the set, in order.
    pub(super) new: Vec<EntryId>,
    /// What bundles took out of it.
    pub(super) gone: Vec<EntryId>,
}

impl SqliteStore {
    pub(super) fn append_in(&self, batches: &[Batch]) -> rusqlite::Result<Appended> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut writing = Writing {
            transaction: &transaction,
            has_aside: self.has_aside,
            appended: Appended { tally: self.tally.clone(), new: vec![], gone: vec![] },
        };
        let mut tips: BTreeMap<DeviceId, Tip> = BTreeMap::new();
        let mut has_changed = false;
        for batch in batches {
            for entry in &batch.entries {
                if writing.is_known(entry.id())? {
                    continue;
                }
                has_changed = true;
                if writing.take_in(entry, batch.source)? {
                    raise_tip(&mut tips, entry);
                }
            }
            if let (Some(peer), Some(cursor)) = (batch.source, batch.cursor) {
                write_cursor(&transaction, peer, cursor)?;
            }
        }
        let mut appended = writing.appended;
        write_tips(&transaction, &tips)?;
        self.write_sketch(&transaction, &mut appended)?;
        if has_changed {
            write_head(&transaction, &appended.tally)?;
        }
        transaction.commit()?;
        Ok(appended)
    }

    fn write_sketch(
        &self,
        transaction: &Transaction<'_>,
        Appended { tally, new, gone }: &mut Appended,
    ) -> rusqlite::Result<()> {
        let is_due = tally.arrivals >= tally.sketched + SKETCH_EVERY;
        let is_wrong = tally.sketched > 0 && !gone.is_empty();
        let sketch = self.sketch.borrow();
        let Some(mut sketch) = sketch.clone().filter(|_| is_due || is_wrong) else {
            return Ok(());
        };
        new.iter().for_each(|id| sketch.insert(*id));
        gone.iter().for_each(|id| sketch.remove(*id));
        tally.sketched = tally.arrivals;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO sketch (one, place, state) VALUES (1, ?1, ?2)")?
            .execute((signed(tally.arrivals), sketch.to_bytes()))?;
        Ok(())
    }

    pub(super) fn set_aside_in(
        &self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> rusqlite::Result<Tally> {
        let transaction = self.connection.unchecked_transaction()?;
        let appended = Appended { tally: self.tally.clone(), new: vec![], gone: vec![] };
        let mut writing = Writing { transaction: &transaction, has_aside: true, appended };
        let mut authors = BTreeSet::new();
        let mut uncovered = BTreeSet::new();
        let mut blobs = BTreeSet::new();
        for entry in entries {
            if !writing.take_out(entry)? {
                continue;
            }
            blobs.extend(entry.header().blobs.iter().copied());
            transaction
                .prepare_cached("INSERT OR IGNORE INTO aside (id, bytes) VALUES (?1, ?2)")?
                .execute((entry.id().0, entry.bytes()))?;
            writing.appended.tally.stored_bytes -= entry.bytes().len() as u64;
            let header = entry.header();
            authors.insert(header.author);
            if header.kind == EntryKind::Bundle {
                transaction
                    .prepare_cached(
                        "DELETE FROM bundles WHERE document = ?1 AND author = ?2 AND id = ?3",
                    )?
                    .execute((header.document.0, header.author.0, entry.id().0))?;
                uncovered.insert(header.document);
            }
        }
        for document in uncovered {
            writing.bring_back(document)?;
        }
        let mut tally = writing.appended.tally;
        forget_blobs(
            &transaction,
            &unreferenced(&transaction, &["entries", "superseded"], blobs)?,
        )?;
        renumber(&transaction)?;
        tally.arrivals = tally.entries;
        for author in &authors {
            transaction.execute("DELETE FROM tips WHERE author = ?1", [author.0])?;
        }
        write_tips(&transaction, &tips_of(&transaction, &authors)?)?;
        // Its place means nothing in the new order.
        transaction.execute("DELETE FROM sketch", [])?;
        tally.sketched = 0;
        write_head(&transaction, &tally)?;
        transaction.execute("UPDATE head SET epoch = ?1", [epoch.0])?;
        transaction.commit()?;
        Ok(tally)
    }

    /// Returns how many bytes are gone. Their pages are used again.
    pub(super) fn forget_in(&self, ids: &[EntryId]) -> rusqlite::Result<u64> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut bytes = 0;
        for id in ids {
            let gone: Option<i64> = transaction
                .prepare_cached("DELETE FROM superseded WHERE id = ?1 RETURNING length(bytes)")?
                .query_row([id.0], |row| row.get(0))
                .optional()?;
            bytes += gone.unwrap_or_default().unsigned_abs();
        }
        let tally = Tally { stored_bytes: self.tally.stored_bytes - bytes, ..self.tally.clone() };
        write_head(&transaction, &tally)?;
        transaction.commit()?;
        Ok(bytes)
    }
}

struct Writing<'a> {
    transaction: &'a Transaction<'a>,
    has_aside: bool,
    appended: Appended,
}

impl Writing<'_> {
    fn is_known(&self, id: EntryId) -> rusqlite::Result<bool> {
        let sql = if self.appended.tally.has_bundles {
            "SELECT 1 FROM entries WHERE id = ?1 UNION ALL SELECT 1 FROM superseded WHERE id = ?1"
        } else {
            "SELECT 1 FROM entries WHERE id = ?1"
        };
        self.transaction.prepare_cached(sql)?.exists([id.0])
    }

    /// Keeps an entry that is not known, and says whether it is new in the set.
    fn take_in(
        &mut self,
        entry: &VerifiedEntry,
        source: Option<DeviceId>,
    ) -> rusqlite::Result<bool> {
        let header = entry.header();
        self.appended.tally.stored_bytes += entry.bytes().len() as u64;
        if self.has_aside {
            self.transaction
                .prepare_cached("DELETE FROM aside WHERE id = ?1")?
                .execute([entry.id().0])?;
        }
        for blob in &header.blobs {
            self.transaction
                .prepare_cached("INSERT OR IGNORE INTO blobs (id) VALUES (?1)")?
                .execute([blob.0])?;
        }
        if header.kind == EntryKind::Bundle {
            self.note_bundle(entry)?;
        }
        let is_new = !self.is_superseded(header)?;
        if is_new {
            self.put_in(entry, source)?;
            self.appended.new.push(entry.id());
        } else {
            self.put_by(entry, source)?;
        }
        Ok(is_new)
    }

    fn put_in(&mut self, entry: &VerifiedEntry, source: Option<DeviceId>) -> rusqlite::Result<()> {
        let was_counted = count::is_counted(self.transaction, entry.header().document)?;
        let tally = &mut self.appended.tally;
        tally.arrivals += 1;
        tally.entries += 1;
        tally.digest.add(entry.id());
        self.transaction
            .prepare_cached(
                "INSERT INTO entries (place, id, document, source, bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                signed(tally.arrivals),
                entry.id().0,
                entry.header().document.0,
                source.map(|source| source.0),
                entry.bytes(),
            ))?;
        count::note_new(self.transaction, entry, was_counted, &mut tally.documents)
    }

    fn put_by(&self, entry: &VerifiedEntry, source: Option<DeviceId>) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "INSERT INTO superseded (id, document, source, bytes) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((
                entry.id().0,
                entry.header().document.0,
                source.map(|source| source.0),
                entry.bytes(),
            ))
            .map(|_| ())
    }

    /// Takes an entry out of the set, and says whether it was in it.
    fn take_out(&mut self, entry: &VerifiedEntry) -> rusqlite::Result<bool> {
        let was_counted = count::is_counted(self.transaction, entry.header().document)?;
        let removed = self
            .transaction
            .prepare_cached("DELETE FROM entries WHERE id = ?1")?
            .execute([entry.id().0])?;
        if removed == 1 {
            let tally = &mut self.appended.tally;
            tally.entries -= 1;
            tally.digest.remove(entry.id());
            count::note_gone(self.transaction, entry, was_counted, &mut tally.documents)?;
        }
        Ok(removed == 1)
    }

    fn note_bundle(&mut self, bundle: &VerifiedEntry) -> rusqlite::Result<()> {
        let header = bundle.header();
        self.appended.tally.has_bundles = true;
        self.transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO bundles (document, author, id, sequence, covers)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                header.document.0,
                header.author.0,
                bundle.id().0,
                signed(header.sequence),
                cbor::encode(&header.covers),
            ))?;
        for (entry, source) in self.rows("entries", header.document)? {
            if bundle.covers(entry.header()) && self.take_out(&entry)? {
                self.put_by(&entry, source)?;
                self.appended.gone.push(entry.id());
            }
        }
        Ok(())
    }

    fn is_superseded(&self, header: &Header) -> rusqlite::Result<bool> {
        if !self.appended.tally.has_bundles {
            return Ok(false);
        }
        let mut statement = self.transaction.prepare_cached(
            "SELECT covers FROM bundles WHERE document = ?1 AND author = ?2 AND sequence > ?3",
        )?;
        let mut rows =
            statement.query((header.document.0, header.author.0, signed(header.sequence)))?;
        while let Some(row) = rows.next()? {
            let covers: Option<Covers> =
                cbor::decode(row.get_ref(0)?.as_blob()?, COVERS_BYTES_MAX).ok();
            if covers.is_some_and(|covers| covers.contain(header.run, header.sequence)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What no bundle stands for any more goes back into the set.
    fn bring_back(&mut self, document: DocumentId) -> rusqlite::Result<()> {
        for (entry, source) in self.rows("superseded", document)? {
            if !self.is_superseded(entry.header())? {
                self.transaction
                    .prepare_cached("DELETE FROM superseded WHERE id = ?1")?
                    .execute([entry.id().0])?;
                self.put_in(&entry, source)?;
            }
        }
        Ok(())
    }

    fn rows(
        &self,
        table: &str,
        document: DocumentId,
    ) -> rusqlite::Result<Vec<(VerifiedEntry, Option<DeviceId>)>> {
        let mut statement = self.transaction.prepare_cached(&format!(
            "SELECT bytes, source FROM {table} WHERE document = ?1 ORDER BY rowid"
        ))?;
        let mut rows = statement.query([document.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            // What the disk has spoilt is reported by whoever reads it.
            if let Ok(entry) = VerifiedEntry::from_storage(row.get(0)?) {
                found.push((entry, row.get::<_, Option<[u8; 32]>>(1)?.map(DeviceId)));
            }
        }
        Ok(found)
    }
}

/// Numbers the places anew, in the same order, without gaps.
fn renumber(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "UPDATE entries SET place = -place;
         UPDATE entries SET place = numbered.place
         FROM (SELECT id, row_number() OVER (ORDER BY place DESC) AS place FROM entries)
         AS numbered WHERE entries.id = numbered.id;",
    )
}

pub(super) fn write_head(connection: &Connection, tally: &Tally) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE head SET digest = ?1, arrivals = ?2, entries = ?3, stored_bytes = ?4,
             documents = ?5",
        )?
        .execute((
            tally.digest.to_bytes(),
            signed(tally.arrivals),
            signed(tally.entries),
            signed(tally.stored_bytes),
            signed(tally.documents),
        ))
        .map(|_| ())
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
