//! One machine: a disk that outlives processes, a clock that may be wrong, and at times a process
//! that runs a node.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use node_core::{Config, Input, Node, RequestId, request::Role};
use node_model::{AgentId, DeviceId, Now, SpaceId, sign::Signer};
use sync_engine_core::{
    LARGE_FROM_BYTES,
    store::{EntryStore as _, StoreHead},
};
use trust_core::keyring::DeviceKeys;
use trust_embedded::EmbeddedLedger;

use crate::{
    clock::wall,
    dice::Dice,
    disk::{DiskImage, FaultCounts, SimDisk},
    storage::{DiskStorage, Stores},
    workload::Asked,
};

pub(crate) struct Machine {
    pub(crate) number: usize,
    pub(crate) device: DeviceId,
    pub(crate) agent: AgentId,
    /// What its agent may do in the space that all share.
    pub(crate) role: Role,
    /// What it may do at the least, for as long as it does not know better.
    pub(crate) first_role: Role,
    pub(crate) disk: SimDisk,
    /// A copy of what was durable once.
    pub(crate) backup: DiskImage,
    /// The disk that a copy runs in place of.
    pub(crate) original: Option<DiskImage>,
    /// Whether its agent is removed from the space that all share.
    pub(crate) is_leaving: bool,
    /// What earlier disks did.
    spent: FaultCounts,
    /// Whether its disk was set back.
    pub(crate) is_restored: bool,
    pub(crate) skew_ms: i64,
    /// When its disk last refused something.
    pub(crate) disk_failed_at: Option<Duration>,
    pub(crate) process: Option<Process>,
    /// How many processes there were.
    lives: u64,
    seed: u64,
    secrets: [[u8; 32]; 3],
    sync_interval: Duration,
}

/// A running node, and what a driver keeps around it.
pub(crate) struct Process {
    pub(crate) node: Node,
    pub(crate) stores: Stores,
    pub(crate) life: u64,
    /// The boot of the disk in which it runs.
    pub(crate) boot: u64,
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) is_woken: bool,
    pub(crate) timer_at: Option<Duration>,
    /// Batches of entries that workers verify.
    pub(crate) jobs: usize,
    pub(crate) asked: BTreeMap<RequestId, Asked>,
    pub(crate) codes: BTreeMap<DeviceId, String>,
    started: Duration,
    next_request: u64,
}

/// Why there is no process.
pub(crate) enum StartFailure {
    /// The power went meanwhile.
    PowerCut,
    /// The node said so.
    Refused(String),
}

impl Machine {
    pub(crate) fn new(seed: u64, number: usize, sync_interval: Duration) -> Self {
        let mut dice = Dice::new(seed, &format!("machine {number}"));
        let secrets: [[u8; 32]; 3] = [(); 3].map(|()| dice.bytes());
        Self {
            number,
            device: Signer::from_secret(&secrets[0]).device(),
            role: Role::Admin,
            first_role: Role::Admin,
            agent: Signer::from_secret(&secrets[1]).agent(),
            disk: SimDisk::new(dice.number()),
            backup: DiskImage::default(),
            original: None,
            is_leaving: false,
            spent: FaultCounts::default(),
            is_restored: false,
            skew_ms: 0,
            disk_failed_at: None,
            process: None,
            lives: 0,
            seed,
            secrets,
            sync_interval,
        }
    }

    /// Opens a node on what is on the disk.
    pub(crate) fn start(&mut self, now: Duration) -> Result<&mut Process, StartFailure> {
        self.lives += 1;
        let boot = self.disk.boot();
        let stores = Stores::default();
        let node = self.open(now, stores.clone());
        if self.disk.boot() != boot {
            return Err(StartFailure::PowerCut);
        }
        let node = node.map_err(StartFailure::Refused)?;
        Ok(self.process.insert(Process {
            node,
            stores,
            life: self.lives,
            boot,
            inbox: VecDeque::new(),
            is_woken: false,
            timer_at: None,
            jobs: 0,
            asked: BTreeMap::new(),
            codes: BTreeMap::new(),
            started: now,
            next_request: 0,
        }))
    }

    fn open(&self, now: Duration, stores: Stores) -> Result<Node, String> {
        let vfs = self.disk.vfs_name();
        let path = std::path::Path::new("/trust.db");
        let ledger =
            EmbeddedLedger::open(path, Some(vfs)).map_err(|error| format!("ledger: {error}"))?;
        let config = Config {
            agent_name: name(self.number),
            device_name: "simulated".to_owned(),
            sync_interval: self.sync_interval,
            bundle_from_changes: 2 + self.seed % 4,
            // Some load every document by a worker, some none.
            large_from_bytes: [1, 1_024, LARGE_FROM_BYTES][(self.seed % 3) as usize],
        };
        let [device, root, hpke] = &self.secrets;
        let keys = DeviceKeys::from_secrets(device, root, hpke);
        let entropy = Dice::new(self.seed, &format!("node {} {}", self.number, self.lives));
        let now = Now { monotonic: Duration::ZERO, wall: wall(now, self.skew_ms) };
        let storage = Box::new(DiskStorage { vfs, stores });
        Node::open(config, keys, Box::new(ledger), storage, Box::new(entropy.into_rng()), now)
            .map_err(|error| format!("trust: {error}"))
    }

    /// Puts another disk in.
    pub(crate) fn replace_disk(&mut self, image: DiskImage, seed: u64) {
        self.spent = self.disk_counts();
        self.disk = SimDisk::from_image(image, seed);
        self.is_restored = true;
    }

    /// What all its disks did.
    pub(crate) fn disk_counts(&self) -> FaultCounts {
        let mut counts = self.spent;
        counts.add(&self.disk.counts());
        counts
    }

    /// Notes what its agent is going to be.
    pub(crate) fn grant(&mut self, role: Role) {
        self.role = role;
        self.first_role = role;
    }

    /// What both clocks of the process say.
    pub(crate) fn now(&self, now: Duration) -> Now {
        let started = self.process.as_ref().map_or(now, |process| process.started);
        Now { monotonic: now - started, wall: wall(now, self.skew_ms) }
    }
}

impl Process {
    pub(crate) fn next_request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// When, in the world's time, the node wants to be woken.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.node.poll_timeout().map(|at| self.started + at)
    }

    /// What each store says of itself.
    pub(crate) fn heads(&self) -> BTreeMap<SpaceId, StoreHead> {
        let stores = self.stores.all().into_iter();
        stores.map(|(space, store)| (space, store.head())).collect()
    }

    /// Whether the node knows who is not in a space any more.
    pub(crate) fn knows_without(&self, space: SpaceId, agent: AgentId) -> bool {
        let space = self.node.trust().graph().spaces.get(&space);
        space.is_some_and(|space| !space.members.contains_key(&agent))
    }

    /// Whether nothing waits to be handled.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.jobs == 0
    }
}

/// What the person at a machine is called.
pub(crate) fn name(machine: usize) -> String {
    ["Ada", "Bob", "Cleo", "Dan"][machine % 4].to_owned()
}
