//! Sealing: XChaCha20-Poly1305 with a random 192-bit nonce in front
//! (draft-irtf-cfrg-xchacha-03). A sealed byte string is `nonce ‖ ciphertext ‖ tag`.

use chacha20poly1305::{KeyInit, XChaCha20Poly1305, aead::AeadInOut};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Entropy, random_bytes};

/// Bytes that sealing adds: a nonce of 24 and a tag of 16.
pub const OVERHEAD_BYTES: usize = 40;

const NONCE_BYTES: usize = 24;

/// A symmetric key; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// A fresh key.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(random_bytes(entropy))
    }

    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key that `context` (a hard-coded, globally unique string) names
    /// below this one: BLAKE3's key derivation mode.
    #[must_use]
    pub fn derive(&self, context: &str, material: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.0).update(material);
        Self(*hasher.finalize().as_bytes())
    }

    /// The raw key, for wrapping it.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `plaintext`, bound to `associated` data that travels in the clear.
    pub fn seal(&self, entropy: &mut Entropy, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::active(crate::planted::Bug::ReusedNonce) {
            return self.seal_with([0; NONCE_BYTES], associated, plaintext);
        }
        self.seal_with(random_bytes(entropy), associated, plaintext)
    }

    /// Seals without randomness: the nonce is a keyed hash of what is sealed
    /// (the synthetic-IV construction of RFC 5297, with BLAKE3). Equal input
    /// gives equal output, which is all that it tells.
    #[must_use]
    pub fn seal_synthetic(&self, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let key = self.derive("kith 2026-11 synthetic nonce", &[]);
        let mut hasher = blake3::Hasher::new_keyed(key.expose());
        hasher.update(&(associated.len() as u64).to_be_bytes());
        hasher.update(associated).update(plaintext);
        let mut nonce = [0; NONCE_BYTES];
        hasher.finalize_xof().fill(&mut nonce);
        self.seal_with(nonce, associated, plaintext)
    }

    fn seal_with(&self, nonce: [u8; NONCE_BYTES], associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce.into(), associated, (&mut sealed[NONCE_BYTES..]).into())
            .expect("our plaintexts are shorter than the cipher's 256 GiB");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what was sealed with the same associated data.
    ///
    /// # Errors
    /// [`Unsealable`] when the key is another one or a bit was changed.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let body_len = sealed.len().checked_sub(OVERHEAD_BYTES).ok_or(Unsealable)?;
        let (nonce, rest) = sealed.split_at(NONCE_BYTES);
        let (ciphertext, tag) = rest.split_at(body_len);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| Unsealable)?;
        let tag: [u8; 16] = tag.try_into().map_err(|_| Unsealable)?;
        let mut plaintext = ciphertext.to_vec();
        self.cipher()
            .decrypt_inout_detached(
                &nonce.into(),
                associated,
                plaintext.as_mut_slice().into(),
                &tag.into(),
            )
            .map_err(|_| Unsealable)?;
        Ok(plaintext)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// The key does not open these bytes, or they were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened with this key")]
pub struct Unsealable;

#[cfg(test)]
mod tests {
    use rand_core::{TryCryptoRng, TryRng};

    use super::*;

    struct Counter(u64);
    impl TryRng for Counter {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.0 += 1;
            Ok(self.0 as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.0 += 1;
            Ok(self.0)
        }
        fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
            self.0 += 1;
            dst.fill(self.0 as u8);
            Ok(())
        }
    }
    impl TryCryptoRng for Counter {}

    #[test]
    fn every_flipped_bit_and_other_associated_data_are_refused() {
        let mut entropy = Counter(0);
        let key = SealKey::random(&mut entropy);
        let sealed = key.seal(&mut entropy, b"header", b"hello");
        assert_eq!(sealed.len(), 5 + OVERHEAD_BYTES);
        assert_eq!(key.open(b"header", &sealed).as_deref(), Ok(&b"hello"[..]));
        assert_eq!(key.open(b"other", &sealed), Err(Unsealable));
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(b"header", &flipped), Err(Unsealable));
        }
        assert_eq!(key.open(b"header", &sealed[..OVERHEAD_BYTES - 1]), Err(Unsealable));
    }

    #[test]
    fn synthetic_sealing_depends_on_all_input() {
        let key = SealKey::from_bytes([1; 32]);
        let sealed = key.seal_synthetic(b"ab", b"c");
        assert_eq!(sealed, key.seal_synthetic(b"ab", b"c"));
        assert_ne!(sealed[..NONCE_BYTES], key.seal_synthetic(b"a", b"bc")[..NONCE_BYTES]);
        assert_eq!(key.open(b"ab", &sealed).as_deref(), Ok(&b"c"[..]));
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let mut entropy = Counter(0);
        let key = SealKey::random(&mut entropy);
        assert_ne!(key.seal(&mut entropy, b"", b"same"), key.seal(&mut entropy, b"", b"same"));
    }
}
