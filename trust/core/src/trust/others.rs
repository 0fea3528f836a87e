//! What this node says of other people.

use node_model::{AgentId, Timestamp};

use super::{Trust, TrustError};
use crate::attestation::Claim;

impl Trust {
    /// Ends our side of a relationship.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn part(&mut self, now: Timestamp, with: AgentId) -> Result<(), TrustError> {
        if !self.graph.sides.contains_key(&(self.agent(), with)) {
            return Err(TrustError::NotRelated(with));
        }
        self.say_now(now, Claim::Relationship { with, terms: None })
    }

    /// Stands for something about somebody.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn vouch(
        &mut self,
        now: Timestamp,
        subject: AgentId,
        text: &str,
    ) -> Result<(), TrustError> {
        self.say_now(now, Claim::Vouch { subject, text: text.to_owned() })
    }
}
