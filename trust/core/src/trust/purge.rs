//! What an admin says to have documents purged.

use node_model::{DocumentId, SpaceId, Timestamp};

use super::{Trust, TrustError};
use crate::attestation::{Claim, PURGED_MAX};

impl Trust {
    /// Says that documents of a space are gone for good. Of those that were purged before
    /// nothing is said again.
    ///
    /// # Errors
    /// [`TrustError::NoSuchSpace`], [`TrustError::NotAdmin`], [`TrustError::Ledger`].
    pub fn purge(
        &mut self,
        now: Timestamp,
        space: SpaceId,
        documents: &[DocumentId],
    ) -> Result<(), TrustError> {
        self.need_admin(space)?;
        let facts = self.graph.spaces.get(&space).ok_or(TrustError::NoSuchSpace)?;
        let purged = &facts.membership.purged;
        let fresh: Vec<DocumentId> =
            documents.iter().filter(|document| !purged.contains_key(document)).copied().collect();
        let mut after = self.known_heads(facts);
        let mut drafts = self.drafts(now);
        for documents in fresh.chunks(PURGED_MAX) {
            let claim = Claim::DocumentPurge { space, documents: documents.to_vec(), after };
            after = vec![self.say(&mut drafts, claim)];
        }
        self.commit(drafts.into_list(), &[], now)
    }
}

#[cfg(test)]
mod tests;
