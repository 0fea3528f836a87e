//! Why a change is left out of a document, in words and numbers.

use std::fmt;

/// What is counted of a change or a document before Automerge sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Bytes of change chunks.
    Bytes,
    /// Bytes after inflating.
    InflatedBytes,
    /// Changes.
    Changes,
    /// Changes whose dependencies have not come.
    WaitingChanges,
    /// Bytes of changes whose dependencies have not come.
    WaitingBytes,
    /// Operations.
    Operations,
    /// Operations that one operation or another replaces.
    Predecessors,
    /// Actors.
    Actors,
    /// Bytes of one actor's name.
    ActorBytes,
    /// Dependencies.
    Dependencies,
    /// Bytes of keys and names of marks, each counted as often as it is used.
    NameBytes,
    /// Columns.
    Columns,
    /// How far from zero a counter is, or what is added to it.
    Counter,
    /// Actors, times changes.
    ActorsTimesChanges,
    /// Actors, times operations.
    ActorsTimesOperations,
    /// Formatting marks in texts, times operations.
    MarksTimesOperations,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::InflatedBytes => "bytes when unpacked",
            Self::Changes => "changes",
            Self::WaitingChanges => "changes that wait for others",
            Self::WaitingBytes => "bytes that wait for other changes",
            Self::Operations => "operations",
            Self::Predecessors => "replaced operations",
            Self::Actors => "actors",
            Self::ActorBytes => "bytes in an actor's name",
            Self::Dependencies => "dependencies",
            Self::NameBytes => "bytes of keys",
            Self::Columns => "columns",
            Self::Counter => "in a counter",
            Self::ActorsTimesChanges => "actors times changes",
            Self::ActorsTimesOperations => "actors times operations",
            Self::MarksTimesOperations => "marks times operations",
        })
    }
}

/// More of something than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{found} {what}; {max} at most")]
pub struct TooHeavy {
    /// Of what.
    pub what: Measure,
    /// How much there is, or would be.
    pub found: u64,
    /// How much may be.
    pub max: u64,
}

impl TooHeavy {
    /// Complains when there is more than allowed.
    ///
    /// # Errors
    /// [`TooHeavy`].
    pub fn unless_within(what: Measure, found: u64, max: u64) -> Result<(), Self> {
        if found <= max { Ok(()) } else { Err(Self { what, found, max }) }
    }
}

/// Why an entry's change does not count in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no change.
    #[error("it is not a change of a document")]
    Malformed,
    /// One change is too much by itself.
    #[error("the change is too heavy: {0}")]
    TooHeavy(TooHeavy),
    /// With it the document would be too much.
    #[error("the document is full: {0}")]
    DocumentFull(TooHeavy),
    /// It takes numbers for its operations that are not its turn: they belong to
    /// others, or would use up all that there are.
    #[error("its operations are not numbered after those that it builds on")]
    Misnumbered,
    /// Its actor has made another change at the same place in its history, or
    /// not yet the one before.
    #[error("it is not the next change of its actor")]
    OutOfTurn,
    /// Automerge does not take it, or it builds on one that it did not take.
    #[error("it does not fit into the document")]
    NotTaken,
    /// So many others of this document were bad that nobody looked at it.
    #[error("too many bad changes of this document came along with it")]
    NotTried,
    /// Nothing of the document is read.
    #[error("reading this document stopped Kith here once, so it is left alone on this device")]
    LeftAlone,
}
