//! When entries that bundles stand for are deleted.
//!
//! Once every device that may cut off what their author wrote has signed a
//! [receipt](crate::receipts) for a state with the bundle: a removal that it says from then
//! on leaves the bundle whole. A device that is never seen again holds that up, until it is
//! taken back.
//!
//! Invariant: a little at a time; nobody waits for it.
//! Non-goal: what is in a bundle; the sync engine looks.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use node_model::{DeviceId, DocumentId, EntryId, Now, SpaceId, Timestamp};
use sync_engine_core::EngineError;

use crate::node::Node;

/// How long after something may have become safe to delete it is looked for: who writes,
/// writes more, and receipts of others follow.
const DELAY: Duration = Duration::from_secs(10);

/// Entries for which a look need not wait: some 600 KB on the disk.
const ENTRIES_SOONER: u64 = 1_024;

/// Between two steps, for whatever else is to be done.
const PAUSE: Duration = Duration::from_millis(50);

/// How far a space has been looked through.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Documents up to this one are done.
    document: Option<DocumentId>,
    /// Entries of the next one, up to this one.
    entry: Option<EntryId>,
}

/// What was deleted since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectionCounts {
    /// Entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the last ones went.
    pub last_at: Option<Timestamp>,
}

/// Spaces to look through.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    spaces: BTreeMap<SpaceId, Progress>,
    pub(crate) due: Option<Duration>,
    /// How many entries bundles took the place of since a look was last made due for them.
    superseded: u64,
    pub(crate) counts: CollectionCounts,
    /// The purged documents of each space that are deleted here.
    pub(crate) purged: BTreeMap<SpaceId, BTreeSet<DocumentId>>,
}

impl Node {
    /// Something in a space may have become safe to delete.
    pub(crate) fn collect_soon(&mut self, now: Now, space: SpaceId) {
        self.collection.spaces.insert(space, Progress::default());
        self.collection.due.get_or_insert(now.monotonic + DELAY);
    }

    /// Bundles took the place of so many more entries: with very many, a look is due now.
    pub(crate) fn collect_sooner(&mut self, now: Now, entries: u64) {
        self.collection.superseded += entries;
        if self.collection.superseded >= ENTRIES_SOONER {
            self.collection.superseded = 0;
            self.collection.due = Some(now.monotonic);
        }
    }

    /// Looks through all spaces, since nobody knows how far an earlier run came.
    pub(crate) fn collect_all_soon(&mut self, now: Now) {
        for space in self.trust.spaces().collect::<Vec<_>>() {
            self.collect_soon(now, space);
        }
    }

    /// Does a step, if it is time.
    pub(crate) fn collect_some(&mut self, now: Now) {
        if self.collection.due.is_none_or(|due| now.monotonic < due) {
            return;
        }
        self.collection.due = None;
        let Some((space, progress)) = self.collection.spaces.pop_first() else { return };
        match self.collect_step(now, space, progress) {
            Ok(Some(progress)) => {
                self.collection.spaces.insert(space, progress);
            }
            // Whoever cannot look into a bundle keeps what it stands for.
            Ok(None) | Err(EngineError::NoKey) => {}
            Err(error) => tracing::warn!(%space, %error, "could not delete what is superseded"),
        }
        if !self.collection.spaces.is_empty() {
            self.collection.due = Some(now.monotonic + PAUSE);
        }
    }

    fn collect_step(
        &mut self,
        now: Now,
        space: SpaceId,
        progress: Progress,
    ) -> Result<Option<Progress>, EngineError> {
        // What others signed for is the part.
        if self.sync.kept(space).is_some() {
            return Ok(None);
        }
        let Some(document) = self.sync.next_superseded(space, progress.document)? else {
            return Ok(None);
        };
        let agreed = self.agreed(space);
        let collected = self.sync.collect(space, document, progress.entry, &agreed)?;
        self.collection.counts.entries += collected.entries;
        self.collection.counts.bytes += collected.bytes;
        if collected.entries > 0 {
            self.collection.counts.last_at = Some(now.wall);
        }
        Ok(Some(match collected.reached {
            Some(entry) => Progress { entry: Some(entry), ..progress },
            None => Progress { document: Some(document), entry: None },
        }))
    }

    /// For each author: up to which place of our store everybody has the entries who may
    /// cut some of them off.
    fn agreed(&self, space: SpaceId) -> BTreeMap<DeviceId, u64> {
        let Some(own) = self.sync.head(space) else { return BTreeMap::new() };
        let graph = self.trust.graph();
        let by_agent = |agent| {
            let others = graph.pinners(space, agent)?.into_iter();
            let others = others.filter(|device| *device != self.trust.device());
            let signed = others.map(|device| self.signed_up_to(space, device));
            Some(signed.min().unwrap_or(own.arrivals))
        };
        // Of a device whose key is in two hands nobody knows who will cut off what.
        let sole_agent = |author| {
            let mut links = graph.links(author);
            let first = links.next().filter(|link| link.revoked.is_none())?;
            links.next().is_none().then_some(first.agent)
        };
        let authors = self.sync.tips(space).unwrap_or_default().into_keys();
        let agreed = authors.filter_map(|author| Some((author, by_agent(sole_agent(author)?)?)));
        agreed.collect()
    }
}
