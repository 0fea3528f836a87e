//! One connection's part of [`crate::behaviour::Streams`]: negotiates protocols
//! and hands the streams up.

use std::{
    array,
    collections::VecDeque,
    convert::Infallible,
    task::{Context, Poll},
};

use data_plane_core::net::{BLOB_PROTOCOL, Lane};
use futures::future;
use libp2p::{
    Stream, StreamProtocol,
    core::upgrade::{InboundUpgrade, ReadyUpgrade, UpgradeInfo},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};

/// Events that wait for the swarm; streams beyond are reset.
const WAITING_MAX: usize = 64;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    /// Frames.
    Lane(Lane),
    /// Fetching blobs.
    Blob,
}

impl Protocol {
    const ALL: [Self; 5] = [
        Self::Lane(Lane::Pair),
        Self::Lane(Lane::Trust),
        Self::Lane(Lane::Sync),
        Self::Lane(Lane::Search),
        Self::Blob,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Lane(lane) => lane.protocol(),
            Self::Blob => BLOB_PROTOCOL,
        }
    }

    /// Whether peers that are not admitted may use it.
    pub(crate) fn is_public(self) -> bool {
        match self {
            Self::Lane(lane) => lane.is_public(),
            Self::Blob => false,
        }
    }
}

impl AsRef<str> for Protocol {
    fn as_ref(&self) -> &str {
        self.name()
    }
}

/// Accepts a stream of any of our protocols.
pub(crate) struct Offered;

impl UpgradeInfo for Offered {
    type Info = Protocol;
    type InfoIter = array::IntoIter<Protocol, 5>;

    fn protocol_info(&self) -> Self::InfoIter {
        Protocol::ALL.into_iter()
    }
}

impl<C> InboundUpgrade<C> for Offered {
    type Output = (Protocol, C);
    type Error = Infallible;
    type Future = future::Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: C, protocol: Protocol) -> Self::Future {
        future::ok((protocol, stream))
    }
}

/// Asks a handler for an outbound stream.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) request: u64,
    pub(crate) protocol: Protocol,
}

/// What a handler tells.
#[derive(Debug)]
pub(crate) enum HandlerEvent {
    Inbound { protocol: Protocol, stream: Stream },
    Opened { request: u64, stream: Stream },
    OpenFailed { request: u64, reason: String },
}

type ToSwarm = ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, u64, HandlerEvent>;

/// The handler of one connection.
#[derive(Default)]
pub(crate) struct Handler {
    waiting: VecDeque<ToSwarm>,
}

impl Handler {
    fn tell(&mut self, event: HandlerEvent) {
        self.waiting.push_back(ConnectionHandlerEvent::NotifyBehaviour(event));
    }

    fn tell_inbound(&mut self, protocol: Protocol, stream: Stream) {
        if self.waiting.len() < WAITING_MAX {
            self.tell(HandlerEvent::Inbound { protocol, stream });
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = HandlerEvent;
    type InboundProtocol = Offered;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = u64;

    fn listen_protocol(&self) -> SubstreamProtocol<Offered> {
        SubstreamProtocol::new(Offered, ())
    }

    /// Connections live until the node or a failure ends them.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm> {
        self.waiting.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    fn on_behaviour_event(&mut self, open: Open) {
        let upgrade = ReadyUpgrade::new(StreamProtocol::new(open.protocol.name()));
        self.waiting.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest {
            protocol: SubstreamProtocol::new(upgrade, open.request),
        });
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Offered, ReadyUpgrade<StreamProtocol>, (), u64>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                ..
            }) => self.tell_inbound(protocol, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: request,
            }) => self.tell(HandlerEvent::Opened { request, stream }),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: request, error }) => {
                let reason = words(&error);
                self.tell(HandlerEvent::OpenFailed { request, reason });
            }
            ConnectionEvent::AddressChange(_)
            | ConnectionEvent::ListenUpgradeError(_)
            | ConnectionEvent::LocalProtocolsChange(_)
            | ConnectionEvent::RemoteProtocolsChange(_) => {}
            _ => {}
        }
    }
}

fn words(error: &StreamUpgradeError<Infallible>) -> String {
    match error {
        StreamUpgradeError::Timeout => "the other end did not answer in time".to_owned(),
        StreamUpgradeError::NegotiationFailed => {
            "the other end does not speak this protocol".to_owned()
        }
        StreamUpgradeError::Io(error) => format!("the connection broke: {error}"),
        StreamUpgradeError::Apply(never) => match *never {},
    }
}
