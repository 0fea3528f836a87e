//! The node: three planes by value, inputs in, effects out.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use data_plane_core::{
    net::{Lane, NetCommand, NetEvent},
    plane::{Command, DataPlane},
};
use node_model::{BlobId, DeviceId, Entropy, Now, SpaceId, Timestamp, random_bytes};
use sync_engine_core::{
    JobId, LoadedDocument, MadeBundle, SyncEngine, Writer,
    entry::{EntryError, VerifiedEntry},
    store::{EntryStore, StoreEpoch, StoreError},
};
use trust_core::{
    Action, Decision, Ledger, Question, Trust, TrustError, graph::WriteLimit, keyring::DeviceKeys,
};

use crate::{
    acquaintance::Acquaintance,
    collection::Collection,
    compaction::Compaction,
    conflicts::Tallies,
    custody::Kept,
    doctor::Doctor,
    effect::Effect,
    failure::Failure,
    pack::Carrying,
    pair::Pairings,
    parked::Parked,
    receipts::Receipts,
    request::{Request, Response},
    route::Share,
    search::Searches,
    settling::Settling,
    sync_now::SyncWait,
    write::PendingWrite,
};

/// Opens the stores of spaces.
pub trait SpaceStorage: Send {
    /// Opens or creates the store of a space.
    ///
    /// # Errors
    /// [`StoreError`].
    fn open(
        &mut self,
        space: SpaceId,
        epoch_if_new: StoreEpoch,
    ) -> Result<Box<dyn EntryStore>, StoreError>;
}

/// How a node behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the agent wants to be called; used when the identity is new.
    pub agent_name: String,
    /// What the device is called; used when the identity is new.
    pub device_name: String,
    /// How often to compare with every connected peer even if nothing was heard.
    pub sync_interval: Duration,
    /// From how many own changes of a document on they are bundled;
    /// [`BUNDLE_FROM_CHANGES`](crate::compaction::BUNDLE_FROM_CHANGES) is a good number.
    pub bundle_from_changes: u64,
    /// From how many sealed bytes on documents are loaded by a worker; [`LARGE_FROM_BYTES`](sync_engine_core::LARGE_FROM_BYTES)
    /// is a good number.
    pub large_from_bytes: u64,
}

/// Names a request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What arrives at a node.
#[derive(Debug)]
pub enum Input {
    /// Somebody at this node asks for something.
    Request(RequestId, Request),
    /// The network.
    Net(NetEvent),
    /// Entries were verified.
    Verified {
        /// Which batch.
        job: JobId,
        /// Verdicts, in order.
        results: Vec<Result<VerifiedEntry, EntryError>>,
    },
    /// A document was loaded, or could not be.
    Loaded(Box<LoadedDocument>),
    /// A worker made a bundle, or could not.
    Bundled(Box<MadeBundle>),
    /// Blobs are complete here, each with its length in bytes: all of them at the start, new
    /// ones later.
    BlobsHeld(Vec<(BlobId, u64)>),
    /// The time of [`Node::poll_timeout`] has come.
    Timeout,
}

/// A whole node without I/O.
pub struct Node {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
    pub(crate) sync: SyncEngine,
    pub(crate) data: DataPlane,
    pub(crate) storage: Box<dyn SpaceStorage>,
    pub(crate) entropy: Box<Entropy>,
    pub(crate) listen: Vec<String>,
    /// Peers that pass connections on to this node.
    pub(crate) circuits: BTreeSet<DeviceId>,
    pub(crate) shares: BTreeMap<DeviceId, Share>,
    pub(crate) acquaintances: BTreeMap<DeviceId, Acquaintance>,
    pub(crate) last_sync: BTreeMap<DeviceId, Timestamp>,
    pub(crate) pairings: Pairings,
    pub(crate) writes: Vec<PendingWrite>,
    pub(crate) carrying: Carrying,
    pub(crate) sync_waits: Vec<SyncWait>,
    pub(crate) compare_at: Duration,
    pub(crate) compaction: Compaction,
    pub(crate) collection: Collection,
    pub(crate) settling: Settling,
    pub(crate) kept: Kept,
    pub(crate) receipts: Receipts,
    pub(crate) searches: Searches,
    /// What peers were denied and is not noted yet.
    pub(crate) denials: Vec<(Timestamp, Question, Decision)>,
    /// When decisions are to be written down.
    pub(crate) journal_at: Option<Duration>,
    /// Spaces in which the right to write has changed.
    pub(crate) unsorted: BTreeSet<SpaceId>,
    /// The limits by which a space was last sorted.
    pub(crate) sorted: BTreeMap<SpaceId, BTreeMap<DeviceId, WriteLimit>>,
    pub(crate) doctor: Doctor,
    pub(crate) tallies: Tallies,
    pub(crate) parked: Parked,
    pub(crate) effects: VecDeque<Effect>,
}

