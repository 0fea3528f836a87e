//! The closed list of causes.

use std::time::Duration;

use node_model::{AgentId, DeviceId, DocumentId, EntryId, SpaceId};
use sync_engine_core::{
    document::Refusal,
    reconcile::{EntryProgress, Hindrance},
};

/// What a cause is about: a space and a peer; a document; a space that is in trouble
/// here, whoever shares it; or a peer, before there is a space to share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The space.
    pub space: Option<SpaceId>,
    /// The document.
    pub document: Option<DocumentId>,
    /// The peer.
    pub peer: Option<DeviceId>,
}

/// Who left entries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuser {
    /// This node, of those of the peer.
    Us,
    /// The peer, of ours.
    Them,
    /// Whoever reads the document: it cannot be made of this entry.
    Everybody(EntryId, Refusal),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// We said that we are related, they did not.
    Relationship(AgentId),
    /// Somebody came with a ticket of ours and was not let in yet.
    Inviting,
    /// The codes of a ticket of theirs were not compared yet.
    Accepting,
}

/// Why something is not in sync. In the order in which they count when several apply to
/// one subject; see `docs/doctor.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// We are out of the space: we were removed, or this device was taken back.
    Revoked {
        /// Whether it is the device that was.
        is_device: bool,
    },
    /// There is no connection.
    NoPath {
        /// Whether an address of the peer is known.
        has_address: bool,
        /// Why the last dial failed, if one did.
        failure: Option<String>,
    },
    /// The peer speaks another version of the protocol.
    VersionMismatch {
        /// Whether it is a newer one; `None` when not even that can be read.
        is_newer: Option<bool>,
    },
    /// The peer refused us, and its clock is ahead of ours: what ends may have ended for
    /// it already.
    ClockSkew {
        /// How far, at least.
        ahead: Duration,
    },
    /// The peer says that there is no such space for us.
    Denied,
    /// As much is kept for the founder of the space as was agreed.
    Quota,
    /// The store does not take in what the peer has, for want of room.
    DiskFull,
    /// The store does not take it in for another reason.
    StorageFailed {
        /// What it said.
        error: String,
        /// What mends it.
        fix: String,
    },
    /// The peer takes nothing in, as it says.
    PeerHindered {
        /// Why.
        why: Hindrance,
    },
    /// What would be said otherwise, [`Cause::Transferring`] or [`Cause::PeerBehind`], with a
    /// peer that is reached only by a circuit.
    RelayOnly {
        /// What is under way.
        what: Box<Cause>,
    },
    /// The peer has not confirmed to hold what we hold, and takes what is sent to it more
    /// slowly than there is of it.
    BackPressure {
        /// Entries of ours that it has not said to have read.
        entries: u64,
    },
    /// Entries or files are under way.
    Transferring {
        /// Entries of the peer that are not here yet.
        entries: u64,
        /// Files that are being fetched from it.
        files: usize,
        /// How far the exchange of entries is, once anything is known of it.
        progress: Option<EntryProgress>,
    },
    /// The peer has not confirmed to hold what we hold.
    PeerBehind {
        /// Entries of ours that it has not said to have read.
        entries: u64,
        /// Whether it has said anything of the space since it connected.
        has_spoken: bool,
    },
    /// Entries were left out, so that the copies stay different.
    RejectedEntry {
        /// By whom.
        by: Refuser,
        /// How many, as far as known.
        count: u64,
        /// Why the last one was, if we know.
        why: Option<String>,
    },
    /// Changes wait for others that are not here.
    MissingDependency {
        /// How many wait.
        changes: usize,
    },
    /// Files are not here, and nobody connected is sending them.
    MissingFiles {
        /// How many.
        files: usize,
    },
    /// The other side, or a person here, has not agreed yet.
    WaitingForConsent(Consent),
}

impl Cause {
    /// Its stable name.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Revoked { .. } => "revoked",
            Self::NoPath { .. } => "no-path",
            Self::VersionMismatch { .. } => "version-mismatch",
            Self::ClockSkew { .. } => "clock-skew",
            Self::Denied => "denied",
            Self::Quota | Self::PeerHindered { why: Hindrance::Quota } => "quota",
            Self::DiskFull | Self::PeerHindered { why: Hindrance::DiskFull } => "disk-full",
            Self::StorageFailed { .. } | Self::PeerHindered { why: Hindrance::StorageFailed } => {
                "storage-failed"
            }
            Self::RelayOnly { .. } => "relay-only",
            Self::BackPressure { .. } => "back-pressure",
            Self::Transferring { .. } => "transferring",
            Self::PeerBehind { .. } => "peer-behind",
            Self::RejectedEntry { .. } => "rejected-entry",
            Self::MissingDependency { .. } => "missing-dependency",
            Self::MissingFiles { .. } => "missing-files",
            Self::WaitingForConsent(_) => "waiting-for-consent",
        }
    }

    /// How far the exchange of entries is, once anything is known of it.
    #[must_use]
    pub fn progress(&self) -> Option<EntryProgress> {
        let under_way = if let Self::RelayOnly { what } = self { what } else { self };
        if let Self::Transferring { progress, .. } = under_way { *progress } else { None }
    }
}
