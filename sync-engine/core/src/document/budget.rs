//! How much a document may be, all its changes together.
//!
//! Invariant: what is counted here has been weighed and not refused, whether it
//! is applied or waits for others.

use node_model::limit::ENTRY_PLAIN_BYTES_MAX;

use super::{
    refusal::{Measure, TooHeavy},
    weigh::{OPERATIONS_MAX, PREDECESSORS_MAX, Weight},
};

/// Bytes of all changes: three of the largest. A batch of them is held three
/// times while it is applied, the rest once; with as many operations as there may
/// be, a load stays below 256 MiB (measured).
const BYTES_MAX: u64 = 3 * ENTRY_PLAIN_BYTES_MAX as u64;

/// Changes, with or without operations. Automerge keeps about 300 bytes of each.
const CHANGES_MAX: u64 = OPERATIONS_MAX;

/// Replaced operations: each operation may replace one, and as many again may
/// settle conflicts.
const REPLACED_MAX: u64 = 2 * PREDECESSORS_MAX;

/// Bytes of keys and names, written out: all may be in one batch.
const NAME_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Actors: one for each run of a device that wrote to the document. No change can
/// name more, see [`super::weigh::ACTORS_MAX`].
const ACTORS_MAX: u64 = super::weigh::ACTORS_MAX;

/// Actors times changes: Automerge keeps a clock with four bytes an actor for
/// every sixteenth change, 64 MiB with this.
const ACTORS_TIMES_CHANGES_MAX: u64 = 1 << 28;

/// Actors times operations: an actor that comes after operations are there costs
/// 95 ns for each of them (measured); six seconds if all do, which needs more than
/// one batch. A thousand runs of devices leave room for 67,000 edits.
const ACTORS_TIMES_OPERATIONS_MAX: u64 = 1 << 26;

/// Marks times operations: Automerge looks at all marks for each operation of a
/// text, 200 ns each (measured).
const MARKS_TIMES_OPERATIONS_MAX: u64 = 1 << 22;

/// Bytes of memory that an operation and a change keep, on top of their bytes.
const OPERATION_MEMORY: u64 = 192;
const CHANGE_MEMORY: u64 = 256;

/// What a document's changes add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    bytes: u64,
    changes: u64,
    operations: u64,
    predecessors: u64,
    name_bytes: u64,
    marks: u64,
    actors: u64,
}

/// What a change adds, or many of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) weight: Weight,
    /// Actors that write to the document for the first time with it.
    pub(super) new_actors: u64,
}

impl Budget {
    /// About what Automerge and we keep of it (measured).
    pub(super) fn memory_bytes(&self) -> u64 {
        self.bytes + self.operations * OPERATION_MEMORY + self.changes * CHANGE_MEMORY
    }

    /// Takes a share, if there is room for it.
    pub(super) fn take(&mut self, share: &Share) -> Result<(), TooHeavy> {
        let mut after = *self;
        after.add(share);
        after.check()?;
        *self = after;
        Ok(())
    }

    /// Takes a share whether there is room or not: it exists already.
    pub(super) fn add(&mut self, Share { weight, new_actors }: &Share) {
        // Each summand is capped, and the sums before it were: no overflow.
        self.bytes += weight.bytes;
        self.changes += weight.changes;
        self.operations += weight.operations;
        self.predecessors += weight.predecessors;
        self.name_bytes += weight.name_bytes;
        self.marks += weight.marks;
        self.actors += new_actors;
    }

    /// Gives a share back.
    pub(super) fn release(&mut self, Share { weight, new_actors }: &Share) {
        self.bytes -= weight.bytes;
        self.changes -= weight.changes;
        self.operations -= weight.operations;
        self.predecessors -= weight.predecessors;
        self.name_bytes -= weight.name_bytes;
        self.marks -= weight.marks;
        self.actors -= new_actors;
    }

    /// Whether it is within all limits.
    pub(super) fn check(&self) -> Result<(), TooHeavy> {
        let products = [
            (
                Measure::ActorsTimesOperations,
                self.actors * self.operations,
                ACTORS_TIMES_OPERATIONS_MAX,
            ),
            (Measure::ActorsTimesChanges, self.actors * self.changes, ACTORS_TIMES_CHANGES_MAX),
            (
                Measure::MarksTimesOperations,
                self.marks * self.operations,
                MARKS_TIMES_OPERATIONS_MAX,
            ),
        ];
        let sums = [
            (Measure::Bytes, self.bytes, BYTES_MAX),
            (Measure::Changes, self.changes, CHANGES_MAX),
            (Measure::Operations, self.operations, OPERATIONS_MAX),
            (Measure::Predecessors, self.predecessors, REPLACED_MAX),
            (Measure::NameBytes, self.name_bytes, NAME_BYTES_MAX),
            (Measure::Actors, self.actors, ACTORS_MAX),
        ];
        sums.into_iter()
            .chain(products)
            .try_for_each(|(what, found, max)| TooHeavy::unless_within(what, found, max))
    }
}
