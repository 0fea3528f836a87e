//! What a set of attestations adds up to.
//!
//! Invariant: the graph is a function of the set and of the moment that expiry is
//! measured at; [`Graph::derive`] gives the same answer for every order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, Epoch, SpaceId, Timestamp};

use crate::{
    attestation::{Attestation, Claim, DevicePin, EntryPin, Party, Prefix, Scope, Terms},
    history::Anomaly,
    keyring::{KeyId, WrappedKey},
    membership::{Membership, Standing},
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
    /// What took it back, if anything did.
    pub revoked: Option<RevokedDevice>,
}

/// What is left of a device that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedDevice {
    /// The revocations.
    pub because: Vec<AttestationId>,
    /// By scope: its last statement and its last entry that count.
    pub pins: BTreeMap<Scope, DevicePin>,
}

/// One side of a relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// An epoch's key, as far as it was handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochFacts {
    /// The key, by the device that can open it.
    pub wraps: BTreeMap<DeviceId, WrappedKey>,
    /// Who handed it out.
    pub issuers: BTreeSet<AgentId>,
    /// When it was first handed out, by its issuer's clock.
    pub issued_at: Timestamp,
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
    /// Devices by their key, those that were taken back too.
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
    devices_of: BTreeMap<AgentId, BTreeSet<DeviceId>>,
    spaces_of: BTreeMap<AgentId, BTreeSet<SpaceId>>,
}

