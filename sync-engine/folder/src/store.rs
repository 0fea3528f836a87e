//! The entries of a space in a folder, as one device sees them.
//!
//! Each device's files are a log of what it did: it appended entries, or set some aside. A view
//! is this device's own log, then the entries of the others, by writer and number. So its order
//! is its own, and so are sources, cursors and what is set aside; of the files of others only
//! the entries count. A view of a folder in which others write begins with another epoch
//! whenever a file came or went.
//!
//! Invariant: what [`FolderStore::append_all`] accepted is in a file that is synced to the disk
//! under its name. An entry comes out verified, whoever wrote the file that it was in.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use node_model::{BlobId, DeviceId, DocumentId, EntryId, SpaceId};
use sync_engine_core::{
    entry::{ENTRY_BYTES_MAX, EntryKind, VerifiedEntry},
    sketch::{ShortId, Sketch},
    store::{
        Arrival, Batch, Cursor, EntryStore, Purged, StoreEpoch, StoreError, StoreHead, Tip,
        raise_tip,
    },
};

use crate::{
    error::FolderError,
    file::{self, ENTRIES_PER_FILE_MAX, FileError, Head, RECORDS_PER_FILE_MAX, ReadHead, Record},
    place::{Kind, PassedOver, SpacePlace},
    view::View,
};

/// Most bytes of entries that are appended at once; one entry more still fits.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most entries that are looked at in a folder, as many as an earlier pack may cover: some
/// 600 MB of memory.
const ENTRIES_MAX: usize = 4_000_000;

/// A file of entries whose head was read.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) path: PathBuf,
    pub(crate) read: ReadHead,
}

/// A space in a folder.
pub struct FolderStore {
    pub(crate) place: SpacePlace,
    pub(crate) device: DeviceId,
    /// Of our own log.
    pub(crate) epoch: StoreEpoch,
    pub(crate) files: Vec<StoredFile>,
    pub(crate) view: View,
    passed_over: Vec<PassedOver>,
    /// Whether files of entries were passed over.
    has_gaps: bool,
}

impl FolderStore {
    /// Looks through the folder, without changing it; reads what stands before the entries of
    /// each file. `epoch_if_new` is for a device that has written nothing there: fresh random
    /// bytes.
    ///
    /// # Errors
    /// [`FolderError::Io`] when the folder cannot be read. What is wrong with single files is
    /// in [`Self::passed_over`].
    pub fn open(
        folder: &Path,
        space: SpaceId,
        device: DeviceId,
        epoch_if_new: StoreEpoch,
    ) -> Result<Self, FolderError> {
        let mut store = Self {
            place: SpacePlace::new(folder, space),
            device,
            epoch: epoch_if_new,
            files: Vec::new(),
            view: View::default(),
            passed_over: Vec::new(),
            has_gaps: false,
        };
        let mut writers = store.place.writers(&mut store.passed_over)?;
        writers.sort_by_key(|writer| (*writer != device, *writer));
        let mut entries = 0;
        for writer in writers {
            for (number, kind) in store.place.files(writer, &mut store.passed_over)? {
                if kind == Kind::Entries {
                    store.take_in(writer, number, &mut entries);
                }
            }
        }
        let own = store.files.iter().rfind(|file| file.read.head.writer == device);
        store.epoch = own.map_or(epoch_if_new, |file| file.read.head.epoch);
        store.look_anew();
        Ok(store)
    }

    fn take_in(&mut self, writer: DeviceId, number: u64, entries: &mut usize) {
        let path = self.place.file(writer, number, Kind::Entries);
        match file::read_head(&path, (self.place.space(), writer, number)) {
            Ok(read) if *entries + read.head.entries().count() <= ENTRIES_MAX => {
                *entries += read.head.entries().count();
                self.files.push(StoredFile { path, read });
            }
            Ok(_) => self.leave_out(&path, format!("there are more than {ENTRIES_MAX} entries")),
            Err(error) => self.leave_out(&path, error),
        }
    }

