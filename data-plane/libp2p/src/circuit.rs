//! Circuits: connections that a device which both ends are connected with passes on (libp2p
//! circuit relay v2). Whoever it admitted may ask it to; what passes is encrypted end to end.
//!
//! Non-goals: whether a circuit is worth its while. Who dials asks for one where no direct
//! way was found.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use data_plane_core::net::{NetEvent, circuit_address};
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, transport::ListenerId},
    multiaddr::Protocol,
    relay,
};
use node_model::DeviceId;

use crate::{
    address::{chain, device_of, peer_of, without_peer},
    peer::Peer,
    swarm_task::SwarmTask,
};

/// Devices that pass connections on to this node at a time: when one goes, it is still found.
const RESERVATIONS_MAX: usize = 4;

/// Ticks between two questions of one device whether it passes connections on, and those
/// before the first: what there is to say to each other goes first.
const ASK_TICKS: u64 = 30;
const ASK_AFTER_TICKS: u64 = 2;

/// Devices that may have connections passed on to them by this node.
const RESERVED_MAX: usize = 128;

/// Connections that this node passes on, and those of one device. Each takes some 16 KiB.
const CIRCUITS_MAX: usize = 64;
const CIRCUITS_PER_PEER_MAX: usize = 8;

/// How long a circuit may be up, and a promise to pass connections on holds unless renewed.
const CIRCUIT_MAX: Duration = Duration::from_secs(24 * 3_600);
const RESERVED_FOR: Duration = Duration::from_secs(3_600);

/// Circuits that one device may open in a row, and how soon it may open one more.
const CIRCUITS_IN_A_ROW: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
const CIRCUIT_EVERY: Duration = Duration::from_secs(10);

/// Devices that may use more than pairing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admitted(Arc<Mutex<BTreeSet<DeviceId>>>);

impl Admitted {
    pub(crate) fn contains(&self, device: &DeviceId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(device)
    }

    pub(crate) fn insert(&self, device: DeviceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(device);
    }

    /// Whether it was admitted.
    pub(crate) fn remove(&self, device: &DeviceId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(device)
    }

    fn has(&self, peer: &PeerId) -> bool {
        device_of(peer).is_some_and(|device| self.contains(&device))
    }
}

/// What passes connections on among those who are admitted, if it shall.
pub(crate) fn behaviour(local: PeerId, is_offered: bool, admitted: &Admitted) -> relay::Behaviour {
    let (reserving, opening) = (admitted.clone(), admitted.clone());
    let mut config = relay::Config {
        max_reservations: RESERVED_MAX,
        max_reservations_per_peer: 4,
        reservation_duration: RESERVED_FOR,
        reservation_rate_limiters: vec![Box::new(move |peer: PeerId, _: &Multiaddr, _| {
            reserving.has(&peer)
        })],
        max_circuits: CIRCUITS_MAX,
        max_circuits_per_peer: CIRCUITS_PER_PEER_MAX,
        max_circuit_duration: CIRCUIT_MAX,
        max_circuit_bytes: u64::MAX,
        circuit_src_rate_limiters: vec![Box::new(move |peer: PeerId, _: &Multiaddr, _| {
            opening.has(&peer)
        })],
    };
    config = config.circuit_src_per_peer(CIRCUITS_IN_A_ROW, CIRCUIT_EVERY);
    let mut behaviour = relay::Behaviour::new(local, config);
    let status = if is_offered { relay::Status::Enable } else { relay::Status::Disable };
    behaviour.set_status(Some(status));
    behaviour
}

/// A device that was asked to pass connections on to this node.
pub(crate) struct Reservation {
    listener: ListenerId,
    through: DeviceId,
    is_open: bool,
}

/// Through whom an address leads.
pub(crate) fn through_of(address: &Multiaddr) -> Option<DeviceId> {
    let mut last = None;
    for part in address {
        if part == Protocol::P2pCircuit {
            return last;
        }
        last = if let Protocol::P2p(peer) = part { device_of(&peer) } else { None };
    }
    None
}

pub(crate) fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

