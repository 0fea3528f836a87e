//! Signatures: Ed25519 (RFC 8032), strict verification, over domain-separated
//! bytes, so that a signature for one purpose is never valid for another.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{AgentId, DeviceId, Entropy, random_bytes};

/// What a signature is for; part of the signed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Header and body hash of an entry.
    Entry,
    /// An attestation.
    Attestation,
    /// A device's consent to belong to an agent.
    DeviceLink,
    /// A device's answer to the challenge of a doorway.
    Doorway,
    /// A device's word that it holds a set of entries.
    Receipt,
}

impl Domain {
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Entry => b"kith/entry/1\0",
            Self::Attestation => b"kith/attestation/1\0",
            Self::DeviceLink => b"kith/device-link/1\0",
            Self::Doorway => b"kith/doorway/1\0",
            Self::Receipt => b"kith/receipt/1\0",
        }
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(#[serde(with = "serde_bytes")] pub [u8; 64]);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// The signature is not this key's over these bytes; nothing was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match")]
pub struct BadSignature;

/// A secret signing key; wiped when dropped.
pub struct Signer(SigningKey);

impl Signer {
    /// A fresh key.
    pub fn random(entropy: &mut Entropy) -> Self {
        let secret = Zeroizing::new(random_bytes(entropy));
        Self::from_secret(&secret)
    }

    /// The key with this secret.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The secret, for sealing it to disk.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The public key as an agent's id.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        AgentId(self.public())
    }

    /// The public key as a device's id.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        DeviceId(self.public())
    }

    /// The same key for key agreement, to open what was sealed to [`agreement_key`].
    #[must_use]
    pub fn agreement_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_scalar_bytes())
    }

    /// Signs `message` for `domain`.
    #[must_use]
    pub fn sign(&self, domain: Domain, message: &[u8]) -> Signature {
        Signature(self.0.sign(&[domain.prefix(), message].concat()).to_bytes())
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.device())
    }
}

/// A signing key as an X25519 key: the point on the other form of the curve (RFC 7748,
/// section 4.1). One key pair for both is safe (Thormarker, "On using the same key pair for
/// Ed25519 and an X25519 based KEM", 2021). `None` when the bytes are no point.
#[must_use]
pub fn agreement_key(public: &[u8; 32]) -> Option<[u8; 32]> {
    VerifyingKey::from_bytes(public).ok().map(|key| key.to_montgomery().to_bytes())
}

/// A public key that is ready to check signatures; worth keeping for a batch.
#[derive(Clone, Debug)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// The verifier of a public key.
    ///
    /// # Errors
    /// [`BadSignature`] when the bytes are no point of the curve.
    pub fn new(public: &[u8; 32]) -> Result<Self, BadSignature> {
        VerifyingKey::from_bytes(public).map(Self).map_err(|_| BadSignature)
    }

    /// Checks a signature by RFC 8032 without the malleable or small-order cases.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        domain: Domain,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::active(crate::planted::Bug::WrongSignatureAccepted) {
            return Ok(());
        }
        let bytes = [domain.prefix(), message].concat();
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(&bytes, &signature).map_err(|_| BadSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_one_key_one_domain_and_one_message() {
        let signer = Signer::from_secret(&[1; 32]);
        let verifier = Verifier::new(&signer.public()).expect("a key");
        let signature = signer.sign(Domain::Entry, b"message");
        assert_eq!(verifier.verify(Domain::Entry, b"message", &signature), Ok(()));
        assert_eq!(verifier.verify(Domain::Attestation, b"message", &signature), Err(BadSignature));
        assert_eq!(verifier.verify(Domain::Entry, b"massage", &signature), Err(BadSignature));
        let other = Verifier::new(&Signer::from_secret(&[2; 32]).public()).expect("a key");
        assert_eq!(other.verify(Domain::Entry, b"message", &signature), Err(BadSignature));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verifier.verify(Domain::Entry, b"message", &flipped), Err(BadSignature));
        }
    }
}
