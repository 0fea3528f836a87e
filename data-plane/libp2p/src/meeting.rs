//! Meeting peers and parting from them.

use data_plane_core::net::NetEvent;
use libp2p::{PeerId, core::ConnectedPoint, swarm::ConnectionId};
use node_model::DeviceId;

use crate::{
    address::device_of,
    peer::{Peer, Phase},
    swarm_task::SwarmTask,
};

/// Ticks within which two may dial each other by chance.
const MEETING_TICKS: u64 = 3;

/// Ticks for writing what waits before a connection is closed.
const LEAVE_TICKS: u64 = 3;

/// Ticks for reading what a peer sent before its connection ended.
const GONE_TICKS: u64 = 5;

/// Ticks after which a peer that sends no pairing frame and is not admitted has
/// to go.
const SILENT_TICKS: u64 = 20;

/// Ticks after which a peer that is not admitted has to go: as long as a
/// pairing may take.
const STRANGER_TICKS: u64 = 300;

/// Ticks that a peer may leave a full queue full.
const STALL_TICKS: u64 = 30;

impl SwarmTask {
    pub(crate) fn on_connected(
        &mut self,
        peer_id: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let Some(device) = device_of(&peer_id) else {
            return;
        };
        self.dials.remove(&device);
        if !endpoint.is_relayed() {
            self.direct.insert(device);
        }
        match self.peers.get(&device).map(|peer| peer.phase) {
            Some(Phase::Here) => {
                self.on_connected_again(device, connection, endpoint);
                return;
            }
            Some(Phase::Leaving { .. }) => return,
            Some(Phase::Gone { .. }) => self.finish(device),
            None => {}
        }
        self.next_session += 1;
        let peer = Peer::new(peer_id, self.next_session, endpoint, self.now);
        self.peers.insert(device, peer);
        let address = self.address_of(endpoint);
        let outbound = endpoint.is_dialer();
        self.tell(NetEvent::Connected { device, address, outbound });
    }

    /// Two that dial each other at once have two connections, and that is well.
    /// But who dials later believes to be disconnected: its machine lost power,
    /// say, and the old connection is dead without our knowing. What was said
    /// there is forgotten on its side, so both begin anew. They do so as well once there
    /// is a direct way beside a circuit; a circuit beside a direct way is closed, or it
    /// would go on unseen when that one ends.
    fn on_connected_again(
        &mut self,
        device: DeviceId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let Some(peer) = self.peers.get(&device) else {
            return;
        };
        let is_new = endpoint.is_listener() && self.now - peer.since > MEETING_TICKS;
        let is_circuit = endpoint.is_relayed();
        if peer.is_circuit && !is_circuit {
            tracing::info!(%device, "disconnected: there is a direct way");
            self.cut(device);
        } else if is_circuit && !peer.is_circuit && !is_new {
            self.swarm.close_connection(connection);
        } else if is_new {
            tracing::info!(%device, "disconnected: it has begun anew");
            self.cut(device);
        }
    }

