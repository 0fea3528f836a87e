//! What a node answers about spaces.

use node_model::SpaceId;
use sync_engine_core::{reconcile::EntryProgress, rule::Rule};
use trust_core::{Reach, Role};

use super::SpaceState;

/// A space in a list.
#[derive(Clone, Debug)]
pub struct SpaceInfo {
    /// Its id.
    pub space: SpaceId,
    /// Its name, if we hold its key.
    pub name: String,
    /// How far it may travel.
    pub reach: Reach,
    /// What we may do in it; `None` once we left or were removed: what was received
    /// stays ours to read.
    pub role: Option<Role>,
    /// How many members it has.
    pub members: usize,
    /// Whether it is the person's own, for progress and notes.
    pub is_home: bool,
    /// Whose it is, if we are in it only to keep it for them.
    pub kept_for: Option<String>,
    /// Whether it is a circle: people under a name rather than content.
    pub is_circle: bool,
    /// What this node keeps of it; `None` is everything.
    pub part: Option<PartInfo>,
}

/// What to keep of a space: what is named, and what a rule chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptBy {
    /// Documents by id, content id or path, here or not.
    pub documents: Vec<String>,
    /// What is in them; an empty one chooses nothing.
    pub rule: Rule,
}

/// Documents of which a part of a space consists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// How many were chosen, or written here.
    pub documents: u64,
    /// How many of them are here.
    pub here: u64,
    /// What chooses more of them; an empty one chooses nothing.
    pub rule: Rule,
    /// Whether a peer that can read said since it connected what the rule chooses; `None`
    /// without a rule.
    pub has_answer: Option<bool>,
}

/// A space with its numbers.
#[derive(Clone, Debug)]
pub struct SpaceStatus {
    /// The space.
    pub info: SpaceInfo,
    /// Documents.
    pub documents: u64,
    /// Entries.
    pub entries: u64,
    /// Those of them that others hold, too, in two places at least.
    pub safe_entries: u64,
    /// Bytes of entries.
    pub bytes: u64,
    /// Blobs referred to.
    pub blobs: usize,
    /// Blobs of them that are not here.
    pub blobs_missing: usize,
    /// How it stands with the peers that share it.
    pub state: SpaceState,
    /// How far the exchange of its entries is that is running.
    pub progress: Option<EntryProgress>,
    /// Connected peers that share it and keep a part of it only: whoever is in sync with
    /// them knows nothing of the rest.
    pub partial_peers: usize,
}
