//! What is safe: held by others, who signed for it, in more than one place.
//!
//! Two nodes whose copies of a space are equal sign a receipt for each other, at most one a
//! second. A receipt names the set by its digest, and each side knows up to which place of
//! its own store that set goes.
//!
//! Invariant: an entry counts as safe only if two devices signed that they hold it and the files
//! that it refers to, which are not lost together, and both may still hold the space. Who keeps
//! a part of a space signs for nobody who keeps more.
//! Non-goal: finding out who lies. A receipt is a word, not a proof of possession.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use node_model::{BlobId, DeviceId, DocumentId, Now, SpaceId, Timestamp, sign::Signature};
use serde::{Deserialize, Serialize};
use sync_engine_core::{EngineError, receipt::Receipt, store::StoreEpoch};
use trust_core::sites::FailureDomain;

use crate::node::Node;

/// Name of the notes that keep receipts.
const NOTE: &str = "receipt/";

/// How long receipts wait for more to sign for: who types is not signed for key by key.
const DELAY: Duration = Duration::from_secs(1);

/// Places in which an entry is held by somebody else before it counts as safe.
const PLACES_MIN: usize = 2;

/// How well a write is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On this device's disk.
    Local,
    /// And on those of others, in two places at least.
    Safe,
}

impl Durability {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Safe => "safe",
        }
    }
}

/// A receipt, and what it stands for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    /// Which copy of ours, or which part of it.
    epoch: StoreEpoch,
    /// Everything up to this place of it.
    place: u64,
    #[serde(with = "serde_bytes")]
    digest: [u8; 32],
    at: Timestamp,
    signature: Signature,
    /// Everything up to this place with the files that it refers to; 0 is nothing.
    #[serde(default)]
    with_files: u64,
}

/// Receipts of others, and whom to give some.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    held: BTreeMap<SpaceId, BTreeMap<DeviceId, Held>>,
    owed: BTreeSet<(SpaceId, DeviceId)>,
    /// Spaces of which files came since receipts were last given.
    completed: BTreeSet<SpaceId>,
    pub(crate) due: Option<Duration>,
}

impl Node {
    /// A peer and we are equal: it gets a receipt soon.
    pub(crate) fn owe_receipt(&mut self, now: Now, peer: DeviceId, space: SpaceId) {
        self.receipts.owed.insert((space, peer));
        self.receipts.due.get_or_insert(now.monotonic + DELAY);
    }

    /// Files came: who was given a receipt without them is owed another one soon.
    pub(crate) fn owe_for_files(&mut self, now: Now, blobs: impl IntoIterator<Item = BlobId>) {
        let spaces = blobs.into_iter().flat_map(|blob| self.data.spaces_of(blob));
        self.receipts.completed.extend(spaces);
        if !self.receipts.completed.is_empty() {
            self.receipts.due.get_or_insert(now.monotonic + DELAY);
        }
    }

    /// Gives receipts whose time has come.
    pub(crate) fn give_receipts(&mut self, now: Now) {
        if self.receipts.due.is_none_or(|due| now.monotonic < due) {
            return;
        }
        self.receipts.due = None;
        let mut completed = std::mem::take(&mut self.receipts.completed);
        completed.retain(|space| self.has_all_files(*space));
        for peer in self.data.connected() {
            self.receipts.owed.extend(completed.iter().map(|space| (*space, peer)));
        }
        let owed = std::mem::take(&mut self.receipts.owed);
        let spaces: BTreeSet<SpaceId> = owed.iter().map(|(space, _)| *space).collect();
        let with_files: BTreeSet<SpaceId> =
            spaces.into_iter().filter(|space| self.has_all_files(*space)).collect();
        for (space, peer) in owed {
            // Whoever wrote meanwhile is owed one for the new state, once both have it. Who
            // keeps a part is told so of all that they keep, and tells nobody who keeps more.
            let equal = self.sync.equal_at(space, peer);
            if let Some(equal) = equal.filter(|it| it.is_still && it.is_all_of_theirs) {
                let digest = equal.head.digest;
                let signer = self.trust.signer();
                let mut receipt = Receipt::sign(signer, space, digest, now.wall);
                if with_files.contains(&space) {
                    receipt = receipt.with_files(signer);
                }
                self.sync.send_receipt(peer, receipt);
            }
        }
    }

    /// Whether entries of a space refer to files, and all of them are here.
    fn has_all_files(&self, space: SpaceId) -> bool {
        let mut files = self.data.blobs_of(space).peekable();
        files.peek().is_some() && files.all(|(_, is_here)| is_here)
    }

