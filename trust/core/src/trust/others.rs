//! What this node says of other people.

use node_model::{AgentId, Timestamp};

use super::{Trust, TrustError};
use crate::{
    attestation::{Claim, Terms},
    words::Layer,
};

impl Trust {
    /// Says that we are related, as pairing does, together with notes (a used ticket) that must
    /// become durable with it. What was said before stays.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn relate_by_pairing(
        &mut self,
        now: Timestamp,
        with: AgentId,
        notes: &[(String, Vec<u8>)],
    ) -> Result<(), TrustError> {
        let said = self.graph.sides.get(&(self.agent(), with));
        let said = said.map(|side| (side.terms.clone(), side.expires_at));
        // Whoever came back does not know what they said before, and may need what is kept.
        let new =
            || if self.is_restored() { Terms::of(Layer::Reciprocal) } else { Terms::of_pairing() };
        let terms = said.unwrap_or_else(|| (new(), None));
        self.relate(now, with, terms, notes)
    }

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
