//! What a pack needs of the trust plane: its key, for whom, and which statements.

use std::collections::BTreeSet;

use node_model::{
    AgentId, AttestationId, Entropy, SpaceId,
    pack::{Header, SLOTS_MAX},
    seal::SealKey,
};

use super::{Trust, TrustError};
use crate::{
    attestation::{Attestation, Party, Scope},
    keyring::pack,
};

impl Trust {
    /// Draws a key for a pack of a space and seals it to every device of its members,
    /// custodians too, and to whoever holds the key that the space is written with.
    ///
    /// A slot for a device opens where the space's newest key has not arrived, and for a
    /// custodian, who has none. The space's key opens on a device that we have not heard of.
    ///
    /// # Errors
    /// [`TrustError::NoSuchSpace`].
    pub fn seal_pack(
        &self,
        entropy: &mut Entropy,
        space: SpaceId,
    ) -> Result<(Header, SealKey), TrustError> {
        let facts = self.graph.spaces.get(&space).ok_or(TrustError::NoSuchSpace)?;
        let key = SealKey::random(entropy);
        let mut devices: Vec<_> =
            facts.members.keys().flat_map(|agent| self.graph.devices_of(*agent)).collect();
        // Whoever makes a pack opens it again to build on it.
        devices.sort_by_key(|(device, _)| *device != self.device());
        let mut slots: Vec<_> = devices
            .iter()
            .take(SLOTS_MAX)
            .filter_map(|(_, device)| pack::slot(entropy, space, &key, &device.hpke))
            .collect();
        // The order of what is random tells nothing.
        slots.sort_unstable();
        let shared = self
            .writing_epoch(space)
            .map(|(_, _, keys)| keys.of_packs().seal(entropy, space.as_bytes(), key.expose()));
        Ok((Header { space, slots, shared }, key))
    }

    /// The key of a pack, if it was made for this device or this space's key is here.
    #[must_use]
    pub fn open_pack(&self, header: &Header) -> Option<SealKey> {
        let Header { space, slots, shared } = header;
        let by_space = shared.as_ref().and_then(|shared| {
            self.keyring.epochs(*space).find_map(|(_, _, keys)| {
                let key = keys.of_packs().open(space.as_bytes(), shared).ok()?;
                Some(SealKey::from_bytes(key.try_into().ok()?))
            })
        });
        by_space.or_else(|| self.keys.open_slot(*space, slots))
    }

    /// The statements that decide who is in a space and who may write: all about it, and
    /// what its members, present and former, say of themselves. Who somebody is comes first,
    /// so that a reader knows by whom the rest is.
    #[must_use]
    pub fn concerning(&self, space: SpaceId) -> Vec<AttestationId> {
        let Some(facts) = self.graph.spaces.get(&space) else {
            return vec![];
        };
        let mut people: BTreeSet<AgentId> = facts.members.keys().copied().collect();
        people.extend(facts.membership.former.keys().filter_map(|party| match party {
            Party::Agent(agent) => Some(*agent),
            Party::Group(_) => None,
        }));
        let is_of_themselves = |said: &Attestation| said.scope == Scope(said.issuer.0);
        let concerns = |said: &&Attestation| {
            said.id.0 == space.0
                || said.scope == Scope(space.0)
                || (is_of_themselves(said) && people.contains(&said.issuer))
        };
        let mut found: Vec<_> = self.attestations.values().filter(concerns).collect();
        found.sort_by_key(|said| !is_of_themselves(said));
        found.into_iter().map(|said| said.id).collect()
    }
}

#[cfg(test)]
mod tests;