    /// A peer sent a receipt.
    pub(crate) fn take_receipt(&mut self, now: Now, peer: DeviceId, receipt: &Receipt) {
        let Receipt { space, digest, at, signature, files } = *receipt;
        // Of a state that we left behind we do not know the place any more, and a part of what
        // we keep has none.
        let equal = self.sync.equal_at(space, peer).filter(|it| it.is_all_of_ours);
        let Some(head) = equal.map(|it| it.head).filter(|head| head.digest == digest) else {
            return;
        };
        if let Err(error) = receipt.verify(peer) {
            tracing::warn!(%peer, %space, %error, "bad receipt");
            return;
        }
        let of_space = self.receipts.held.entry(space).or_default();
        let before = of_space.get(&peer).filter(|before| before.epoch == head.epoch).copied();
        // Who has the files up to some place still has them while more of them are coming.
        let had_files = before.map_or(0, |before| before.with_files);
        let with_files = if files.is_some() { head.arrivals } else { had_files };
        let (epoch, place) = (head.epoch, head.arrivals);
        let held = Held { epoch, place, digest, at, signature, with_files };
        of_space.insert(peer, held);
        let is_same = |before: Held| (before.place, before.with_files) == (place, with_files);
        if before.is_some_and(is_same) {
            return;
        }
        if let Err(error) = self.trust.put_note(&format!("{NOTE}{space}/{peer}"), &held) {
            tracing::warn!(%peer, %space, %error, "could not note a receipt");
        }
        self.collect_soon(now, space);
    }

    /// Receipts that earlier runs got.
    pub(crate) fn recall_receipts(&mut self) {
        let names: Vec<String> = self.trust.note_keys(NOTE).map(ToOwned::to_owned).collect();
        for name in names {
            let ids = name.strip_prefix(NOTE).and_then(|ids| ids.split_once('/'));
            let ids = ids.and_then(|(space, peer)| Some((space.parse().ok()?, peer.parse().ok()?)));
            if let (Some((space, peer)), Some(held)) = (ids, self.trust.note(&name)) {
                self.receipts.held.entry(space).or_default().insert(peer, held);
            }
        }
    }

    /// Up to which place of our store a device has signed for the entries of a space.
    pub(crate) fn signed_up_to(&self, space: SpaceId, device: DeviceId) -> u64 {
        self.signed(space, device).map_or(0, |held| held.place)
    }

    /// What a device has signed, as far as it still stands for something here.
    fn signed(&self, space: SpaceId, device: DeviceId) -> Option<&Held> {
        let held = self.receipts.held.get(&space).and_then(|held| held.get(&device));
        let own = self.sync.kept_head(space).zip(self.sync.head(space));
        let fits = |held: &&Held| {
            own.is_some_and(|(kept, whole)| {
                held.epoch == kept.epoch && held.place <= whole.arrivals
            })
        };
        held.filter(fits)
    }

    /// When a device last signed for entries of a space, by its clock.
    pub(crate) fn signed_at(&self, space: SpaceId, device: DeviceId) -> Option<Timestamp> {
        Some(self.receipts.held.get(&space)?.get(&device)?.at)
    }

    /// Up to which place of our store somebody else has all entries of a space, as they signed
    /// or say now, and may still hold them.
    pub(crate) fn elsewhere_up_to(&self, space: SpaceId) -> u64 {
        let devices = self.receipts.held.get(&space).into_iter().flat_map(BTreeMap::keys);
        let devices = devices.filter(|device| self.may_still_hold(space, **device));
        let signed = devices.map(|device| self.signed_up_to(space, *device));
        let equal = self.data.connected().filter_map(|peer| self.sync.equal_at(space, peer));
        let equal = equal.filter(|it| it.is_all_of_ours).map(|it| it.head.arrivals);
        signed.chain(equal).max().unwrap_or_default()
    }

    /// Whether what a device signed still counts: whoever was removed may delete it.
    fn may_still_hold(&self, space: SpaceId, device: DeviceId) -> bool {
        self.shares.get(&device).is_some_and(|share| share.spaces.contains(&space))
    }

    /// Up to which place of our store a space is safe, by what each device signed for.
    fn safe_up_to(&self, space: SpaceId, signed: impl Fn(&Held) -> u64) -> u64 {
        let graph = self.trust.graph();
        let mut places: BTreeMap<FailureDomain, u64> = BTreeMap::new();
        for device in self.receipts.held.get(&space).into_iter().flat_map(BTreeMap::keys) {
            if self.may_still_hold(space, *device) {
                let upto = places.entry(graph.failure_domain(*device)).or_default();
                *upto = self.signed(space, *device).map_or(0, &signed).max(*upto);
            }
        }
        let mut upto: Vec<u64> = places.into_values().collect();
        upto.sort_unstable_by(|one, other| other.cmp(one));
        upto.get(PLACES_MIN - 1).copied().unwrap_or_default()
    }

    /// How many entries of a space are safe. Where there are files, only those before the first
    /// receipt that lacks some: which of the later ones refer to none takes a look at each.
    pub(crate) fn safe_entries(&self, space: SpaceId) -> Result<u64, EngineError> {
        let has_files = self.data.blobs_of(space).next().is_some();
        let signed = |held: &Held| if has_files { held.with_files } else { held.place };
        self.sync.entries_up_to(space, self.safe_up_to(space, signed))
    }

    /// How well all of a document is kept.
    pub(crate) fn durability(
        &self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Durability, EngineError> {
        if !self.sync.keeps(space, document) {
            return Ok(Durability::Local);
        }
        let is_within = |upto: u64| -> Result<bool, EngineError> {
            Ok(upto > 0 && !self.sync.has_newer(space, document, upto)?)
        };
        let is_safe = is_within(self.safe_up_to(space, |held| held.place))?
            && (self.data.blobs_of(space).next().is_none()
                || is_within(self.safe_up_to(space, |held| held.with_files))?
                || !self.sync.refers_to_files(space, document)?);
        Ok(if is_safe { Durability::Safe } else { Durability::Local })
    }
}
