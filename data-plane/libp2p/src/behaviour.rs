//! What runs on every connection: our streams, liveness, limits and discovery.

use std::{
    collections::{BTreeMap, VecDeque},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, connection_limits,
    core::{Endpoint, transport::PortUse},
    mdns, ping, relay,
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour,
        NotifyHandler, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished,
        behaviour::toggle::Toggle,
    },
};
use node_model::DeviceId;

use crate::{
    address::device_of,
    handler::{Handler, HandlerEvent, Open, Protocol},
};

/// Everything on a connection. Limits stand first: they refuse before anything
/// else is set up.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) streams: Streams,
    pub(crate) ping: ping::Behaviour,
    pub(crate) circuits: relay::client::Behaviour,
    pub(crate) passing_on: relay::Behaviour,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
}

/// What [`Streams`] tells.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// A peer opened a stream.
    Inbound { device: DeviceId, protocol: Protocol, stream: Stream },
    /// The answer to [`Streams::open`].
    Opened { request: u64, stream: Stream },
    /// The other answer to [`Streams::open`].
    OpenFailed { request: u64, reason: String },
}

/// How a connection goes, the better one last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Circuit,
    Direct,
}

/// Opens and accepts streams. Every request is answered exactly once.
#[derive(Default)]
pub(crate) struct Streams {
    /// Circuits first, then the others, each as they came.
    connections: BTreeMap<PeerId, Vec<(Way, ConnectionId)>>,
    opening: BTreeMap<u64, ConnectionId>,
    next_request: u64,
    waiting: VecDeque<ToSwarm<StreamEvent, Open>>,
}

impl Streams {
    /// Opens a stream on the newest connection, a direct one if there is one: an older
    /// one may be dead without our knowing.
    pub(crate) fn open(&mut self, peer_id: PeerId, protocol: Protocol) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        match self.connections.get(&peer_id).and_then(|connections| connections.last()) {
            Some((_, connection)) => {
                self.opening.insert(request, *connection);
                self.waiting.push_back(ToSwarm::NotifyHandler {
                    peer_id,
                    handler: NotifyHandler::One(*connection),
                    event: Open { request, protocol },
                });
            }
            None => self.fail(request),
        }
        request
    }

    fn fail(&mut self, request: u64) {
        let reason = "the connection is gone".to_owned();
        self.waiting.push_back(ToSwarm::GenerateEvent(StreamEvent::OpenFailed { request, reason }));
    }

    fn closed(&mut self, peer_id: PeerId, connection: ConnectionId) {
        if let Some(connections) = self.connections.get_mut(&peer_id) {
            connections.retain(|(_, other)| *other != connection);
            if connections.is_empty() {
                self.connections.remove(&peer_id);
            }
        }
        let lost: Vec<u64> = self
            .opening
            .iter()
            .filter(|(_, used)| **used == connection)
            .map(|(request, _)| *request)
            .collect();
        for request in lost {
            self.opening.remove(&request);
            self.fail(request);
        }
    }
}

fn handler_for(peer: PeerId) -> Result<Handler, ConnectionDenied> {
    match device_of(&peer) {
        Some(_) => Ok(Handler::default()),
        None => Err(ConnectionDenied::new("the peer's key is not an Ed25519 key")),
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        handler_for(peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        handler_for(peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id,
            connection_id,
            endpoint,
            ..
        }) = event
        {
            let connections = self.connections.entry(peer_id).or_default();
            let way = if endpoint.is_relayed() { Way::Circuit } else { Way::Direct };
            connections.push((way, connection_id));
            connections.sort_by_key(|(way, _)| *way);
        } else if let FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id, connection_id, ..
        }) = event
        {
            self.closed(peer_id, connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let event = match event {
            HandlerEvent::Inbound { protocol, stream } => {
                let Some(device) = device_of(&peer) else {
                    return;
                };
                StreamEvent::Inbound { device, protocol, stream }
            }
            HandlerEvent::Opened { request, stream } => {
                if self.opening.remove(&request).is_none() {
                    return;
                }
                StreamEvent::Opened { request, stream }
            }
            HandlerEvent::OpenFailed { request, reason } => {
                if self.opening.remove(&request).is_none() {
                    return;
                }
                StreamEvent::OpenFailed { request, reason }
            }
        };
        self.waiting.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<StreamEvent, Open>> {
        self.waiting.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
