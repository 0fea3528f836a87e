//! "Synchronise now": brings peers up to date and tells when they are.

use std::{collections::BTreeMap, time::Duration};

use data_plane_core::plane::Command;
use node_model::{DeviceId, Now, Timestamp};
use sync_engine_core::reconcile::{EntryProgress, PeerState};

use crate::{
    doctor::Warnings,
    failure::{Failure, FailureKind},
    node::{Node, RequestId},
    request::{PeerSyncState, Response, SpaceState},
};

/// How long to wait without any progress before saying how far it came.
const PATIENCE: Duration = Duration::from_secs(20);

/// Begins the names of notes that say when a peer was last in sync.
const SYNCED_NOTE: &str = "synced/";

/// How old such a note may be before it is written again.
const SYNCED_NOTE_AGE: Duration = Duration::from_secs(60);

/// What came of synchronising.
#[derive(Clone, Debug, Default)]
pub struct SyncReport {
    /// Entries sent.
    pub pushed: u64,
    /// Entries received.
    pub pulled: u64,
    /// How it stands with each peer.
    pub peers: Vec<(DeviceId, PeerSyncState)>,
    /// How far it is with those with whom an exchange of entries is still running.
    pub running: BTreeMap<DeviceId, EntryProgress>,
    /// What could not be done, and what mends it.
    pub warnings: Warnings,
}

/// A request that waits for peers.
#[derive(Debug)]
pub(crate) struct SyncWait {
    id: RequestId,
    peers: BTreeMap<DeviceId, Option<PeerSyncState>>,
    before: (u64, u64),
    seen: (u64, u64),
    deadline: Duration,
}

impl SyncWait {
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }
}

impl Node {
    pub(crate) fn sync_now(
        &mut self,
        now: Now,
        id: RequestId,
        device: Option<DeviceId>,
        is_full: bool,
    ) {
        let admitted: Vec<DeviceId> = self
            .shares
            .iter()
            .filter(|(_, share)| share.is_admitted)
            .map(|(device, _)| *device)
            .collect();
        let targets: Vec<DeviceId> = match device {
            Some(device) if admitted.contains(&device) => vec![device],
            Some(device) => {
                let message = format!("{device} is not a peer of this node");
                self.reply(id, Err(Failure::new(FailureKind::NotFound, message, "kith peer list")));
                return;
            }
            None => admitted,
        };
        let before = self.traffic(targets.iter().copied());
        for device in &targets {
            self.log_store_error(|node| node.sync.restart(*device, is_full));
        }
        let peers = targets.into_iter().map(|device| (device, None)).collect();
        let deadline = now.monotonic + PATIENCE;
        self.sync_waits.push(SyncWait { id, peers, before, seen: before, deadline });
        self.data.command(now.monotonic, Command::DialNow);
        self.data.command(now.monotonic, Command::FetchAgain);
        for wait in self.sync_waits.last_mut().into_iter() {
            for (device, state) in &mut wait.peers {
                let facts = self.data.peer(*device);
                if facts.is_none_or(|facts| facts.addresses.is_empty() && !facts.is_connected) {
                    *state = Some(PeerSyncState::Unreachable);
                }
            }
        }
    }

    pub(crate) fn sync_unreachable(&mut self, device: DeviceId) {
        for wait in &mut self.sync_waits {
            if let Some(state) = wait.peers.get_mut(&device) {
                *state = Some(PeerSyncState::Unreachable);
            }
        }
    }

    /// Answers the waits whose peers are all settled or whose patience is over.
    pub(crate) fn check_sync_waits(&mut self, now: Now) {
        let waits = std::mem::take(&mut self.sync_waits);
        for mut wait in waits {
            let traffic = self.traffic(wait.peers.keys().copied());
            if traffic != wait.seen {
                wait.seen = traffic;
                wait.deadline = now.monotonic + PATIENCE;
            }
            let is_over = now.monotonic >= wait.deadline;
            let mut states = Vec::new();
            for (device, settled) in &wait.peers {
                let state = settled.unwrap_or_else(|| self.peer_sync_state(*device));
                states.push((*device, state));
            }
            let is_settled = |state: &PeerSyncState| match state {
                PeerSyncState::Synced => true,
                PeerSyncState::Syncing | PeerSyncState::Behind => false,
                PeerSyncState::Unreachable => false,
            };
            let all_settled = states
                .iter()
                .all(|(device, state)| is_settled(state) || wait.peers[device].is_some());
            if all_settled || is_over {
                let pushed = traffic.0.saturating_sub(wait.before.0);
                let pulled = traffic.1.saturating_sub(wait.before.1);
                let devices = wait.peers.keys();
                let running = devices.filter_map(|it| Some((*it, self.progress_with(*it)?)));
                let running = running.collect();
                let warnings = self.warnings(now, &states);
                let report = SyncReport { pushed, pulled, peers: states, running, warnings };
                self.reply(wait.id, Ok(Response::Synced(report)));
            } else {
                self.sync_waits.push(wait);
            }
        }
    }

