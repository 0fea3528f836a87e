//! Deleting what bundles stand for, once it is safe.
//!
//! Superseded entries are kept for two cases: a removal whose pin is before the bundle
//! brings them back, and a bundle may leave out what it stands for. So they go when
//! everybody who may remove members has the bundle, and every change in them is carried by
//! something in the set.
//!
//! Invariant: no change that is in the document is in no entry.
//! Non-goals: who has what; the node knows. Nodes without keys cannot look into a bundle,
//! and keep everything.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DeviceId, DocumentId, EntryId};

use super::{EngineError, EntryKind, Space, all_stored};
use crate::{
    entry::VerifiedEntry,
    sketch::ShortId,
    store::{EntryStore, StoreError},
};

/// Changes in entries that are looked at in one go: each is opened and hashed, some 20 µs.
const CHANGES_AT_ONCE: u64 = 1_024;

/// What a step of collecting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Entries that are gone.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The last entry that was looked at; `None` when that was all of the document.
    pub reached: Option<EntryId>,
}

impl Space {
    /// Deletes superseded entries of a document, by id, after `after`: those that bundles
    /// stand for which are at a place up to what `agreed` says of their author.
    pub(in crate::engine) fn collect(
        &mut self,
        id: DocumentId,
        after: Option<EntryId>,
        agreed: &BTreeMap<DeviceId, u64>,
    ) -> Result<Collected, EngineError> {
        let in_set = all_stored(self.store.document(id)?)?;
        let bundles = agreed_bundles(self.store.as_ref(), &in_set, agreed)?;
        let covered = |entry: &VerifiedEntry| bundles.iter().any(|it| it.covers(entry.header()));
        let superseded = all_stored(self.store.superseded(id)?)?;
        let candidates = superseded.iter().filter(|entry| Some(entry.id()) > after);
        let candidates = candidates.filter(|entry| covered(entry));
        let (mut reached, mut stopped_at) = (None, None);
        let (mut budget, mut gone) = (CHANGES_AT_ONCE, Vec::new());
        let kept: BTreeSet<EntryId> = in_set.iter().map(VerifiedEntry::id).collect();
        let known = self.replaced.by_any(&kept);
        for entry in candidates {
            if budget == 0 {
                stopped_at = reached;
                break;
            }
            let is_known = known.contains(&entry.id());
            let looks = if is_known { 1 } else { entry.header().covers.count().max(1) };
            budget = budget.saturating_sub(looks);
            reached = Some(entry.id());
            if is_known || self.is_carried(id, entry, &kept)? {
                gone.push(entry.id());
            }
        }
        self.is_unsettled = true;
        let (entries, bytes) = (gone.len() as u64, self.store.forget_superseded(&gone)?);
        self.replaced.forget(&gone, &kept);
        Ok(Collected { entries, bytes, reached: stopped_at })
    }

    /// Whether each change in an entry is in the document, by one of the `kept` entries.
    fn is_carried(
        &mut self,
        id: DocumentId,
        entry: &VerifiedEntry,
        kept: &BTreeSet<EntryId>,
    ) -> Result<bool, EngineError> {
        let Some(body) = self.keys.body(entry) else { return Ok(false) };
        let document = self.document(id)?;
        Ok(document.are_carried(&body, kept))
    }
}

fn agreed_bundles<'a>(
    store: &dyn EntryStore,
    in_set: &'a [VerifiedEntry],
    agreed: &BTreeMap<DeviceId, u64>,
) -> Result<Vec<&'a VerifiedEntry>, StoreError> {
    let mut bundles = Vec::new();
    for entry in in_set.iter().filter(|entry| entry.header().kind == EntryKind::Bundle) {
        let upto = agreed.get(&entry.header().author).copied().unwrap_or_default();
        let found = store.find(ShortId::of(entry.id()))?;
        if found.is_some_and(|(place, id)| id == entry.id() && (1..=upto).contains(&place)) {
            bundles.push(entry);
        }
    }
    Ok(bundles)
}

#[cfg(test)]
mod tests;
