//! Own entries of a document into a bundle.
//!
//! An author bundles what it wrote itself, and nobody else's: so a bundle carries the
//! signature of whoever made the changes in it, and a removal that pins an author's last
//! entry pins bundles like everything else. It covers the author's single changes and those
//! of its bundles that are not much larger, so that a change is bundled again seldom, and
//! bundles stay few.
//!
//! Invariant: a bundle covers entries only whose changes it contains.
//! Non-goal: when to do it; the node decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use node_model::{BlobId, DocumentId, EntryId, Epoch, SpaceId, limit::ENTRY_BLOBS_MAX};

use super::{Body, Draft, EngineError, EntryKind, Space, Writer, all_stored, named_heads};
use crate::{
    document::{BundleJob, Bundled, Document},
    entry::{VerifiedEntry, covers::Covers},
};

/// A bundle is bundled again with changes that are at least this part of it: each change
/// is written some eight times as a document grows tenfold.
const GROWTH: u64 = 8;

/// Up to so many changes a bundle is cheap to make, and few bytes.
const CHEAP_CHANGES: u64 = 16_384;

/// The same for a cheap one: as few bytes as can be are what a newcomer waits for.
const GROWTH_WHILE_CHEAP: u64 = 64;

/// Changes of a document of which a bundle takes some ten milliseconds to make.
const LARGE_FROM_CHANGES: u64 = 2_048;

/// What a bundle took the place of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Entries that were in the set before.
    pub entries: u64,
    /// Their bytes.
    pub entry_bytes: u64,
    /// Bytes of the bundle.
    pub bundle_bytes: u64,
    /// Changes of the document, by whomever.
    pub changes: u64,
}

/// A bundle to be made, by a worker where the document is large.
pub struct BundleOrder {
    space: SpaceId,
    id: DocumentId,
    generation: u64,
    epoch: Epoch,
    /// What it stands for.
    chosen: BTreeSet<EntryId>,
    covers: Covers,
    deps: Vec<EntryId>,
    blobs: Vec<BlobId>,
    entry_bytes: u64,
    changes: u64,
    is_large: bool,
    job: BundleJob,
}

impl fmt::Debug for BundleOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BundleOrder({} {}, {} entries)", self.space, self.id, self.chosen.len())
    }
}

impl BundleOrder {
    /// Whether making it would keep others waiting.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.is_large
    }

    /// Makes it: takes time, and needs nothing but what is in the order.
    #[must_use]
    pub fn make(self) -> MadeBundle {
        let Self { space, id, generation, epoch, chosen, covers, deps, blobs, .. } = self;
        let (entry_bytes, changes) = (self.entry_bytes, self.changes);
        let bundled = self.job.run();
        let content = bundled.map(|bundled| (bundled, covers, deps, blobs));
        MadeBundle { space, id, generation, epoch, chosen, entry_bytes, changes, content }
    }
}

/// What became of a [`BundleOrder`].
pub struct MadeBundle {
    space: SpaceId,
    id: DocumentId,
    generation: u64,
    epoch: Epoch,
    chosen: BTreeSet<EntryId>,
    entry_bytes: u64,
    changes: u64,
    /// What to seal, what it covers, builds on and refers to; `None` where there is no way.
    content: Option<(Bundled, Covers, Vec<EntryId>, Vec<BlobId>)>,
}

impl MadeBundle {
    /// Which document.
    #[must_use]
    pub fn place(&self) -> (SpaceId, DocumentId) {
        (self.space, self.id)
    }
}

impl fmt::Debug for MadeBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_made = self.content.is_some();
        write!(f, "MadeBundle({} {}, made: {is_made})", self.space, self.id)
    }
}