    /// Remembers when peers were last seen to be equal.
    pub(crate) fn note_synced(&mut self, now: Now) {
        for device in self.data.connected().collect::<Vec<_>>() {
            if self.peer_sync_state(device) == PeerSyncState::Synced {
                self.last_sync.insert(device, now.wall);
                self.remember_synced(device, now);
            }
        }
    }

    /// Keeps it for the next start, at most once a minute.
    fn remember_synced(&mut self, device: DeviceId, now: Now) {
        let name = format!("{SYNCED_NOTE}{device}");
        let known: Option<Timestamp> = self.trust.note(&name);
        if known.is_some_and(|known| now.wall < known.plus(SYNCED_NOTE_AGE)) {
            return;
        }
        if let Err(error) = self.trust.put_note(&name, &now.wall) {
            tracing::warn!(%device, %error, "could not note the last sync");
        }
    }

    /// When peers were last seen to be equal, as far as an earlier run noted.
    pub(crate) fn recall_synced(&mut self) {
        let names: Vec<String> = self.trust.note_keys(SYNCED_NOTE).map(ToOwned::to_owned).collect();
        for name in names {
            let device = name.strip_prefix(SYNCED_NOTE).and_then(|text| text.parse().ok());
            if let (Some(device), Some(at)) = (device, self.trust.note(&name)) {
                self.last_sync.insert(device, at);
            }
        }
    }

    /// How it stands with a peer over everything that we share.
    pub(crate) fn peer_sync_state(&self, device: DeviceId) -> PeerSyncState {
        if !self.data.peer(device).is_some_and(|facts| facts.is_connected) {
            return PeerSyncState::Unreachable;
        }
        if !self.is_acquainted(device) || self.data.is_fetching(device) {
            return PeerSyncState::Syncing;
        }
        // A space that they share and that has no session is one whose store
        // could not be opened.
        let spaces = self.shares.get(&device).map(|share| &share.spaces);
        let mut states = spaces.into_iter().flatten().map(|space| {
            self.sync.peer_sync(*space, device).map_or(PeerState::Different, |sync| sync.state)
        });
        let worst = states.try_fold(PeerSyncState::Synced, |worst, state| match state {
            PeerState::Equal => Ok(worst),
            PeerState::Unknown | PeerState::Pulling => Err(PeerSyncState::Syncing),
            PeerState::Different | PeerState::Denied => Ok(PeerSyncState::Behind),
        });
        worst.unwrap_or_else(|syncing| syncing)
    }

    /// How a space stands with the peers that share it.
    pub(crate) fn space_state(&self, space: node_model::SpaceId) -> SpaceState {
        if !self.sync.has_space(space) {
            return SpaceState::Unopened;
        }
        let sharing: Vec<DeviceId> = self
            .shares
            .iter()
            .filter(|(_, share)| share.spaces.contains(&space))
            .map(|(device, _)| *device)
            .collect();
        if sharing.is_empty() {
            return SpaceState::Local;
        }
        let is_here = |device: &DeviceId| self.data.peer(*device).is_some_and(|it| it.is_connected);
        let here: Vec<&DeviceId> = sharing.iter().filter(|device| is_here(device)).collect();
        // Without a session the store could not be opened.
        let state_with = |device: &&DeviceId| {
            self.sync.peer_sync(space, **device).map_or(PeerState::Different, |sync| sync.state)
        };
        let states: Vec<PeerState> = here.iter().map(state_with).collect();
        if states.iter().any(|state| matches!(state, PeerState::Pulling | PeerState::Unknown)) {
            SpaceState::Syncing
        } else if states.iter().any(|state| *state != PeerState::Equal) {
            SpaceState::Behind
        } else if here.len() < sharing.len() {
            SpaceState::Offline
        } else {
            SpaceState::Synced
        }
    }

    /// How far the exchanges are that are running with a peer. Spaces have no entry in common.
    pub(crate) fn progress_with(&self, device: DeviceId) -> Option<EntryProgress> {
        let spaces = self.sync.shared_with(device);
        spaces.filter_map(|space| self.sync.progress(space, device)).reduce(EntryProgress::and)
    }

    /// How far the exchanges of a space are. Peers may be sending the same.
    pub(crate) fn progress_of(&self, space: node_model::SpaceId) -> Option<EntryProgress> {
        let peers = self.data.connected();
        peers.filter_map(|peer| self.sync.progress(space, peer)).reduce(EntryProgress::or)
    }

    fn traffic(&self, devices: impl Iterator<Item = DeviceId>) -> (u64, u64) {
        let mut total = (0, 0);
        for device in devices {
            for space in self.sync.shared_with(device) {
                if let Some(sync) = self.sync.peer_sync(space, device) {
                    total.0 += sync.pushed;
                    total.1 += sync.pulled;
                }
            }
        }
        total
    }
}
