//! Keys: those of this device, and the epoch keys of spaces, wrapped to devices
//! with HPKE (RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! ChaCha20-Poly1305, base mode).

pub(crate) mod pack;

use std::collections::BTreeMap;

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use node_model::{
    AgentId, DeviceId, Entropy, Epoch, SpaceId, random_bytes, seal::SealKey, sign::Signer,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::graph::Recipient;

const WRAP_INFO: &[u8] = b"kith/space-epoch/1";

/// Plaintext of a wrap: the epoch's key and the space's blob secret.
const WRAP_PLAIN_BYTES: usize = 64;

/// An epoch's keys, encrypted to one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// Who can open it.
    pub device: DeviceId,
    /// HPKE's encapsulated key.
    #[serde(with = "serde_bytes")]
    pub encapsulated: [u8; 32],
    /// 64 bytes of keys and a tag.
    #[serde(with = "serde_bytes")]
    pub ciphertext: Vec<u8>,
}

/// Tells an epoch's keys from others of the same number, without telling them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyId({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// The two keys of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochKeys {
    /// Seals entry bodies.
    pub entries: SealKey,
    /// Blob keys derive from it; the same in every epoch of a space, so that a
    /// file is stored once.
    pub blobs: SealKey,
}

impl EpochKeys {
    /// Fresh keys for a new space.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self { entries: SealKey::random(entropy), blobs: SealKey::random(entropy) }
    }

    /// Fresh keys for the next epoch of a space.
    #[must_use]
    pub fn next(&self, entropy: &mut Entropy) -> Self {
        Self { entries: SealKey::random(entropy), blobs: self.blobs.clone() }
    }

    /// Their id: a hash that only their holders can make.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = self.entries.derive("kith 2026-11 epoch key id", self.blobs.expose());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.expose()[..16]);
        KeyId(id)
    }
}

/// The secret keys of this device, and of its agent where they are kept here.
pub struct DeviceKeys {
    /// Signs for the device; its public key is the node's id.
    pub device: Signer,
    /// Whose device it is.
    pub standing: Standing,
    /// The device that this one was, before it took new keys.
    pub previous: Option<DeviceId>,
    hpke_seed: Zeroizing<[u8; 32]>,
}

/// How a device belongs to its agent.
pub enum Standing {
    /// The agent began on it, or came back to it by the recovery phrase: it keeps
    /// the root, which only a device link needs.
    Root {
        /// The agent's root.
        root: Signer,
        /// Whether the agent was there before: what it is called is known elsewhere.
        is_restored: bool,
    },
    /// Another device linked it.
    Linked {
        /// The agent.
        agent: AgentId,
        /// The attestations that link it and the agent's other devices.
        links: Vec<Vec<u8>>,
    },
}

