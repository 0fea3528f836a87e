//! Dialling: one address after the other, so that a stranger at one of them
//! does not hide the device at the next; and a circuit for who cannot be reached directly.

use std::collections::VecDeque;

use data_plane_core::net::{NetEvent, circuit_address, circuit_of};
use libp2p::{
    Multiaddr,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use node_model::DeviceId;

use crate::{
    address::{ADDRESSES_MAX, dial_order, dial_words, peer_of},
    circuit::through_of,
    peer::Phase,
    swarm_task::SwarmTask,
};

/// Reasons that a failed dial names; the others are counted.
const REASONS_MAX: usize = 4;

/// Ticks after which a circuit is tried beside the direct ways. Who was reached directly
/// before is given the time that those may take.
const CIRCUIT_TICKS: u64 = 2;
const CIRCUIT_TICKS_IF_DIRECT: u64 = 12;

/// A dial under way: direct addresses one after the other, and after a while beside them
/// who passes connections on, one after the other as well.
pub(crate) struct Dial {
    since: u64,
    attempt: Option<Attempt>,
    rest: VecDeque<Multiaddr>,
    circuit: Option<Attempt>,
    circuits: VecDeque<DeviceId>,
    failures: Vec<String>,
}

/// An address that is being dialled.
struct Attempt {
    connection: ConnectionId,
    address: Multiaddr,
}

impl Dial {
    fn reason(&self) -> String {
        let mut reason = self.failures[..self.failures.len().min(REASONS_MAX)].join("; ");
        let more = self.failures.len().saturating_sub(REASONS_MAX);
        if more > 0 {
            reason.push_str(&format!("; and {more} addresses more"));
        }
        reason
    }

    /// Adds addresses that it does not know.
    fn extend(&mut self, addresses: Vec<Multiaddr>, circuits: Vec<DeviceId>) {
        let current = self.attempt.as_ref().map(|attempt| attempt.address.clone());
        for address in addresses {
            let is_new = current.as_ref() != Some(&address) && !self.rest.contains(&address);
            if is_new && self.rest.len() < ADDRESSES_MAX {
                self.rest.push_back(address);
            }
        }
        for through in circuits {
            if !self.circuits.contains(&through) && self.circuits.len() < ADDRESSES_MAX {
                self.circuits.push_back(through);
            }
        }
    }

    /// Takes the attempt that a connection was.
    fn take(&mut self, connection: ConnectionId) -> Option<Attempt> {
        let is_it = |attempt: &&mut Attempt| attempt.connection == connection;
        if self.attempt.as_mut().filter(is_it).is_some() {
            self.attempt.take()
        } else if self.circuit.as_mut().filter(is_it).is_some() {
            self.circuit.take()
        } else {
            None
        }
    }
}

impl SwarmTask {
    pub(crate) fn dial(&mut self, device: DeviceId, addresses: &[String]) {
        let mut circuits: Vec<DeviceId> =
            addresses.iter().filter_map(|address| circuit_of(address)).collect();
        match self.peers.get(&device).map(|peer| (peer.phase, peer.is_circuit)) {
            Some((Phase::Here, false)) => return,
            Some((Phase::Here, true)) => circuits.clear(),
            Some((Phase::Leaving { .. }, _)) => {
                let reason = "its connection is just being closed".to_owned();
                self.tell(NetEvent::DialFailed { device, reason });
                return;
            }
            Some((Phase::Gone { .. }, _)) | None => {}
        }
        let addresses = dial_order(addresses);
        if let Some(dial) = self.dials.get_mut(&device) {
            dial.extend(addresses, circuits);
            self.dial_next(device);
            return;
        }
        if addresses.is_empty() && circuits.is_empty() {
            let reason = "none of its addresses can be dialled".to_owned();
            self.tell(NetEvent::DialFailed { device, reason });
            return;
        }
        let dial = Dial {
            since: self.now,
            attempt: None,
            rest: addresses.into(),
            circuit: None,
            circuits: circuits.into(),
            failures: Vec::new(),
        };
        self.dials.insert(device, dial);
        self.dial_next(device);
    }

    /// Tries the next of what is left; without any, the dial has failed.
    fn dial_next(&mut self, device: DeviceId) {
        self.dial_directly(device);
        let Some(dial) = self.dials.get(&device) else {
            return;
        };
        if dial.attempt.is_none() {
            self.direct.remove(&device);
        }
        self.dial_circuit(device);
        let is_over = |dial: &&mut Dial| dial.attempt.is_none() && dial.circuit.is_none();
        if let Some(dial) = self.dials.get_mut(&device).filter(is_over) {
            let missing = dial.circuits.iter();
            let missing =
                missing.map(|through| format!("{through}, who may pass it on, is not connected"));
            dial.failures.extend(missing);
            let reason = dial.reason();
            self.dials.remove(&device);
            self.tell(NetEvent::DialFailed { device, reason });
        }
    }

    fn dial_directly(&mut self, device: DeviceId) {
        while let Some(dial) = self.dials.get_mut(&device)
            && dial.attempt.is_none()
            && let Some(address) = dial.rest.pop_front()
        {
            let attempt = self.attempt(device, address);
            self.note_attempt(device, attempt, |dial| &mut dial.attempt);
        }
    }

    /// Tries who passes connections on and is connected, if it is time for that.
    fn dial_circuit(&mut self, device: DeviceId) {
        let patience =
            if self.direct.contains(&device) { CIRCUIT_TICKS_IF_DIRECT } else { CIRCUIT_TICKS };
        while let Some(dial) = self.dials.get(&device)
            && dial.circuit.is_none()
            && (dial.attempt.is_none() || self.now >= dial.since + patience)
        {
            let mut open = dial.circuits.iter().enumerate();
            let open = open.find_map(|(at, through)| Some((at, self.circuit(*through, device)?)));
            let Some((at, address)) = open else { return };
            if let Some(dial) = self.dials.get_mut(&device) {
                dial.circuits.remove(at);
            }
            let attempt = self.attempt(device, address);
            self.note_attempt(device, attempt, |dial| &mut dial.circuit);
        }
    }

    /// Begins to dial an address. Without a reason it is connected already.
    fn attempt(&mut self, device: DeviceId, address: Multiaddr) -> Result<Attempt, Option<String>> {
        let is_circuit = self.peers.get(&device).is_some_and(|peer| peer.is_circuit);
        // One that is connected by a circuit may be so directly.
        let condition =
            if is_circuit { PeerCondition::Always } else { PeerCondition::Disconnected };
        let options = options(device, address.clone(), condition);
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => Ok(Attempt { connection, address }),
            Err(DialError::DialPeerConditionFalse(_)) => Err(None),
            Err(error) => Err(Some(failure(&address, &error))),
        }
    }

    fn note_attempt(
        &mut self,
        device: DeviceId,
        attempt: Result<Attempt, Option<String>>,
        slot: impl FnOnce(&mut Dial) -> &mut Option<Attempt>,
    ) {
        let Some(dial) = self.dials.get_mut(&device) else {
            return;
        };
        match attempt {
            Ok(attempt) => *slot(dial) = Some(attempt),
            Err(Some(reason)) => dial.failures.push(reason),
            Err(None) => {
                self.dials.remove(&device);
            }
        }
    }

    /// Tries circuits for dials that take long.
    pub(crate) fn dial_circuits(&mut self) {
        let devices: Vec<DeviceId> = self.dials.keys().copied().collect();
        for device in devices {
            self.dial_circuit(device);
        }
    }

    pub(crate) fn dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        let mut failed = self.dials.iter_mut();
        let failed =
            failed.find_map(|(device, dial)| Some((*device, dial.take(connection)?, dial)));
        let Some((device, attempt, dial)) = failed else { return };
        tracing::debug!(%device, address = %attempt.address, ?error, "a dial failed");
        dial.failures.push(failure(&attempt.address, error));
        self.dial_next(device);
    }
}

fn failure(address: &Multiaddr, error: &DialError) -> String {
    let place = through_of(address).map_or_else(|| address.to_string(), circuit_address);
    format!("{place}: {}", dial_words(error))
}

fn options(device: DeviceId, address: Multiaddr, condition: PeerCondition) -> DialOpts {
    let is_tcp = address.iter().any(|part| matches!(part, libp2p::multiaddr::Protocol::Tcp(_)));
    let options = DialOpts::peer_id(peer_of(&device)).condition(condition).addresses(vec![address]);
    // Two nodes that dial each other from their listening ports at once would
    // share one TCP connection and both act as its dialler.
    if is_tcp { options.allocate_new_port().build() } else { options.build() }
}
