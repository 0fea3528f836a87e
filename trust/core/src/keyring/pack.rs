//! A pack's key, for one device (HPKE, as in the module above) and for a space.
//!
//! A slot does not say whose it is: in base mode neither the encapsulated key nor the
//! ciphertext tells the receiver's public key.

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use node_model::{Entropy, SpaceId, pack::SLOT_BYTES, seal::SealKey};
use zeroize::Zeroizing;

use super::{DeviceKeys, EpochKeys};

const PACK_INFO: &[u8] = b"kith/pack/1";

/// The pack's key for the device with this public key; `None` when that is no point.
pub(crate) fn slot(
    entropy: &mut Entropy,
    space: SpaceId,
    key: &SealKey,
    hpke_public: &[u8; 32],
) -> Option<[u8; SLOT_BYTES]> {
    let public = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(hpke_public).ok()?;
    let mut entropy = entropy;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            PACK_INFO,
            key.expose(),
            space.as_bytes(),
            &mut entropy,
        )
        .ok()?;
    let mut slot = [0; SLOT_BYTES];
    let (head, tail) = slot.split_at_mut(32);
    head.copy_from_slice(&encapsulated.to_bytes());
    tail.copy_from_slice(ciphertext.get(..tail.len())?);
    Some(slot)
}

impl DeviceKeys {
    /// Tries the slots of a pack, one by one; `None` when none is for this device.
    pub(crate) fn open_slot(&self, space: SpaceId, slots: &[[u8; SLOT_BYTES]]) -> Option<SealKey> {
        let (private, _) = X25519HkdfSha256::derive_keypair(self.hpke_seed.as_slice());
        slots.iter().find_map(|slot| {
            let (encapsulated, ciphertext) = slot.split_first_chunk::<32>()?;
            let encapsulated =
                <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
            let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &private,
                &encapsulated,
                PACK_INFO,
                ciphertext,
                space.as_bytes(),
            );
            let key = Zeroizing::new(opened.ok()?);
            Some(SealKey::from_bytes(key.as_slice().try_into().ok()?))
        })
    }
}

impl EpochKeys {
    /// Seals the keys of packs for everybody who holds this epoch's.
    pub(crate) fn of_packs(&self) -> SealKey {
        self.entries.derive("kith 2026-11 pack key", &[])
    }
}
