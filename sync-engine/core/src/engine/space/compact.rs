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

use std::collections::{BTreeMap, BTreeSet};

use node_model::{BlobId, DocumentId, EntryId, limit::ENTRY_BLOBS_MAX};

use super::{Body, Draft, EngineError, EntryKind, Space, Writer, all_stored, named_heads};
use crate::entry::{VerifiedEntry, covers::Covers};

/// A bundle is bundled again with changes that are at least this part of it: each change
/// is written some eight times as a document grows tenfold.
const GROWTH: u64 = 8;

/// Up to so many changes a bundle is cheap to make, and few bytes.
const CHEAP_CHANGES: u64 = 16_384;

/// The same for a cheap one: as few bytes as can be are what a newcomer waits for.
const GROWTH_WHILE_CHEAP: u64 = 64;

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

impl Space {
    /// Stages a bundle of what this device wrote in a document; `None` when that is not
    /// worth it. With `one_epoch`, of what is sealed with the newest key only: who came
    /// later may not read what was before.
    pub(in crate::engine) fn compact(
        &mut self,
        writer: &mut Writer<'_>,
        id: DocumentId,
        one_epoch: bool,
    ) -> Result<Option<Compacted>, EngineError> {
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
        let mut own = all_stored(self.store.document(id)?)?;
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
        let document = self.document(id)?;
        #[cfg_attr(
            not(feature = "planted-bugs"),
            expect(unused_mut, reason = "changed by a planted bug")
        )]
        let mut ids: BTreeSet<EntryId> = chosen.iter().map(VerifiedEntry::id).collect();
        #[cfg(feature = "planted-bugs")]
        if node_model::planted::active(node_model::planted::Bug::ShortBundle) {
            chosen.first().map(|first| ids.remove(&first.id()));
        }
        let Some(bundled) = document.bundle(&ids, &shared) else { return Ok(None) };
        let changes = document.changes_count();
        let deps = named_heads(document);
        let draft = self.draft(id, EntryKind::Bundle, deps, blobs.into_iter().collect());
        let bundle = self.seal(writer, Draft { covers, ..draft }, &bundled.body)?;
        self.document(id)?.note_bundle(&bundled.changes, bundle);
        let bundle_bytes = self.staged.last().map_or(0, |entry| entry.bytes().len() as u64);
        Ok(Some(Compacted {
            entries: chosen.len() as u64,
            entry_bytes: chosen.iter().map(|entry| entry.bytes().len() as u64).sum(),
            bundle_bytes,
            changes,
        }))
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