    pub(crate) fn leave_out(&mut self, path: &Path, why: impl std::fmt::Display) {
        self.has_gaps = true;
        self.place.pass_over(&mut self.passed_over, path, why);
    }

    /// Makes the view from the files.
    pub(crate) fn look_anew(&mut self) {
        let mut view = View::default();
        for (at, file) in self.files.iter().enumerate() {
            view.take_in(at, &file.read, self.device);
        }
        view.epoch = self.epoch;
        let is_alone = self.files.iter().all(|file| file.read.head.writer == self.device);
        if !is_alone || self.has_gaps {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.epoch.0);
            self.files.iter().for_each(|file| {
                hasher.update(&file.read.hash);
            });
            hasher.finalize_xof().fill(&mut view.epoch.0);
        }
        self.view = view;
        self.look_at_bundles();
    }

    /// Finds what bundles stand for. Without bundles no entry needs to be read.
    fn look_at_bundles(&mut self) {
        let here = |id: &EntryId| self.view.at.contains_key(id);
        let read = |id: &EntryId| self.verified(*id).ok().flatten();
        let bundles: Vec<VerifiedEntry> =
            self.view.bundles.iter().filter(|id| here(id)).filter_map(read).collect();
        let mut superseded = BTreeSet::new();
        if !bundles.is_empty() {
            // What cannot be read stays in the set, and whoever asks for it is told why.
            let all = self.view.places.iter().filter_map(|(id, _)| read(id));
            let covered =
                all.filter(|entry| bundles.iter().any(|bundle| bundle.covers(entry.header())));
            superseded.extend(covered.map(|entry| entry.id()));
        }
        self.view.supersede(superseded);
    }

    /// What was in the folder and was not used, and why. Next time it is looked at again.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Appends batches, in one file; durable when it returns. Returns the ids that were new, in
    /// order.
    ///
    /// # Errors
    /// [`FolderError`]; none of the batches was kept.
    pub fn append_all(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, FolderError> {
        let (mut new, mut seen) = (Vec::new(), BTreeSet::new());
        let (mut records, mut bodies) = (Vec::new(), Vec::new());
        for Batch { entries, source, cursor } in batches {
            let cursor = source.and(*cursor);
            let is_new = |entry: &&VerifiedEntry| {
                !self.view.at.contains_key(&entry.id()) && seen.insert(entry.id())
            };
            let (mut ids, mut lengths, mut bundles) = (Vec::new(), Vec::new(), Vec::new());
            for entry in entries.iter().filter(is_new) {
                ids.push(entry.id());
                if entry.header().kind == EntryKind::Bundle {
                    bundles.push(entry.id());
                }
                lengths.push(u32::try_from(entry.bytes().len()).expect("entries are bounded"));
                bodies.extend_from_slice(entry.bytes());
            }
            if !ids.is_empty() || cursor.is_some() {
                let source = *source;
                let bundles = file::join(&bundles);
                let ids = file::join(&ids);
                records.push(Record::Entries { source, cursor, ids, lengths, bundles });
            }
            new.extend(ids);
        }
        let is_possible = bodies.len() <= BATCH_BYTES_MAX + ENTRY_BYTES_MAX
            && new.len() <= ENTRIES_PER_FILE_MAX
            && records.len() <= RECORDS_PER_FILE_MAX;
        if !is_possible {
            return Err(FolderError::TooLarge);
        }
        if !records.is_empty() {
            self.write(self.epoch, records, &bodies)?;
            self.view.take_in(
                self.files.len() - 1,
                &self.files[self.files.len() - 1].read,
                self.device,
            );
            self.merge();
            if !self.view.bundles.is_empty() {
                self.look_at_bundles();
                new.retain(|id| !self.view.superseded.contains(id));
            }
        }
        Ok(new)
    }

    /// Writes a file of our own; the view does not know it yet.
    pub(crate) fn write(
        &mut self,
        epoch: StoreEpoch,
        records: Vec<Record>,
        bodies: &[u8],
    ) -> Result<(), FolderError> {
        let (space, writer) = (self.place.space(), self.device);
        let number = self.place.next_number(writer)?;
        let head = Head { space, writer, number, epoch, records };
        self.place.write(writer, number, &head.encode(bodies))?;
        let path = self.place.file(writer, number, Kind::Entries);
        match file::read_head(&path, (space, writer, number)) {
            Ok(read) => self.files.push(StoredFile { path, read }),
            Err(FileError::Io(error)) => return Err(error.into()),
            Err(
                FileError::Stranger | FileError::Newer | FileError::Misnamed | FileError::Damaged,
            ) => return Err(FolderError::Damaged(path)),
        }
        Ok(())
    }

    /// An entry, verified.
    ///
    /// # Errors
    /// [`FolderError`]; also when its file was changed or replaced since we looked.
    pub fn verified(&self, id: EntryId) -> Result<Option<VerifiedEntry>, FolderError> {
        let Some(located) = self.view.located.get(&id) else { return Ok(None) };
        let path = &self.files[located.file].path;
        match file::entry(path, (located.offset, located.len), id) {
            Ok(entry) => Ok(Some(entry)),
            Err(FileError::Io(error)) => Err(error.into()),
            Err(
                FileError::Stranger | FileError::Newer | FileError::Misnamed | FileError::Damaged,
            ) => Err(FolderError::Damaged(path.clone())),
        }
    }

    fn all(&self) -> impl Iterator<Item = Result<VerifiedEntry, StoreError>> {
        self.view.after(0).map(|(_, (id, _))| self.at_its_place(*id))
    }

    fn at_its_place(&self, id: EntryId) -> Result<VerifiedEntry, StoreError> {
        let missing = || StoreError::Damaged(format!("{id} has no place in the folder"));
        self.verified(id)?.ok_or_else(missing)
    }
}

