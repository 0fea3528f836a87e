//! Streams that peers open: who may open which.

use data_plane_store::exchange::provide::{self, Provide};
use libp2p::Stream;
use node_model::DeviceId;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::{
    handler::Protocol,
    lane::{self, Inbox},
    peer::Parked,
    swarm_task::SwarmTask,
    task::{Ended, Kind},
};

/// Inbound streams that wait while the node is behind with events.
const HELD_MAX: usize = 64;

/// Streams of one protocol that a peer may park until it is admitted.
const PARKED_MAX: usize = 2;

/// Parked streams of all peers.
const PARKED_IN_ALL_MAX: usize = 64;

/// Ticks that a stream may be parked: admission follows the exchange of a few
/// frames.
const PARKED_TICKS: u64 = 10;

/// Blob streams that a peer may open.
const PROVIDERS_MAX: usize = 8;

/// Blob streams of all peers.
const PROVIDERS_IN_ALL_MAX: usize = 64;

impl SwarmTask {
    pub(crate) fn inbound(&mut self, device: DeviceId, protocol: Protocol, stream: Stream) {
        if self.outbox.is_empty() {
            self.accept(device, protocol, stream);
        } else if self.held.len() < HELD_MAX {
            // Its frames must not overtake `Connected`.
            self.held.push_back((device, protocol, stream));
        } else {
            tracing::debug!(%device, ?protocol, "a stream was reset: the node is busy");
        }
    }

    pub(crate) fn accept(&mut self, device: DeviceId, protocol: Protocol, stream: Stream) {
        let Some(peer) = self.peers.get(&device).filter(|peer| peer.is_here()) else {
            return;
        };
        if !protocol.is_public() && !self.admitted.contains(&device) {
            self.park(device, protocol, stream);
            return;
        }
        match protocol {
            Protocol::Lane(lane) => {
                let gate = peer.gate(lane);
                let inbox = Inbox { device, lane, gate, events: self.events.clone() };
                let reader = async move { Ended::Reader(lane::read(stream.compat(), inbox).await) };
                let reader = self.spawn(device, Kind::Reader, reader);
                if let Some(peer) = self.peers.get_mut(&device) {
                    peer.make_room(lane);
                    peer.readers.push((lane, reader));
                }
            }
            Protocol::Blob => self.provide(device, stream),
        }
    }

    fn park(&mut self, device: DeviceId, protocol: Protocol, stream: Stream) {
        let in_all: usize = self.peers.values().map(|peer| peer.parked.len()).sum();
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let of_peer = peer.parked.iter().filter(|parked| parked.protocol == protocol).count();
        if of_peer < PARKED_MAX && in_all < PARKED_IN_ALL_MAX {
            let until = self.now + PARKED_TICKS;
            peer.parked.push_back(Parked { protocol, stream, until });
        } else {
            tracing::debug!(%device, ?protocol, "a stream was reset: its peer is not admitted");
        }
    }

    fn provide(&mut self, device: DeviceId, stream: Stream) {
        let in_all: usize = self.peers.values().map(|peer| peer.providers.len()).sum();
        let of_peer = self.peers.get(&device).map_or(0, |peer| peer.providers.len());
        if of_peer >= PROVIDERS_MAX || in_all >= PROVIDERS_IN_ALL_MAX {
            tracing::debug!(%device, "a blob stream was reset: there are too many");
            return;
        }
        let (blobs, questions) = (self.blobs.clone(), self.questions.clone());
        let provide = Provide { device, blobs, questions };
        let provider = async move { Ended::Provider(provide::run(stream.compat(), provide).await) };
        let provider = self.spawn(device, Kind::Provider, provider);
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.providers.push(provider);
        }
    }

    pub(crate) fn admit(&mut self, device: DeviceId) {
        self.admitted.insert(device);
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        for parked in std::mem::take(&mut peer.parked) {
            self.accept(device, parked.protocol, parked.stream);
        }
    }

    pub(crate) fn forbid(&mut self, device: DeviceId) {
        let was_admitted = self.admitted.remove(&device);
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        if was_admitted {
            peer.stranger_since = self.now;
        }
        let ended = peer.close_private();
        self.questions.forget(device);
        self.end_jobs(ended, "the device is no longer admitted");
        self.unblock();
        self.settle(device);
    }
}
