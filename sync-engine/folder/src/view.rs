//! What the files of a folder add up to, for one device.
//!
//! Invariant: every entry that has a place, or is set aside and here, has its bytes located.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DeviceId, EntryId};
use sync_engine_core::{
    digest::SetDigest,
    store::{Cursor, StoreEpoch},
};

use crate::file::{self, ReadHead, Record};

/// Where the bytes of an entry are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    pub(crate) file: usize,
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

/// What the files add up to.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) epoch: StoreEpoch,
    pub(crate) places: Vec<(EntryId, Option<DeviceId>)>,
    pub(crate) at: BTreeMap<EntryId, usize>,
    pub(crate) located: BTreeMap<EntryId, Located>,
    pub(crate) aside: BTreeSet<EntryId>,
    /// Entries that are bundles, as the files say.
    pub(crate) bundles: BTreeSet<EntryId>,
    /// Entries with a place for which a bundle stands.
    pub(crate) superseded: BTreeSet<EntryId>,
    pub(crate) cursors: BTreeMap<DeviceId, Cursor>,
    pub(crate) digest: SetDigest,
    pub(crate) bytes: u64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            epoch: StoreEpoch([0; 16]),
            places: Vec::new(),
            at: BTreeMap::new(),
            located: BTreeMap::new(),
            aside: BTreeSet::new(),
            bundles: BTreeSet::new(),
            superseded: BTreeSet::new(),
            cursors: BTreeMap::new(),
            digest: SetDigest::default(),
            bytes: 0,
        }
    }
}

impl View {
    /// Adds what a file says.
    pub(crate) fn take_in(&mut self, file: usize, read: &ReadHead, device: DeviceId) {
        let writer = read.head.writer;
        let is_own = writer == device;
        let mut offset = read.body;
        for record in &read.head.records {
            match record {
                Record::Entries { source, cursor, ids, lengths, bundles } => {
                    self.bundles.extend(file::split(bundles));
                    for (id, len) in file::split(ids).zip(lengths.iter().copied()) {
                        self.located.entry(id).or_insert(Located { file, offset, len });
                        offset += u64::from(len);
                        if is_own {
                            self.aside.remove(&id);
                        }
                        self.place(id, if is_own { *source } else { Some(writer) });
                    }
                    if let (true, Some(peer), Some(cursor)) = (is_own, source, cursor) {
                        self.cursors.insert(*peer, *cursor);
                    }
                }
                Record::Aside { ids } if is_own => self.set_aside(&file::split(ids).collect()),
                Record::Aside { .. } => {}
            }
        }
    }

    fn place(&mut self, id: EntryId, source: Option<DeviceId>) {
        if self.aside.contains(&id) || self.at.contains_key(&id) {
            return;
        }
        self.at.insert(id, self.places.len());
        self.places.push((id, source));
        self.digest.add(id);
        self.bytes += self.located.get(&id).map_or(0, |located| u64::from(located.len));
    }

    pub(crate) fn set_aside(&mut self, ids: &BTreeSet<EntryId>) {
        for id in ids.iter().filter(|id| self.at.contains_key(id)) {
            if !self.superseded.remove(id) {
                self.digest.remove(*id);
            }
            self.bytes -= self.located.get(id).map_or(0, |located| u64::from(located.len));
        }
        self.places.retain(|(id, _)| !ids.contains(id));
        self.at = (0..).zip(&self.places).map(|(at, (id, _))| (*id, at)).collect();
        // Also what is not here now: it may be in a file that has not arrived.
        self.aside.extend(ids);
    }

    /// Takes out of the set what bundles stand for, and nothing else.
    pub(crate) fn supersede(&mut self, superseded: BTreeSet<EntryId>) {
        for id in self.superseded.difference(&superseded) {
            self.digest.add(*id);
        }
        for id in superseded.difference(&self.superseded) {
            self.digest.remove(*id);
        }
        self.superseded = superseded;
    }

    pub(crate) fn after(
        &self,
        place: u64,
    ) -> impl Iterator<Item = (u64, &(EntryId, Option<DeviceId>))> {
        let skipped = usize::try_from(place).unwrap_or(usize::MAX);
        let after = (1u64..).zip(&self.places).skip(skipped);
        after.filter(|(_, (id, _))| !self.superseded.contains(id))
    }
}
