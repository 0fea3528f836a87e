//! Deliberate faults, one at a time, that the simulator must catch: a simulator
//! that finds nothing proves nothing. Compiled only for `tests/sim`.

use std::cell::Cell;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The store commits without syncing.
    SkippedFsync,
    /// A write is acknowledged before its commit.
    AcknowledgedBeforeCommit,
    /// Any signature is good.
    WrongSignatureAccepted,
    /// An edit that arrives after a tombstone brings the document back.
    ReorderedTombstone,
    /// The last entry of a page is left out, and the cursor moves past it.
    LostLastFrame,
    /// New entries are sealed with keys that somebody has who was removed.
    KeptKey,
    /// What a removed member writes after the removal still counts.
    RemovedWriterAccepted,
    /// Every nonce is the same.
    ReusedNonce,
    /// Whoever leaves tells nobody.
    SilentLeave,
    /// A bundle stands for a change that it does not hold.
    ShortBundle,
}

thread_local! {
    static ACTIVE: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants `bug` (or none) in everything that this thread runs from now on.
pub fn plant(bug: Option<Bug>) {
    ACTIVE.set(bug);
}

/// Whether `bug` is planted in this thread.
#[must_use]
pub fn active(bug: Bug) -> bool {
    ACTIVE.get() == Some(bug)
}
