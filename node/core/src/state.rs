//! How far spaces and peers are, in a word each.

/// How a space stands with its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceState {
    /// Nobody else has it.
    Local,
    /// Every peer that shares it is connected and confirmed that it is equal, in what both
    /// keep of it.
    Synced,
    /// Something is under way.
    Syncing,
    /// Somebody connected has something else.
    Behind,
    /// Not everybody who shares it is connected; those who are confirmed that it is equal.
    Offline,
    /// Its database could not be opened; the doctor says why.
    Unopened,
}

impl SpaceState {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Synced => "synced",
            Self::Syncing => "syncing",
            Self::Behind => "behind",
            Self::Offline => "offline",
            Self::Unopened => "unopened",
        }
    }
}

/// How it stands with a peer, over all shared spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerSyncState {
    /// Both confirmed that everything is equal that both share and keep.
    Synced,
    /// Something is under way.
    Syncing,
    /// Something differs and nothing is under way from here.
    Behind,
    /// No connection.
    Unreachable,
}

impl PeerSyncState {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Syncing => "syncing",
            Self::Behind => "behind",
            Self::Unreachable => "unreachable",
        }
    }
}