    /// The last connection is gone, but some of what the peer sent may wait to
    /// be read.
    pub(crate) fn on_disconnected(&mut self, device: DeviceId) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        peer.phase = Phase::Gone { until: self.now + GONE_TICKS };
        peer.parked.clear();
        for outbound in std::mem::take(&mut peer.outbound).values() {
            outbound.abort();
        }
        for provider in peer.providers.drain(..) {
            provider.abort();
        }
        let unopened = peer.end_unopened();
        self.questions.forget(device);
        self.end_jobs(unopened, "the connection is gone");
        self.unblock();
        self.settle(device);
    }

    /// Writes what waits, then disconnects.
    pub(crate) fn disconnect(&mut self, device: DeviceId) {
        self.dials.remove(&device);
        let Some(peer) = self.peers.get_mut(&device).filter(|peer| peer.is_here()) else {
            return;
        };
        peer.phase = Phase::Leaving { until: self.now + LEAVE_TICKS };
        peer.parked.clear();
        for outbound in peer.outbound.values_mut() {
            outbound.queue = None;
        }
        let ended = peer.close_blobs();
        self.questions.forget(device);
        self.end_jobs(ended, "the connection was closed by this node");
        self.settle(device);
    }

    /// Disconnects without waiting for what is still to be written.
    fn cut(&mut self, device: DeviceId) {
        if let Some(peer) = self.peers.get_mut(&device) {
            for outbound in std::mem::take(&mut peer.outbound).values() {
                outbound.abort();
            }
        }
        self.disconnect(device);
    }

    pub(crate) fn stop(&mut self) {
        self.stop_at = Some(self.now + LEAVE_TICKS + 1);
        self.dials.clear();
        let devices: Vec<DeviceId> = self.peers.keys().copied().collect();
        for device in devices {
            self.disconnect(device);
            self.settle(device);
        }
    }

    /// Takes the next step of parting with a peer once it is due.
    pub(crate) fn settle(&mut self, device: DeviceId) {
        let Some(peer) = self.peers.get(&device) else {
            return;
        };
        let (now, is_stopping) = (self.now, self.stop_at.is_some());
        match peer.phase {
            Phase::Here => {}
            Phase::Leaving { until } => {
                if peer.outbound.is_empty() || now >= until {
                    // An error means that it is disconnected already.
                    let _ = self.swarm.disconnect_peer_id(peer.id);
                }
            }
            Phase::Gone { until } => {
                if peer.is_read() || now >= until || is_stopping {
                    self.finish(device);
                }
            }
        }
    }

    /// Forgets a peer.
    fn finish(&mut self, device: DeviceId) {
        let Some(mut peer) = self.peers.remove(&device) else {
            return;
        };
        peer.close_gates();
        for (_, reader) in &peer.readers {
            reader.abort();
        }
        let ended = peer.close_blobs();
        self.end_jobs(ended, "the connection is gone");
        self.tell(NetEvent::Disconnected { device });
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stop_at.is_some_and(|at| self.now >= at || self.peers.is_empty())
    }

    pub(crate) fn on_tick(&mut self) {
        self.now += 1;
        self.unblock();
        self.cut_stalled();
        self.note_congestion();
        self.part_with_strangers();
        self.dial_circuits();
        self.ask_for_circuits();
        let devices: Vec<DeviceId> = self.peers.keys().copied().collect();
        for device in devices {
            self.settle(device);
        }
    }

    fn cut_stalled(&mut self) {
        if let Some(blocked) = &self.blocked
            && self.now >= blocked.since + STALL_TICKS
        {
            let device = blocked.device;
            tracing::warn!(%device, "disconnected: it has not read anything for 30 seconds");
            self.blocked = None;
            self.cut(device);
        }
    }

    fn note_congestion(&mut self) {
        let here = self.peers.iter_mut().filter(|(_, peer)| peer.is_here());
        let news = here.filter_map(|(device, peer)| Some((*device, peer.congestion()?)));
        let news: Vec<(DeviceId, bool)> = news.collect();
        for (device, is_congested) in news {
            self.tell(NetEvent::Congested { device, is_congested });
        }
    }

    fn part_with_strangers(&mut self) {
        let now = self.now;
        let mut strangers = Vec::new();
        for (device, peer) in &mut self.peers {
            peer.parked.retain(|parked| parked.until > now);
            let age = now - peer.stranger_since;
            let is_silent = age > SILENT_TICKS && !peer.has_paired();
            let is_stranger = peer.is_here() && !self.admitted.contains(device);
            if is_stranger && (is_silent || age > STRANGER_TICKS) {
                strangers.push(*device);
            }
        }
        for device in strangers {
            tracing::info!(%device, "disconnected: it is not admitted");
            self.disconnect(device);
        }
    }
}
