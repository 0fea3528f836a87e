//! How much waits for a person, counted as documents change.
//!
//! Each question looks at a few of the documents that changed since the last one, so that
//! a large space is counted in steps and a quiet one costs nothing.
//!
//! Invariant: once complete, a tally names exactly the documents that have conflicts, as of
//! what is durable.
//! Non-goals: surviving a restart.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DocumentId, SpaceId};
use trust_core::Role;

use super::DOCUMENTS_AT_ONCE;
use crate::{failure::Failure, node::Node};

/// How much in a space waits for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConflictTally {
    /// Conflicts that were found.
    pub conflicts: usize,
    /// In how many documents.
    pub documents: usize,
    /// How many documents are still to be looked at; ask again.
    pub waiting: usize,
}

/// What was counted, by space.
#[derive(Debug, Default)]
pub(crate) struct Tallies(BTreeMap<SpaceId, Tally>);

#[derive(Debug, Default)]
struct Tally {
    /// Everything up to here is counted or waits.
    stamp: Option<Vec<u8>>,
    waiting: BTreeSet<DocumentId>,
    /// Conflicts by document; 0 where not all of it could be looked at.
    found: BTreeMap<DocumentId, usize>,
    /// Whether more has changed than one question brought.
    is_behind: bool,
    /// Whether there is no key to read anything with.
    is_sealed: bool,
}

impl Node {
    pub(super) fn conflict_tally(&mut self, space: SpaceId) -> Result<ConflictTally, Failure> {
        self.need_role(space, Role::Reader)?;
        self.bring_tally(space)?;
        for _ in 0..DOCUMENTS_AT_ONCE {
            let tally = self.tallies.0.entry(space).or_default();
            let Some(document) = tally.waiting.first().copied() else { break };
            // One that cannot be read keeps nobody from counting the others; whoever lists
            // the conflicts is told.
            let found = self.count_conflicts(space, document).unwrap_or(Some(0));
            let tally = self.tallies.0.entry(space).or_default();
            tally.waiting.remove(&document);
            match found {
                Some(count) => tally.found.insert(document, count),
                None => tally.found.remove(&document),
            };
        }
        let tally = self.tallies.0.entry(space).or_default();
        Ok(ConflictTally {
            conflicts: tally.found.values().sum(),
            documents: tally.found.values().filter(|count| **count > 0).count(),
            waiting: tally.waiting.len() + usize::from(tally.is_behind),
        })
    }

    /// Documents that may have conflicts: those that have, once all are counted.
    pub(super) fn documents_to_look_at(
        &mut self,
        space: SpaceId,
    ) -> Result<Vec<DocumentId>, Failure> {
        if self.is_counted(space)? {
            let tally = self.tallies.0.get(&space);
            return Ok(tally.into_iter().flat_map(|tally| tally.found.keys().copied()).collect());
        }
        Ok(self.sync.documents_with_removed(space)?)
    }

    /// Whether all conflicts of a space are counted.
    pub(super) fn is_counted(&mut self, space: SpaceId) -> Result<bool, Failure> {
        self.bring_tally(space)?;
        let is_whole =
            |tally: &Tally| tally.waiting.is_empty() && !tally.is_behind && !tally.is_sealed;
        Ok(self.tallies.0.get(&space).is_some_and(is_whole))
    }

    /// Notes which documents have changed.
    fn bring_tally(&mut self, space: SpaceId) -> Result<(), Failure> {
        let tally = self.tallies.0.entry(space).or_default();
        let Some(changes) = self.sync.changes_since(space, tally.stamp.as_deref())? else {
            // Without a key there is nothing to read, and nothing to count.
            *tally = Tally { is_sealed: true, ..Tally::default() };
            return Ok(());
        };
        if changes.is_all || tally.is_sealed {
            *tally = Tally::default();
        }
        tally.waiting.extend(changes.documents);
        tally.stamp = Some(changes.stamp);
        tally.is_behind = changes.is_more;
        Ok(())
    }

    /// The conflicts of a document; `None` if it has none.
    fn count_conflicts(
        &mut self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Option<usize>, Failure> {
        // Whoever spoke alone contradicts nobody.
        if self.sync.stored(space, document)?.len() <= 1 {
            return Ok(None);
        }
        let found = self.sync.conflicts(space, document)?;
        Ok((!found.items.is_empty() || !found.is_complete).then_some(found.items.len()))
    }
}
