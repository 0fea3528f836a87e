//! What a set of attestations adds up to.
//!
//! Invariant: the graph is a function of the set and of the moment that expiry is
//! measured at; [`Graph::derive`] gives the same answer for every order of arrival.

mod epochs;
mod groups;
mod keepers;
mod links;
mod pinners;
mod recipients;
mod write_limit;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, Epoch, SpaceId, Timestamp};

use self::epochs::Known;
pub use self::{epochs::EpochFacts, recipients::Recipient, write_limit::WriteLimit};
use crate::{
    attestation::{Attestation, Claim, DevicePin, Prefix, Scope, Terms},
    history::Anomaly,
    keyring::KeyId,
    membership::{Membership, Said},
    sites::Description,
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
    /// What its owner says of it.
    pub description: Description,
    /// The device link.
    pub evidence: AttestationId,
    /// What took it back, if anything did.
    pub revoked: Option<RevokedDevice>,
}

/// What is left of a device that was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedDevice {
    /// The revocations.
    pub because: Vec<AttestationId>,
    /// Its last statements that count, each with its chain.
    pub tips: BTreeSet<(Scope, Prefix)>,
    /// By space: its last entry that counts.
    pub entries: BTreeMap<Scope, (u64, Prefix)>,
}

/// One side of a relationship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// What it consists of, as this side says.
    pub terms: Terms,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// Where it says so.
    pub evidence: AttestationId,
}

/// Somebody stands for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouch {
    /// Who.
    pub by: AgentId,
    /// What, in their words.
    pub text: String,
    /// Where they say so.
    pub evidence: AttestationId,
}

/// A member of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What they may do.
    pub role: Role,
    /// The space whose member they are, if they are in this one by that.
    pub via: Option<SpaceId>,
    /// The founding or the grant, and what its issuer's right rests on.
    pub because: Vec<AttestationId>,
}

/// Somebody holds a space, or a collection of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Whose device it is.
    pub agent: AgentId,
    /// Bytes that it holds.
    pub bytes: u64,
    /// Until when that is said.
    pub expires_at: Option<Timestamp>,
    /// Where it is said.
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
    /// Whether new members read what was written before them.
    pub has_open_history: bool,
    /// The statements that decide who is in it.
    pub membership: Membership,
    /// Everybody in it, those of groups too.
    pub members: BTreeMap<AgentId, Member>,
    /// Keys, by number and id.
    pub epochs: BTreeMap<(Epoch, KeyId), EpochFacts>,
    /// Who holds what, by collection and device; the whole space is `""`.
    pub holdings: BTreeMap<(String, DeviceId), Holding>,
}

/// Agents, devices, relationships and spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Devices by their key, those that were taken back too; of those that several agents
    /// linked, the link with the smallest height. Rights are asked of [`Graph::links`].
    pub devices: BTreeMap<DeviceId, Device>,
    /// What agents want to be called.
    pub names: BTreeMap<AgentId, String>,
    /// What one agent says of another: `(who says, of whom)`.
    pub sides: BTreeMap<(AgentId, AgentId), Side>,
    /// What others stand for, by whom it is about.
    pub vouches: BTreeMap<AgentId, Vec<Vouch>>,
    /// Spaces by id.
    pub spaces: BTreeMap<SpaceId, Space>,
    /// Histories that contradict themselves.
    pub anomalies: Vec<Anomaly>,
    /// Links by further agents, of devices that consented to several.
    contested: BTreeMap<DeviceId, Vec<Device>>,
    devices_of: BTreeMap<AgentId, BTreeSet<DeviceId>>,
    spaces_of: BTreeMap<AgentId, BTreeSet<SpaceId>>,
}

