//! Which blobs are not here yet, and from whom they are coming.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DeviceId, SpaceId};

use super::{DataPlane, Peer, Room};
use crate::net::NetCommand;

/// Blobs in one fetch job: some seconds of small blobs, so that a lost
/// connection repeats little.
const JOB_BLOBS_MAX: usize = 2_048;

/// What is being fetched from a peer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) blobs: BTreeSet<BlobId>,
    /// Whether room is limited for what it fetches.
    is_limited: bool,
}

impl DataPlane {
    /// What no space refers to is neither fetched nor given to anybody from now on.
    pub(super) fn release(&mut self, space: SpaceId, blobs: &BTreeSet<BlobId>) {
        for blob in blobs {
            let Some(spaces) = self.referred.get_mut(blob) else { continue };
            if spaces.remove(&space)
                && let Some(bytes) = self.held.get(blob)
                && let Some(held) = self.held_bytes.get_mut(&space)
            {
                *held = held.saturating_sub(*bytes);
            }
            if spaces.is_empty() {
                self.referred.remove(blob);
                self.wanted.remove(blob);
            }
        }
    }

    /// A blob is here.
    pub(super) fn hold(&mut self, blob: BlobId, bytes: u64) {
        if self.held.insert(blob, bytes).is_some() {
            return;
        }
        self.oversized.remove(&blob);
        let spaces = self.referred.get(&blob).into_iter().flatten();
        for space in spaces {
            *self.held_bytes.entry(*space).or_default() += bytes;
        }
        let is_meant = |room: &&mut Room| {
            self.referred.get(&blob).is_some_and(|spaces| !spaces.is_disjoint(&room.spaces))
        };
        for room in self.rooms.iter_mut().filter(is_meant) {
            room.bytes = room.bytes.saturating_sub(bytes);
        }
    }

    /// The room that a blob would take; `None` where a space refers to it whose room is not
    /// limited.
    pub(super) fn room_for(&self, blob: &BlobId) -> Option<&Room> {
        let spaces = self.referred.get(blob)?;
        let room = |space| self.rooms.iter().find(|room| room.spaces.contains(space));
        let mut found = spaces.iter().map(room);
        let first = found.next()??;
        found.all(|other| other.is_some()).then_some(first)
    }

    /// How many bytes of blobs are here that entries of a space refer to.
    #[must_use]
    pub fn held_bytes(&self, space: SpaceId) -> u64 {
        self.held_bytes.get(&space).copied().unwrap_or_default()
    }

    /// Whether blobs of a space are not here since there is no room for them.
    #[must_use]
    pub fn lacks_room(&self, space: SpaceId) -> bool {
        let Some(room) = self.rooms.iter().find(|room| room.spaces.contains(&space)) else {
            return false;
        };
        let mut wanted = self.wanted.iter().filter(|blob| self.room_for(blob) == Some(room));
        wanted.any(|blob| room.bytes == 0 || self.oversized.contains(blob))
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

    /// Blobs that entries of a space refer to, and whether each is here.
    pub fn blobs_of(&self, space: SpaceId) -> impl Iterator<Item = (BlobId, bool)> {
        self.referred
            .iter()
            .filter(move |(_, spaces)| spaces.contains(&space))
            .map(|(blob, _)| (*blob, self.held.contains_key(blob)))
    }

    /// Spaces that refer to a blob.
    pub fn spaces_of(&self, blob: BlobId) -> impl Iterator<Item = SpaceId> {
        self.referred.get(&blob).into_iter().flatten().copied()
    }

    /// Whether a blob is here, if the space refers to it.
    #[must_use]
    pub fn blob_of(&self, space: SpaceId, blob: BlobId) -> Option<bool> {
        let spaces = self.referred.get(&blob)?;
        spaces.contains(&space).then(|| self.held.contains_key(&blob))
    }

    /// Whether blobs are being fetched from a peer, or could be.
    #[must_use]
    pub fn is_fetching(&self, device: DeviceId) -> bool {
        self.peers.get(&device).is_some_and(|peer| peer.job.is_some())
    }

    pub(super) fn refer(&mut self, space: SpaceId, blobs: BTreeSet<BlobId>) {
        for blob in blobs {
            let is_new = self.referred.entry(blob).or_default().insert(space);
            match self.held.get(&blob) {
                Some(bytes) if is_new => *self.held_bytes.entry(space).or_default() += bytes,
                Some(_) => {}
                None => {
                    self.wanted.insert(blob);
                }
            }
        }
        let sharing = self.nearest_first(|peer| peer.spaces.contains(&space));
        sharing.into_iter().for_each(|device| self.fetch(device));
    }

    /// Of what several peers could send, the nearest is asked.
    pub(super) fn fetch_from_all(&mut self) {
        let connected = self.nearest_first(|peer| peer.facts.is_connected);
        connected.into_iter().for_each(|device| self.fetch(device));
    }

    /// Asks a peer for what is wanted and nobody else is being asked for.
    pub(super) fn fetch(&mut self, device: DeviceId) {
        let Some(peer) = self.peers.get(&device) else { return };
        if !peer.facts.is_connected || peer.job.is_some() || peer.spaces.is_empty() {
            return;
        }
        let is_limited = |blob: &BlobId| self.room_for(blob).is_some();
        let free = self.wanted_from(peer).filter(|blob| !is_limited(blob));
        let free: BTreeSet<BlobId> = free.take(JOB_BLOBS_MAX).collect();
        let (blobs, bytes_max, is_limited) = if free.is_empty() {
            let Some((blobs, bytes_max)) = self.fitting_from(peer) else { return };
            (blobs, bytes_max, true)
        } else {
            (free, u64::MAX, false)
        };
        let id = self.next_job;
        self.next_job += 1;
        let list = blobs.iter().copied().collect();
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.job = Some(Job { id, blobs, is_limited });
        }
        self.effects.push_back(NetCommand::Fetch { job: id, device, blobs: list, bytes_max });
    }