impl Space {
    /// The order for a bundle of what this device wrote in a document; `None` when that is
    /// not worth it. With `one_epoch`, of what is sealed with the newest key only: who came
    /// later may not read what was before.
    pub(in crate::engine) fn bundle_order(
        &mut self,
        id: DocumentId,
        one_epoch: bool,
    ) -> Result<Option<BundleOrder>, EngineError> {
        let Some((epoch, _)) = &self.writing else { return Ok(None) };
        let epoch = *epoch;
        if self.touched.contains(&id) {
            // What is staged is in no store yet.
            return Ok(None);
        }
        let document = self.document(id)?;
        if document.is_removed() || document.waiting_count() > 0 {
            return Ok(None);
        }
        let refused: BTreeSet<EntryId> = document.refused().keys().copied().collect();
        let applied = document.carriers();
        let changes = document.changes_count();
        let deps = named_heads(document);
        let mut own = all_stored(self.store.document(id)?)?;
        let bytes: usize = own.iter().map(|entry| entry.bytes().len()).sum();
        own.retain(|entry| {
            let header = entry.header();
            header.author == self.device
                && (!one_epoch || header.epoch == epoch)
                && applied.contains_key(&entry.id())
                && !refused.contains(&entry.id())
        });
        let chosen = choose(own);
        let Some(covers) = covers_of(&chosen) else { return Ok(None) };
        let blobs: BTreeSet<BlobId> =
            chosen.iter().flat_map(|entry| entry.header().blobs.iter().copied()).collect();
        if chosen.len() < 2 || blobs.len() > ENTRY_BLOBS_MAX {
            return Ok(None);
        }
        let Some(shared) = self.shared(&chosen, &applied) else { return Ok(None) };
        #[cfg_attr(
            not(feature = "planted-bugs"),
            expect(unused_mut, reason = "changed by a planted bug")
        )]
        let mut ids: BTreeSet<EntryId> = chosen.iter().map(VerifiedEntry::id).collect();
        #[cfg(feature = "planted-bugs")]
        if node_model::planted::active(node_model::planted::Bug::ShortBundle) {
            chosen.first().map(|first| ids.remove(&first.id()));
        }
        let is_large = bytes as u64 >= self.large_from || changes >= LARGE_FROM_CHANGES;
        let job = self.document(id)?.bundle(&ids, shared);
        Ok(Some(BundleOrder {
            space: self.id,
            id,
            generation: self.generation,
            epoch,
            covers,
            deps,
            blobs: blobs.into_iter().collect(),
            entry_bytes: chosen.iter().map(|entry| entry.bytes().len() as u64).sum(),
            chosen: chosen.iter().map(VerifiedEntry::id).collect(),
            changes,
            is_large,
            job,
        }))
    }

    /// Stages a bundle, unless something came between: another key, or entries that are not
    /// in the set any more.
    pub(in crate::engine) fn take_bundle(
        &mut self,
        writer: &mut Writer<'_>,
        made: MadeBundle,
    ) -> Result<Option<Compacted>, EngineError> {
        let MadeBundle { id, generation, chosen, entry_bytes, changes, content, .. } = made;
        let Some((bundled, covers, deps, blobs)) = content else { return Ok(None) };
        let epoch = self.writing.as_ref().map(|(epoch, _)| *epoch);
        let is_removed = self.loaded.get(id).is_some_and(Document::is_removed);
        if generation != self.generation || epoch != Some(made.epoch) || is_removed {
            return Ok(None);
        }
        let in_set: BTreeSet<EntryId> =
            self.store.document_ids(id)?.into_iter().map(|(_, id)| id).collect();
        if !chosen.is_subset(&in_set) {
            return Ok(None);
        }
        let draft = self.draft(id, EntryKind::Bundle, deps, blobs);
        let bundle = self.seal(writer, Draft { covers, ..draft }, &bundled.body)?;
        if let Some(document) = self.loaded.get_mut(id) {
            document.note_bundle(&bundled.changes, bundle);
        }
        let entries = chosen.len() as u64;
        self.replaced.note(bundle, chosen);
        let bundle_bytes = self.staged.last().map_or(0, |entry| entry.bytes().len() as u64);
        Ok(Some(Compacted { entries, entry_bytes, bundle_bytes, changes }))
    }

    /// The bodies of entries of which others carry some changes by now: who makes a counter
    /// makes the same change. `None` if one cannot be opened.
    fn shared(
        &self,
        chosen: &[VerifiedEntry],
        applied: &BTreeMap<EntryId, u64>,
    ) -> Option<Vec<Body>> {
        let brought = |entry: &VerifiedEntry| entry.header().covers.count().max(1);
        let carries_all =
            |entry: &&VerifiedEntry| applied.get(&entry.id()) == Some(&brought(entry));
        chosen
            .iter()
            .filter(|entry| !carries_all(entry))
            .map(|entry| self.keys.body(entry))
            .collect()
    }

    /// How many changes to each document became durable here since this was last asked.
    pub(in crate::engine) fn take_written(&mut self) -> Vec<(DocumentId, u64)> {
        std::mem::take(&mut self.written).into_iter().collect()
    }
}

/// Single changes, and the bundles that are not much larger, smallest first.
fn choose(own: Vec<VerifiedEntry>) -> Vec<VerifiedEntry> {
    let (mut chosen, mut bundles): (Vec<_>, Vec<_>) =
        own.into_iter().partition(|entry| entry.header().kind == EntryKind::Change);
    let mut count = chosen.len() as u64;
    bundles.sort_by_key(|bundle| (bundle.header().covers.count(), bundle.header().sequence));
    for bundle in bundles {
        let size = bundle.header().covers.count();
        let growth = if size <= CHEAP_CHANGES { GROWTH_WHILE_CHEAP } else { GROWTH };
        if size > count.saturating_mul(growth) {
            break;
        }
        count += size;
        chosen.push(bundle);
    }
    chosen
}

fn covers_of(chosen: &[VerifiedEntry]) -> Option<Covers> {
    let mut numbers = BTreeSet::new();
    for entry in chosen {
        let header = entry.header();
        numbers.insert((header.run, header.sequence));
        numbers.extend(header.covers.iter());
    }
    Covers::of(&numbers).filter(|covers| !covers.is_empty())
}

#[cfg(test)]
mod tests;