impl Graph {
    /// Derives the graph from all known attestations, as of `now`.
    #[must_use]
    pub fn derive<'a>(attestations: impl Iterator<Item = &'a Attestation>, now: Timestamp) -> Self {
        let mut all: Vec<_> = attestations.collect();
        all.sort_unstable_by_key(|attestation| attestation.id);
        let mut graph = Self { anomalies: crate::history::examine(&all), ..Self::default() };
        let mut known = Known::new(all.clone());
        // Where one issuer says two things of the same matter the higher one
        // holds; ids break ties (the sort is stable), so that every node agrees.
        all.sort_by_cached_key(|attestation| attestation.height);
        graph.link_devices(&all);
        graph.revoke_devices(&all);
        // Chains are followed over everything, whatever ended since.
        let after_revocation = graph.after_revocation(&all);
        let said: Vec<Said<'a>> = all
            .iter()
            .map(|statement| Said {
                statement,
                is_void: !graph.counts(statement) || after_revocation.contains(&statement.id),
            })
            .collect();
        let mut voids = said.iter().map(|said| said.is_void);
        all.retain(|a| !voids.next().unwrap_or(true) && a.is_current(now));
        for attestation in &all {
            graph.note_person(attestation);
        }
        graph.note_spaces(&all, &said);
        graph.expand_groups();
        for attestation in &all {
            graph.note_in_space(attestation, &mut known);
        }
        graph.index();
        graph
    }

    /// Both sides of the relationship between two agents, if both consented.
    #[must_use]
    pub fn relationship(&self, one: AgentId, other: AgentId) -> Option<(&Side, &Side)> {
        let mine = self.sides.get(&(one, other))?;
        let theirs = self.sides.get(&(other, one))?;
        Some((mine, theirs))
    }

    /// How close two agents are: the more distant of what both say.
    #[must_use]
    pub fn closeness(&self, one: AgentId, other: AgentId) -> Option<Layer> {
        let (mine, theirs) = self.relationship(one, other)?;
        Some(mine.terms.layer.farther(theirs.terms.layer))
    }

    /// The spaces that an agent is a member of.
    pub fn spaces_of(&self, agent: AgentId) -> impl Iterator<Item = SpaceId> {
        self.spaces_of.get(&agent).into_iter().flatten().copied()
    }

    /// Whoever may open a space's entries.
    pub fn readers(&self, space: SpaceId) -> BTreeSet<Recipient> {
        let members = self.spaces.get(&space).into_iter().flat_map(|space| &space.members);
        members
            .filter(|(_, member)| member.role.holds_keys())
            .flat_map(|(agent, _)| self.recipients_of(*agent))
            .collect()
    }

    /// Who holds a space, those related to `me` and its members first: whatever
    /// strangers claim comes last.
    #[must_use]
    pub fn holders(&self, me: AgentId, space: SpaceId) -> Vec<(DeviceId, Holding)> {
        let Some(facts) = self.spaces.get(&space) else { return vec![] };
        let mut holders: Vec<_> = facts
            .holdings
            .iter()
            .filter(|((collection, _), _)| collection.is_empty())
            .map(|((_, device), holding)| (*device, *holding))
            .collect();
        holders.sort_by_key(|(device, holding)| {
            let closeness = if holding.agent == me {
                0
            } else {
                self.closeness(me, holding.agent).map_or(u8::MAX, |layer| 1 + u8::from(layer))
            };
            (closeness, !facts.members.contains_key(&holding.agent), *device)
        });
        holders
    }

    /// A device is taken back by the root or by any other device of the agent,
    /// whether that one was taken back too or not: between two devices that take back
    /// each other only the root can tell who is right, and until then neither counts.
    /// What a revocation lets stand, it lets stand only if the root said it, or a
    /// device that still counts, or one in what still counts of it: a thief does not
    /// choose what of a stolen device stays.
    fn revoke_devices(&mut self, all: &[&Attestation]) {
        let mut revocations: Vec<(&Attestation, DeviceId, &[DevicePin])> = Vec::new();
        for attestation in all {
            let Claim::DeviceRevocation { device, pins } = &attestation.claim else { continue };
            let is_own = |device: &DeviceId| self.link(*device, attestation.issuer).is_some();
            let is_by_other = attestation.is_rooted()
                || (is_own(&attestation.signer) && attestation.signer != *device);
            if is_own(device) && is_by_other {
                revocations.push((attestation, *device, pins));
            }
        }
        for (attestation, device, _) in &revocations {
            if let Some(facts) = self.link_mut(*device, attestation.issuer) {
                let revoked = facts.revoked.get_or_insert_with(RevokedDevice::default);
                revoked.because.push(attestation.id);
            }
        }
        let mut waiting = revocations;
        while !waiting.is_empty() {
            let stands = self.after_revocation(all);
            let (good, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(it, ..)| !stands.contains(&it.id));
            if good.is_empty() {
                return;
            }
            for (said, device, pins) in good {
                self.let_stand((device, said.issuer), pins);
            }
            waiting = rest;
        }
    }

    fn let_stand(&mut self, (device, agent): (DeviceId, AgentId), pins: &[DevicePin]) {
        let facts = self.link_mut(device, agent).and_then(|facts| facts.revoked.as_mut());
        let Some(revoked) = facts else { return };
        for DevicePin { scope, tip, entry } in pins {
            revoked.tips.extend(tip.map(|tip| (*scope, tip)));
            if let Some(entry) = entry {
                let known = revoked.entries.entry(*scope).or_insert(*entry);
                *known = (*known).max(*entry);
            }
        }
    }

    /// Whether the signer speaks for the issuer, or did.
    fn counts(&self, attestation: &Attestation) -> bool {
        attestation.is_rooted() || self.link(attestation.signer, attestation.issuer).is_some()
    }

    /// What devices said after they were taken back: all but what is in the chains
    /// that end in the pins. Not foundings: they give nobody a right but their issuer.
    fn after_revocation(&self, all: &[&Attestation]) -> BTreeSet<AttestationId> {
        let mut after = BTreeSet::new();
        if !self.all_links().any(|(_, device)| device.revoked.is_some()) {
            return after;
        }
        let by_id: BTreeMap<AttestationId, &Attestation> =
            all.iter().map(|attestation| (attestation.id, *attestation)).collect();
        let mut kept: BTreeSet<AttestationId> = BTreeSet::new();
        for attestation in all {
            let link = self.link(attestation.signer, attestation.issuer);
            let Some(revoked) = link.and_then(|it| it.revoked.as_ref()) else { continue };
            after.insert(attestation.id);
            if revoked.tips.contains(&(attestation.scope, Prefix::from(attestation.id))) {
                let is_same_chain = |it: &&Attestation| {
                    (it.signer, it.scope) == (attestation.signer, attestation.scope)
                };
                let mut next = Some(*attestation);
                while let Some(one) = next.filter(is_same_chain).filter(|it| kept.insert(it.id)) {
                    next = one.prev.and_then(|prev| by_id.get(&prev).copied());
                }
            }
        }
        let is_founding = |id: &AttestationId| {
            by_id.get(id).is_some_and(|it| matches!(it.claim, Claim::SpaceFounding { .. }))
        };
        after.retain(|id| !kept.contains(id) && !is_founding(id));
        after
    }

    fn note_person(&mut self, attestation: &Attestation) {
        let (issuer, evidence) = (attestation.issuer, attestation.id);
        match &attestation.claim {
            Claim::Profile { name } => {
                self.names.insert(issuer, name.clone());
            }
            Claim::Relationship { with, terms: Some(terms) } => {
                let (terms, expires_at) = (terms.clone(), attestation.expires_at);
                self.sides.insert((issuer, *with), Side { terms, expires_at, evidence });
            }
            Claim::Relationship { with, terms: None } => {
                self.sides.remove(&(issuer, *with));
            }
            Claim::Vouch { subject, text } => {
                let vouch = Vouch { by: issuer, text: text.clone(), evidence };
                self.vouches.entry(*subject).or_default().push(vouch);
            }
            Claim::DeviceDescription { device, description } => {
                if let Some(facts) = self.link_mut(*device, issuer) {
                    facts.description = description.clone();
                }
            }
            Claim::DeviceLink { .. }
            | Claim::DeviceRevocation { .. }
            | Claim::SpaceFounding { .. }
            | Claim::SpaceGrant { .. }
            | Claim::SpaceRevocation { .. }
            | Claim::SpaceEpoch { .. }
            | Claim::Location { .. }
            | Claim::Custody { .. }
            | Claim::EconomicEvent { .. }
            | Claim::RecoveryShare { .. }
            | Claim::WitnessReceipt { .. }
            | Claim::DocumentPurge { .. }
            | Claim::Unknown { .. } => {}
        }
    }

    fn note_spaces(&mut self, all: &[&Attestation], said: &[Said<'_>]) {
        let mut statements: BTreeMap<SpaceId, Vec<Said<'_>>> = BTreeMap::new();
        for said in said {
            if let Claim::SpaceGrant { space, .. }
            | Claim::SpaceRevocation { space, .. }
            | Claim::DocumentPurge { space, .. } = &said.statement.claim
            {
                statements.entry(*space).or_default().push(*said);
            }
        }
        for attestation in all {
            let Claim::SpaceFounding { reach, label, has_open_history, .. } = &attestation.claim
            else {
                continue;
            };
            let id = SpaceId(attestation.id.0);
            let own = statements.get(&id).map_or(&[][..], Vec::as_slice);
            let space = Space {
                founder: attestation.issuer,
                reach: *reach,
                label: label.clone(),
                has_open_history: *has_open_history,
                membership: Membership::resolve(attestation, own),
                members: BTreeMap::new(),
                epochs: BTreeMap::new(),
                holdings: BTreeMap::new(),
            };
            self.spaces.insert(id, space);
        }
    }

    fn note_in_space(&mut self, attestation: &Attestation, known: &mut Known<'_>) {
        match &attestation.claim {
            Claim::SpaceEpoch { space, .. } => {
                if let Some(space) = self.spaces.get_mut(space) {
                    space.note_epoch(attestation, known);
                }
            }
            Claim::Location { space, collection, device, bytes } => {
                let agent = attestation.issuer;
                let is_own = self.is_device_of(*device, agent);
                let is_bounded = attestation.expires_at.is_some();
                if let (Some(space), true) = (self.spaces.get_mut(space), is_own && is_bounded) {
                    let holding = Holding {
                        agent,
                        bytes: *bytes,
                        expires_at: attestation.expires_at,
                        evidence: attestation.id,
                    };
                    space.holdings.insert((collection.clone(), *device), holding);
                }
            }
            Claim::DeviceLink { .. }
            | Claim::DeviceRevocation { .. }
            | Claim::Profile { .. }
            | Claim::Relationship { .. }
            | Claim::Vouch { .. }
            | Claim::SpaceFounding { .. }
            | Claim::SpaceGrant { .. }
            | Claim::SpaceRevocation { .. }
            | Claim::Custody { .. }
            | Claim::EconomicEvent { .. }
            | Claim::RecoveryShare { .. }
            | Claim::WitnessReceipt { .. }
            | Claim::DeviceDescription { .. }
            | Claim::DocumentPurge { .. }
            | Claim::Unknown { .. } => {}
        }
    }

    fn index(&mut self) {
        let links: Vec<_> = self.all_links().map(|(id, device)| (device.agent, id)).collect();
        for (agent, id) in links {
            self.devices_of.entry(agent).or_default().insert(id);
        }
        for (id, space) in &self.spaces {
            for agent in space.members.keys() {
                self.spaces_of.entry(*agent).or_default().insert(*id);
            }
        }
    }
}
