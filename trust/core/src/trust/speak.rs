//! What this node says: statements in the name of its agent, signed by this
//! device, and by the root where only the root may.

use std::collections::BTreeMap;

use node_model::{
    AgentId, AttestationId, DeviceId, Entropy, Epoch, SpaceId, Timestamp, random_bytes,
    sign::{Domain, Signature, Signer},
};

use super::{Trust, TrustError};
use crate::{
    attestation::{
        AFTER_MAX, Attestation, Claim, DevicePin, EntryPin, PINS_MAX, Party, Prefix, Scope,
        Statement, Terms,
    },
    graph::{Graph, Space},
    keyring::{EpochKeys, Standing, commons_recipient},
    words::{Reach, Role},
};

/// How long a claim to hold something is good.
const LOCATION_LIFETIME: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

/// From when on before its end such a claim is made anew.
const LOCATION_RENEWAL_MILLIS: u64 = 10 * 24 * 60 * 60 * 1_000;

/// Whom to admit, to what.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The space.
    pub space: SpaceId,
    /// Who.
    pub party: Party,
    /// What they may do.
    pub role: Role,
    /// Their last entries that count, should this take away the right to write.
    pub pins: Vec<EntryPin>,
}

/// Statements of one batch, each after the ones before it.
pub(super) struct Drafts {
    now: Timestamp,
    height: u64,
    tips: BTreeMap<(DeviceId, Scope), AttestationId>,
    list: Vec<Attestation>,
}

impl Drafts {
    /// One of these.
    pub(super) fn get(&self, id: AttestationId) -> Option<&Attestation> {
        self.list.iter().find(|said| said.id == id)
    }

    pub(super) fn into_list(self) -> Vec<Attestation> {
        self.list
    }

    pub(super) fn say_as(
        &mut self,
        signer: &Signer,
        issuer: AgentId,
        claim: Claim,
    ) -> AttestationId {
        self.say_until(signer, issuer, claim, None)
    }

    fn say_until(
        &mut self,
        signer: &Signer,
        issuer: AgentId,
        claim: Claim,
        expires_at: Option<Timestamp>,
    ) -> AttestationId {
        let place = (signer.device(), claim.scope(issuer));
        let prev = if place.1 == Scope::FOUNDING { None } else { self.tips.get(&place).copied() };
        self.height = self.height.saturating_add(1);
        let statement =
            Statement { claim, height: self.height, prev, issued_at: self.now, expires_at };
        let said = Attestation::issue(signer, issuer, statement);
        self.tips.insert(place, said.id);
        let id = said.id;
        self.list.push(said);
        id
    }
}

impl Trust {
    pub(super) fn drafts(&self, now: Timestamp) -> Drafts {
        Drafts { now, height: self.height, tips: self.tips.clone(), list: Vec::new() }
    }

    pub(super) fn say(&self, drafts: &mut Drafts, claim: Claim) -> AttestationId {
        drafts.say_as(&self.keys.device, self.agent(), claim)
    }

    /// Says that this device is the agent's, and unless that is known elsewhere, what
    /// the agent is called. Nothing without the root.
    pub(super) fn draft_introduction(
        &self,
        now: Timestamp,
        agent_name: &str,
        device_name: &str,
    ) -> Vec<Attestation> {
        let Standing::Root { root, is_restored } = &self.keys.standing else {
            return vec![];
        };
        let agent = self.agent();
        let link = Claim::DeviceLink {
            device: self.device(),
            hpke: self.keys.hpke_public(),
            name: device_name.to_owned(),
            consent: self.keys.device.sign(Domain::DeviceLink, &agent.0),
        };
        let mut drafts = self.drafts(now);
        drafts.say_as(root, agent, link);
        if !is_restored {
            self.say(&mut drafts, Claim::Profile { name: agent_name.to_owned() });
        }
        drafts.into_list()
    }

