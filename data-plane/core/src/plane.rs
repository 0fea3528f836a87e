//! The data plane of one node: whom to be connected with, which blobs to fetch
//! from whom, and who may fetch ours.
//!
//! Invariants: a blob is fetched only if an entry refers to it; it is provided
//! only to a peer that shares a space which refers to it.
//! Non-goals: moving bytes (the transport does) and deciding who may (the trust
//! plane did, in what [`Command::Share`] says).

mod blobs;
mod command;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use node_model::{BlobId, DeviceId, SpaceId};

use self::blobs::Job;
pub use self::command::{Command, Event, Nearness, Room};
use crate::net::{NetCommand, NetEvent, circuit_address, circuit_of};

/// First wait before a failed dial is tried again; doubles up to [`REDIAL_MAX`].
const REDIAL_MIN: Duration = Duration::from_secs(1);

/// Longest wait between dials (MindooDB's reconnect uses the same bounds).
const REDIAL_MAX: Duration = Duration::from_secs(60);

/// How often a direct way is tried to a peer that is connected by a circuit.
const STRAIGHTEN_EVERY: Duration = Duration::from_secs(300);

/// Most addresses remembered for a peer.
pub const ADDRESSES_MAX: usize = 16;

/// What is known of a peer's connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerFacts {
    /// Where it may be found.
    pub addresses: Vec<String>,
    /// Whether a connection exists.
    pub is_connected: bool,
    /// Who passes it on, if it is not a direct one.
    pub circuit: Option<DeviceId>,
    /// Whether what is sent to it waits, for longer than about a second.
    pub is_congested: bool,
    /// Why the last dial failed.
    pub last_failure: Option<String>,
}

#[derive(Debug, Default)]
struct Peer {
    facts: PeerFacts,
    spaces: BTreeSet<SpaceId>,
    nearness: Nearness,
    is_sought: bool,
    is_dialling: bool,
    /// Addresses became known since the dial began.
    dials_again: bool,
    failures: u32,
    dial_at: Duration,
    job: Option<Job>,
    /// Blobs that it did not have while connected.
    lacks: BTreeSet<BlobId>,
}

/// The data plane's state.
#[derive(Debug, Default)]
pub struct DataPlane {
    peers: BTreeMap<DeviceId, Peer>,
    referred: BTreeMap<BlobId, BTreeSet<SpaceId>>,
    /// With their lengths in bytes.
    held: BTreeMap<BlobId, u64>,
    /// How many bytes of blobs are here that entries of a space refer to.
    held_bytes: BTreeMap<SpaceId, u64>,
    rooms: Vec<Room>,
    /// What somebody has, and there was no room for.
    oversized: BTreeSet<BlobId>,
    wanted: BTreeSet<BlobId>,
    next_job: u64,
    effects: VecDeque<NetCommand>,
    events: VecDeque<Event>,
}

impl DataPlane {
    /// Takes a command.
    pub fn command(&mut self, now: Duration, command: Command) {
        match command {
            Command::Know { device, addresses } => self.know(now, device, addresses),
            Command::Seek { devices } => self.seek(now, &devices),
            Command::Share { device, spaces, is_admitted, nearness } => {
                let net = if is_admitted {
                    NetCommand::Admit { device }
                } else {
                    NetCommand::Forbid { device }
                };
                self.effects.push_back(net);
                let peer = self.peers.entry(device).or_default();
                peer.spaces = spaces;
                peer.nearness = nearness;
                peer.lacks.clear();
                self.fetch(device);
            }
            Command::Refer { space, blobs } => self.refer(space, blobs),
            Command::Release { space, blobs } => self.release(space, &blobs),
            Command::Hold { blobs } => {
                for (blob, bytes) in blobs {
                    self.wanted.remove(&blob);
                    self.hold(blob, bytes);
                }
            }
            Command::Limit { rooms } => {
                if self.rooms != rooms {
                    self.rooms = rooms;
                    self.fetch_from_all();
                }
            }
            Command::FetchAgain => {
                for peer in self.peers.values_mut() {
                    peer.lacks.clear();
                }
                self.fetch_from_all();
            }
            Command::DialNow => {
                for peer in self.peers.values_mut().filter(|peer| peer.is_sought) {
                    peer.dial_at = now;
                }
                self.dial_due(now);
            }
            Command::Dial { device, addresses } => {
                self.know(now, device, addresses.clone());
                let peer = self.peers.entry(device).or_default();
                if peer.facts.is_connected {
                    self.events.push_back(Event::Connected { device });
                } else if !peer.is_dialling {
                    peer.is_dialling = true;
                    self.effects.push_back(NetCommand::Dial { device, addresses });
                }
            }
        }
    }

