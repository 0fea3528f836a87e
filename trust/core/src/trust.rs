//! The trust plane of one node: its keys, what it knows, what it may say.

mod carry;
mod clock;
mod describe;
mod introduce;
mod journal;
mod label;
mod others;
mod purge;
mod reach;
mod records;
mod renew;
mod rotation;
mod session;
mod share;
mod spaces;
mod speak;
mod wraps;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use node_model::{
    AgentId, AttestationId, DeviceId, Entropy, Epoch, SpaceId, Timestamp, seal::SealKey,
    sign::Signer,
};

pub use self::{
    clock::CLOCK_SKEW_MAX,
    introduce::Introduction,
    journal::{JOURNAL_MAX, Journalled, ReplayError},
    renew::is_sealed_to,
    share::{Received, SIGNER_ATTESTATIONS_MAX, STRANGER_ATTESTATIONS_MAX},
    speak::Admission,
};
use crate::{
    attestation::{Attestation, Scope},
    decision::{Decision, Question, decide},
    graph::{Graph, Recipient},
    keyring::{
        AgreementKey, DeviceKeys, EpochKeys, KeyId, Keyring, Standing, commons_device,
        commons_recipient,
    },
    ledger::{Ledger, LedgerError},
    session::Sessions,
    words::Reach,
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
    NotAdmin(SpaceId),
    /// Admins do not remove those who were admins before them.
    #[error("{1} was an admin of this space before you, or founded it: you cannot remove them")]
    NotSenior(SpaceId, AgentId),
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
    /// Only the device that keeps the root links others.
    #[error(
        "this device does not keep your root key, which linking a device needs; do it on the device that you began with, or after: kith phrase restore"
    )]
    NoRoot,
    /// The link is not for this device, or does not hold.
    #[error("the statement that links this device does not hold")]
    BadLink,
    /// The only one that cannot be granted less is oneself.
    #[error(
        "your own role cannot be made smaller by you; leave the space, or let another admin do it"
    )]
    Yourself,
    /// What a group's members write could not be told apart once the group leaves.
    #[error("a group may be custodian or reader; admit people by themselves to let them write")]
    GroupsOnlyRead,
    /// Only who is in a group knows who that is.
    #[error("a space that you are not in, or this space itself, cannot be admitted as a group")]
    NotAGroup,
    /// A device does not take back itself: nothing could be said after it.
    #[error("a device cannot take back itself; do it from another of your devices")]
    ThisDevice,
    /// The ledger holds as much as it may.
    #[error("this node keeps as many attestations as it may ({ATTESTATIONS_MAX})")]
    TooMany,
}

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
    /// When the next statement ends by itself.
    next_end: Option<Timestamp>,
    derived_at: Timestamp,
    /// What our keys said last, by key and scope.
    tips: BTreeMap<(DeviceId, Scope), AttestationId>,
    /// How many statements are kept of each key.
    of_signer: BTreeMap<DeviceId, usize>,
    /// How many are kept of people whom nobody here knows.
    of_strangers: OnceCell<usize>,
    journal: journal::Journal,
    sessions: Sessions,
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
            next_end: None,
            derived_at: now,
            tips: BTreeMap::new(),
            of_signer: BTreeMap::new(),
            of_strangers: OnceCell::new(),
            journal: journal::Journal::default(),
            sessions: Sessions::default(),
        };
        trust.load()?;
        trust.refresh(now);
        trust.introduce(entropy, now, agent_name, device_name)?;
        Ok(trust)
    }

    /// The agent whose node this is.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        self.keys.agent()
    }

    /// Whether the agent's root is kept on this device.
    #[must_use]
    pub fn holds_root(&self) -> bool {
        self.keys.root().is_some()
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

    /// Takes notice that time has passed: what has ended says nothing any more, and
    /// what had not begun to end under a wrong clock says something again. Says
    /// whether anything changed.
    pub fn pass_time(&mut self, now: Timestamp) -> bool {
        let has_ended = self.next_end.is_some_and(|end| end <= now);
        let went_back = now < self.derived_at
            && self.attestations.values().any(|said| said.expires_at.is_some());
        if !has_ended && !went_back {
            return false;
        }
        self.refresh(now);
        true
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

    /// An attestation.
    #[must_use]
    pub fn attestation(&self, id: AttestationId) -> Option<&Attestation> {
        self.attestations.get(&id)
    }

    /// The keys that new entries of a space are sealed with: the newest epoch that a
    /// member made, by statements that are here, and whose keys nobody was given who may
    /// not read now. `None` asks for a rotation.
    #[must_use]
    pub fn writing_epoch(&self, space: SpaceId) -> Option<(Epoch, KeyId, &EpochKeys)> {
        let facts = self.graph.spaces.get(&space)?;
        let mut readers: BTreeSet<DeviceId> =
            self.graph.readers(space).into_iter().map(Recipient::id).collect();
        if facts.reach == Reach::Commons {
            readers.insert(commons_recipient(space).id());
        }
        let is_clean = |epoch: Epoch, key: KeyId| {
            #[cfg(feature = "planted-bugs")]
            if node_model::planted::active(node_model::planted::Bug::KeptKey) {
                return true;
            }
            facts.epochs.get(&(epoch, key)).is_some_and(|handed_out| {
                handed_out.wraps.keys().all(|device| readers.contains(device))
                    && handed_out.makers.iter().any(|(maker, is_explained)| {
                        *is_explained
                            && facts
                                .members
                                .get(maker)
                                .is_some_and(|member| member.role.holds_keys())
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
        if self.graph.link(self.device(), self.agent()).is_none() {
            let said = match &self.keys.standing {
                Standing::Root { .. } => self.draft_introduction(now, agent_name, device_name),
                Standing::Linked { links, .. } => links
                    .iter()
                    .map(|link| Attestation::read(link))
                    .collect::<Result<_, _>>()
                    .map_err(|_| TrustError::BadLink)?,
            };
            self.commit(said, &[], now)?;
        }
        if self.graph.link(self.device(), self.agent()).is_none() {
            return Err(TrustError::BadLink);
        }
        self.found_home(entropy, now)
    }

    /// Derives everything again after the set has changed.
    fn refresh(&mut self, now: Timestamp) {
        self.graph = Graph::derive(self.attestations.values(), now);
        let ends = self.attestations.values().filter_map(|attestation| attestation.expires_at);
        self.next_end = ends.filter(|end| *end > now).min();
        self.derived_at = now;
        let own = self.device();
        let me = self.agent();
        let ours = |said: &&Attestation| {
            said.issuer == me && (said.is_rooted() || self.graph.is_device_of(said.signer, me))
        };
        let heights = self.attestations.values().filter(ours).map(|said| said.height);
        self.height = heights.max().unwrap_or_default();
        let (device_key, root) = (self.keys.agreement_key(), self.keys.root_agreement_key());
        for (space, facts) in &self.graph.spaces {
            let public = (facts.reach == Reach::Commons).then(|| commons_device(*space));
            for ((epoch, key), handed_out) in &facts.epochs {
                if self.keyring.contains(*space, *epoch, *key) {
                    continue;
                }
                let open = |secret: &AgreementKey, id: DeviceId| {
                    let wraps = handed_out.wraps.get(&id).into_iter().flatten();
                    let mut opened = wraps.filter_map(|wrap| secret.unwrap(*space, *epoch, wrap));
                    opened.find(|keys| keys.id() == *key)
                };
                let by_root = || open(root.as_ref()?, DeviceId(me.0));
                let by_everybody = || {
                    let public = public.as_ref()?;
                    open(&public.agreement_key(), public.device.device())
                };
                let opened = open(&device_key, own).or_else(by_root).or_else(by_everybody);
                if let Some(keys) = opened {
                    self.keyring.insert(*space, *epoch, keys);
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
