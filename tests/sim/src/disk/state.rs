//! A disk behind its lock: the directory, the files, the faults and the boot in which it runs.
//!
//! Invariants: a handle of an earlier boot changes nothing and learns nothing; every draw of
//! randomness depends only on the seed and on the calls so far.
//!
//! Directory entries are not ordered. A creation becomes durable when the file is synced, a
//! deletion when the directory is; a power cut decides for each other entry by itself. As SQLite's
//! own VFS for Unix does, the first sync of a new journal or WAL syncs its directory too: without
//! that, the journal deleted before could come back and undo everything since.

use std::collections::BTreeMap;
use std::mem;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::crash::settle;
use super::faults::{FaultCounts, Faults};
use super::file::{File, Lock, Pending};
use super::image::DiskImage;
use super::vfs::Berth;
use super::{below, chance};

/// Why a call of SQLite fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The power was cut since the handle was opened, or is cut by this operation.
    Dead,
    CannotOpen,
    NoSuchFile,
    ShortRead,
    Write,
    Sync,
    Full,
    Busy,
}

/// How to open a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    pub(super) create: bool,
    /// A journal of any kind, whose creation counts as soon as it is synced.
    pub(super) is_journal: bool,
}

/// An open file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    boot: u64,
    file: u64,
    id: u64,
}

#[derive(Debug)]
pub(super) struct State {
    files: BTreeMap<u64, File>,
    /// The directory as the running system sees it.
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    ids_used: u64,
    pub(super) rng: ChaCha8Rng,
    pub(super) faults: Faults,
    pub(super) counts: FaultCounts,
    pub(super) operations: u64,
    pub(super) crash_at: Option<u64>,
    pub(super) unix_ms: i64,
    /// Grows with every power cut.
    pub(super) boot: u64,
    pub(super) berth: Berth,
}

