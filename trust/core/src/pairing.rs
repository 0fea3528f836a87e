//! Pairing by ticket: two strangers become related.
//!
//! ```text
//! acceptor                                  inviter (made the ticket)
//!   Open { ticket, commitment }      ──►
//!                                    ◄──    Challenge { nonce } or Refused
//!   Reveal { nonce, proof }          ──►    ticket is bound to this device
//!        both show the same short code
//!   Confirm { attestations }         ──►          or, to become a device of the
//!   Link { hpke, name, consent }     ──►          inviter's
//!                                    ◄──    Complete { attestations }
//! ```
//!
//! The ticket pins the inviter's key and the connection authenticates both, so
//! a man in the middle would have to know the ticket; then the two codes differ,
//! because the acceptor commits to its nonce before it sees the inviter's (the
//! short-authentication-string argument of ZRTP, RFC 6189 section 7).
//!
//! Invariant: a ticket serves one device. Non-goal: deciding what is attested;
//! see [`Trust`](crate::Trust).

use node_model::{
    DeviceId, SpaceId, Timestamp,
    cbor::{self, DecodeError},
    limit::NAME_BYTES_MAX,
    sign::Signature,
    ticket::TicketSecret,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::words::Role;

/// Largest message of a pairing.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// What the two sides say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Acceptor: I hold a ticket.
    Open {
        /// Which one: [`ticket_key`] of its secret.
        ticket: TicketKey,
        /// BLAKE3 of the acceptor's nonce.
        #[serde(with = "serde_bytes")]
        commitment: [u8; 32],
    },
    /// Inviter: prove it.
    Challenge {
        /// The inviter's nonce.
        #[serde(with = "serde_bytes")]
        nonce: [u8; 32],
    },
    /// Acceptor: the proof.
    Reveal {
        /// The acceptor's nonce.
        #[serde(with = "serde_bytes")]
        nonce: [u8; 32],
        /// [`proof`] of the ticket's secret.
        #[serde(with = "serde_bytes")]
        proof: [u8; 32],
    },
    /// Acceptor: the codes are equal; this is who I am.
    Confirm {
        /// Device link, profile, relationship.
        attestations: Vec<ByteBuf>,
    },
    /// Acceptor: the codes are equal; make me one of your devices.
    Link {
        /// The device's X25519 key for HPKE.
        #[serde(with = "serde_bytes")]
        hpke: [u8; 32],
        /// What it is called.
        name: String,
        /// Its signature over the inviter's agent.
        consent: Signature,
    },
    /// Inviter: done; this is who I am.
    Complete {
        /// Device link, profile, relationship and what the ticket grants.
        attestations: Vec<ByteBuf>,
    },
    /// To somebody who may not come in any more: what says so. They cannot hear it
    /// anywhere else.
    Farewell {
        /// What took back the device, ended the relationship or the membership.
        attestations: Vec<ByteBuf>,
    },
    /// To somebody who does not know this device yet, since it took new keys: what says whose
    /// it is. They may have no other way to hear it.
    Introduce {
        /// The device's link by its agent's root, and what took back the one before it.
        attestations: Vec<ByteBuf>,
    },
    /// Inviter: no.
    Refused {
        /// Why.
        reason: Refusal,
    },
}

/// Why a ticket was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Not one of ours, or withdrawn.
    #[error("the other side does not know this ticket; ask for a new one")]
    Unknown,
    /// Too late.
    #[error("the ticket has expired; ask for a new one")]
    Expired,
    /// It is for a device of one's own, or it is not.
    #[error(
        "the ticket is for something else: kith device link accepts those of kith device link, kith pair all others"
    )]
    OtherPurpose,
    /// Somebody used it before.
    #[error("the ticket was used already; ask for a new one")]
    Used,
    /// The proof or the attestations are wrong.
    #[error("the other side could not verify this device; ask for a new ticket")]
    Unverified,
}

impl Message {
    /// The bytes of a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`DecodeError`]; at most [`MESSAGE_BYTES_MAX`] bytes are looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = cbor::decode(bytes, MESSAGE_BYTES_MAX)?;
        let is_bounded =
            !matches!(&message, Self::Link { name, .. } if name.len() > NAME_BYTES_MAX);
        if is_bounded { Ok(message) } else { Err(DecodeError::Malformed) }
    }
}

