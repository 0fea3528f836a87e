//! What it costs to find the bad ones among changes by halving, and its end.

use super::intake::Brought;

/// What may be spent on finding bad changes in one intake, in operations that
/// Automerge walks over, 300 ns each, about two seconds (measured). Small documents
/// hardly ever come near.
const SEARCH_MAX: u64 = 8 << 20;

/// What a try costs, in operations: a little, each one of the document, eight for
/// each one that is applied, a third of the document for an actor that is new.
const TRY_COST: u64 = 64;
const APPLY_COST: u64 = 8;
const ACTORS_A_DOCUMENT: u64 = 3;

/// What it costs to look at a change once more, in operations.
const LOOK_COST: u64 = 2;

/// What is left to spend on a search.
pub(super) struct Search {
    left: u64,
}

impl Default for Search {
    fn default() -> Self {
        Self { left: SEARCH_MAX }
    }
}

impl Search {
    /// Pays for a try of these changes on a document with so many operations. Many
    /// must leave enough for their parts.
    pub(super) fn affords(&mut self, changes: &[Brought], document: u64) -> bool {
        let operations: u64 = changes.iter().map(Brought::operations).sum();
        let actors = changes.iter().map(|brought| brought.share.new_actors).sum::<u64>();
        let of_actors = actors * (document / ACTORS_A_DOCUMENT);
        let cost = TRY_COST + document + APPLY_COST * operations + of_actors;
        let share = if changes.len() == 1 { 1 } else { 4 };
        if share * cost > self.left {
            return false;
        }
        self.left -= cost;
        true
    }

    /// Pays for looking at so many changes once more.
    pub(super) fn affords_looks(&mut self, changes: usize) -> bool {
        let left = self.left.checked_sub(LOOK_COST * changes as u64);
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

/// Where to halve changes: by operations, so that a large one is not tried again
/// with each of many small ones.
pub(super) fn middle(changes: &[Brought]) -> usize {
    let operations: u64 = changes.iter().map(Brought::operations).sum();
    let mut before = 0;
    let half = changes.iter().position(|brought| {
        before += brought.operations() + 1;
        2 * before >= operations + changes.len() as u64
    });
    half.map_or(1, |at| at + 1).clamp(1, changes.len() - 1)
}