impl DeviceKeys {
    /// Fresh keys: a new agent with its first device.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self {
            device: Signer::random(entropy),
            standing: Standing::Root { root: Signer::random(entropy), is_restored: false },
            previous: None,
            hpke_seed: Zeroizing::new(random_bytes(entropy)),
        }
    }

    /// Keys from their secrets: device, root, HPKE seed.
    #[must_use]
    pub fn from_secrets(device: &[u8; 32], root: &[u8; 32], hpke_seed: &[u8; 32]) -> Self {
        let root = Signer::from_secret(root);
        Self::new(device, hpke_seed, Standing::Root { root, is_restored: false })
    }

    /// Keys of a device with a standing of any kind.
    #[must_use]
    pub fn new(device: &[u8; 32], hpke_seed: &[u8; 32], standing: Standing) -> Self {
        let hpke_seed = Zeroizing::new(*hpke_seed);
        Self { device: Signer::from_secret(device), standing, previous: None, hpke_seed }
    }

    /// The agent.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        match &self.standing {
            Standing::Root { root, .. } => root.agent(),
            Standing::Linked { agent, .. } => *agent,
        }
    }

    /// The agent's root, where it is kept here.
    #[must_use]
    pub fn root(&self) -> Option<&Signer> {
        match &self.standing {
            Standing::Root { root, .. } => Some(root),
            Standing::Linked { .. } => None,
        }
    }

    /// The HPKE seed, for sealing it to disk.
    #[must_use]
    pub fn hpke_seed(&self) -> &[u8; 32] {
        &self.hpke_seed
    }

    /// The device's public X25519 key.
    #[must_use]
    pub fn hpke_public(&self) -> [u8; 32] {
        let (_, public) = X25519HkdfSha256::derive_keypair(self.hpke_seed.as_slice());
        public.to_bytes().into()
    }

    /// The key that seals what only this device reads on its own disk.
    #[must_use]
    pub fn local_seal(&self) -> SealKey {
        SealKey::from_bytes(*self.device.secret()).derive("kith 2026-11 local store", &[])
    }

    /// What opens wraps for this device.
    #[must_use]
    pub fn agreement_key(&self) -> AgreementKey {
        AgreementKey(X25519HkdfSha256::derive_keypair(self.hpke_seed.as_slice()).0)
    }

    /// What opens wraps for the agent's root, where it is kept here.
    #[must_use]
    pub fn root_agreement_key(&self) -> Option<AgreementKey> {
        let secret = self.root()?.agreement_secret();
        <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(secret.as_slice())
            .ok()
            .map(AgreementKey)
    }
}

/// The secret half of what keys are wrapped to; wiped when dropped.
pub struct AgreementKey(<X25519HkdfSha256 as hpke::Kem>::PrivateKey);

impl AgreementKey {
    /// Opens a wrap that is meant for this key; `None` when it is not, or was changed.
    #[must_use]
    pub fn unwrap(&self, space: SpaceId, epoch: Epoch, wrap: &WrappedKey) -> Option<EpochKeys> {
        let encapsulated =
            <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(&wrap.encapsulated).ok()?;
        let plain = Zeroizing::new(
            hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &self.0,
                &encapsulated,
                WRAP_INFO,
                &wrap.ciphertext,
                &wrap_binding(space, epoch),
            )
            .ok()?,
        );
        let (entries, blobs) = plain.split_first_chunk::<32>()?;
        Some(EpochKeys {
            entries: SealKey::from_bytes(*entries),
            blobs: SealKey::from_bytes(blobs.try_into().ok()?),
        })
    }
}

/// Wraps an epoch's keys; `None` when the public key is no point.
pub fn wrap(
    entropy: &mut Entropy,
    space: SpaceId,
    epoch: Epoch,
    keys: &EpochKeys,
    recipient: Recipient,
) -> Option<WrappedKey> {
    let public = recipient.hpke_public()?;
    let public = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&public).ok()?;
    let mut plain = Zeroizing::new([0; WRAP_PLAIN_BYTES]);
    plain[..32].copy_from_slice(keys.entries.expose());
    plain[32..].copy_from_slice(keys.blobs.expose());
    let mut entropy = entropy;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            WRAP_INFO,
            plain.as_slice(),
            &wrap_binding(space, epoch),
            &mut entropy,
        )
        .ok()?;
    let device = recipient.id();
    Some(WrappedKey { device, encapsulated: encapsulated.to_bytes().into(), ciphertext })
}

/// A wrap is good for one space and one epoch only.
fn wrap_binding(space: SpaceId, epoch: Epoch) -> [u8; 36] {
    let mut binding = [0; 36];
    binding[..32].copy_from_slice(space.as_bytes());
    binding[32..].copy_from_slice(&epoch.0.to_be_bytes());
    binding
}

/// The device that the epoch keys of a `commons` space are wrapped to: everybody
/// can make its keys, so there is one code path and no plaintext.
#[must_use]
pub fn commons_device(space: SpaceId) -> DeviceKeys {
    let seed = |context| blake3::derive_key(context, &space.0);
    DeviceKeys::from_secrets(
        &seed("kith 2026-11 commons device"),
        &seed("kith 2026-11 commons root"),
        &seed("kith 2026-11 commons hpke"),
    )
}

