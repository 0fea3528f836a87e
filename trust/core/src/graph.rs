//! What a set of attestations adds up to.
//!
//! Invariant: the graph is a function of the set; [`Graph::derive`] gives the
//! same answer for every order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, Epoch, SpaceId, Timestamp};

use crate::{
    attestation::{Attestation, Claim},
    keyring::WrappedKey,
    words::{Layer, Reach, Role},
};

/// A device and the attestation that links it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Whose it is.
    pub agent: AgentId,
    /// Its X25519 key for HPKE.
    pub hpke: [u8; 32],
    /// What its owner calls it.
    pub name: String,
    /// The device link.
    pub evidence: AttestationId,
}

/// One side of a relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// How close this side says it is.
    pub layer: Layer,
    /// Where it says so.
    pub evidence: AttestationId,
}

/// A member of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What they may do.
    pub role: Role,
    /// The founding or the grant.
    pub evidence: AttestationId,
}

/// A space, as far as attestations tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Who founded it.
    pub founder: AgentId,
    /// How far it may travel.
    pub reach: Reach,
    /// Its sealed name.
    pub label: Vec<u8>,
    /// Everybody admitted, the founder included.
    pub members: BTreeMap<AgentId, Member>,
    /// Keys by epoch, as admins wrapped them.
    pub wraps: BTreeMap<Epoch, Vec<WrappedKey>>,
}

/// Agents, devices, relationships and spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Devices by their key.
    pub devices: BTreeMap<DeviceId, Device>,
    /// What agents want to be called.
    pub names: BTreeMap<AgentId, String>,
    /// What one agent says of another: `(who says, of whom)`.
    pub sides: BTreeMap<(AgentId, AgentId), Side>,
    /// Spaces by id.
    pub spaces: BTreeMap<SpaceId, Space>,
}

impl Graph {
    /// Derives the graph from all known attestations, as of `now`.
    #[must_use]
    pub fn derive<'a>(attestations: impl Iterator<Item = &'a Attestation>, now: Timestamp) -> Self {
        let mut current: Vec<_> = attestations.filter(|a| a.is_current(now)).collect();
        // Where one issuer says two things of the same matter the later one
        // holds; ids break ties, so that every node agrees.
        current.sort_by_key(|a| (a.issued_at, a.id));
        let mut graph = Self::default();
        for link in current.iter().filter(|a| a.is_rooted()) {
            graph.link_device(link);
        }
        current.retain(|a| graph.speaks_for(a.signer, a.issuer));
        for attestation in &current {
            graph.note_person(attestation);
            graph.note_founding(attestation);
        }
        graph.admit_members(&current);
        for attestation in &current {
            graph.note_epoch(attestation);
        }
        graph
    }

    /// Whose device it is.
    #[must_use]
    pub fn agent_of(&self, device: DeviceId) -> Option<AgentId> {
        self.devices.get(&device).map(|device| device.agent)
    }

    /// The devices of an agent.
    pub fn devices_of(&self, agent: AgentId) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices
            .iter()
            .filter(move |(_, device)| device.agent == agent)
            .map(|(id, device)| (*id, device))
    }

    /// Both sides of the relationship between two agents, if both consented.
    #[must_use]
    pub fn relationship(&self, one: AgentId, other: AgentId) -> Option<(Side, Side)> {
        let mine = self.sides.get(&(one, other))?;
        let theirs = self.sides.get(&(other, one))?;
        Some((*mine, *theirs))
    }

    fn speaks_for(&self, signer: DeviceId, issuer: AgentId) -> bool {
        signer.0 == issuer.0 || self.agent_of(signer) == Some(issuer)
    }

    fn link_device(&mut self, attestation: &Attestation) {
        if let Claim::DeviceLink { device, hpke, name, .. } = &attestation.claim {
            // The device agreed (`Attestation::read`); should it have agreed
            // twice, the first one holds.
            self.devices.entry(*device).or_insert(Device {
                agent: attestation.issuer,
                hpke: *hpke,
                name: name.clone(),
                evidence: attestation.id,
            });
        }
    }

    fn note_person(&mut self, attestation: &Attestation) {
        let (issuer, evidence) = (attestation.issuer, attestation.id);
        match &attestation.claim {
            Claim::Profile { name } => {
                self.names.insert(issuer, name.clone());
            }
            Claim::Relationship { with, layer } => {
                self.sides.insert((issuer, *with), Side { layer: *layer, evidence });
            }
            Claim::DeviceLink { .. }
            | Claim::SpaceFounding { .. }
            | Claim::SpaceGrant { .. }
            | Claim::SpaceEpoch { .. }
            | Claim::Unknown { .. } => {}
        }
    }

    fn note_founding(&mut self, attestation: &Attestation) {
        if let Claim::SpaceFounding { reach, label, .. } = &attestation.claim {
            let founder = Member { role: Role::Admin, evidence: attestation.id };
            self.spaces.insert(
                SpaceId(attestation.id.0),
                Space {
                    founder: attestation.issuer,
                    reach: *reach,
                    label: label.clone(),
                    members: BTreeMap::from([(attestation.issuer, founder)]),
                    wraps: BTreeMap::new(),
                },
            );
        }
    }

    /// Grants count when their issuer is an admin, however admins came to be:
    /// repeat until nobody new comes in. Roles only grow, so this ends, and the
    /// end does not depend on the order.
    fn admit_members(&mut self, attestations: &[&Attestation]) {
        let mut waiting: BTreeSet<usize> = (0..attestations.len()).collect();
        loop {
            let admitted: Vec<usize> =
                waiting.iter().copied().filter(|index| self.admit(attestations[*index])).collect();
            if admitted.is_empty() {
                return;
            }
            for index in admitted {
                waiting.remove(&index);
            }
        }
    }

    fn admit(&mut self, attestation: &Attestation) -> bool {
        let Claim::SpaceGrant { space, member, role } = &attestation.claim else {
            return false;
        };
        let Some(space) = self.spaces.get_mut(space) else {
            return false;
        };
        if !is_admin(space, attestation.issuer) {
            return false;
        }
        let grant = Member { role: *role, evidence: attestation.id };
        let known = space.members.entry(*member).or_insert(grant);
        let higher = role.includes(known.role) && *role != known.role;
        let same_but_smaller_id = *role == known.role && grant.evidence < known.evidence;
        if higher || (same_but_smaller_id && *member != space.founder) {
            *known = grant;
        }
        true
    }

    fn note_epoch(&mut self, attestation: &Attestation) {
        if let Claim::SpaceEpoch { space, epoch, wraps } = &attestation.claim
            && let Some(space) = self.spaces.get_mut(space)
            && is_admin(space, attestation.issuer)
        {
            space.wraps.entry(*epoch).or_default().extend(wraps.iter().cloned());
        }
    }
}

fn is_admin(space: &Space, agent: AgentId) -> bool {
    space.members.get(&agent).is_some_and(|member| member.role.includes(Role::Admin))
}
