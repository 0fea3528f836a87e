//! What the swarm task knows of one connected peer.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use data_plane_core::net::Lane;
use data_plane_store::exchange::fetch::Job;
use libp2p::{Multiaddr, PeerId, Stream, core::ConnectedPoint};
use tokio::task::{self, AbortHandle};

use crate::{
    address::without_peer,
    gate::Gate,
    handler::Protocol,
    lane::{Backlog, Queue},
};

/// Inbound streams of one lane: a peer that lost a stream opens the next before
/// we notice.
pub(crate) const READERS_MAX: usize = 2;

/// Where a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connected.
    Here,
    /// To be disconnected once what waits for it is written, or at a tick.
    Leaving { until: u64 },
    /// Disconnected; what it sent before is still being read, until a tick.
    Gone { until: u64 },
}

/// Our side of a lane.
pub(crate) struct Outbound {
    /// `None` when nothing more shall be sent.
    pub(crate) queue: Option<Queue>,
    pub(crate) stream: Outgoing,
    /// Frames that had been put in, ever, at the last tick.
    pub(crate) queued_before: usize,
}

/// The stream of an [`Outbound`].
pub(crate) enum Outgoing {
    Opening(Backlog),
    Writing(AbortHandle),
}

impl Outbound {
    /// An outbound lane whose stream is being opened.
    pub(crate) fn opening() -> Self {
        let (queue, backlog) = Queue::new();
        Self { queue: Some(queue), stream: Outgoing::Opening(backlog), queued_before: 0 }
    }

    /// Whether a frame waits that was there at the last tick; to be asked at each.
    fn is_congested(&mut self) -> bool {
        let Some(queue) = &self.queue else { return false };
        let queued_before = std::mem::replace(&mut self.queued_before, queue.queued());
        queue.written() < queued_before
    }

    /// Ends it; what waits is lost.
    pub(crate) fn abort(&self) {
        if let Outgoing::Writing(writer) = &self.stream {
            writer.abort();
        }
    }
}

/// A stream that waits for its peer to be admitted.
pub(crate) struct Parked {
    pub(crate) protocol: Protocol,
    pub(crate) stream: Stream,
    pub(crate) until: u64,
}

/// A peer, from its first connection until all it sent is read.
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    /// Tells this acquaintance from an earlier one of the same device.
    pub(crate) session: u64,
    pub(crate) phase: Phase,
    /// The tick of its first connection.
    pub(crate) since: u64,
    pub(crate) address: Multiaddr,
    /// Whether another device passes its connection on.
    pub(crate) is_circuit: bool,
    /// Whether this node reached it directly, so that others may do so, too.
    pub(crate) is_dialled: bool,
    /// The tick at which it was last asked to pass connections on.
    pub(crate) asked_at: Option<u64>,
    is_congested: bool,
    gate: Arc<Gate>,
    private_gate: Arc<Gate>,
    /// The tick since which it is connected without being admitted.
    pub(crate) stranger_since: u64,
    pub(crate) outbound: BTreeMap<Lane, Outbound>,
    /// Oldest first.
    pub(crate) readers: Vec<(Lane, AbortHandle)>,
    pub(crate) providers: Vec<AbortHandle>,
    /// Without a task while the stream is being opened.
    pub(crate) fetches: BTreeMap<u64, Option<AbortHandle>>,
    pub(crate) queued: VecDeque<Job>,
    pub(crate) parked: VecDeque<Parked>,
}

impl Peer {
    pub(crate) fn new(id: PeerId, session: u64, endpoint: &ConnectedPoint, now: u64) -> Self {
        let is_circuit = endpoint.is_relayed();
        Self {
            id,
            session,
            phase: Phase::Here,
            since: now,
            address: without_peer(endpoint.get_remote_address().clone()),
            is_circuit,
            is_dialled: endpoint.is_dialer() && !is_circuit,
            asked_at: None,
            is_congested: false,
            gate: Arc::new(Gate::open()),
            private_gate: Arc::new(Gate::open()),
            stranger_since: now,
            outbound: BTreeMap::new(),
            readers: Vec::new(),
            providers: Vec::new(),
            fetches: BTreeMap::new(),
            queued: VecDeque::new(),
            parked: VecDeque::new(),
        }
    }