impl Graph {
    /// Derives the graph from all known attestations, as of `now`.
    #[must_use]
    pub fn derive<'a>(attestations: impl Iterator<Item = &'a Attestation>, now: Timestamp) -> Self {
        let mut all: Vec<_> = attestations.collect();
        // Where one issuer says two things of the same matter the higher one
        // holds; ids break ties, so that every node agrees.
        all.sort_by_key(|attestation| (attestation.height, attestation.id));
        let mut graph = Self { anomalies: crate::history::examine(&all), ..Self::default() };
        graph.link_devices(&all);
        all.retain(|a| a.is_current(now) && graph.counts(a));
        let all = graph.without_what_came_after(&all);
        for attestation in &all {
            graph.note_person(attestation);
        }
        graph.note_spaces(&all);
        graph.expand_groups();
        for attestation in &all {
            graph.note_in_space(attestation);
        }
        graph.index();
        graph
    }

    /// Whose device it is, unless it was taken back.
    #[must_use]
    pub fn agent_of(&self, device: DeviceId) -> Option<AgentId> {
        self.devices.get(&device).filter(|device| device.revoked.is_none()).map(|it| it.agent)
    }

    /// The devices of an agent that were not taken back.
    pub fn devices_of(&self, agent: AgentId) -> impl Iterator<Item = (DeviceId, &Device)> {
        let own = self.devices_of.get(&agent).into_iter().flatten();
        own.filter_map(|id| Some((*id, self.devices.get(id)?)))
            .filter(|(_, device)| device.revoked.is_none())
    }

    /// Both sides of the relationship between two agents, if both consented.
    #[must_use]
    pub fn relationship(&self, one: AgentId, other: AgentId) -> Option<(Side, Side)> {
        let mine = self.sides.get(&(one, other))?;
        let theirs = self.sides.get(&(other, one))?;
        Some((*mine, *theirs))
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

    /// The devices that may read a space's entries.
    pub fn readers(&self, space: SpaceId) -> BTreeMap<DeviceId, [u8; 32]> {
        let members = self.spaces.get(&space).into_iter().flat_map(|space| &space.members);
        members
            .filter(|(_, member)| member.role.holds_keys())
            .flat_map(|(agent, _)| self.devices_of(*agent))
            .map(|(id, device)| (id, device.hpke))
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

    fn link_devices(&mut self, all: &[&Attestation]) {
        for attestation in all.iter().filter(|attestation| attestation.is_rooted()) {
            if let Claim::DeviceLink { device, hpke, name, .. } = &attestation.claim {
                // The device agreed (`Attestation::read`); should it have agreed
                // twice, the first one holds.
                self.devices.entry(*device).or_insert(Device {
                    agent: attestation.issuer,
                    hpke: *hpke,
                    name: name.clone(),
                    evidence: attestation.id,
                    revoked: None,
                });
            }
        }
        self.revoke_devices(all);
    }

    /// A device is taken back by the root or by any other device of the agent,
    /// whether that one was taken back later or not: between two devices that
    /// take back each other only the root can tell who is right, and until then
    /// neither counts.
    fn revoke_devices(&mut self, all: &[&Attestation]) {
        let mut revoked: BTreeMap<DeviceId, RevokedDevice> = BTreeMap::new();
        for attestation in all {
            let Claim::DeviceRevocation { device, pins } = &attestation.claim else { continue };
            let is_own = |device: &DeviceId| {
                self.devices.get(device).is_some_and(|it| it.agent == attestation.issuer)
            };
            if !is_own(device) || !(attestation.is_rooted() || is_own(&attestation.signer)) {
                continue;
            }
            let entry = revoked
                .entry(*device)
                .or_insert_with(|| RevokedDevice { because: vec![], pins: BTreeMap::new() });
            entry.because.push(attestation.id);
            for pin in pins {
                let known = entry.pins.entry(pin.scope).or_insert(*pin);
                if pin.entry > known.entry {
                    *known = *pin;
                }
            }
        }
        for (device, facts) in revoked {
            if let Some(device) = self.devices.get_mut(&device) {
                device.revoked = Some(facts);
            }
        }
    }

    /// Whether the signer speaks for the issuer, or did.
    fn counts(&self, attestation: &Attestation) -> bool {
        attestation.is_rooted()
            || self
                .devices
                .get(&attestation.signer)
                .is_some_and(|device| device.agent == attestation.issuer)
    }

    /// Leaves out what devices said after they were taken back: all but what is
    /// in the chains that end in the pins. Foundings stay, they give nobody a right
    /// but their issuer; revocations of devices stay, see [`Self::revoke_devices`].
    fn without_what_came_after<'a>(&self, all: &[&'a Attestation]) -> Vec<&'a Attestation> {
        let by_id: BTreeMap<AttestationId, &Attestation> =
            all.iter().map(|attestation| (attestation.id, *attestation)).collect();
        let mut kept: BTreeSet<AttestationId> = BTreeSet::new();
        for attestation in all {
            let revoked = self.devices.get(&attestation.signer).and_then(|it| it.revoked.as_ref());
            let Some(revoked) = revoked else { continue };
            let tip = revoked.pins.get(&attestation.scope).and_then(|pin| pin.tip);
            if tip == Some(Prefix::from(attestation.id)) {
                let mut next = Some(*attestation);
                while let Some(one) = next {
                    kept.insert(one.id);
                    next = one.prev.and_then(|prev| by_id.get(&prev).copied());
                }
            }
        }
        let stays = |attestation: &&&Attestation| {
            let is_revoked =
                self.devices.get(&attestation.signer).is_some_and(|it| it.revoked.is_some());
            let always = matches!(
                attestation.claim,
                Claim::SpaceFounding { .. } | Claim::DeviceRevocation { .. }
            );
            !is_revoked || always || kept.contains(&attestation.id)
        };
        all.iter().filter(stays).copied().collect()
    }

    fn note_person(&mut self, attestation: &Attestation) {
        let (issuer, evidence) = (attestation.issuer, attestation.id);
        match &attestation.claim {
            Claim::Profile { name } => {
                self.names.insert(issuer, name.clone());
            }
            Claim::Relationship { with, terms: Some(terms) } => {
                let expires_at = attestation.expires_at;
                self.sides.insert((issuer, *with), Side { terms: *terms, expires_at, evidence });
            }
            Claim::Relationship { with, terms: None } => {
                self.sides.remove(&(issuer, *with));
            }
            Claim::Vouch { subject, text } => {
                let vouch = Vouch { by: issuer, text: text.clone(), evidence };
                self.vouches.entry(*subject).or_default().push(vouch);
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
            | Claim::Unknown { .. } => {}
        }
    }

    fn note_spaces(&mut self, all: &[&Attestation]) {
        let mut statements: BTreeMap<SpaceId, Vec<&Attestation>> = BTreeMap::new();
        for attestation in all {
            if let Claim::SpaceGrant { space, .. } | Claim::SpaceRevocation { space, .. } =
                &attestation.claim
            {
                statements.entry(*space).or_default().push(attestation);
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

    fn expand_groups(&mut self) {
        let ids: Vec<SpaceId> = self.spaces.keys().copied().collect();
        for id in ids {
            let mut members = BTreeMap::new();
            self.collect_members(id, None, &mut BTreeSet::new(), &mut members);
            if let Some(space) = self.spaces.get_mut(&id) {
                space.members = members;
            }
        }
    }

    /// Members of a space and of the groups in it; a group that contains itself
    /// adds nobody.
    fn collect_members(
        &self,
        id: SpaceId,
        within: Option<(&Standing, SpaceId)>,
        seen: &mut BTreeSet<SpaceId>,
        members: &mut BTreeMap<AgentId, Member>,
    ) {
        if !seen.insert(id) {
            return;
        }
        let Some(space) = self.spaces.get(&id) else { return };
        for (party, standing) in &space.membership.members {
            match party {
                Party::Group(group) => {
                    let outer = within.map_or((standing, *group), |(outer, via)| (outer, via));
                    self.collect_members(*group, Some(outer), seen, members);
                }
                Party::Agent(agent) => {
                    let (role, via) = match within {
                        None => (standing.role, None),
                        // In a group, whoever may read the group is meant.
                        Some(_) if !standing.role.holds_keys() => continue,
                        Some((outer, via)) => (outer.role, Some(via)),
                    };
                    let mut because = standing.because.clone();
                    because.extend(within.into_iter().flat_map(|(outer, _)| outer.because.clone()));
                    let member = Member { role, via, because };
                    let known = members.entry(*agent).or_insert_with(|| member.clone());
                    if role.includes(known.role) && role != known.role {
                        *known = member;
                    }
                }
            }
        }
    }

    fn note_in_space(&mut self, attestation: &Attestation) {
        match &attestation.claim {
            Claim::SpaceEpoch { space, epoch, key, wraps } => {
                if let Some(space) = self.spaces.get_mut(space)
                    && holds_or_held_keys(space, attestation.issuer)
                {
                    let facts = space.epochs.entry((*epoch, *key)).or_insert_with(|| EpochFacts {
                        issued_at: attestation.issued_at,
                        ..EpochFacts::default()
                    });
                    facts.issuers.insert(attestation.issuer);
                    for wrap in wraps {
                        facts.wraps.entry(wrap.device).or_insert_with(|| wrap.clone());
                    }
                }
            }
            Claim::Location { space, collection, device, bytes } => {
                let agent = attestation.issuer;
                let is_own = self.agent_of(*device) == Some(agent);
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
            | Claim::Unknown { .. } => {}
        }
    }

    fn index(&mut self) {
        for (id, device) in &self.devices {
            self.devices_of.entry(device.agent).or_default().insert(*id);
        }
        for (id, space) in &self.spaces {
            for agent in space.members.keys() {
                self.spaces_of.entry(*agent).or_default().insert(*id);
            }
        }
    }
}

/// Keys that a member handed out before they left still open what was written
/// with them.
fn holds_or_held_keys(space: &Space, agent: AgentId) -> bool {
    let holds = |role: Role| role.holds_keys();
    space.members.get(&agent).is_some_and(|member| holds(member.role))
        || space
            .membership
            .former
            .get(&Party::Agent(agent))
            .is_some_and(|past| past.role.is_some_and(holds))
}

/// What of a device's entries counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteLimit {
    /// Everything.
    Everything,
    /// Up to the one that was pinned.
    UpTo(u64, Prefix),
    /// Nothing.
    Nothing,
}

impl WriteLimit {
    /// Whether the entry with this number and id counts.
    #[must_use]
    pub fn includes(&self, sequence: u64, entry: Prefix) -> bool {
        match self {
            Self::Everything => true,
            Self::UpTo(last, id) => sequence < *last || (sequence == *last && entry == *id),
            Self::Nothing => false,
        }
    }

    fn smaller(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Everything, _) | (_, Self::Nothing) => other,
            (Self::Nothing, _) | (_, Self::Everything) => self,
            (Self::UpTo(mine, _), Self::UpTo(theirs, _)) => {
                if theirs < mine {
                    other
                } else {
                    self
                }
            }
        }
    }
}

impl Space {
    /// What of a device's entries counts, and why.
    #[must_use]
    pub fn write_limit(&self, id: SpaceId, device: DeviceId, facts: &Device) -> WriteLimit {
        let by_member = match self.members.get(&facts.agent) {
            Some(member) if member.role.includes(Role::Writer) => WriteLimit::Everything,
            Some(_) | None => {
                let past = self.membership.former.get(&Party::Agent(facts.agent));
                let pin: Option<&EntryPin> = past.and_then(|past| past.pins.get(&device));
                pin.map_or(WriteLimit::Nothing, |pin| WriteLimit::UpTo(pin.sequence, pin.entry))
            }
        };
        let by_device = match &facts.revoked {
            None => WriteLimit::Everything,
            Some(revoked) => revoked
                .pins
                .get(&Scope(id.0))
                .and_then(|pin| pin.entry)
                .map_or(WriteLimit::Nothing, |(last, entry)| WriteLimit::UpTo(last, entry)),
        };
        by_member.smaller(by_device)
    }
}
