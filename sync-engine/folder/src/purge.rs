//! Entries of purged documents out of a folder.
//!
//! Our own files are written anew without them, the oldest that holds one and all after it, so
//! that the order of our log stays. The files of others stay as they are: each device changes
//! its own only. What they still hold is set aside for this device, so that nothing brings it
//! back here.
//!
//! Invariant: an old file is removed only after the new ones are durable.
//! Non-goal: wiping what the medium keeps of files that were removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use node_model::{BlobId, DocumentId, EntryId};
use sync_engine_core::store::{EntryStore, Purged, StoreEpoch};

use crate::{
    error::FolderError,
    file::{self, ENTRIES_PER_FILE_MAX, Record},
    store::{FolderStore, StoredFile},
};

/// What an entry that goes is counted by.
struct Gone {
    len: u64,
    blobs: Vec<BlobId>,
    /// Whether it has a place, or is set aside with one before.
    is_counted: bool,
}

impl FolderStore {
    pub(crate) fn purge_all(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, FolderError> {
        let gone = self.entries_of(documents);
        let of_ours = |file: &StoredFile| file.read.head.writer == self.device;
        let own: Vec<StoredFile> = self.files.iter().filter(|it| of_ours(it)).cloned().collect();
        let holds =
            |file: &StoredFile| file.read.head.entries().any(|(id, _)| gone.contains_key(&id));
        let first = own.iter().position(holds).unwrap_or(own.len());
        let others = self.files.iter().filter(|it| !of_ours(it));
        let elsewhere: BTreeSet<EntryId> = others
            .flat_map(|file| file.read.head.entries())
            .map(|(id, _)| id)
            .filter(|id| gone.contains_key(id) && !self.view.aside.contains(id))
            .collect();
        if first == own.len() && elsewhere.is_empty() {
            return Ok(Purged::default());
        }
        for old in &own[first..] {
            let (records, bodies) = without(old, &gone)?;
            self.write(epoch, records, &bodies)?;
        }
        for some in elsewhere.iter().copied().collect::<Vec<_>>().chunks(ENTRIES_PER_FILE_MAX) {
            self.write(epoch, vec![Record::Aside { ids: file::join(some) }], &[])?;
        }
        for old in &own[first..] {
            fs::remove_file(&old.path)?;
            self.files.retain(|kept| kept.path != old.path);
        }
        self.epoch = epoch;
        self.look_anew();
        let mut purged = Purged::default();
        for entry in gone.into_values().filter(|entry| entry.is_counted) {
            purged.entries += 1;
            purged.bytes += entry.len;
            purged.blobs.extend(entry.blobs);
        }
        let kept = self.blobs().unwrap_or_default();
        purged.blobs.retain(|blob| kept.binary_search(blob).is_err());
        Ok(purged)
    }

    /// The entries of documents, wherever they are. What cannot be read is passed over: of it
    /// nobody knows what it is.
    fn entries_of(&self, documents: &BTreeSet<DocumentId>) -> BTreeMap<EntryId, Gone> {
        let mut found = BTreeMap::new();
        for id in self.view.located.keys() {
            let Ok(Some(entry)) = self.verified(*id) else { continue };
            let header = entry.header();
            if documents.contains(&header.document) {
                let is_counted = self.view.at.contains_key(id) || self.is_ours(*id);
                let (len, blobs) = (entry.bytes().len() as u64, header.blobs.clone());
                found.insert(*id, Gone { len, blobs, is_counted });
            }
        }
        found
    }

    fn is_ours(&self, id: EntryId) -> bool {
        let file = self.view.located.get(&id).and_then(|located| self.files.get(located.file));
        file.is_some_and(|file| file.read.head.writer == self.device)
    }
}

/// What one of our files says, without some entries.
fn without(
    old: &StoredFile,
    gone: &BTreeMap<EntryId, Gone>,
) -> Result<(Vec<Record>, Vec<u8>), FolderError> {
    let StoredFile { path, read } = old;
    let damaged = |_| FolderError::Damaged(path.clone());
    file::check(path, read).map_err(damaged)?;
    let all = file::bodies(path, read).map_err(damaged)?;
    let stays = |id: &EntryId| !gone.contains_key(id);
    let (mut rest, mut bodies, mut kept_records) = (all.as_slice(), Vec::new(), Vec::new());
    for record in &read.head.records {
        match record {
            Record::Entries { source, cursor, ids, lengths, bundles } => {
                let (mut kept, mut kept_lengths) = (Vec::new(), Vec::new());
                for (id, len) in file::split(ids).zip(lengths.iter().copied()) {
                    let (body, after) = rest.split_at(len as usize);
                    rest = after;
                    if stays(&id) {
                        kept.push(id);
                        kept_lengths.push(len);
                        bodies.extend_from_slice(body);
                    }
                }
                let bundles: Vec<EntryId> = file::split(bundles).filter(&stays).collect();
                kept_records.push(Record::Entries {
                    source: *source,
                    cursor: *cursor,
                    ids: file::join(&kept),
                    lengths: kept_lengths,
                    bundles: file::join(&bundles),
                });
            }
            Record::Aside { ids } => kept_records.push(Record::Aside { ids: ids.clone() }),
        }
    }
    Ok((kept_records, bodies))
}