impl State {
    pub(super) fn new(image: DiskImage, seed: u64, berth: Berth) -> Self {
        let mut state = Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            ids_used: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            faults: Faults::default(),
            counts: FaultCounts::default(),
            operations: 0,
            crash_at: None,
            unix_ms: 0,
            boot: 0,
            berth,
        };
        for (path, content) in image.files {
            state.insert_durable(path, content);
        }
        state
    }

    fn insert_durable(&mut self, path: String, content: Vec<u8>) {
        let id = self.next_id();
        self.files.insert(id, File::with_durable(content));
        self.names.insert(path.clone(), id);
        self.durable_names.insert(path, id);
    }

    fn next_id(&mut self) -> u64 {
        self.ids_used += 1;
        self.ids_used
    }

    // Files by name.

    /// Opens a file; without a path, one that vanishes when it is closed.
    pub(super) fn open(&mut self, path: Option<&str>, mode: Mode) -> Result<Handle, Failure> {
        let file = match path.and_then(|path| self.names.get(path)) {
            Some(file) => *file,
            None if mode.create => {
                let file = self.next_id();
                self.files.insert(file, File::created(mode.is_journal));
                if let Some(path) = path {
                    self.names.insert(path.to_owned(), file);
                }
                file
            }
            None => return Err(Failure::CannotOpen),
        };
        let id = self.next_id();
        let boot = self.boot;
        let handle = Handle { boot, file, id };
        self.file(&handle)?.handles += 1;
        Ok(handle)
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.names.contains_key(path)
    }

    pub(super) fn delete(&mut self, path: &str, sync_directory: bool) -> Result<(), Failure> {
        let file = self.names.remove(path).ok_or(Failure::NoSuchFile)?;
        self.count_operation()?;
        if sync_directory && !self.loses_sync() {
            self.sync_directory(parent(path));
        }
        self.forget_unreachable(file);
        Ok(())
    }

    /// Makes every creation and deletion in a directory durable.
    fn sync_directory(&mut self, directory: &str) {
        let replaced = mem::take(&mut self.durable_names);
        let is_inside = |path: &str| parent(path) == directory;
        let kept = replaced.iter().filter(|(path, _)| !is_inside(path));
        let synced = self.names.iter().filter(|(path, _)| is_inside(path));
        let entries = kept.chain(synced).map(|(path, id)| (path.clone(), *id));
        self.durable_names = entries.collect();
        for id in replaced.into_values() {
            self.forget_unreachable(id);
        }
    }

    /// Files live while a directory or a handle reaches them.
    fn forget_unreachable(&mut self, id: u64) {
        let is_named = |names: &BTreeMap<String, u64>| names.values().any(|named| *named == id);
        let is_open = self.files.get(&id).is_some_and(|file| file.handles > 0);
        if !is_open && !is_named(&self.names) && !is_named(&self.durable_names) {
            self.files.remove(&id);
        }
    }

    // Open files.

    pub(super) fn file(&mut self, handle: &Handle) -> Result<&mut File, Failure> {
        if handle.boot != self.boot {
            return Err(Failure::Dead);
        }
        self.files.get_mut(&handle.file).ok_or(Failure::Dead)
    }

    pub(super) fn close(&mut self, handle: &Handle) {
        if let Ok(file) = self.file(handle) {
            file.handles -= 1;
            file.unlock(handle.id, Lock::None);
            self.forget_unreachable(handle.file);
        }
    }

    pub(super) fn read(
        &mut self,
        handle: &Handle,
        buffer: &mut [u8],
        offset: usize,
    ) -> Result<(), Failure> {
        if self.file(handle)?.read(buffer, offset) < buffer.len() {
            return Err(Failure::ShortRead);
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        handle: &Handle,
        bytes: &[u8],
        offset: usize,
    ) -> Result<(), Failure> {
        let growth = (offset + bytes.len()).saturating_sub(self.file(handle)?.current.len());
        if self.faults.write_error.fires(&mut self.rng) {
            self.counts.write_errors += 1;
            self.count_operation()?;
            return Err(Failure::Write);
        }
        if growth > 0 && self.is_full(growth as u64) {
            self.counts.disk_full += 1;
            self.count_operation()?;
            return Err(Failure::Full);
        }
        let bytes = bytes.to_vec();
        self.file(handle)?.apply(Pending::Write { offset, bytes });
        self.count_operation()
    }

    pub(super) fn truncate(&mut self, handle: &Handle, size: usize) -> Result<(), Failure> {
        self.file(handle)?.apply(Pending::Truncate { size });
        self.count_operation()
    }

    pub(super) fn sync(&mut self, handle: &Handle) -> Result<(), Failure> {
        self.file(handle)?;
        self.count_operation()?;
        if self.faults.sync_error.fires(&mut self.rng) {
            self.counts.sync_errors += 1;
            return Err(Failure::Sync);
        }
        if self.loses_sync() {
            return Ok(());
        }
        let file = self.file(handle)?;
        file.sync();
        let syncs_directory = mem::take(&mut file.syncs_directory);
        let mut names = self.names.iter();
        let Some((path, _)) = names.find(|(_, file)| **file == handle.file) else {
            return Ok(());
        };
        let path = path.clone();
        if syncs_directory {
            self.sync_directory(parent(&path));
        } else if let Some(replaced) = self.durable_names.insert(path, handle.file) {
            self.forget_unreachable(replaced);
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, handle: &Handle, level: Lock) -> Result<(), Failure> {
        self.file(handle)?.lock(handle.id, level)
    }

    pub(super) fn unlock(&mut self, handle: &Handle, level: Lock) -> Result<(), Failure> {
        self.file(handle)?.unlock(handle.id, level);
        Ok(())
    }

    fn is_full(&self, growth: u64) -> bool {
        let used = || self.files.values().map(|file| file.current.len() as u64);
        self.faults.capacity_bytes.is_some_and(|capacity| used().sum::<u64>() + growth > capacity)
    }

    fn loses_sync(&mut self) -> bool {
        let lost = self.faults.lost_sync.fires(&mut self.rng);
        self.counts.lost_syncs += u64::from(lost);
        lost
    }

    // Power cuts and rot.

    /// Counts an operation that changes the disk, and cuts the power if this is the one.
    fn count_operation(&mut self) -> Result<(), Failure> {
        self.operations += 1;
        if self.crash_at == Some(self.operations) {
            self.crash();
            return Err(Failure::Dead);
        }
        Ok(())
    }

    pub(super) fn crash(&mut self) {
        self.counts.crashes += 1;
        self.boot += 1;
        self.crash_at = None;
        let names = mem::take(&mut self.names);
        let durable_names = mem::take(&mut self.durable_names);
        let mut files = mem::take(&mut self.files);
        let mut paths: Vec<&String> = names.keys().chain(durable_names.keys()).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let survivor = self.survivor(names.get(path), durable_names.get(path));
            if let Some(file) = survivor.and_then(|id| files.remove(&id)) {
                let content = settle(file, &mut self.rng, &mut self.counts);
                self.insert_durable(path.clone(), content);
            }
        }
        self.berth.remount(self.boot);
    }

    /// Which file a path names after a power cut, given what it named and what it did durably.
    fn survivor(&mut self, current: Option<&u64>, durable: Option<&u64>) -> Option<u64> {
        if current == durable || chance(&mut self.rng, 500) {
            return current.copied();
        }
        if current.is_some() {
            self.counts.lost_creates += 1;
        }
        // A deleted and recreated file: the deletion may be durable without the creation.
        if current.is_some() && durable.is_some() && chance(&mut self.rng, 500) {
            return None;
        }
        if durable.is_some() {
            self.counts.lost_deletes += 1;
        }
        durable.copied()
    }

    /// Flips one bit of a durable byte; says which byte.
    pub(super) fn rot(&mut self, path: &str) -> Option<u64> {
        let id = self.durable_names.get(path)?;
        let file = self.files.get_mut(id)?;
        if file.durable.is_empty() {
            return None;
        }
        let at = below(&mut self.rng, file.durable.len());
        file.durable[at] ^= 1 << below(&mut self.rng, 8);
        file.current = file.durable.clone();
        for operation in &file.pending {
            operation.apply(&mut file.current);
        }
        self.counts.bit_flips += 1;
        Some(at as u64)
    }

    /// Removes a file from both directories, as if it had never been.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        let removed = [self.names.remove(path), self.durable_names.remove(path)];
        for id in removed.into_iter().flatten() {
            self.forget_unreachable(id);
        }
        let found = removed.iter().any(Option::is_some);
        self.counts.removed_files += u64::from(found);
        found
    }

    // Views.

    pub(super) fn image(&self) -> DiskImage {
        let content = |(path, id): (&String, &u64)| {
            let file = self.files.get(id)?;
            Some((path.clone(), file.durable.clone()))
        };
        DiskImage { files: self.durable_names.iter().filter_map(content).collect() }
    }

    /// The content of a file as a running program would read it.
    pub(super) fn current(&self, path: &str) -> Option<&[u8]> {
        let file = self.files.get(self.names.get(path)?)?;
        Some(&file.current)
    }
}

/// The directory of a path.
fn parent(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..at])
}