    /// What a peer may have and nobody is being asked for.
    fn wanted_from<'a>(&'a self, peer: &'a Peer) -> impl Iterator<Item = BlobId> + 'a {
        let jobs = || self.peers.values().filter_map(|other| other.job.as_ref());
        self.wanted.iter().copied().filter(move |blob| {
            !peer.lacks.contains(blob)
                && self.referred.get(blob).is_some_and(|it| !it.is_disjoint(&peer.spaces))
                && !jobs().any(|job| job.blobs.contains(blob))
        })
    }

    /// The same where room is limited, with the room that is left: one job at a time, so that
    /// two do not fill it twice.
    fn fitting_from(&self, peer: &Peer) -> Option<(BTreeSet<BlobId>, u64)> {
        let mut jobs = self.peers.values().filter_map(|other| other.job.as_ref());
        if self.rooms.is_empty() || jobs.any(|job| job.is_limited) {
            return None;
        }
        let mut rooms = self.rooms.iter().filter(|room| room.bytes > 0);
        rooms.find_map(|room| {
            let own = self.wanted_from(peer).filter(|blob| self.room_for(blob) == Some(room));
            let own: BTreeSet<BlobId> = own.take(JOB_BLOBS_MAX).collect();
            (!own.is_empty()).then_some((own, room.bytes))
        })
    }

    pub(super) fn fetch_ended(&mut self, job: u64, error: Option<String>) {
        let found = self
            .peers
            .iter_mut()
            .find(|(_, peer)| peer.job.as_ref().is_some_and(|current| current.id == job));
        let Some((device, peer)) = found else {
            return;
        };
        let device = *device;
        let Some(ended) = peer.job.take() else {
            return;
        };
        if let Some(error) = error {
            // What did not come is not asked of this peer again before it
            // reconnects; a peer that fails at once would be asked for ever.
            tracing::info!(%device, job, error, "fetch ended");
            let missing = ended.blobs.intersection(&self.wanted).copied();
            peer.lacks.extend(missing);
        }
        self.fetch_from_all();
    }

    pub(super) fn peer_of_job(&mut self, job: u64) -> Option<&mut Peer> {
        self.peers
            .values_mut()
            .find(|peer| peer.job.as_ref().is_some_and(|current| current.id == job))
    }

    pub(super) fn may_provide(&self, device: DeviceId, blob: BlobId) -> bool {
        let (Some(peer), Some(spaces)) = (self.peers.get(&device), self.referred.get(&blob)) else {
            return false;
        };
        self.held.contains_key(&blob) && !peer.spaces.is_disjoint(spaces)
    }
}