impl EntryStore for FolderStore {
    fn head(&self) -> StoreHead {
        let View { epoch, places, superseded, digest, .. } = &self.view;
        StoreHead {
            epoch: *epoch,
            arrivals: places.len() as u64,
            entries: (places.len() - superseded.len()) as u64,
            digest: digest.finish(),
        }
    }

    fn append(&mut self, batches: &[Batch]) -> Result<Vec<EntryId>, StoreError> {
        Ok(self.append_all(batches)?)
    }

    fn arrivals(
        &self,
        place: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Arrival>, StoreError> {
        let mut bytes = 0;
        let mut page = Vec::new();
        for (place, (id, source)) in self.view.after(place).take(count_max) {
            let entry = self.at_its_place(*id)?;
            bytes += entry.bytes().len();
            page.push(Arrival { place, source: *source, bytes: entry.bytes().to_vec() });
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(page)
    }

    fn ids(&self, place: u64, count_max: usize) -> Result<Vec<(u64, EntryId)>, StoreError> {
        let after = self.view.after(place).take(count_max);
        Ok(after.map(|(place, (id, _))| (place, *id)).collect())
    }

    fn sketch(&self) -> Result<Sketch, StoreError> {
        Ok(self.view.after(0).map(|(_, (id, _))| *id).collect())
    }

    fn ids_between(
        &self,
        first: EntryId,
        last: EntryId,
        count_max: usize,
    ) -> Result<Vec<EntryId>, StoreError> {
        let ids = self.view.at.range(first..=last).map(|(id, _)| *id);
        Ok(ids.filter(|id| !self.view.superseded.contains(id)).take(count_max).collect())
    }

    fn find(&self, short: ShortId) -> Result<Option<(u64, EntryId)>, StoreError> {
        let mut found = self.view.at.range(short.first()..=short.last());
        Ok(found.next().map(|(id, at)| {
            let place = if self.view.superseded.contains(id) { 0 } else { *at as u64 + 1 };
            (place, *id)
        }))
    }

    fn contains(&self, id: EntryId) -> Result<bool, StoreError> {
        Ok(self.view.at.contains_key(&id))
    }

    fn entry(&self, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.view.at.contains_key(&id) {
            return Ok(None);
        }
        Ok(Some(self.at_its_place(id)?.bytes().to_vec()))
    }

    fn document(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut own = Vec::new();
        for entry in self.all() {
            let entry = entry?;
            if entry.header().document == document {
                own.push(entry.bytes().to_vec());
            }
        }
        Ok(own)
    }

    fn superseded(&self, document: DocumentId) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut own = Vec::new();
        for id in &self.view.superseded {
            let entry = self.at_its_place(*id)?;
            if entry.header().document == document {
                own.push(entry.bytes().to_vec());
            }
        }
        Ok(own)
    }

    fn superseded_documents(
        &self,
        after: Option<DocumentId>,
        count_max: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let mut later = BTreeSet::new();
        for id in &self.view.superseded {
            later.insert(self.at_its_place(*id)?.header().document);
        }
        Ok(later.into_iter().filter(|id| Some(*id) > after).take(count_max).collect())
    }

    /// Files stay: somebody who shares the folder may not have read the bundle yet.
    fn forget_superseded(&mut self, _: &[EntryId]) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn purge(
        &mut self,
        documents: &BTreeSet<DocumentId>,
        epoch: StoreEpoch,
    ) -> Result<Purged, StoreError> {
        Ok(self.purge_all(documents, epoch)?)
    }

    fn documents(&self) -> Result<Vec<DocumentId>, StoreError> {
        let all = self.all().map(|entry| Ok(entry?.header().document));
        Ok(all.collect::<Result<BTreeSet<_>, StoreError>>()?.into_iter().collect())
    }

    fn blobs(&self) -> Result<Vec<BlobId>, StoreError> {
        let mut all = BTreeSet::new();
        for (id, _) in &self.view.places {
            all.extend(self.at_its_place(*id)?.header().blobs.iter().copied());
        }
        Ok(all.into_iter().collect())
    }

    fn set_aside(
        &mut self,
        entries: &[VerifiedEntry],
        epoch: StoreEpoch,
    ) -> Result<(), StoreError> {
        let ids: BTreeSet<EntryId> = entries
            .iter()
            .map(VerifiedEntry::id)
            .filter(|id| self.view.at.contains_key(id))
            .collect();
        if ids.len() > ENTRIES_PER_FILE_MAX {
            return Err(FolderError::TooLarge.into());
        }
        let joined = file::join(&ids.iter().copied().collect::<Vec<_>>());
        self.write(epoch, vec![Record::Aside { ids: joined }], &[])?;
        self.view.set_aside(&ids);
        self.look_at_bundles();
        (self.epoch, self.view.epoch) = (epoch, epoch);
        Ok(())
    }

    fn aside(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let here = self.view.aside.iter().filter(|id| self.view.located.contains_key(id));
        here.map(|id| Ok(self.at_its_place(*id)?.bytes().to_vec())).collect()
    }

    fn tips(&self) -> Result<BTreeMap<DeviceId, Tip>, StoreError> {
        let mut tips = BTreeMap::new();
        for entry in self.all() {
            raise_tip(&mut tips, &entry?);
        }
        Ok(tips)
    }

    fn tip(&self, author: DeviceId) -> Result<Option<Tip>, StoreError> {
        Ok(self.tips()?.get(&author).copied())
    }

    fn cursor(&self, peer: DeviceId) -> Result<Option<Cursor>, StoreError> {
        Ok(self.view.cursors.get(&peer).copied())
    }

    fn stored_bytes(&self) -> u64 {
        self.view.bytes
    }
}
