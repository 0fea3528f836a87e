//! Dialling: one address after the other, so that a stranger at one of them
//! does not hide the device at the next.

use std::collections::VecDeque;

use data_plane_core::net::NetEvent;
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
    peer::Phase,
    swarm_task::SwarmTask,
};

/// Reasons that a failed dial names; the others are counted.
const REASONS_MAX: usize = 4;

/// A dial under way.
pub(crate) struct Dial {
    connection: Option<ConnectionId>,
    address: Multiaddr,
    rest: VecDeque<Multiaddr>,
    failures: Vec<String>,
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
}

impl SwarmTask {
    pub(crate) fn dial(&mut self, device: DeviceId, addresses: &[String]) {
        match self.peers.get(&device).map(|peer| peer.phase) {
            Some(Phase::Here) => return,
            Some(Phase::Leaving { .. }) => {
                let reason = "its connection is just being closed".to_owned();
                self.tell(NetEvent::DialFailed { device, reason });
                return;
            }
            Some(Phase::Gone { .. }) | None => {}
        }
        let addresses = dial_order(addresses);
        if let Some(dial) = self.dials.get_mut(&device) {
            for address in addresses {
                let is_new = address != dial.address && !dial.rest.contains(&address);
                if is_new && dial.rest.len() < ADDRESSES_MAX {
                    dial.rest.push_back(address);
                }
            }
            return;
        }
        if addresses.is_empty() {
            let reason = "none of its addresses can be dialled".to_owned();
            self.tell(NetEvent::DialFailed { device, reason });
            return;
        }
        let dial = Dial {
            connection: None,
            address: Multiaddr::empty(),
            rest: addresses.into(),
            failures: Vec::new(),
        };
        self.dials.insert(device, dial);
        self.dial_next(device);
    }

    fn dial_next(&mut self, device: DeviceId) {
        while let Some(dial) = self.dials.get_mut(&device) {
            let Some(address) = dial.rest.pop_front() else {
                let reason = dial.reason();
                self.dials.remove(&device);
                self.tell(NetEvent::DialFailed { device, reason });
                return;
            };
            dial.address = address.clone();
            let options = options(device, address);
            dial.connection = Some(options.connection_id());
            match self.swarm.dial(options) {
                Ok(()) => return,
                Err(DialError::DialPeerConditionFalse(_)) => {
                    self.dials.remove(&device);
                    return;
                }
                Err(error) => dial.failures.push(failure(&dial.address, &error)),
            }
        }
    }

    pub(crate) fn dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        let failed = self.dials.iter_mut().find(|(_, dial)| dial.connection == Some(connection));
        let Some((device, dial)) = failed else { return };
        let device = *device;
        tracing::debug!(%device, address = %dial.address, ?error, "a dial failed");
        dial.failures.push(failure(&dial.address, error));
        self.dial_next(device);
    }
}

fn failure(address: &Multiaddr, error: &DialError) -> String {
    format!("{address}: {}", dial_words(error))
}

fn options(device: DeviceId, address: Multiaddr) -> DialOpts {
    let is_tcp = address.iter().any(|part| matches!(part, libp2p::multiaddr::Protocol::Tcp(_)));
    let options = DialOpts::peer_id(peer_of(&device))
        .condition(PeerCondition::Disconnected)
        .addresses(vec![address]);
    // Two nodes that dial each other from their listening ports at once would
    // share one TCP connection and both act as its dialler.
    if is_tcp { options.allocate_new_port().build() } else { options.build() }
}
