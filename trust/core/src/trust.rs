//! The trust plane of one node: its keys, what it knows, what it may say.

mod records;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{
    AgentId, AttestationId, DeviceId, Entropy, Epoch, SpaceId, Timestamp, cbor, random_bytes,
    seal::SealKey,
    sign::{Domain, Signer},
};

use crate::{
    attestation::{Attestation, Claim, WRAPS_MAX},
    decision::{Decision, Question, decide},
    graph::Graph,
    keyring::{DeviceKeys, EpochKeys, Keyring, wrap},
    ledger::{Ledger, LedgerError},
    words::{Layer, Reach, Role},
};

/// Most attestations that a node keeps: some thousands a community (features
/// T48) for a hundred communities.
pub const ATTESTATIONS_MAX: usize = 200_000;

/// Why the trust plane could not do it. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A stored record does not open or read.
    #[error(
        "the trust database is damaged or belongs to another identity; restore the data directory from a backup"
    )]
    Damaged,
    /// No such space, or not ours.
    #[error("there is no such space")]
    NoSuchSpace,
    /// Only admins may.
    #[error("only an admin of the space may do that; you are not one")]
    NotAdmin,
    /// Not a single device of the agent is known.
    #[error("no device of {0} is known yet; pair with them first: kith ticket, kith pair")]
    NoDevice(AgentId),
    /// The ledger holds as much as it may.
    #[error("this node keeps as many attestations as it may ({ATTESTATIONS_MAX})")]
    TooMany,
}

/// What came of attestations from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Those that were not known before.
    pub new: Vec<AttestationId>,
    /// How many were malformed or wrongly signed.
    pub rejected: usize,
}

/// Binds a sealed label to its purpose; the space's id does not exist yet.
const LABEL_BINDING: &[u8] = b"kith/space-label/1";

/// Name of the note that remembers the person's own space.
const HOME_NOTE: &str = "home-space";

/// The trust plane.
pub struct Trust {
    keys: DeviceKeys,
    local: SealKey,
    ledger: Box<dyn Ledger>,
    attestations: BTreeMap<AttestationId, Attestation>,
    notes: BTreeMap<String, Vec<u8>>,
    graph: Graph,
    keyring: Keyring,
    tip: Option<AttestationId>,
}

