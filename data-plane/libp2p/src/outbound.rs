//! Streams that we open, and the frames that go out on them.

use std::{io, sync::Arc};

use bytes::Bytes;
use data_plane_core::net::Lane;
use libp2p::Stream;
use node_model::DeviceId;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::{
    handler::Protocol,
    lane::{self, Backlog},
    peer::{Outbound, Outgoing, Peer},
    swarm_task::{Blocked, Opening, Purpose, SwarmTask},
    task::{Ended, Kind},
};

/// Streams in a row that may fail before a lane's frames are given up.
const FAILURES_MAX: u32 = 1;

impl SwarmTask {
    pub(crate) fn send(&mut self, device: DeviceId, lane: Lane, frame: Bytes) {
        if frame.len() > lane.frame_bytes_max() {
            tracing::error!(%device, ?lane, bytes = frame.len(), "a frame is too long to send");
            return;
        }
        let Some(peer) = self.peers.get_mut(&device).filter(|peer| peer.is_here()) else {
            tracing::debug!(%device, ?lane, "a frame was lost: there is no connection");
            return;
        };
        if !peer.outbound.contains_key(&lane) {
            let session = peer.session;
            peer.outbound.insert(lane, Outbound::opening());
            self.open(device, session, Purpose::Lane(lane));
        }
        self.enqueue(Blocked { device, lane, frame, since: self.now, progress: 0 });
    }

    /// Puts a frame into its lane's queue, or keeps it until there is room.
    fn enqueue(&mut self, mut waiting: Blocked) {
        let (device, lane) = (waiting.device, waiting.lane);
        let outbound = self.peers.get(&device).and_then(|peer| peer.outbound.get(&lane));
        let Some(queue) = outbound.and_then(|outbound| outbound.queue.as_ref()) else {
            tracing::debug!(%device, ?lane, "a frame was lost: its lane is gone");
            return;
        };
        if waiting.progress != queue.progress() {
            waiting.progress = queue.progress();
            waiting.since = self.now;
        }
        match queue.push(waiting.frame) {
            Ok(()) => {}
            Err(TrySendError::Full(frame)) => self.blocked = Some(Blocked { frame, ..waiting }),
            Err(TrySendError::Closed(_)) => {
                tracing::debug!(%device, ?lane, "a frame was lost: its stream broke");
            }
        }
    }

    /// Tries the frame that waits for room again.
    pub(crate) fn unblock(&mut self) {
        if let Some(blocked) = self.blocked.take() {
            self.enqueue(blocked);
        }
    }

    pub(crate) fn open(&mut self, device: DeviceId, session: u64, purpose: Purpose) {
        let Some(peer) = self.peers.get(&device) else {
            return;
        };
        let protocol = match &purpose {
            Purpose::Lane(lane) => Protocol::Lane(*lane),
            Purpose::Fetch(_) => Protocol::Blob,
        };
        let request = self.swarm.behaviour_mut().streams.open(peer.id, protocol);
        self.opening.insert(request, Opening { device, session, purpose });
    }

    fn current(&mut self, device: DeviceId, session: u64) -> Option<&mut Peer> {
        self.peers.get_mut(&device).filter(|peer| peer.session == session)
    }

    pub(crate) fn opened(&mut self, request: u64, stream: Stream) {
        let Some(Opening { device, session, purpose }) = self.opening.remove(&request) else {
            return;
        };
        if self.current(device, session).is_none() {
            return;
        }
        match purpose {
            Purpose::Lane(lane) => self.start_writer(device, lane, stream),
            Purpose::Fetch(job) => self.start_fetch(device, job, stream),
        }
    }

    fn start_writer(&mut self, device: DeviceId, lane: Lane, stream: Stream) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let Some(Outbound { queue, stream: Outgoing::Opening(backlog), queued_before }) =
            peer.outbound.remove(&lane)
        else {
            return;
        };
        let room = Arc::clone(&self.room);
        let writer =
            async move { Ended::Writer(lane::write(stream.compat(), backlog, room).await) };
        let writer = self.spawn(device, Kind::Writer(lane), writer);
        if let Some(peer) = self.peers.get_mut(&device) {
            let stream = Outgoing::Writing(writer);
            peer.outbound.insert(lane, Outbound { queue, stream, queued_before });
        }
    }

    pub(crate) fn open_failed(&mut self, request: u64, reason: &str) {
        let Some(Opening { device, session, purpose }) = self.opening.remove(&request) else {
            return;
        };
        let Some(peer) = self.current(device, session) else {
            return;
        };
        tracing::debug!(%device, reason, "a stream could not be opened");
        match purpose {
            Purpose::Lane(lane) => {
                if let Some(Outbound { stream: Outgoing::Opening(backlog), .. }) =
                    peer.outbound.get_mut(&lane)
                {
                    backlog.failures += 1;
                    self.reopen(device, lane);
                }
            }
            Purpose::Fetch(job) => {
                if peer.fetches.remove(&job.id).is_some() {
                    self.end_jobs(vec![job.id], reason);
                    self.start_jobs(device);
                }
            }
        }
        self.settle(device);
    }

    /// Opens the stream of a lane whose stream failed, unless that has been
    /// tried.
    fn reopen(&mut self, device: DeviceId, lane: Lane) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let session = peer.session;
        let Some(Outbound { stream: Outgoing::Opening(backlog), .. }) = peer.outbound.get(&lane)
        else {
            return;
        };
        if backlog.failures <= FAILURES_MAX {
            self.open(device, session, Purpose::Lane(lane));
        } else {
            tracing::info!(%device, ?lane, "frames were lost: the peer does not take them");
            peer.outbound.remove(&lane);
            self.unblock();
        }
    }

    pub(crate) fn writer_ended(
        &mut self,
        device: DeviceId,
        lane: Lane,
        result: Result<(), (Backlog, io::Error)>,
    ) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        match result {
            Ok(()) => {
                peer.outbound.remove(&lane);
            }
            Err((backlog, error)) => {
                tracing::debug!(%device, ?lane, %error, "a lane's stream broke");
                if let Some(outbound) = peer.outbound.get_mut(&lane) {
                    outbound.stream = Outgoing::Opening(backlog);
                    self.reopen(device, lane);
                }
            }
        }
    }
}
