//! The trust plane of one node: its keys, what it knows, what it may say.

mod journal;
mod records;
mod share;
mod speak;

use std::collections::BTreeMap;

use node_model::{
    AgentId, AttestationId, DeviceId, Entropy, Epoch, SpaceId, Timestamp, cbor, seal::SealKey,
    sign::Signer,
};

pub use self::{
    journal::{JOURNAL_MAX, Journalled, ReplayError},
    share::{ISSUER_ATTESTATIONS_MAX, Received},
    speak::Admission,
};
use crate::{
    attestation::{Attestation, Scope},
    decision::{Decision, Question, decide},
    graph::Graph,
    keyring::{DeviceKeys, EpochKeys, KeyId, Keyring, commons_device},
    ledger::{Ledger, LedgerError},
    words::{Reach, Role},
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
    /// Admins do not remove those who were admins before them.
    #[error("{0} was an admin of this space before you, or founded it: you cannot remove them")]
    NotSenior(AgentId),
    /// Not in the space.
    #[error("{0} is not a member of this space")]
    NotAMember(AgentId),
    /// Not a single device of the agent is known.
    #[error("no device of {0} is known yet; pair with them first: kith ticket, kith pair")]
    NoDevice(AgentId),
    /// No relationship to end.
    #[error("you are not related to {0}")]
    NotRelated(AgentId),
    /// Not a device of ours, or taken back already.
    #[error("{0} is not one of your devices, or was taken back before")]
    NotOwnDevice(DeviceId),
    /// A device does not take back itself: nothing could be said after it.
    #[error("a device cannot take back itself; do it from another of your devices")]
    ThisDevice,
    /// The ledger holds as much as it may.
    #[error("this node keeps as many attestations as it may ({ATTESTATIONS_MAX})")]
    TooMany,
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
    /// The largest height that our agent used.
    height: u64,
    /// What our keys said last, by key and scope.
    tips: BTreeMap<(DeviceId, Scope), AttestationId>,
    of_issuer: BTreeMap<AgentId, usize>,
    journal: journal::Journal,
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
            height: 0,
            tips: BTreeMap::new(),
            of_issuer: BTreeMap::new(),
            journal: journal::Journal::default(),
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
        let first = self.keyring.epochs(space).filter(|(epoch, ..)| *epoch == Epoch::FIRST);
        let name = first
            .filter_map(|(_, _, keys)| keys.entries.open(LABEL_BINDING, &facts.label).ok())
            .next()?;
        String::from_utf8(name).ok()
    }

    /// Our role in a space.
    #[must_use]
    pub fn role_in(&self, space: SpaceId) -> Option<Role> {
        Some(self.graph.spaces.get(&space)?.members.get(&self.agent())?.role)
    }

    /// Spaces that we are a member of, or were: what we received stays ours to read.
    pub fn spaces(&self) -> impl Iterator<Item = SpaceId> {
        let me = self.agent();
        self.graph
            .spaces
            .iter()
            .filter(move |(id, space)| {
                space.members.contains_key(&me) || self.keyring.epochs(**id).next().is_some()
            })
            .map(|(id, _)| *id)
    }

    /// The person's own space, for progress and notes.
    #[must_use]
    pub fn home_space(&self) -> Option<SpaceId> {
        self.note(HOME_NOTE)
    }

    /// An attestation.
    #[must_use]
    pub fn attestation(&self, id: AttestationId) -> Option<&Attestation> {
        self.attestations.get(&id)
    }

    /// The keys that new entries of a space are sealed with: the newest epoch whose
    /// keys nobody was given who may not read now. `None` asks for a rotation.
    #[must_use]
    pub fn writing_epoch(&self, space: SpaceId) -> Option<(Epoch, KeyId, &EpochKeys)> {
        let facts = self.graph.spaces.get(&space)?;
        let mut readers = self.graph.readers(space);
        if facts.reach == Reach::Commons {
            let public = commons_device(space);
            readers.insert(public.device.device(), public.hpke_public());
        }
        let is_clean = |epoch: Epoch, key: KeyId| {
            facts.epochs.get(&(epoch, key)).is_some_and(|handed_out| {
                handed_out.wraps.keys().all(|device| readers.contains_key(device))
                    && handed_out.issuers.iter().any(|issuer| {
                        facts.members.get(issuer).is_some_and(|member| member.role.holds_keys())
                    })
            })
        };
        // Of several with one number the smallest id: all writers agree.
        let clean = self.keyring.epochs(space).filter(|(epoch, key, _)| is_clean(*epoch, *key));
        clean.max_by_key(|(epoch, key, _)| (*epoch, std::cmp::Reverse(*key)))
    }

    fn introduce(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        agent_name: &str,
        device_name: &str,
    ) -> Result<(), TrustError> {
        // Says who this is, where that was not said yet: the power may have gone
        // between the two commits of an earlier start.
        if !self.graph.devices.contains_key(&self.device()) {
            let drafts = self.draft_introduction(now, agent_name, device_name);
            self.commit(drafts, &[], now)?;
        }
        if self.home_space().is_none() {
            let (home, drafts) = self.draft_space(entropy, now, "Private", Reach::Private, true);
            self.commit(drafts, &[(HOME_NOTE.to_owned(), cbor::encode(&home))], now)?;
        }
        Ok(())
    }

    /// Derives everything again after the set has changed.
    fn refresh(&mut self, now: Timestamp) {
        self.graph = Graph::derive(self.attestations.values(), now);
        let own = self.device();
        for (space, facts) in &self.graph.spaces {
            let public = (facts.reach == Reach::Commons).then(|| commons_device(*space));
            for ((epoch, key), handed_out) in &facts.epochs {
                if self.keyring.contains(*space, *epoch, *key) {
                    continue;
                }
                let mine = handed_out.wraps.get(&own);
                let opened = mine.and_then(|wrap| self.keys.unwrap(*space, *epoch, wrap));
                let opened = opened.or_else(|| {
                    let public = public.as_ref()?;
                    let wrap = handed_out.wraps.get(&public.device.device())?;
                    public.unwrap(*space, *epoch, wrap)
                });
                if let Some(keys) = opened.filter(|keys| keys.id() == *key) {
                    self.keyring.insert(*space, *epoch, keys);
                }
            }
        }
    }
}
