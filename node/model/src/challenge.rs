//! How a device proves to a doorway which one it is, and what it gets for that.
//!
//! Invariant: an [`Answered`] exists only for a challenge that was signed with the key
//! of its device. Format: `docs/protocol/doorway.md`.
//! Non-goal: remembering challenges and tokens; that is the trust plane's.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde_bytes::ByteArray;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    DeviceId, Entropy, cbor, random_bytes,
    sign::{BadSignature, Domain, Signature, Signer, Verifier},
};

/// Longest host of an address: a domain name of 253 letters, a colon, and a port.
pub const HOST_BYTES_MAX: usize = 259;

/// A random number that is good for one proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nonce(pub [u8; 32]);

/// What a device signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    nonce: Nonce,
    node: DeviceId,
    host: String,
}

/// A host that no doorway has: empty, too long, or not plain ASCII. Nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host has 1 to {HOST_BYTES_MAX} letters of ASCII, without spaces")]
pub struct BadHost;

impl Challenge {
    /// A challenge of the doorway of `node`, reached as `host`: what stands in the
    /// request's `Host`, such as `127.0.0.1:4718`.
    ///
    /// # Errors
    /// [`BadHost`].
    pub fn new(nonce: Nonce, node: DeviceId, host: &str) -> Result<Self, BadHost> {
        let is_plain = host.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !is_plain {
            return Err(BadHost);
        }
        Ok(Self { nonce, node, host: host.to_owned() })
    }

    /// Whose doorway asks.
    #[must_use]
    pub fn node(&self) -> DeviceId {
        self.node
    }

    /// Answers it.
    #[must_use]
    pub fn sign(&self, signer: &Signer) -> Signature {
        signer.sign(Domain::Doorway, &self.message())
    }

    /// Checks an answer.
    ///
    /// # Errors
    /// [`BadSignature`] when it is not `device`'s answer to this challenge.
    pub fn verify(self, device: DeviceId, answer: &Signature) -> Result<Answered, BadSignature> {
        Verifier::new(&device.0)?.verify(Domain::Doorway, &self.message(), answer)?;
        Ok(Answered { challenge: self, device })
    }

    fn message(&self) -> Vec<u8> {
        cbor::encode(&(ByteArray::new(self.nonce.0), self.node, &self.host))
    }
}

/// A challenge and the device that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    challenge: Challenge,
    device: DeviceId,
}

impl Answered {
    /// Which device it was.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Whose doorway it was for.
    #[must_use]
    pub fn node(&self) -> DeviceId {
        self.challenge.node
    }

    /// What the doorway was reached as.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.challenge.host
    }

    /// Which challenge it was.
    #[must_use]
    pub fn nonce(&self) -> Nonce {
        self.challenge.nonce
    }
}

/// What a device gets for a proof: whoever has it is let in. Wiped when dropped, never
/// printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Token([u8; 32]);

/// A text that is no token. Nothing was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token has 64 hexadecimal digits")]
pub struct NotAToken;

impl Token {
    /// A fresh one.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(random_bytes(entropy))
    }

    /// What is kept in its place: whoever learns it cannot come in with it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.0).as_bytes()
    }

    /// The text for whoever shall have it: 64 hexadecimal digits.
    #[must_use]
    pub fn expose(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        hex(text).map(Self).ok_or(NotAToken)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// A text that is no challenge. Nothing was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a challenge has 64 hexadecimal digits")]
pub struct NotANonce;

impl FromStr for Nonce {
    type Err = NotANonce;

    fn from_str(text: &str) -> Result<Self, NotANonce> {
        hex(text).map(Self).ok_or(NotANonce)
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    // Its length first: it is written into an array.
    if text.len() != 2 * bytes.len() {
        return None;
    }
    HEXLOWER.decode_mut(text.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests;
