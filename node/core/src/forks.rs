//! Devices that took a number of an entry twice, remembered until this node forgets them with
//! its notes: an alarm is worth nothing if a restart ends it.
//!
//! Non-goal: statements that contradict themselves; the trust plane keeps these.

use std::str::FromStr as _;

use node_model::{DeviceId, EntryId, SpaceId};

use crate::node::Node;

/// Begins the names of notes about them.
const NOTE: &str = "entry-fork/";

/// Devices that are remembered: more than one has.
const FORKS_MAX: usize = 64;

impl Node {
    /// Two entries of a device have one number.
    pub(crate) fn note_fork(
        &mut self,
        space: SpaceId,
        author: DeviceId,
        proof: (EntryId, EntryId),
    ) {
        let note = format!("{NOTE}{author}");
        let is_known = self.trust.note::<(SpaceId, EntryId, EntryId)>(&note).is_some();
        if is_known || self.forked().len() >= FORKS_MAX {
            return;
        }
        let (one, other) = proof;
        tracing::warn!(%space, %author, %one, %other, "two entries of a device have one number");
        if let Err(error) = self.trust.put_note(&note, &(space, one, other)) {
            tracing::warn!(%author, %error, "could not remember it");
        }
    }

    /// Devices that took a number twice.
    #[must_use]
    pub fn forked(&self) -> Vec<DeviceId> {
        let names = self.trust.note_keys(NOTE).filter_map(|name| name.strip_prefix(NOTE));
        names.filter_map(|device| DeviceId::from_str(device).ok()).collect()
    }
}