    /// Makes a device ours that agreed to it, and remembers notes (a used ticket) with
    /// it.
    ///
    /// # Errors
    /// [`TrustError::NoRoot`], [`TrustError::BadLink`], [`TrustError::Ledger`].
    pub fn link_device(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        (device, hpke, name, consent): (DeviceId, [u8; 32], String, Signature),
        notes: &[(String, Vec<u8>)],
    ) -> Result<(), TrustError> {
        let root = self.keys.root().ok_or(TrustError::NoRoot)?;
        let agent = self.agent();
        let mut drafts = self.drafts(now);
        drafts.say_as(root, agent, Claim::DeviceLink { device, hpke, name, consent });
        // Reading also checks the device's consent.
        let is_good = drafts.list.iter().all(|link| Attestation::read(link.bytes()).is_ok());
        if !is_good || self.graph.devices.contains_key(&device) {
            return Err(TrustError::BadLink);
        }
        let graph = self.graph_with(&drafts, now);
        for space in self.spaces() {
            self.draft_wraps(entropy, &mut drafts, &graph, space);
        }
        self.commit(drafts.into_list(), notes, now)
    }

    /// What this device agrees to when `agent` links it: its HPKE key and its consent.
    #[must_use]
    pub fn consent_to(&self, agent: AgentId) -> ([u8; 32], Signature) {
        (self.keys.hpke_public(), self.keys.device.sign(Domain::DeviceLink, &agent.0))
    }

    pub(super) fn draft_space(
        &self,
        entropy: &mut Entropy,
        now: Timestamp,
        (binding, name): (&[u8], &str),
        reach: Reach,
        has_open_history: bool,
    ) -> (SpaceId, Vec<Attestation>) {
        let keys = EpochKeys::random(entropy);
        let label = keys.entries.seal(entropy, binding, name.as_bytes());
        let nonce = random_bytes(entropy);
        let mut drafts = self.drafts(now);
        let founding = Claim::SpaceFounding { nonce, reach, label, has_open_history };
        let space = SpaceId(self.say(&mut drafts, founding).0);
        let mut readers: Vec<_> = self.graph.recipients_of(self.agent()).collect();
        readers.extend((reach == Reach::Commons).then(|| commons_recipient(space)));
        self.hand_out(entropy, &mut drafts, (space, Epoch::FIRST, &keys), Some(&[]), &readers);
        (space, drafts.into_list())
    }

