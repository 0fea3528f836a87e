//! What a person or program is told when something did not work.

use sync_engine_core::{
    DecisionError, EngineError,
    document::{
        DocumentError,
        conflicts::{ResolveError, TakeBackError},
    },
    store::StoreError,
};
use trust_core::{TrustError, ledger::LedgerError};

use crate::mend::Mend;

/// Classes of failures; each has a stable code, an exit code of the command line
/// and an HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The request makes no sense.
    Invalid,
    /// The trust plane says no.
    NotAllowed,
    /// There is no such thing.
    NotFound,
    /// It changed meanwhile.
    Conflict,
    /// Nobody answered in time.
    Unreachable,
    /// Too much.
    TooLarge,
    /// The disk is full.
    DiskFull,
    /// The disk or a database failed.
    Storage,
}

impl FailureKind {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotAllowed => "not-allowed",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Unreachable => "unreachable",
            Self::TooLarge => "too-large",
            Self::DiskFull => "disk-full",
            Self::Storage => "storage",
        }
    }
}

/// What happened, what state it left, what mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its class.
    pub kind: FailureKind,
    /// What happened.
    pub message: String,
    /// What state it left.
    pub state: String,
    /// What mends it, as a command where there is one.
    pub fix: String,
}

impl Failure {
    /// A failure that changed nothing.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>, fix: impl Into<String>) -> Self {
        let state = "nothing was changed".to_owned();
        Self { kind, message: message.into(), state, fix: fix.into() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (kind, fix) = match &error {
            StoreError::Full => (FailureKind::DiskFull, "free some space and try again"),
            StoreError::Quota => (FailureKind::TooLarge, "kith relation add NAME --quota-gb N"),
            StoreError::Newer { .. } => (FailureKind::Storage, "install the newest kith"),
            StoreError::Older { .. } => {
                (FailureKind::Storage, "kith export, with the version that wrote it")
            }
            StoreError::Damaged(_) => {
                (FailureKind::Storage, "stop the node, then: kith space repair SPACE")
            }
            StoreError::Storage(_) => {
                (FailureKind::Storage, "look at the disk and its permissions, then try again")
            }
        };
        Self::new(kind, error.to_string(), fix)
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        let message = error.to_string();
        match error {
            TrustError::Ledger(LedgerError::Full) => {
                Self::new(FailureKind::DiskFull, message, "free some space and try again")
            }
            TrustError::Ledger(LedgerError::Newer { .. }) => {
                Self::new(FailureKind::Storage, message, "install the newest kith")
            }
            TrustError::Ledger(LedgerError::Storage(_)) | TrustError::Damaged => {
                Self::new(FailureKind::Storage, message, "restore the data directory from a backup")
            }
            TrustError::NoSuchSpace => Self::no_such_space(),
            TrustError::NotAdmin(space) | TrustError::NotSenior(space, _) => {
                Self::refused(message, &Mend::Members { space: space.to_string() })
            }
            TrustError::Yourself => {
                Self::new(FailureKind::Invalid, message, "kith space leave SPACE")
            }
            TrustError::NotAMember(_) => {
                Self::new(FailureKind::NotFound, message, "kith space members S")
            }
            TrustError::NotRelated(_) => {
                Self::new(FailureKind::NotFound, message, "kith relation list")
            }
            TrustError::NotOwnDevice(_) => {
                Self::new(FailureKind::NotFound, message, "kith device list")
            }
            TrustError::NoRoot => Self::refused(message, &Mend::LinkDevice),
            TrustError::BadLink => Self::refused(
                format!("{message}; a device of yours shows a new ticket"),
                &Mend::LinkDevice,
            ),
            TrustError::GroupsOnlyRead => {
                Self::new(FailureKind::Invalid, message, "kith space grant SPACE AGENT writer")
            }
            TrustError::NotAGroup => Self::new(FailureKind::Invalid, message, "kith space list"),
            TrustError::ThisDevice => {
                Self::new(FailureKind::Invalid, message, "kith device revoke, on another device")
            }
            TrustError::NoDevice(_) => {
                Self::new(FailureKind::NotFound, message, "kith pair TICKET")
            }
            TrustError::TooMany => {
                Self::new(FailureKind::TooLarge, message, "leave a space that you do not need")
            }
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error {
            EngineError::NoSuchSpace => Self::no_such_space(),
            EngineError::NoSuchDocument | EngineError::Document(DocumentError::Removed) => {
                Self::new(FailureKind::NotFound, message, "kith doc list SPACE")
            }
            EngineError::NoKey => Self::refused(message, &Mend::Synchronise),
            EngineError::Purged(space) => {
                Self::refused(message, &Mend::NewDocument { space: space.to_string() })
            }
            EngineError::TooLarge | EngineError::Document(DocumentError::Refused(_)) => {
                Self::new(FailureKind::TooLarge, message, "kith blob put SPACE FILE")
            }
            EngineError::Document(DocumentError::ReadsTooMuch) => {
                Self::new(FailureKind::TooLarge, message, "test and copy less at once")
            }
            EngineError::Document(DocumentError::NoSuchPlace) => {
                Self::new(FailureKind::NotFound, message, "kith doc get SPACE DOC")
            }
            EngineError::Document(DocumentError::NoSuchChange | DocumentError::NotYet) => {
                Self::new(FailureKind::NotFound, message, "kith doc history SPACE DOC")
            }
            EngineError::Document(DocumentError::SeveralChanges) => {
                Self::new(FailureKind::Invalid, message, "kith doc history SPACE DOC")
            }
            EngineError::Document(DocumentError::TestFailed) => {
                Self::new(FailureKind::Conflict, message, "kith doc get SPACE DOC")
            }
            EngineError::Document(
                DocumentError::BadPointer
                | DocumentError::WholeDocument
                | DocumentError::Reserved
                | DocumentError::TooDeep
                | DocumentError::NotACounter
                | DocumentError::CounterTooFar
                | DocumentError::NotAnObject
                | DocumentError::Unreadable
                | DocumentError::Automerge(_),
            )
            | EngineError::Entry(_) => Self::new(FailureKind::Invalid, message, "kith doc --help"),
            EngineError::Store(error) => error.into(),
        }
    }
}

impl From<DecisionError> for Failure {
    fn from(error: DecisionError) -> Self {
        let message = error.to_string();
        match error {
            DecisionError::Conflict(ResolveError::NoSuchConflict | ResolveError::NotAsked) => {
                Self::new(FailureKind::NotFound, message, "kith conflicts list")
            }
            DecisionError::Conflict(
                ResolveError::NoSuchSide
                | ResolveError::NothingBefore
                | ResolveError::LongReason
                | ResolveError::Removed,
            ) => Self::new(FailureKind::Invalid, message, "kith conflicts show SPACE DOC"),
            DecisionError::Conflict(ResolveError::Document(error)) => {
                EngineError::Document(error).into()
            }
            DecisionError::TakeBack(TakeBackError::NoDecision) => {
                Self::new(FailureKind::NotFound, message, "kith doc history SPACE DOC")
            }
            DecisionError::TakeBack(
                TakeBackError::NotLast | TakeBackError::Removed | TakeBackError::TooLarge,
            ) => Self::new(FailureKind::Conflict, message, "kith doc history SPACE DOC"),
            DecisionError::Engine(error) => error.into(),
        }
    }
}

impl Failure {
    /// No such space, or none that we may see.
    #[must_use]
    pub fn no_such_space() -> Self {
        let message = "there is no such space here";
        Self::new(FailureKind::NotFound, message, "kith space list")
    }
}
