//! Which blobs are not here yet, and from whom they are coming.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DeviceId, SpaceId};

use super::DataPlane;

impl DataPlane {
    /// What no space refers to is neither fetched nor given to anybody from now on.
    pub(super) fn release(&mut self, space: SpaceId, blobs: &BTreeSet<BlobId>) {
        for blob in blobs {
            let Some(spaces) = self.referred.get_mut(blob) else { continue };
            spaces.remove(&space);
            if spaces.is_empty() {
                self.referred.remove(blob);
                self.wanted.remove(blob);
            }
        }
    }

    /// How many blobs are wanted and not here.
    #[must_use]
    pub fn wanted_count(&self) -> usize {
        self.wanted.len()
    }

    /// How many blobs of each space are wanted and not here; spaces that lack none are
    /// left out.
    #[must_use]
    pub fn wanted_by_space(&self) -> BTreeMap<SpaceId, usize> {
        let mut wanted = BTreeMap::new();
        let spaces = self.wanted.iter().filter_map(|blob| self.referred.get(blob)).flatten();
        spaces.for_each(|space| *wanted.entry(*space).or_default() += 1);
        wanted
    }

    /// How many blobs of each space are being fetched from a peer and are not here.
    #[must_use]
    pub fn fetching_from(&self, device: DeviceId) -> BTreeMap<SpaceId, usize> {
        let mut coming = BTreeMap::new();
        let job = self.peers.get(&device).and_then(|peer| peer.job.as_ref());
        let blobs = job.into_iter().flat_map(|job| &job.blobs);
        let blobs = blobs.filter(|blob| self.wanted.contains(*blob));
        for space in blobs.filter_map(|blob| self.referred.get(blob)).flatten() {
            *coming.entry(*space).or_default() += 1;
        }
        coming
    }
}