    /// Takes an event of the transport. Frames are not for this plane.
    pub fn on_net(&mut self, now: Duration, event: NetEvent) {
        match event {
            NetEvent::Connected { device, address, outbound } => {
                let peer = self.peers.entry(device).or_default();
                peer.facts.is_connected = true;
                peer.facts.circuit = circuit_of(&address);
                peer.facts.is_congested = false;
                peer.facts.last_failure = None;
                peer.is_dialling = false;
                peer.dials_again = false;
                peer.failures = 0;
                peer.dial_at = now + STRAIGHTEN_EVERY;
                if outbound {
                    remember(&mut peer.facts.addresses, [address]);
                }
                self.events.push_back(Event::Connected { device });
                self.fetch(device);
                self.dial_through(now, device);
            }
            NetEvent::Disconnected { device } => {
                let peer = self.peers.entry(device).or_default();
                peer.facts.is_connected = false;
                peer.facts.is_congested = false;
                // A direct way that was found ends the circuit.
                peer.is_dialling &= peer.facts.circuit.take().is_none();
                peer.job = None;
                peer.lacks.clear();
                peer.dial_at = now + REDIAL_MIN;
                self.events.push_back(Event::Disconnected { device });
            }
            NetEvent::Congested { device, is_congested } => {
                if let Some(peer) = self.peers.get_mut(&device) {
                    peer.facts.is_congested = is_congested;
                }
            }
            NetEvent::DialFailed { device, reason } => self.dial_failed(now, device, reason),
            NetEvent::Discovered { device, addresses } => {
                if self.peers.get(&device).is_some_and(|peer| peer.is_sought) {
                    self.know(now, device, addresses);
                }
            }
            NetEvent::BlobsRequested { request, device, blobs } => {
                let allowed = blobs.iter().map(|blob| self.may_provide(device, *blob)).collect();
                self.effects.push_back(NetCommand::Answer { request, allowed });
            }
            NetEvent::BlobFetched { blob, bytes, .. } => {
                self.hold(blob, bytes);
                if self.wanted.remove(&blob) {
                    self.events.push_back(Event::BlobArrived { blob });
                }
            }
            NetEvent::BlobRefused { job, blob } => {
                if let Some(peer) = self.peer_of_job(job) {
                    peer.lacks.insert(blob);
                }
            }
            NetEvent::NoRoom { job, blob, bytes } => {
                tracing::info!(%blob, bytes, "no room");
                self.oversized.insert(blob);
                if let Some(peer) = self.peer_of_job(job) {
                    peer.lacks.insert(blob);
                }
            }
            NetEvent::FetchEnded { job, error } => self.fetch_ended(job, error),
            NetEvent::Listening { .. } | NetEvent::Circuit { .. } | NetEvent::Frame { .. } => {}
        }
    }

    /// Does what is due.
    pub fn on_timeout(&mut self, now: Duration) {
        self.dial_due(now);
    }