/// The same to wrap to.
#[must_use]
pub fn commons_recipient(space: SpaceId) -> Recipient {
    let public = commons_device(space);
    Recipient::Device { device: public.device.device(), hpke: public.hpke_public() }
}

/// The epoch keys that this device holds.
#[derive(Clone, Debug, Default)]
pub struct Keyring(BTreeMap<SpaceId, BTreeMap<(Epoch, KeyId), EpochKeys>>);

impl Keyring {
    /// Adds keys.
    pub fn insert(&mut self, space: SpaceId, epoch: Epoch, keys: EpochKeys) {
        self.0.entry(space).or_default().insert((epoch, keys.id()), keys);
    }

    /// Whether these keys are here.
    #[must_use]
    pub fn contains(&self, space: SpaceId, epoch: Epoch, key: KeyId) -> bool {
        self.get(space, epoch, key).is_some()
    }

    /// The keys of one epoch.
    #[must_use]
    pub fn get(&self, space: SpaceId, epoch: Epoch, key: KeyId) -> Option<&EpochKeys> {
        self.0.get(&space)?.get(&(epoch, key))
    }

    /// The keys of all epochs of a space, oldest first.
    pub fn epochs(&self, space: SpaceId) -> impl Iterator<Item = (Epoch, KeyId, &EpochKeys)> {
        let own = self.0.get(&space).into_iter().flatten();
        own.map(|((epoch, key), keys)| (*epoch, *key, keys))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn only_the_device_opens_its_wrap_and_only_for_its_epoch() {
        let mut entropy = ChaCha8Rng::seed_from_u64(1);
        let ada = DeviceKeys::random(&mut entropy);
        let bob = DeviceKeys::random(&mut entropy);
        let keys = EpochKeys::random(&mut entropy);
        let space = SpaceId([1; 32]);
        let device = Recipient::Device { device: ada.device.device(), hpke: ada.hpke_public() };
        let wrapped = wrap(&mut entropy, space, Epoch(1), &keys, device).expect("a good key");
        let (ada, bob) = (ada.agreement_key(), bob.agreement_key());
        assert_eq!(ada.unwrap(space, Epoch(1), &wrapped), Some(keys));
        assert_eq!(ada.unwrap(space, Epoch(2), &wrapped), None);
        assert_eq!(ada.unwrap(SpaceId([2; 32]), Epoch(1), &wrapped), None);
        assert_eq!(bob.unwrap(space, Epoch(1), &wrapped), None);
    }

    #[test]
    fn what_is_wrapped_to_a_root_opens_with_the_root_alone() {
        let mut entropy = ChaCha8Rng::seed_from_u64(1);
        let ada = DeviceKeys::random(&mut entropy);
        let keys = EpochKeys::random(&mut entropy);
        let space = SpaceId([1; 32]);
        let root = Recipient::Root(ada.agent());
        let wrapped = wrap(&mut entropy, space, Epoch(1), &keys, root).expect("a good key");
        // The same root, on a device that never saw anything.
        let secret = ada.root().expect("is here").secret();
        let new = DeviceKeys::from_secrets(&[7; 32], secret, &[8; 32]);
        let opened = new.root_agreement_key().expect("is here").unwrap(space, Epoch(1), &wrapped);
        assert_eq!(opened, Some(keys));
        assert_eq!(ada.agreement_key().unwrap(space, Epoch(1), &wrapped), None);
        let other = DeviceKeys::random(&mut entropy).root_agreement_key().expect("is here");
        assert_eq!(other.unwrap(space, Epoch(1), &wrapped), None);
        // Two bytes of every four are no point; nobody can seal to those.
        let none =
            (0..=255).filter(|byte| Recipient::Root(AgentId([*byte; 32])).hpke_public().is_none());
        assert!(none.count() > 50);
    }
}
