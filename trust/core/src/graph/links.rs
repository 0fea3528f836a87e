//! Whose a device is: of every agent whose root linked it with its consent.
//!
//! Invariant: a link gives, and takes nothing. Whoever has a stolen device's key can let it
//! consent to another agent, and no order of statements tells which consent was the first; so
//! what the device says in the name of each, its rights by each, and how each takes it back
//! are told apart, and no link can move it away from another agent.

use node_model::{AgentId, AttestationId, DeviceId, SpaceId};

use super::{Device, Graph, WriteLimit};
use crate::{
    attestation::{Attestation, Claim, Scope},
    history::{Anomaly, AnomalyKind},
    sites::Description,
};

impl Graph {
    pub(super) fn link_devices(&mut self, all: &[&Attestation]) {
        for attestation in all.iter().filter(|attestation| attestation.is_rooted()) {
            let Claim::DeviceLink { device, hpke, name, .. } = &attestation.claim else { continue };
            // The device agreed (`Attestation::read`); of two links by one agent the first holds.
            if self.link(*device, attestation.issuer).is_some() {
                continue;
            }
            let facts = Device {
                agent: attestation.issuer,
                hpke: *hpke,
                name: name.clone(),
                description: Description::default(),
                evidence: attestation.id,
                revoked: None,
            };
            if self.devices.contains_key(device) {
                self.contested.entry(*device).or_default().push(facts);
            } else {
                self.devices.insert(*device, facts);
            }
        }
        for (device, others) in &self.contested {
            let first = self.devices.get(device).map(|link| link.evidence);
            let evidence = first.into_iter().chain(others.iter().map(|link| link.evidence));
            self.anomalies.push(Anomaly {
                kind: AnomalyKind::TwoOwners,
                signer: *device,
                scope: Scope(device.0),
                evidence: evidence.collect(),
            });
        }
    }

    /// A device as each agent sees it that linked it, also those that took it back.
    pub fn links(&self, device: DeviceId) -> impl Iterator<Item = &Device> + Clone {
        let others = self.contested.get(&device).into_iter().flatten();
        self.devices.get(&device).into_iter().chain(others)
    }

    /// All devices, once for each agent that linked it.
    pub(super) fn all_links(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        let others = self.contested.iter().flat_map(|(id, links)| links.iter().map(|it| (*id, it)));
        self.devices.iter().map(|(id, device)| (*id, device)).chain(others)
    }

    /// A device as an agent sees it that linked it.
    #[must_use]
    pub fn link(&self, device: DeviceId, agent: AgentId) -> Option<&Device> {
        self.links(device).find(|link| link.agent == agent)
    }

    pub(super) fn link_mut(&mut self, device: DeviceId, agent: AgentId) -> Option<&mut Device> {
        let others = self.contested.get_mut(&device).into_iter().flatten();
        let mut links = self.devices.get_mut(&device).into_iter().chain(others);
        links.find(|link| link.agent == agent)
    }

    /// Whether an agent linked a device and did not take it back.
    #[must_use]
    pub fn is_device_of(&self, device: DeviceId, agent: AgentId) -> bool {
        self.link(device, agent).is_some_and(|link| link.revoked.is_none())
    }

    /// Whose device it is, unless they took it back: more than one only if its key is in
    /// two hands.
    pub fn agents_of(&self, device: DeviceId) -> impl Iterator<Item = AgentId> + Clone {
        self.links(device).filter(|link| link.revoked.is_none()).map(|link| link.agent)
    }

    /// Whose device it is, unless it was taken back; of several the first by height, which
    /// is good enough for showing it and for nothing else.
    #[must_use]
    pub fn agent_of(&self, device: DeviceId) -> Option<AgentId> {
        self.agents_of(device).next()
    }

    /// The devices of an agent that were not taken back.
    pub fn devices_of(&self, agent: AgentId) -> impl Iterator<Item = (DeviceId, &Device)> {
        let own = self.devices_of.get(&agent).into_iter().flatten();
        own.filter_map(move |id| Some((*id, self.link(*id, agent)?)))
            .filter(|(_, device)| device.revoked.is_none())
    }

    /// What of a device's entries counts in a space: what counts by one of its agents.
    #[must_use]
    pub fn write_limit(&self, id: SpaceId, device: DeviceId) -> WriteLimit {
        let Some(space) = self.spaces.get(&id) else { return WriteLimit::Nothing };
        let limits = self.links(device).map(|link| space.write_limit(id, device, link));
        limits.reduce(WriteLimit::larger).unwrap_or(WriteLimit::Nothing)
    }

    /// The links of a device, and what took one of several back.
    pub(crate) fn links_in_evidence(&self, device: DeviceId) -> Vec<AttestationId> {
        let mut evidence: Vec<_> = self.links(device).map(|link| link.evidence).collect();
        if self.contested.contains_key(&device) {
            let revoked = self.links(device).filter_map(|link| link.revoked.as_ref());
            evidence.extend(revoked.flat_map(|revoked| revoked.because.iter().copied()));
        }
        evidence
    }
}