    /// What frames of a lane pass.
    pub(crate) fn gate(&self, lane: Lane) -> Arc<Gate> {
        Arc::clone(if lane.is_public() { &self.gate } else { &self.private_gate })
    }

    /// When this returns, no frame passes any more.
    pub(crate) fn close_gates(&self) {
        self.gate.close();
        self.private_gate.close();
    }

    /// Whether it ever sent a pairing frame.
    pub(crate) fn has_paired(&self) -> bool {
        self.gate.has_paired()
    }

    pub(crate) fn is_here(&self) -> bool {
        self.phase == Phase::Here
    }

    /// Whether frames for it wait, if that is news; to be asked at each tick.
    pub(crate) fn congestion(&mut self) -> Option<bool> {
        let lanes = self.outbound.values_mut();
        let is_congested = lanes.fold(false, |is_any, lane| lane.is_congested() | is_any);
        let was_congested = std::mem::replace(&mut self.is_congested, is_congested);
        (is_congested != was_congested).then_some(is_congested)
    }

    /// Whether everything that it sent has been read.
    pub(crate) fn is_read(&self) -> bool {
        self.readers.is_empty() && self.fetches.is_empty()
    }

    /// Makes room for one more reader of a lane. The newest stream wins: the
    /// others may belong to a dead connection.
    pub(crate) fn make_room(&mut self, lane: Lane) {
        let running = self.readers.iter().filter(|(other, _)| *other == lane).count();
        if running < READERS_MAX {
            return;
        }
        if let Some(oldest) = self.readers.iter().position(|(other, _)| *other == lane) {
            self.readers.remove(oldest).1.abort();
        }
    }

    /// Whether a task writes a lane now, rather than did so before.
    pub(crate) fn is_writer(&self, lane: Lane, task: task::Id) -> bool {
        self.outbound.get(&lane).is_some_and(|outbound| match &outbound.stream {
            Outgoing::Writing(writer) => writer.id() == task,
            Outgoing::Opening(_) => false,
        })
    }

    /// Forgets a task that has ended.
    pub(crate) fn forget(&mut self, task: task::Id) {
        self.readers.retain(|(_, reader)| reader.id() != task);
        self.providers.retain(|provider| provider.id() != task);
        self.fetches.retain(|_, fetch| fetch.as_ref().is_none_or(|fetch| fetch.id() != task));
    }

    /// Ends all but pairing. Jobs that had no task yet are returned.
    pub(crate) fn close_private(&mut self) -> Vec<u64> {
        self.private_gate.close();
        self.private_gate = Arc::new(Gate::open());
        self.parked.clear();
        self.readers.retain(|(lane, reader)| {
            if !lane.is_public() {
                reader.abort();
            }
            lane.is_public()
        });
        self.outbound.retain(|lane, outbound| {
            if !lane.is_public() {
                outbound.abort();
            }
            lane.is_public()
        });
        self.close_blobs()
    }

    /// Ends blob streams. Jobs that had no task yet are returned.
    pub(crate) fn close_blobs(&mut self) -> Vec<u64> {
        for provider in self.providers.drain(..) {
            provider.abort();
        }
        for fetch in self.fetches.values().flatten() {
            fetch.abort();
        }
        self.end_unopened()
    }

    /// Gives up jobs that have no stream yet, and returns them.
    pub(crate) fn end_unopened(&mut self) -> Vec<u64> {
        let mut ended: Vec<u64> = self.queued.drain(..).map(|job| job.id).collect();
        self.fetches.retain(|job, fetch| {
            if fetch.is_none() {
                ended.push(*job);
            }
            fetch.is_some()
        });
        ended
    }
}
