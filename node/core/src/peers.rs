//! Requests about other nodes.

use node_model::DeviceId;

use crate::{node::Node, request::PeerInfo};

impl Node {
    pub(crate) fn peers(&self) -> Vec<PeerInfo> {
        let admitted = self.shares.iter().filter(|(_, share)| share.is_admitted);
        admitted.map(|(device, _)| self.peer_info(*device)).collect()
    }

    fn peer_info(&self, device: DeviceId) -> PeerInfo {
        let agent = self.trust.agent_of(device);
        let known = self.trust.link_of(device);
        let facts = self.data.peer(device).cloned().unwrap_or_default();
        let relationship =
            agent.and_then(|agent| self.trust.graph().relationship(self.trust.agent(), agent));
        PeerInfo {
            device,
            agent,
            name: agent.map(|agent| self.trust.name_of(agent)).unwrap_or_default(),
            description: known.map(|known| known.description.clone()).unwrap_or_default(),
            layer: relationship.map(|(mine, _)| mine.terms.layer),
            is_connected: facts.is_connected,
            circuit: facts.circuit,
            agreement: self.sync.agreement(device),
            state: self.peer_sync_state(device),
            progress: self.progress_with(device),
            last_sync: self.last_sync.get(&device).copied(),
            addresses: facts.addresses,
            last_failure: facts.last_failure,
        }
    }
}