impl Node {
    /// Opens a node on its stores.
    ///
    /// # Errors
    /// [`TrustError`]; the ledger is as it was. A space whose store cannot be opened stays
    /// closed, is named by the doctor, and is tried again from time to time.
    pub fn open(
        config: Config,
        keys: DeviceKeys,
        ledger: Box<dyn Ledger>,
        storage: Box<dyn SpaceStorage>,
        mut entropy: Box<Entropy>,
        now: Now,
    ) -> Result<Self, TrustError> {
        let trust = Trust::open(
            keys,
            ledger,
            entropy.as_mut(),
            now.wall,
            &config.agent_name,
            &config.device_name,
        )?;
        let mut sync = SyncEngine::new(trust.device(), random_bytes(entropy.as_mut()));
        sync.call_large_from(config.large_from_bytes);
        let mut node = Self {
            compare_at: now.monotonic + config.sync_interval,
            compaction: Compaction::new(config.bundle_from_changes),
            collection: Collection::default(),
            settling: Settling::default(),
            kept: Kept::default(),
            receipts: Receipts::default(),
            searches: Searches::default(),
            denials: Vec::new(),
            journal_at: None,
            config,
            sync,
            trust,
            data: DataPlane::default(),
            storage,
            entropy,
            listen: Vec::new(),
            circuits: BTreeSet::new(),
            shares: BTreeMap::new(),
            acquaintances: BTreeMap::new(),
            last_sync: BTreeMap::new(),
            pairings: Pairings::default(),
            writes: Vec::new(),
            carrying: Carrying::default(),
            sync_waits: Vec::new(),
            unsorted: BTreeSet::new(),
            sorted: BTreeMap::new(),
            doctor: Doctor::default(),
            tallies: Tallies::default(),
            parked: Parked::default(),
            effects: VecDeque::new(),
        };
        for space in node.trust.spaces().collect::<Vec<_>>() {
            node.open_or_note(now, space);
        }
        node.recall_peers(now);
        node.recall_synced();
        node.recall_receipts();
        node.trust_changed(now);
        node.retire_previous(now);
        node.collect_all_soon(now);
        node.route(now);
        Ok(node)
    }

    /// Takes an input. What it changes is durable only after [`Node::flush`].
    pub fn handle(&mut self, now: Now, input: Input) {
        // Who only looks changes nothing, not even by looking later than others.
        let is_look = matches!(input, Input::Request(..));
        if !is_look && self.trust.pass_time(now.wall) {
            self.trust_changed(now);
        }
        if matches!(input, Input::Net(_) | Input::Verified { .. } | Input::BlobsHeld(_)) {
            self.doctor.look_soon(now);
        }
        match input {
            Input::Request(id, request) => self.ask(now, id, request),
            Input::Net(NetEvent::Frame { device, lane, frame }) => {
                self.receive(now, device, lane, &frame);
            }
            Input::Net(NetEvent::Listening { address }) => {
                self.listen_on(address);
            }
            Input::Net(NetEvent::Circuit { through, is_open }) => {
                self.reached_through(through, is_open);
            }
            Input::Net(event) => self.data.on_net(now.monotonic, event),
            Input::Verified { job, results } => self.verified(now, job, results),
            Input::Loaded(loaded) => self.loaded(now, *loaded),
            Input::Bundled(made) => self.bundled(now, *made),
            Input::BlobsHeld(blobs) => {
                self.kept.note_file();
                let came: Vec<BlobId> = blobs.iter().map(|(blob, _)| *blob).collect();
                self.data.command(now.monotonic, Command::Hold { blobs });
                self.owe_for_files(now, came);
            }
            Input::Timeout => self.on_timeout(now),
        }
        self.route(now);
    }

