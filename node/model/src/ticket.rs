//! Tickets: one copyable string that says who, where, what right, until when,
//! and a one-time secret.
//!
//! Text: `kith1` ‖ base32(cbor ‖ first 4 bytes of BLAKE3(cbor)). The checksum
//! turns a missing or mistyped letter into a clear error.

use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::{AgentId, DeviceId, SpaceId, Timestamp, cbor, limit::NAME_BYTES_MAX};

const PREFIX: &str = "kith1";
const CHECKSUM_BYTES: usize = 4;

/// Longest ticket, in characters: it must still fit into one QR code.
const TEXT_MAX: usize = 2_048;

/// Most addresses that a ticket carries: IPv4 and IPv6, local and public, QUIC
/// and TCP.
pub const ADDRESSES_MAX: usize = 8;

/// The one-time secret of a ticket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketSecret(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret(…)")
    }
}

/// An invitation to relate, and perhaps to join a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Who invites.
    pub agent: AgentId,
    /// The device to dial.
    pub device: DeviceId,
    /// Where it may be found: multiaddrs without a peer id, best first.
    pub addresses: Vec<String>,
    /// The space that comes with it, if any.
    pub space: Option<SpaceId>,
    /// When it ends, by the issuer's clock.
    pub expires_at: Timestamp,
    /// What the acceptor proves to know.
    pub secret: TicketSecret,
}

/// Why a text is not a usable ticket. Nothing was sent to anybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Does not start like a ticket.
    #[error("this is not a Kith ticket: a ticket starts with \"kith1\"")]
    NotATicket,
    /// Cut off or mistyped.
    #[error("the ticket is damaged: a part is missing or mistyped; copy it again as a whole")]
    Damaged,
    /// Made by a version that we do not know.
    #[error("the ticket was made by a newer version of Kith; update this one")]
    Newer,
}

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Wire(u8, AgentId, DeviceId, Vec<String>, Option<SpaceId>, Timestamp, TicketSecret);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wire = Wire(
            VERSION,
            self.agent,
            self.device,
            self.addresses.clone(),
            self.space,
            self.expires_at,
            self.secret,
        );
        let mut bytes = cbor::encode(&wire);
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
        write!(f, "{PREFIX}{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        if text.len() > TEXT_MAX {
            return Err(TicketError::Damaged);
        }
        let text = text.to_ascii_lowercase();
        let encoded = text.strip_prefix(PREFIX).ok_or(TicketError::NotATicket)?;
        let bytes = BASE32_NOPAD
            .decode(encoded.to_ascii_uppercase().as_bytes())
            .map_err(|_| TicketError::Damaged)?;
        let body_len = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(TicketError::Damaged)?;
        let (body, checksum) = bytes.split_at(body_len);
        if &blake3::hash(body).as_bytes()[..CHECKSUM_BYTES] != checksum {
            return Err(TicketError::Damaged);
        }
        // An array of any length whose first item is a version byte.
        if body.get(1).is_some_and(|version| *version != VERSION) {
            return Err(TicketError::Newer);
        }
        let wire: Wire = cbor::decode(body, TEXT_MAX).map_err(|_| TicketError::Damaged)?;
        let Wire(_, agent, device, addresses, space, expires_at, secret) = wire;
        let bounded = addresses.len() <= ADDRESSES_MAX
            && addresses.iter().all(|address| address.len() <= NAME_BYTES_MAX);
        if !bounded {
            return Err(TicketError::Damaged);
        }
        Ok(Self { agent, device, addresses, space, expires_at, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            agent: AgentId([1; 32]),
            device: DeviceId([2; 32]),
            addresses: vec!["/ip4/192.168.1.7/udp/4001/quic-v1".into()],
            space: Some(SpaceId([3; 32])),
            expires_at: Timestamp(1_000),
            secret: TicketSecret([4; 16]),
        }
    }

    #[test]
    fn a_ticket_reads_back_in_either_case() {
        let text = ticket().to_string();
        assert_eq!(text.parse(), Ok(ticket()));
        assert_eq!(format!("  {}\n", text.to_uppercase()).parse(), Ok(ticket()));
    }

    #[test]
    fn every_cut_and_every_changed_letter_is_noticed() {
        let text = ticket().to_string();
        for cut in PREFIX.len()..text.len() {
            assert!(text[..cut].parse::<Ticket>().is_err(), "cut at {cut}");
        }
        for at in PREFIX.len()..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).expect("ascii");
            assert!(changed.parse::<Ticket>().is_err(), "changed at {at}");
        }
        assert_eq!("hello".parse::<Ticket>(), Err(TicketError::NotATicket));
        assert_eq!("kith1".parse::<Ticket>(), Err(TicketError::Damaged));
        assert!("kith1".repeat(100_000).parse::<Ticket>().is_err());
    }
}
