//! Where devices may be found: what each says of itself, and what members of a space
//! tell each other of their fellows, so that a space holds together when the one who
//! knew everybody is away.
//!
//! An address is a hint and proves nothing: whoever answers there must have the key.

use std::collections::BTreeSet;

use data_plane_core::{
    net::{Lane, circuit_address},
    plane::Command,
};
use node_model::{AgentId, DeviceId, Now};
use trust_core::{
    Action,
    exchange::{ADDRESSES_MAX, Message, WHEREABOUTS_MAX, Whereabouts},
};

use crate::{node::Node, request::Response};

/// Name of the note that remembers where this node listened.
const LISTEN_NOTE: &str = "listen";

/// Beginning of the notes that remember where peers may be found.
const ADDRESSES_NOTE: &str = "addresses/";

impl Node {
    /// Notes where it listens, for tickets that are made while it does not.
    pub(crate) fn listen_on(&mut self, address: String) {
        if self.listen.contains(&address) {
            return;
        }
        self.listen.push(address);
        let addresses = self.own_addresses();
        if self.trust.note::<Vec<String>>(LISTEN_NOTE).as_ref() == Some(&addresses) {
            return;
        }
        if let Err(error) = self.trust.put_note(LISTEN_NOTE, &addresses) {
            tracing::warn!(%error, "could not note the own addresses");
        }
    }

    /// Notes who passes connections on to this node, and tells those it is connected with.
    pub(crate) fn reached_through(&mut self, through: DeviceId, is_open: bool) {
        if is_open {
            self.circuits.insert(through);
        } else {
            self.circuits.remove(&through);
        }
        let here = Message::Here { addresses: self.reachable_at() }.encode();
        for device in self.data.connected().collect::<Vec<_>>() {
            if self.acquaintances.get(&device).is_some_and(|it| it.was_told) {
                self.send(device, Lane::Trust, here.clone());
            }
        }
    }

    /// Where others find this node now: where it listens, and who passes them on.
    pub(crate) fn reachable_at(&self) -> Vec<String> {
        let circuits = self.circuits.iter().map(|through| circuit_address(*through));
        let room = ADDRESSES_MAX.saturating_sub(self.circuits.len());
        self.listen.iter().take(room).cloned().chain(circuits).take(ADDRESSES_MAX).collect()
    }

    /// Where this node listens, or last did.
    pub(crate) fn usual_addresses(&self) -> Vec<String> {
        if self.listen.is_empty() {
            self.trust.note(LISTEN_NOTE).unwrap_or_default()
        } else {
            self.own_addresses()
        }
    }

    /// Where this node listens, for those who know it.
    pub(crate) fn own_addresses(&self) -> Vec<String> {
        self.listen.iter().take(ADDRESSES_MAX).cloned().collect()
    }

    /// Remembers where a peer may be found, and dials it.
    pub(crate) fn add_peer(
        &mut self,
        now: Now,
        device: DeviceId,
        addresses: Vec<String>,
    ) -> Response {
        self.learn_addresses(now, device, addresses);
        self.data.command(now.monotonic, Command::DialNow);
        Response::Done
    }

    /// Forgets where a peer may be found.
    pub(crate) fn remove_peer(&mut self, now: Now, device: DeviceId) -> Response {
        self.learn_addresses(now, device, vec![]);
        Response::Done
    }

    pub(crate) fn learn_addresses(&mut self, now: Now, device: DeviceId, addresses: Vec<String>) {
        let key = format!("{ADDRESSES_NOTE}{device}");
        let known: Vec<String> = self.trust.note(&key).unwrap_or_default();
        if known != addresses
            && let Err(error) = self.trust.put_note(&key, &addresses)
        {
            tracing::error!(%device, %error, "could not remember addresses");
        }
        self.data.command(now.monotonic, Command::Know { device, addresses });
        for other in self.data.connected().collect::<Vec<_>>() {
            if let Some(agent) = self.trust.agent_of(other)
                && self.may(other, Action::Connect)
            {
                self.tell_whereabouts(other, agent);
            }
        }
    }

    pub(crate) fn recall_peers(&mut self, now: Now) {
        let keys: Vec<String> =
            self.trust.note_keys(ADDRESSES_NOTE).map(ToOwned::to_owned).collect();
        for key in keys {
            let device = key.strip_prefix(ADDRESSES_NOTE).and_then(|text| text.parse().ok());
            if let (Some(device), Some(addresses)) = (device, self.trust.note(&key)) {
                self.data.command(now.monotonic, Command::Know { device, addresses });
            }
        }
    }

    /// Tells a peer where its fellow members may be found, as far as they said so to us
    /// and it was not told.
    pub(crate) fn tell_whereabouts(&mut self, device: DeviceId, agent: AgentId) {
        let mut news = Vec::new();
        for fellow in self.fellows(agent) {
            let addresses: Vec<String> =
                self.trust.note(&format!("{ADDRESSES_NOTE}{fellow}")).unwrap_or_default();
            let acquaintance = self.acquaintances.entry(device).or_default();
            let is_known = acquaintance.told_of.get(&fellow) == Some(&addresses);
            if fellow != device && !addresses.is_empty() && !is_known {
                acquaintance.told_of.insert(fellow, addresses.clone());
                news.push(Whereabouts { device: fellow, addresses });
            }
        }
        for some in news.chunks(WHEREABOUTS_MAX) {
            let message = Message::There { whereabouts: some.to_vec() };
            self.send(device, Lane::Trust, message.encode());
        }
    }

    /// Takes hints from a peer, about its and our fellow members only.
    pub(crate) fn hear_whereabouts(
        &mut self,
        now: Now,
        device: DeviceId,
        whereabouts: Vec<Whereabouts>,
    ) {
        let Some(agent) = self.trust.agent_of(device) else { return };
        let fellows = self.fellows(agent);
        for Whereabouts { device, addresses } in whereabouts {
            if fellows.contains(&device) {
                self.data.command(now.monotonic, Command::Know { device, addresses });
            }
        }
    }

    /// Devices of all members of the spaces that an agent and we are in.
    fn fellows(&self, agent: AgentId) -> BTreeSet<DeviceId> {
        let (me, graph) = (self.trust.agent(), self.trust.graph());
        let spaces = graph.spaces_of(agent).filter_map(|space| graph.spaces.get(&space));
        let shared = spaces.filter(|space| space.members.contains_key(&me));
        let agents: BTreeSet<AgentId> =
            shared.flat_map(|space| space.members.keys().copied()).collect();
        let devices = agents.into_iter().flat_map(|agent| graph.devices_of(agent));
        devices.map(|(device, _)| device).filter(|it| *it != self.trust.device()).collect()
    }
}