    /// Makes everything handled so far durable, then releases the answers.
    pub fn flush(&mut self, now: Now) {
        // New entries go to peers unasked: to those who may hold the space now.
        if self.trust.pass_time(now.wall) {
            self.trust_changed(now);
        }
        let flushed = self.sync.flush();
        // Before the answers: whoever hears that it is written finds it, too.
        self.route(now);
        self.answer_writes(&flushed);
        self.answer_carried(&flushed);
        self.sort_out(now);
        // Also while there is always something else to do.
        self.list_more(now);
        self.answer_choices(now);
        self.route(now);
        self.note_written(now);
        self.settle_later(now);
        self.limit_kept(now);
        self.plan_journal(now);
        self.note_synced(now);
        self.check_sync_waits(now);
        self.sync.forget_some();
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When, on the monotonic clock, [`Input::Timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let waits = self.sync_waits.iter().map(SyncWait::deadline);
        let pairing = self.pairings.poll_timeout();
        self.data
            .poll_timeout()
            .into_iter()
            .chain(waits)
            .chain(pairing)
            .chain([self.compare_at])
            .chain(self.journal_at)
            .chain(self.compaction.poll_timeout())
            .chain(self.collection.due)
            .chain(self.settling.poll_timeout())
            .chain(self.receipts.due)
            .chain(self.searches.poll_timeout())
            .chain(self.doctor.examine_at)
            .chain(self.parked.due)
            .chain(self.doctor.open_at)
            .chain(self.greet_again_at())
            .min()
    }

    /// The trust plane, to look at.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The sync engine, to look at.
    pub fn sync_engine(&mut self) -> &mut SyncEngine {
        &mut self.sync
    }

    fn on_timeout(&mut self, now: Now) {
        self.data.on_timeout(now.monotonic);
        self.expire_pairings(now);
        self.compact_one(now);
        self.collect_some(now);
        self.settle_some(now);
        self.give_receipts(now);
        self.end_searches(now);
        self.list_more(now);
        self.open_again(now);
        self.greet_again(now);
        if self.journal_at.is_some_and(|at| now.monotonic >= at) {
            self.journal_at = None;
            self.write_down_decisions();
        }
        if self.doctor.examine_at.is_some_and(|at| now.monotonic >= at) {
            self.examine(now);
        }
        if now.monotonic >= self.compare_at {
            self.compare_at = now.monotonic + self.config.sync_interval;
            self.data.command(now.monotonic, Command::FetchAgain);
            // Keys that grew old; relationships that ended; something held that was not said.
            if self.keep_trust(now) {
                self.trust_changed(now);
            }
            self.part_with_former();
            for device in self.data.connected().collect::<Vec<_>>() {
                self.log_store_error(|node| node.sync.restart(device, false));
                self.greet(now, device);
            }
        }
    }

    /// What connected peers may be told, by the one decision function.
    pub(crate) fn may(&self, device: DeviceId, action: Action) -> bool {
        self.trust.decide(Question { device, action }).is_allowed()
    }

    pub(crate) fn writer(&mut self, now: Now) -> (&mut SyncEngine, Writer<'_>) {
        let signer = self.trust.signer();
        (&mut self.sync, Writer { signer, entropy: self.entropy.as_mut(), now: now.wall })
    }

    pub(crate) fn open_space(&mut self, space: SpaceId) -> Result<(), StoreError> {
        if !self.sync.has_space(space) {
            let epoch = StoreEpoch(random_bytes(self.entropy.as_mut()));
            let store = self.storage.open(space, epoch)?;
            self.sync.open_space(space, store)?;
            // Rather not open than open with all of it.
            self.recall_kept(space).inspect_err(|_| self.sync.close_space(space))?;
        }
        let mut has_new_keys = false;
        for (epoch, _, keys) in self.trust.keyring().epochs(space) {
            has_new_keys |= self.sync.use_epoch(space, epoch, keys.entries.clone());
        }
        if has_new_keys {
            self.tell_unlocked(space);
        }
        let writing = self.trust.writing_epoch(space);
        let writing = writing.map(|(epoch, _, keys)| (epoch, keys.entries.clone()));
        self.sync.write_with(space, writing);
        Ok(())
    }

    pub(crate) fn log_store_error(
        &mut self,
        action: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) {
        if let Err(error) = action(self) {
            tracing::error!(%error, "a store failed");
        }
    }

    pub(crate) fn send(&mut self, device: DeviceId, lane: Lane, frame: Vec<u8>) {
        tracing::trace!(%device, ?lane, bytes = frame.len(), "send");
        let frame = frame.into();
        self.effects.push_back(Effect::Net(NetCommand::Send { device, lane, frame }));
    }

    pub(crate) fn reply(&mut self, id: RequestId, answer: Result<Response, Failure>) {
        self.effects.push_back(Effect::Reply(id, answer));
    }
}
