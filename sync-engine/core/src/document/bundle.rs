//! Bundles: many changes of one author in one body.
//!
//! Bytes: `cbor([bytes?, [bytes, …]])`. First those changes that build on none but each
//! other, as Automerge stores a document: a tenth of their size one by one. Then the others,
//! each as a change of its own, after those that it builds on.
//!
//! Invariant: what is made here reads back as the very changes that went in.

use std::collections::BTreeSet;

use automerge::{AutoCommit, Change, ChangeHash, SaveOptions};
use node_model::{
    EntryId,
    cbor::{self, DecodeError, at_most},
    limit::ENTRY_PLAIN_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{Document, guarded, weigh};
use crate::entry::covers::COVERED_MAX;

/// From this many changes on a stored document is smaller than its changes one by one.
const HISTORY_FROM: usize = 4;

/// As many changes as a bundle may stand for entries.
const CHANGES_MAX: usize = COVERED_MAX as usize;

/// What an entry brings to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// One change.
    Change(Vec<u8>),
    /// Many.
    Bundle(Vec<u8>),
}

impl Body {
    /// The changes in it; `None` when it cannot be read.
    pub(super) fn hashes(&self) -> Option<BTreeSet<ChangeHash>> {
        match self {
            Self::Change(bytes) => {
                let change = guarded(|| Change::from_bytes(bytes.clone()).ok()).flatten()?;
                Some(BTreeSet::from([change.hash()]))
            }
            Self::Bundle(bytes) => Bundle::decode(bytes).ok()?.hashes(),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(change: Vec<u8>) -> Self {
        Self::Change(change)
    }
}

/// The changes of a bundle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bundle {
    /// An Automerge document chunk.
    pub(super) history: Option<ByteBuf>,
    /// Automerge change chunks.
    pub(super) changes: Vec<ByteBuf>,
}

#[derive(Serialize, Deserialize)]
struct BundleWire(
    Option<ByteBuf>,
    #[serde(deserialize_with = "at_most::<CHANGES_MAX, _, _>")] Vec<ByteBuf>,
);

impl Bundle {
    fn encode(self) -> Vec<u8> {
        cbor::encode(&BundleWire(self.history, self.changes))
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let BundleWire(history, changes) = cbor::decode(bytes, ENTRY_PLAIN_BYTES_MAX)?;
        Ok(Self { history, changes })
    }

    /// The changes, as whoever reads it gets them.
    fn hashes(&self) -> Option<BTreeSet<ChangeHash>> {
        let mut hashes = BTreeSet::new();
        if let Some(history) = &self.history {
            let mut loaded = guarded(|| AutoCommit::load(history).ok()).flatten()?;
            hashes.extend(loaded.get_changes_meta(&[]).iter().map(|change| change.hash));
        }
        for change in &self.changes {
            hashes.insert(Change::from_bytes(change.to_vec()).ok()?.hash());
        }
        Some(hashes)
    }
}

/// Whether a bundle has more changes and operations than `max`.
pub(super) fn is_heavy(bytes: &[u8], max: u64) -> bool {
    let Ok(bundle) = Bundle::decode(bytes) else { return false };
    let history = bundle.history.and_then(|history| weigh::weigh(&history).ok());
    let weight = history.map_or(0, |weight| weight.changes + weight.operations);
    weight + bundle.changes.len() as u64 > max
}

/// A body that is ready to be sealed, and what is in it.
#[derive(Debug)]
pub struct Bundled {
    /// The body.
    pub body: Vec<u8>,
    /// Its changes.
    pub changes: BTreeSet<ChangeHash>,
}

/// Changes that shall be put into one body, with all that is needed for it: making it takes
/// as long as loading the document.
#[derive(Debug)]
pub struct BundleJob {
    auto: AutoCommit,
    /// Changes to put in.
    chosen: BTreeSet<ChangeHash>,
    /// Bodies whose changes are put in, too.
    more: Vec<Body>,
}

impl Document {
    /// The changes that these entries brought, and those in `more` bodies, for one body.
    pub fn bundle(&self, entries: &BTreeSet<EntryId>, more: Vec<Body>) -> BundleJob {
        let chosen = self.intake.entries().filter(|(_, entry)| entries.contains(entry));
        let chosen = chosen.map(|(hash, _)| *hash).collect();
        BundleJob { auto: self.auto.clone(), chosen, more }
    }
}

impl BundleJob {
    /// Makes the body; `None` when there is no change, when they would be larger than an
    /// entry may be, or when they would not read back.
    #[must_use]
    pub fn run(self) -> Option<Bundled> {
        let Self { mut auto, mut chosen, more } = self;
        for body in more {
            chosen.extend(body.hashes()?);
        }
        if chosen.is_empty() {
            return None;
        }
        let mut closed: BTreeSet<ChangeHash> = BTreeSet::new();
        let mut order = Vec::with_capacity(chosen.len());
        let mut count = 0;
        for change in auto.get_changes_meta(&[]) {
            count += 1;
            if !chosen.contains(&change.hash) {
                continue;
            }
            order.push(change.hash);
            if change.deps.iter().all(|dep| closed.contains(dep)) {
                closed.insert(change.hash);
            }
        }
        if closed.len() < HISTORY_FROM {
            closed.clear();
        }
        let history = match closed.len() {
            0 => None,
            all if all == count => Some(save(&mut auto)),
            _ => Some(history_of(&mut auto, &closed)?),
        };
        // Each change may be taken and all together not: a counter in one, a large number in
        // another.
        let history = history.filter(|history| weigh::weigh(history).is_ok());
        if history.is_none() {
            closed.clear();
        }
        let others = order.iter().filter(|hash| !closed.contains(hash));
        let changes = others.map(|hash| {
            let change = auto.get_change_by_hash(hash)?;
            Some(ByteBuf::from(change.raw_bytes()))
        });
        let bundle = Bundle {
            history: history.map(ByteBuf::from),
            changes: changes.collect::<Option<_>>()?,
        };
        if bundle.hashes()? != chosen {
            return None;
        }
        let body = bundle.encode();
        (body.len() <= ENTRY_PLAIN_BYTES_MAX).then_some(Bundled { body, changes: chosen })
    }
}

fn history_of(auto: &mut AutoCommit, closed: &BTreeSet<ChangeHash>) -> Option<Vec<u8>> {
    let all = auto.get_changes(&[]);
    let part: Vec<Change> =
        all.into_iter().filter(|change| closed.contains(&change.hash())).collect();
    let mut own = AutoCommit::new();
    guarded(|| own.apply_changes(part).ok()).flatten()?;
    Some(save(&mut own))
}

fn save(auto: &mut AutoCommit) -> Vec<u8> {
    // The entry's body is compressed as a whole.
    auto.save_with_options(SaveOptions { deflate: false, retain_orphans: false })
}

#[cfg(test)]
mod tests;