/// Names a ticket without telling its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketKey(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// The key of a ticket's secret.
#[must_use]
pub fn ticket_key(secret: TicketSecret) -> TicketKey {
    TicketKey(blake3::derive_key("kith 2026-11 ticket key", &secret.0))
}

/// A ticket that we made, as we remember it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedTicket {
    /// Its secret.
    pub secret: TicketSecret,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What it grants.
    pub grant: Option<(SpaceId, Role)>,
    /// Whether it makes the device one of our own.
    pub is_for_own_device: bool,
    /// The device that proved to hold it.
    pub bound_to: Option<DeviceId>,
    /// Whether the pairing was completed.
    pub is_used: bool,
}

impl IssuedTicket {
    /// Whether `device` may go on with this ticket.
    ///
    /// # Errors
    /// The [`Refusal`] to send.
    pub fn check(&self, device: DeviceId, now: Timestamp) -> Result<(), Refusal> {
        if self.is_used || self.bound_to.is_some_and(|bound| bound != device) {
            return Err(Refusal::Used);
        }
        if now >= self.expires_at { Err(Refusal::Expired) } else { Ok(()) }
    }
}

/// What both sides saw, in one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Who made the ticket.
    pub inviter: DeviceId,
    /// Who accepts it.
    pub acceptor: DeviceId,
    /// The inviter's nonce.
    pub inviter_nonce: [u8; 32],
    /// The acceptor's nonce.
    pub acceptor_nonce: [u8; 32],
}

impl Transcript {
    fn bytes(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        let parts = [&self.inviter.0, &self.acceptor.0, &self.inviter_nonce, &self.acceptor_nonce];
        for (target, part) in bytes.chunks_exact_mut(32).zip(parts) {
            target.copy_from_slice(part);
        }
        bytes
    }

    /// Six digits for two people to compare, like `123 456`.
    #[must_use]
    pub fn code(&self) -> String {
        let hash = blake3::derive_key("kith 2026-11 pairing code", &self.bytes());
        let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 1_000_000;
        format!("{:03} {:03}", number / 1_000, number % 1_000)
    }

    /// Proves knowledge of the ticket's secret for this pairing only.
    #[must_use]
    pub fn proof(&self, secret: TicketSecret) -> [u8; 32] {
        let key = blake3::derive_key("kith 2026-11 pairing proof", &secret.0);
        *blake3::keyed_hash(&key, &self.bytes()).as_bytes()
    }

    /// Whether `proof` is right; compared in constant time.
    #[must_use]
    pub fn is_proof(&self, secret: TicketSecret, proof: &[u8; 32]) -> bool {
        blake3::Hash::from_bytes(self.proof(secret)) == blake3::Hash::from_bytes(*proof)
    }
}

/// Commits to a nonce.
#[must_use]
pub fn commitment(nonce: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("kith 2026-11 pairing commitment", nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_when_anything_differs() {
        let transcript = Transcript {
            inviter: DeviceId([1; 32]),
            acceptor: DeviceId([2; 32]),
            inviter_nonce: [3; 32],
            acceptor_nonce: [4; 32],
        };
        let secret = TicketSecret([5; 16]);
        assert!(transcript.is_proof(secret, &transcript.proof(secret)));
        assert!(!transcript.is_proof(TicketSecret([6; 16]), &transcript.proof(secret)));
        let other = Transcript { acceptor: DeviceId([9; 32]), ..transcript };
        assert_ne!(transcript.code(), other.code());
        assert!(!other.is_proof(secret, &transcript.proof(secret)));
        assert_eq!(transcript.code().len(), 7);
    }

    #[test]
    fn a_ticket_serves_one_device_until_it_ends() {
        let mut ticket = IssuedTicket {
            secret: TicketSecret([0; 16]),
            expires_at: Timestamp(100),
            grant: None,
            is_for_own_device: false,
            bound_to: None,
            is_used: false,
        };
        let (ada, bob) = (DeviceId([1; 32]), DeviceId([2; 32]));
        assert_eq!(ticket.check(ada, Timestamp(99)), Ok(()));
        assert_eq!(ticket.check(ada, Timestamp(100)), Err(Refusal::Expired));
        ticket.bound_to = Some(ada);
        assert_eq!(ticket.check(ada, Timestamp(99)), Ok(()));
        assert_eq!(ticket.check(bob, Timestamp(99)), Err(Refusal::Used));
        ticket.is_used = true;
        assert_eq!(ticket.check(ada, Timestamp(99)), Err(Refusal::Used));
    }
}
