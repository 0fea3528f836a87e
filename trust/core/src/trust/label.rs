//! What spaces are called, and which of them are circles: people under a name, to be let into
//! spaces together.
//!
//! A circle is a space like any other: whoever is in it holds its keys, reads its name and sees
//! who else is in it. That it is one shows in what its label is sealed for, so only to them.

use node_model::{Entropy, Epoch, SpaceId, Timestamp};

use super::{Trust, TrustError};
use crate::words::Reach;

/// Binds a sealed label to its purpose; the space's id does not exist yet.
pub(super) const LABEL_BINDING: &[u8] = b"kith/space-label/1";

/// The same for a circle.
const CIRCLE_BINDING: &[u8] = b"kith/circle-label/1";

impl Trust {
    /// A space's name, if we hold its first key.
    #[must_use]
    pub fn label_of(&self, space: SpaceId) -> Option<String> {
        let bindings = [LABEL_BINDING, CIRCLE_BINDING];
        bindings.into_iter().find_map(|binding| self.label_for(space, binding))
    }

    /// Whether a space is a circle, as far as its keys are here.
    #[must_use]
    pub fn is_circle(&self, space: SpaceId) -> bool {
        self.label_for(space, CIRCLE_BINDING).is_some()
    }

    fn label_for(&self, space: SpaceId, binding: &[u8]) -> Option<String> {
        let facts = self.graph.spaces.get(&space)?;
        let first = self.keyring.epochs(space).filter(|(epoch, ..)| *epoch == Epoch::FIRST);
        let name = first
            .filter_map(|(_, _, keys)| keys.entries.open(binding, &facts.label).ok())
            .next()?;
        String::from_utf8(name).ok()
    }

    /// Founds a space with its first epoch.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn found_space(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        name: &str,
        reach: Reach,
        has_open_history: bool,
    ) -> Result<SpaceId, TrustError> {
        let label = (LABEL_BINDING, name);
        let (space, drafts) = self.draft_space(entropy, now, label, reach, has_open_history);
        self.commit(drafts, &[], now)?;
        Ok(space)
    }

    /// Founds a circle. Whoever joins it later reads its name, so its history is open; it
    /// reaches nobody but whom somebody names.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn found_circle(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        name: &str,
    ) -> Result<SpaceId, TrustError> {
        let label = (CIRCLE_BINDING, name);
        let (circle, drafts) = self.draft_space(entropy, now, label, Reach::Invited, true);
        self.commit(drafts, &[], now)?;
        Ok(circle)
    }
}

#[cfg(test)]
mod tests;
