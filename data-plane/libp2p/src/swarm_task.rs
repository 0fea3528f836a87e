//! The task that owns the swarm. It never waits for the node, a peer or the
//! disk: what has to wait stands in a bounded queue or has a task of its own.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    future::poll_fn,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use data_plane_core::net::{Lane, NetCommand, NetEvent};
use data_plane_store::{
    Blobs,
    exchange::{fetch::Job, provide::Questions},
};
use futures::StreamExt;
use libp2p::{
    Multiaddr, Stream, Swarm, mdns, ping,
    swarm::{ConnectionId, SwarmEvent},
};
use node_model::DeviceId;
use tokio::{
    sync::{Notify, mpsc},
    task::{self, JoinSet},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::PollSender;

use crate::{
    address::{ADDRESSES_MAX, device_of, is_shareable, without_peer},
    behaviour::{Behaviour, BehaviourEvent, StreamEvent},
    circuit::{Admitted, Reservation, is_circuit},
    dial::Dial,
    handler::Protocol,
    peer::Peer,
    task::{Ended, Running},
};

/// Length of a tick; deadlines are counted in them.
const TICK: Duration = Duration::from_secs(1);

/// Events beyond which news of the local network are dropped.
const DISCOVERED_MAX: usize = 64;

/// A stream that is being opened.
pub(crate) struct Opening {
    pub(crate) device: DeviceId,
    pub(crate) session: u64,
    pub(crate) purpose: Purpose,
}

/// What a stream is opened for.
pub(crate) enum Purpose {
    Lane(Lane),
    Fetch(Job),
}

/// A frame whose queue is full. While there is one, no commands are read.
pub(crate) struct Blocked {
    pub(crate) device: DeviceId,
    pub(crate) lane: Lane,
    pub(crate) frame: Bytes,
    /// The tick at which its lane last moved, and how far.
    pub(crate) since: u64,
    pub(crate) progress: usize,
}

/// The swarm and everything about its peers.
pub(crate) struct SwarmTask {
    pub(crate) swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<NetCommand>,
    pub(crate) events: mpsc::Sender<NetEvent>,
    delivery: PollSender<NetEvent>,
    pub(crate) outbox: VecDeque<NetEvent>,
    pub(crate) blobs: Blobs,
    pub(crate) questions: Questions,
    pub(crate) peers: BTreeMap<DeviceId, Peer>,
    pub(crate) admitted: Admitted,
    pub(crate) reservations: Vec<Reservation>,
    /// Those with whom a direct connection could be had.
    pub(crate) direct: BTreeSet<DeviceId>,
    pub(crate) dials: BTreeMap<DeviceId, Dial>,
    pub(crate) opening: BTreeMap<u64, Opening>,
    pub(crate) held: VecDeque<(DeviceId, Protocol, Stream)>,
    pub(crate) blocked: Option<Blocked>,
    pub(crate) room: Arc<Notify>,
    pub(crate) tasks: JoinSet<Ended>,
    pub(crate) running: HashMap<task::Id, Running>,
    pub(crate) now: u64,
    pub(crate) next_session: u64,
    pub(crate) stop_at: Option<u64>,
}

impl SwarmTask {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        commands: mpsc::Receiver<NetCommand>,
        events: mpsc::Sender<NetEvent>,
        blobs: Blobs,
        admitted: Admitted,
    ) -> Self {
        Self {
            swarm,
            commands,
            delivery: PollSender::new(events.clone()),
            questions: Questions::new(events.clone()),
            events,
            outbox: VecDeque::new(),
            blobs,
            peers: BTreeMap::new(),
            admitted,
            reservations: Vec::new(),
            direct: BTreeSet::new(),
            dials: BTreeMap::new(),
            opening: BTreeMap::new(),
            held: VecDeque::new(),
            blocked: None,
            room: Arc::default(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            now: 0,
            next_session: 0,
            stop_at: None,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_over() {
            // Commands are read even while the node does not take events: it
            // may be waiting for us to take its commands.
            let takes_commands = self.blocked.is_none() && self.stop_at.is_none();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                Some(ended) = self.tasks.join_next_with_id() => self.on_ended(ended),
                ready = poll_fn(|cx| self.delivery.poll_reserve(cx)), if !self.outbox.is_empty() => {
                    self.deliver(ready.is_ok());
                }
                () = self.room.notified(), if self.blocked.is_some() => self.unblock(),
                command = self.commands.recv(), if takes_commands => match command {
                    Some(command) => self.on_command(command),
                    None => self.stop(),
                },
                _ = clock.tick() => {
                    // Commands may stand still, the end of the node must not.
                    if self.commands.is_closed() && self.blocked.take().is_some() {
                        self.stop();
                    }
                    self.on_tick();
                }
            }
        }
        for event in self.outbox {
            // The node may be gone or busy; it stopped us.
            let _ = self.events.try_send(event);
        }
    }

    pub(crate) fn tell(&mut self, event: NetEvent) {
        self.outbox.push_back(event);
    }

    fn deliver(&mut self, has_room: bool) {
        if !has_room {
            // The node is gone and takes its commands with it.
            self.outbox.clear();
        } else if let Some(event) = self.outbox.pop_front()
            && self.delivery.send_item(event).is_err()
        {
            self.outbox.clear();
        }
        if self.outbox.is_empty() {
            for (device, protocol, stream) in std::mem::take(&mut self.held) {
                self.accept(device, protocol, stream);
            }
        }
    }

    fn on_command(&mut self, command: NetCommand) {
        match command {
            NetCommand::Dial { device, addresses } => self.dial(device, &addresses),
            NetCommand::Disconnect { device } => self.disconnect(device),
            NetCommand::Admit { device } => self.admit(device),
            NetCommand::Forbid { device } => self.forbid(device),
            NetCommand::Send { device, lane, frame } => self.send(device, lane, frame),
            NetCommand::Fetch { job, device, blobs, bytes_max } => {
                self.fetch(device, Job { id: job, list: blobs, bytes_max });
            }
            NetCommand::Answer { request, allowed } => self.questions.answer(request, allowed),
        }
    }

    pub(crate) fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, cause, .. } => {
                tracing::debug!(%peer_id, ?cause, "a connection closed");
                if num_established == 0
                    && let Some(device) = device_of(&peer_id)
                {
                    self.on_disconnected(device);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.dial_failed(connection_id, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                self.on_listener_closed(listener_id, &addresses, reason);
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a connection could not be accepted");
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(%send_back_addr, ?error, "an incoming connection failed");
            }
            SwarmEvent::IncomingConnection { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::Dialing { .. }
            | SwarmEvent::NewExternalAddrCandidate { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. }
            | SwarmEvent::NewExternalAddrOfPeer { .. } => {}
            _ => {}
        }
    }

    fn on_listening(&mut self, address: Multiaddr) {
        if is_shareable(&address) && !is_circuit(&address) {
            // Who passes connections on has to say where it is.
            self.swarm.add_external_address(address.clone());
            let address = without_peer(address).to_string();
            self.tell(NetEvent::Listening { address });
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(event) => self.on_stream(event),
            BehaviourEvent::Ping(event) => self.on_ping(&event),
            BehaviourEvent::Mdns(event) => self.on_mdns(event),
            BehaviourEvent::Circuits(event) => self.on_circuit(&event),
            BehaviourEvent::PassingOn(event) => tracing::debug!(?event, "connections passed on"),
            BehaviourEvent::Limits(never) => match never {},
        }
    }

    fn on_stream(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Inbound { device, protocol, stream } => {
                self.inbound(device, protocol, stream);
            }
            StreamEvent::Opened { request, stream } => self.opened(request, stream),
            StreamEvent::OpenFailed { request, reason } => self.open_failed(request, &reason),
        }
    }

    fn on_ping(&mut self, event: &ping::Event) {
        match &event.result {
            Ok(_) | Err(ping::Failure::Unsupported) => {}
            Err(failure @ (ping::Failure::Timeout | ping::Failure::Other { .. })) => {
                self.close(event.connection, &failure.to_string());
            }
        }
    }

    fn close(&mut self, connection: ConnectionId, reason: &str) {
        tracing::info!(%connection, reason, "closing a connection that does not answer");
        self.swarm.close_connection(connection);
    }

    fn on_mdns(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else {
            return;
        };
        let mut devices: BTreeMap<DeviceId, Vec<String>> = BTreeMap::new();
        for (peer, address) in found {
            let Some(device) = device_of(&peer) else {
                continue;
            };
            let addresses = devices.entry(device).or_default();
            if addresses.len() < ADDRESSES_MAX {
                addresses.push(without_peer(address).to_string());
            }
        }
        for (device, addresses) in devices {
            // Anybody on the local network can claim anything, as often as they
            // like.
            if self.outbox.len() < DISCOVERED_MAX {
                self.tell(NetEvent::Discovered { device, addresses });
            }
        }
    }
}