    /// When [`DataPlane::on_timeout`] is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.peers.values().filter(|peer| peer.wants_dial()).map(|peer| peer.dial_at).min()
    }

    /// The next thing for the transport to do.
    pub fn poll_effect(&mut self) -> Option<NetCommand> {
        self.effects.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is known of a peer.
    #[must_use]
    pub fn peer(&self, device: DeviceId) -> Option<&PeerFacts> {
        self.peers.get(&device).map(|peer| &peer.facts)
    }

    /// Peers with a connection.
    pub fn connected(&self) -> impl Iterator<Item = DeviceId> {
        self.peers.iter().filter(|(_, peer)| peer.facts.is_connected).map(|(device, _)| *device)
    }

    fn dial_failed(&mut self, now: Duration, device: DeviceId, reason: String) {
        let peer = self.peers.entry(device).or_default();
        peer.is_dialling = false;
        if std::mem::take(&mut peer.dials_again) {
            self.dial_due(now);
            return;
        }
        if peer.facts.is_connected {
            peer.dial_at = now + STRAIGHTEN_EVERY;
            return;
        }
        let wait = REDIAL_MIN.saturating_mul(1 << peer.failures.min(6)).min(REDIAL_MAX);
        peer.failures += 1;
        peer.dial_at = now + wait;
        peer.facts.last_failure = Some(reason.clone());
        self.events.push_back(Event::Unreachable { device, reason });
    }

    fn know(&mut self, now: Duration, device: DeviceId, addresses: Vec<String>) {
        let peer = self.peers.entry(device).or_default();
        if remember(&mut peer.facts.addresses, addresses) {
            peer.failures = 0;
            peer.dial_at = now;
            peer.dials_again = peer.is_dialling;
        }
        self.dial_due(now);
    }

    fn seek(&mut self, now: Duration, devices: &BTreeSet<DeviceId>) {
        for (device, peer) in &mut self.peers {
            peer.is_sought = devices.contains(device);
        }
        for device in devices {
            self.peers.entry(*device).or_default().is_sought = true;
        }
        self.dial_due(now);
    }

    /// Dials those whom a peer may pass on that is connected now.
    fn dial_through(&mut self, now: Duration, through: DeviceId) {
        let circuit = circuit_address(through);
        for peer in self.peers.values_mut().filter(|peer| !peer.facts.is_connected) {
            if peer.facts.addresses.contains(&circuit) {
                peer.dial_at = peer.dial_at.min(now);
                peer.dials_again = peer.is_dialling;
            }
        }
        self.dial_due(now);
    }

    fn dial_due(&mut self, now: Duration) {
        for device in self.nearest_first(|peer| peer.wants_dial() && peer.dial_at <= now) {
            if let Some(peer) = self.peers.get_mut(&device) {
                peer.is_dialling = true;
                let addresses = peer.facts.addresses.clone();
                self.effects.push_back(NetCommand::Dial { device, addresses });
            }
        }
    }

    fn nearest_first(&self, is_meant: impl Fn(&Peer) -> bool) -> Vec<DeviceId> {
        let meant = self.peers.iter().filter(|(_, peer)| is_meant(peer));
        let mut devices: Vec<(Nearness, DeviceId)> =
            meant.map(|(device, peer)| (peer.nearness, *device)).collect();
        devices.sort_unstable();
        devices.into_iter().map(|(_, device)| device).collect()
    }
}

impl Peer {
    fn wants_dial(&self) -> bool {
        // What is connected by a circuit may be so directly.
        let is_apart = !self.facts.is_connected || self.facts.circuit.is_some();
        self.is_sought && is_apart && !self.is_dialling && !self.facts.addresses.is_empty()
    }
}

/// Puts addresses in front; whether one of them was new.
fn remember(known: &mut Vec<String>, addresses: impl IntoIterator<Item = String>) -> bool {
    let mut is_new = false;
    for address in addresses {
        is_new |= !known.contains(&address);
        known.retain(|other| *other != address);
        known.insert(0, address);
    }
    known.truncate(ADDRESSES_MAX);
    is_new
}

#[cfg(test)]
mod tests;