impl SwarmTask {
    /// Where the other end is: where it was dialled or comes from, or who passes it on.
    pub(crate) fn address_of(&self, endpoint: &ConnectedPoint) -> String {
        let address = match endpoint {
            ConnectedPoint::Dialer { address, .. } => address,
            ConnectedPoint::Listener { local_addr, .. } => local_addr,
        };
        let through = through_of(address).or_else(|| self.passing_on(address));
        through.filter(|_| endpoint.is_relayed()).map_or_else(
            || without_peer(endpoint.get_remote_address().clone()).to_string(),
            circuit_address,
        )
    }

    /// Who passes on what comes in at an address without a peer id: that of a device which
    /// dialled this node.
    fn passing_on(&self, address: &Multiaddr) -> Option<DeviceId> {
        let way: Multiaddr =
            address.iter().take_while(|part| *part != Protocol::P2pCircuit).collect();
        let mut open = self.reservations.iter().filter(|it| it.is_open).map(|it| it.through);
        let is_there = |device: &DeviceId| {
            self.peers.get(device).is_some_and(|peer| !peer.is_circuit && peer.address == way)
        };
        // It may have another connection by now.
        open.clone().find(is_there).or_else(|| open.next())
    }

    /// Where a device is dialled by a circuit through another one, which has to be connected
    /// directly.
    pub(crate) fn circuit(&self, through: DeviceId, device: DeviceId) -> Option<Multiaddr> {
        Some(self.circuit_through(through)?.with(Protocol::P2p(peer_of(&device))))
    }

    fn circuit_through(&self, through: DeviceId) -> Option<Multiaddr> {
        let peer = self.peers.get(&through).filter(|peer| peer.is_here() && !peer.is_circuit)?;
        Some(peer.address.clone().with(Protocol::P2p(peer.id)).with(Protocol::P2pCircuit))
    }

    /// Asks devices that are connected directly to pass connections on: first those that this
    /// node dialled, since others are likely to reach them, too.
    pub(crate) fn ask_for_circuits(&mut self) {
        let now = self.now;
        let asked: BTreeSet<DeviceId> = self.reservations.iter().map(|it| it.through).collect();
        let room = RESERVATIONS_MAX.saturating_sub(asked.len());
        let is_due = |peer: &Peer| {
            now >= peer.asked_at.map_or(peer.since + ASK_AFTER_TICKS, |at| at + ASK_TICKS)
        };
        let due = self
            .peers
            .iter()
            .filter(|(device, peer)| is_due(peer) && !peer.is_circuit && !asked.contains(device));
        let due = due.filter(|(device, _)| self.admitted.contains(device));
        let mut due: Vec<(bool, DeviceId)> =
            due.map(|(device, peer)| (!peer.is_dialled, *device)).collect();
        due.sort_unstable();
        for (_, through) in due.into_iter().take(room) {
            self.ask_for_circuit(through);
        }
    }

    fn ask_for_circuit(&mut self, through: DeviceId) {
        let Some(address) = self.circuit_through(through) else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&through) {
            peer.asked_at = Some(self.now);
        }
        match self.swarm.listen_on(address) {
            Ok(listener) => {
                self.reservations.push(Reservation { listener, through, is_open: false });
            }
            Err(error) => tracing::debug!(%through, %error, "cannot ask for circuits"),
        }
    }

    pub(crate) fn on_circuit(&mut self, event: &relay::client::Event) {
        tracing::debug!(?event, "a circuit");
        let relay::client::Event::ReservationReqAccepted { relay_peer_id, .. } = event else {
            return;
        };
        let Some(through) = device_of(relay_peer_id) else {
            return;
        };
        let mut told = self.reservations.iter_mut();
        if let Some(reservation) = told.find(|it| it.through == through && !it.is_open) {
            reservation.is_open = true;
            self.tell(NetEvent::Circuit { through, is_open: true });
        }
    }

    pub(crate) fn on_listener_closed(
        &mut self,
        listener: ListenerId,
        addresses: &[Multiaddr],
        reason: Result<(), std::io::Error>,
    ) {
        let reason = reason.err().map_or_else(String::new, |error| chain(&error));
        let Some(at) = self.reservations.iter().position(|it| it.listener == listener) else {
            tracing::warn!(?addresses, reason, "no longer listening");
            return;
        };
        let Reservation { through, is_open, .. } = self.reservations.remove(at);
        tracing::debug!(%through, reason, "no circuits");
        if is_open {
            self.tell(NetEvent::Circuit { through, is_open: false });
        }
    }
}