    /// Admits a party to a space and hands its devices the keys. A smaller role
    /// than before takes the larger one back first.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn grant(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        Admission { space, party, role, pins }: Admission,
    ) -> Result<(), TrustError> {
        self.need_admin(space)?;
        if let Party::Agent(agent) = party
            && self.graph.devices_of(agent).next().is_none()
        {
            return Err(TrustError::NoDevice(agent));
        }
        if let Party::Group(group) = party {
            if role.includes(Role::Writer) {
                return Err(TrustError::GroupsOnlyRead);
            }
            if group == space || self.role_in(group).is_none() {
                return Err(TrustError::NotAGroup);
            }
        }
        let facts = self.graph.spaces.get(&space).ok_or(TrustError::NoSuchSpace)?;
        let mut after = self.known_heads(facts);
        let before = facts.membership.members.get(&party).map(|standing| standing.role);
        let has_open_history = facts.has_open_history;
        let mut drafts = self.drafts(now);
        if let Some(before) = before {
            if before == role {
                return Ok(());
            }
            if !role.includes(before) && party == Party::Agent(self.agent()) {
                return Err(TrustError::Yourself);
            }
            if !role.includes(before) {
                after = vec![self.draft_revocation(&mut drafts, space, party, pins, after)?];
            }
        }
        self.say(&mut drafts, Claim::SpaceGrant { space, party, role, after });
        let graph = self.graph_with(&drafts, now);
        let is_smaller = before.is_some_and(|before| !role.includes(before));
        if is_smaller || !has_open_history {
            self.draft_rotation(entropy, &mut drafts, &graph, space);
        } else {
            self.draft_wraps(entropy, &mut drafts, &graph, space);
        }
        self.commit(drafts.into_list(), &[], now)
    }

    /// Removes a party from a space, or leaves it, and changes the space's keys.
    /// `pins` are its last entries that count.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn revoke(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        space: SpaceId,
        party: Party,
        pins: Vec<EntryPin>,
    ) -> Result<(), TrustError> {
        let own = party == Party::Agent(self.agent());
        if own {
            self.role_in(space).ok_or(TrustError::NoSuchSpace)?;
        } else {
            self.need_admin(space)?;
        }
        let facts = self.graph.spaces.get(&space).ok_or(TrustError::NoSuchSpace)?;
        let after = self.known_heads(facts);
        let mut drafts = self.drafts(now);
        self.draft_revocation(&mut drafts, space, party, pins, after)?;
        if !own {
            let graph = self.graph_with(&drafts, now);
            self.draft_rotation(entropy, &mut drafts, &graph, space);
        }
        self.commit(drafts.into_list(), &[], now)
    }

    /// What the next statement about a space is to name: above all what our own right
    /// rests on.
    pub(super) fn known_heads(&self, facts: &Space) -> Vec<AttestationId> {
        let mut heads = facts.membership.heads.clone();
        let own = facts.membership.members.get(&Party::Agent(self.agent()));
        let grant = own.and_then(|standing| match standing.because.as_slice() {
            // The founder's rests on the founding, which everybody knows.
            [grant, _, ..] => Some(*grant),
            [] | [_] => None,
        });
        if let Some(grant) = grant.filter(|grant| !heads.contains(grant)) {
            heads.truncate(AFTER_MAX - 1);
            heads.push(grant);
        }
        heads
    }

    fn draft_revocation(
        &self,
        drafts: &mut Drafts,
        space: SpaceId,
        party: Party,
        mut pins: Vec<EntryPin>,
        after: Vec<AttestationId>,
    ) -> Result<AttestationId, TrustError> {
        let agent = match party {
            Party::Agent(agent) => agent,
            Party::Group(group) => AgentId(group.0),
        };
        let members = self.graph.spaces.get(&space).map(|space| &space.membership.members);
        if !members.is_some_and(|members| members.contains_key(&party)) {
            return Err(TrustError::NotAMember(agent));
        }
        // The devices that wrote most are those whose work would be missed most.
        pins.sort_by_key(|pin| std::cmp::Reverse((pin.sequence, pin.device)));
        pins.truncate(PINS_MAX);
        let id = self.say(drafts, Claim::SpaceRevocation { space, party, pins, after });
        let graph = self.graph_with(drafts, drafts.now);
        let members = graph.spaces.get(&space).map(|space| &space.membership.members);
        if members.is_some_and(|members| members.contains_key(&party)) {
            return Err(TrustError::NotSenior(space, agent));
        }
        Ok(id)
    }

    /// Attests our side of a relationship, together with notes (a used ticket)
    /// that must become durable with it.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn relate(
        &mut self,
        now: Timestamp,
        with: AgentId,
        (terms, expires_at): (Terms, Option<Timestamp>),
        notes: &[(String, Vec<u8>)],
    ) -> Result<(), TrustError> {
        let said = self.graph.sides.get(&(self.agent(), with));
        let is_said = said.is_some_and(|it| it.terms == terms && it.expires_at == expires_at);
        let mut drafts = self.drafts(now);
        if !is_said {
            let claim = Claim::Relationship { with, terms: Some(terms) };
            drafts.say_until(&self.keys.device, self.agent(), claim, expires_at);
        }
        self.commit(drafts.into_list(), notes, now)
    }

    pub(super) fn say_now(&mut self, now: Timestamp, claim: Claim) -> Result<(), TrustError> {
        let mut drafts = self.drafts(now);
        self.say(&mut drafts, claim);
        self.commit(drafts.into_list(), &[], now)
    }

    /// Says what this device holds of its spaces, where that was not said, changed
    /// by a quarter, or ends soon. Says whether there was anything.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn locate(
        &mut self,
        now: Timestamp,
        held: &BTreeMap<SpaceId, u64>,
    ) -> Result<bool, TrustError> {
        let device = self.device();
        let mut drafts = self.drafts(now);
        for (space, bytes) in held {
            let Some(facts) = self.graph.spaces.get(space) else { continue };
            // Nor of what it keeps for others: all members of the space would hear of it.
            if !facts.members.contains_key(&self.agent()) || facts.members.len() < 2 {
                continue;
            }
            let said = facts.holdings.get(&(String::new(), device));
            let is_fresh = said.is_some_and(|holding| {
                let is_near = holding.bytes.abs_diff(*bytes) <= holding.bytes / 4;
                let ends = holding.expires_at.unwrap_or_default().0;
                is_near && ends > now.0.saturating_add(LOCATION_RENEWAL_MILLIS)
            });
            if !is_fresh {
                let claim = Claim::Location {
                    space: *space,
                    collection: String::new(),
                    device,
                    bytes: *bytes,
                };
                let until = Some(now.plus(LOCATION_LIFETIME));
                drafts.say_until(&self.keys.device, self.agent(), claim, until);
            }
        }
        let drafts = drafts.into_list();
        let is_any = !drafts.is_empty();
        self.commit(drafts, &[], now)?;
        Ok(is_any)
    }

    /// Takes back one of our devices. `entries` are its last ones that count, by
    /// space; what it attested counts as far as it is known here.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn revoke_device(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        device: DeviceId,
        entries: &BTreeMap<SpaceId, (u64, Prefix)>,
    ) -> Result<(), TrustError> {
        if device == self.device() {
            return Err(TrustError::ThisDevice);
        }
        if !self.graph.is_device_of(device, self.agent()) {
            return Err(TrustError::NotOwnDevice(device));
        }
        let pins = self.pins_of(device, entries);
        let mut drafts = self.drafts(now);
        let mut parts: Vec<_> = pins.chunks(PINS_MAX).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(vec![]);
        }
        for pins in parts {
            self.say(&mut drafts, Claim::DeviceRevocation { device, pins });
        }
        let graph = self.graph_with(&drafts, now);
        for space in self.spaces() {
            let may = self.role_in(space).is_some_and(|role| role.includes(Role::Writer));
            let had = |facts: &Space| {
                facts.epochs.values().any(|epoch| epoch.wraps.contains_key(&device))
            };
            if may && self.graph.spaces.get(&space).is_some_and(had) {
                self.draft_rotation(entropy, &mut drafts, &graph, space);
            }
        }
        self.commit(drafts.into_list(), &[], now)
    }

    fn pins_of(
        &self,
        device: DeviceId,
        entries: &BTreeMap<SpaceId, (u64, Prefix)>,
    ) -> Vec<DevicePin> {
        let mut last: BTreeMap<Scope, (u64, AttestationId)> = BTreeMap::new();
        for said in self.attestations.values().filter(|said| said.signer == device) {
            let known = last.entry(said.scope).or_insert((said.height, said.id));
            *known = (*known).max((said.height, said.id));
        }
        let mut pins: BTreeMap<Scope, DevicePin> = BTreeMap::new();
        for (scope, (_, id)) in last {
            let tip = Some(Prefix::from(id));
            pins.insert(scope, DevicePin { scope, tip, entry: None });
        }
        for (space, last) in entries {
            let scope = Scope(space.0);
            let pin = pins.entry(scope).or_insert(DevicePin { scope, tip: None, entry: None });
            pin.entry = Some(*last);
        }
        pins.into_values().collect()
    }

    pub(super) fn need_admin(&self, space: SpaceId) -> Result<(), TrustError> {
        match self.role_in(space) {
            None => Err(TrustError::NoSuchSpace),
            Some(own) if !own.includes(Role::Admin) => Err(TrustError::NotAdmin(space)),
            Some(_) => Ok(()),
        }
    }

    /// The graph as it will be.
    pub(super) fn graph_with(&self, drafts: &Drafts, now: Timestamp) -> Graph {
        Graph::derive(self.attestations.values().chain(&drafts.list), now)
    }
}
