//! New keys for this device: a new id, for the old one may have been seen.
//!
//! Only the root says that the new key is ours. A device's own key cannot name its successor:
//! whoever has seen it could name one as well, and of two successors nobody could tell which
//! is ours.
//!
//! Invariant: the ledger holds all of it sealed to the old keys, or all of it, the link
//! included, sealed to the new ones.

use node_model::{DeviceId, Entropy, Timestamp, sign::Domain};

use super::{Trust, TrustError};
use crate::{
    attestation::Claim,
    keyring::DeviceKeys,
    ledger::{Ledger, LedgerError},
    sites::Description,
};

impl Trust {
    /// Links the new keys of this device, hands them the keys of all spaces, says of them what
    /// was said of the old ones, and seals all that is kept to them. What took the new keys
    /// takes back the old ones, once it has started: [`Self::previous_device`].
    ///
    /// # Errors
    /// [`TrustError::NoRoot`], [`TrustError::Ledger`]; all is as it was.
    pub fn renew(
        mut self,
        entropy: &mut Entropy,
        now: Timestamp,
        next: &DeviceKeys,
    ) -> Result<(), TrustError> {
        let root = self.keys.root().ok_or(TrustError::NoRoot)?;
        let (agent, device) = (self.agent(), next.device.device());
        let own = self.graph.link(self.device(), agent).ok_or(TrustError::BadLink)?;
        let (name, description) = (own.name.clone(), own.description.clone());
        let consent = next.device.sign(Domain::DeviceLink, &agent.0);
        let mut drafts = self.drafts(now);
        let hpke = next.hpke_public();
        drafts.say_as(root, agent, Claim::DeviceLink { device, hpke, name, consent });
        if description != Description::default() {
            self.say(&mut drafts, Claim::DeviceDescription { device, description });
        }
        let graph = self.graph_with(&drafts, now);
        for space in self.spaces() {
            self.draft_wraps(entropy, &mut drafts, &graph, space);
        }
        for said in drafts.into_list() {
            self.attestations.insert(said.id, said);
        }
        let records = self.sealed_to(next.local_seal());
        Ok(self.ledger.replace(&records)?)
    }

    /// The device that this one was, while it is not taken back.
    #[must_use]
    pub fn previous_device(&self) -> Option<DeviceId> {
        self.keys.previous.filter(|previous| self.graph.is_device_of(*previous, self.agent()))
    }
}

/// Whether a ledger is sealed to these keys; so is an empty one.
///
/// # Errors
/// [`LedgerError`].
pub fn is_sealed_to(ledger: &dyn Ledger, keys: &DeviceKeys) -> Result<bool, LedgerError> {
    let local = keys.local_seal();
    let records = ledger.all()?;
    Ok(records.first().is_none_or(|(key, sealed)| local.open(key, sealed).is_ok()))
}

#[cfg(test)]
mod tests;