impl Trust {
    /// Loads what the ledger holds; the first time, introduces the agent and
    /// this device under the given names.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn open(
        keys: DeviceKeys,
        ledger: Box<dyn Ledger>,
        entropy: &mut Entropy,
        now: Timestamp,
        agent_name: &str,
        device_name: &str,
    ) -> Result<Self, TrustError> {
        let local = keys.local_seal();
        let mut trust = Self {
            keys,
            local,
            ledger,
            attestations: BTreeMap::new(),
            notes: BTreeMap::new(),
            graph: Graph::default(),
            keyring: Keyring::default(),
            tip: None,
        };
        trust.load()?;
        trust.refresh(now);
        trust.introduce(entropy, now, agent_name, device_name)?;
        Ok(trust)
    }

    /// The agent whose node this is.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        self.keys.root.agent()
    }

    /// This device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.keys.device.device()
    }

    /// The key that signs for this device.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.keys.device
    }

    /// What the attestations add up to.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The keys we hold.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// May they?
    #[must_use]
    pub fn decide(&self, question: Question) -> Decision {
        decide(&self.graph, self.device(), question)
    }

    /// How many attestations are known.
    #[must_use]
    pub fn attestation_count(&self) -> usize {
        self.attestations.len()
    }

    /// What an agent wants to be called, or the end of its id.
    #[must_use]
    pub fn name_of(&self, agent: AgentId) -> String {
        self.graph.names.get(&agent).cloned().unwrap_or_else(|| {
            let id = agent.to_string();
            format!("…{}", &id[id.len() - 8..])
        })
    }

    /// A space's name, if we hold its first key.
    #[must_use]
    pub fn label_of(&self, space: SpaceId) -> Option<String> {
        let facts = self.graph.spaces.get(&space)?;
        let keys = self.keyring.epoch(space, Epoch::FIRST)?;
        let name = keys.entries.open(LABEL_BINDING, &facts.label).ok()?;
        String::from_utf8(name).ok()
    }

    /// Our role in a space.
    #[must_use]
    pub fn role_in(&self, space: SpaceId) -> Option<Role> {
        Some(self.graph.spaces.get(&space)?.members.get(&self.agent())?.role)
    }

    /// Spaces that we are a member of.
    pub fn spaces(&self) -> impl Iterator<Item = SpaceId> {
        let me = self.agent();
        self.graph
            .spaces
            .iter()
            .filter(move |(_, space)| space.members.contains_key(&me))
            .map(|(id, _)| *id)
    }

    /// The person's own space, for progress and notes.
    #[must_use]
    pub fn home_space(&self) -> Option<SpaceId> {
        self.note(HOME_NOTE)
    }

    /// Founds a space with its first epoch.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn found_space(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        name: &str,
        reach: Reach,
    ) -> Result<SpaceId, TrustError> {
        let (space, drafts) = self.draft_space(entropy, now, name, reach);
        self.commit(drafts, &[], now)?;
        Ok(space)
    }

    fn draft_space(
        &self,
        entropy: &mut Entropy,
        now: Timestamp,
        name: &str,
        reach: Reach,
    ) -> (SpaceId, Vec<Attestation>) {
        let keys = EpochKeys::random(entropy);
        let label = keys.entries.seal(entropy, LABEL_BINDING, name.as_bytes());
        let founding = Claim::SpaceFounding { nonce: random_bytes(entropy), reach, label };
        let founding = self.draft(founding, now, &[]);
        let space = SpaceId(founding.id.0);
        let own = self.agent();
        let mut drafts = vec![founding];
        self.draft_epoch(entropy, now, (space, Epoch::FIRST, &keys), own, &mut drafts);
        (space, drafts)
    }

    /// Admits an agent to a space and wraps the space's keys to its devices.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn grant(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        space: SpaceId,
        member: AgentId,
        role: Role,
    ) -> Result<(), TrustError> {
        match self.role_in(space) {
            None => return Err(TrustError::NoSuchSpace),
            Some(own) if !own.includes(Role::Admin) => return Err(TrustError::NotAdmin),
            Some(_) => {}
        }
        if self.graph.devices_of(member).next().is_none() {
            return Err(TrustError::NoDevice(member));
        }
        let mut drafts = vec![self.draft(Claim::SpaceGrant { space, member, role }, now, &[])];
        if role.holds_keys() {
            let epochs: Vec<_> =
                self.keyring.epochs(space).map(|(epoch, keys)| (epoch, keys.clone())).collect();
            for (epoch, keys) in &epochs {
                self.draft_epoch(entropy, now, (space, *epoch, keys), member, &mut drafts);
            }
        }
        self.commit(drafts, &[], now)
    }

    /// Attests our side of a relationship, together with a note (a used ticket)
    /// that must become durable with it.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn relate(
        &mut self,
        now: Timestamp,
        with: AgentId,
        layer: Layer,
        notes: &[(String, Vec<u8>)],
    ) -> Result<(), TrustError> {
        let said = self.graph.sides.get(&(self.agent(), with));
        let drafts = if said.is_some_and(|side| side.layer == layer) {
            vec![]
        } else {
            vec![self.draft(Claim::Relationship { with, layer }, now, &[])]
        };
        self.commit(drafts, notes, now)
    }

    /// Takes in attestations from outside and says which were new. Bad ones are
    /// left out and counted.
    ///
    /// # Errors
    /// [`TrustError`]; nothing was kept.
    pub fn receive<'a>(
        &mut self,
        bytes: impl Iterator<Item = &'a [u8]>,
        now: Timestamp,
    ) -> Result<Received, TrustError> {
        let mut received = Received::default();
        let mut fresh = Vec::new();
        for bytes in bytes {
            match Attestation::read(bytes) {
                Ok(attestation) if self.attestations.contains_key(&attestation.id) => {}
                Ok(attestation) => fresh.push(attestation),
                Err(_) => received.rejected += 1,
            }
        }
        received.new = fresh.iter().map(|attestation| attestation.id).collect();
        self.commit(fresh, &[], now)?;
        Ok(received)
    }

    /// The attestations that concern `agent`: its own, ours, and those of the
    /// spaces that both are members of with everybody in them.
    #[must_use]
    pub fn visible_to(&self, agent: AgentId) -> Vec<AttestationId> {
        let me = self.agent();
        let mut people = BTreeSet::from([me, agent]);
        let mut spaces = BTreeSet::new();
        for (id, space) in &self.graph.spaces {
            if space.members.contains_key(&agent) {
                spaces.insert(*id);
                people.extend(space.members.keys().copied());
            }
        }
        let concerns = |attestation: &&Attestation| match &attestation.claim {
            Claim::DeviceLink { .. } | Claim::Profile { .. } => {
                people.contains(&attestation.issuer)
            }
            Claim::Relationship { with, .. } => {
                (attestation.issuer == me && *with == agent)
                    || (attestation.issuer == agent && *with == me)
            }
            Claim::SpaceFounding { .. } => spaces.contains(&SpaceId(attestation.id.0)),
            Claim::SpaceGrant { space, .. } | Claim::SpaceEpoch { space, .. } => {
                spaces.contains(space)
            }
            Claim::Unknown { .. } => attestation.issuer == me || attestation.issuer == agent,
        };
        self.attestations.values().filter(concerns).map(|attestation| attestation.id).collect()
    }

    /// The bytes of an attestation.
    #[must_use]
    pub fn attestation(&self, id: AttestationId) -> Option<&Attestation> {
        self.attestations.get(&id)
    }

    /// Says who this is, where that was not said yet: the power may have gone
    /// between the two commits of an earlier start.
    fn introduce(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        agent_name: &str,
        device_name: &str,
    ) -> Result<(), TrustError> {
        let (agent, device) = (self.agent(), self.device());
        if self.graph.agent_of(device).is_none() {
            let link = Claim::DeviceLink {
                device,
                hpke: self.keys.hpke_public(),
                name: device_name.to_owned(),
                consent: self.keys.device.sign(Domain::DeviceLink, &agent.0),
            };
            let link = Attestation::issue(&self.keys.root, agent, link, now, None);
            let profile = self.draft(Claim::Profile { name: agent_name.to_owned() }, now, &[]);
            self.commit(vec![link, profile], &[], now)?;
        }
        if self.home_space().is_none() {
            let (home, drafts) = self.draft_space(entropy, now, "Private", Reach::Private);
            self.commit(drafts, &[(HOME_NOTE.to_owned(), cbor::encode(&home))], now)?;
        }
        Ok(())
    }

    /// Signs a claim as this device; `before` are drafts of the same batch.
    fn draft(&self, claim: Claim, now: Timestamp, before: &[Attestation]) -> Attestation {
        let device = self.device();
        let prev = before
            .iter()
            .rev()
            .find(|draft| draft.signer == device)
            .map(|draft| draft.id)
            .or(self.tip);
        Attestation::issue(&self.keys.device, self.agent(), claim, now, prev)
    }

    fn draft_epoch(
        &self,
        entropy: &mut Entropy,
        now: Timestamp,
        (space, epoch, keys): (SpaceId, Epoch, &EpochKeys),
        member: AgentId,
        drafts: &mut Vec<Attestation>,
    ) {
        let devices: Vec<_> = self.graph.devices_of(member).collect();
        for some in devices.chunks(WRAPS_MAX) {
            let wraps = some
                .iter()
                .filter_map(|(id, device)| wrap(entropy, space, epoch, keys, *id, &device.hpke))
                .collect();
            let claim = Claim::SpaceEpoch { space, epoch, wraps };
            let draft = self.draft(claim, now, drafts);
            drafts.push(draft);
        }
    }

    /// Derives everything again after the set has changed.
    fn refresh(&mut self, now: Timestamp) {
        self.graph = Graph::derive(self.attestations.values(), now);
        let own = self.device();
        for (space, facts) in &self.graph.spaces {
            for (epoch, wraps) in &facts.wraps {
                if self.keyring.epoch(*space, *epoch).is_some() {
                    continue;
                }
                let keys = wraps
                    .iter()
                    .filter(|wrap| wrap.device == own)
                    .find_map(|wrap| self.keys.unwrap(*space, *epoch, wrap));
                if let Some(keys) = keys {
                    self.keyring.insert(*space, *epoch, keys);
                }
            }
        }
    }
}
