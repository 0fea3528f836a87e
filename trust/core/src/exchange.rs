//! How two related nodes keep each other's attestations: each says which ones it
//! has of those that concern the other, and sends what the other lacks.

use node_model::{
    AttestationId, DeviceId, SpaceId,
    cbor::{self, DecodeError},
    limit::{FRAME_BYTES_MAX, NAME_BYTES_MAX},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::words::Reach;

/// Most attestations in one message: about half a megabyte.
pub const ATTESTATIONS_PER_MESSAGE_MAX: usize = 512;

/// Most addresses that a node tells of itself.
pub const ADDRESSES_MAX: usize = 16;

/// Most devices in one [`Message::There`]: with all their addresses they fit into a frame.
pub const WHEREABOUTS_MAX: usize = 128;

/// Where a device said that it may be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Which device.
    pub device: DeviceId,
    /// Multiaddrs.
    #[serde(deserialize_with = "cbor::at_most::<ADDRESSES_MAX, _, _>")]
    pub addresses: Vec<String>,
}

/// Most spaces that a node offers to somebody: more than a person would choose from.
pub const OFFERS_MAX: usize = 64;

/// A space that somebody may read without having been let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Which.
    pub space: SpaceId,
    /// What it is called.
    pub name: String,
    /// How far it travels.
    pub reach: Reach,
}

/// What two nodes say to each other on the trust lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Where I may be found.
    Here {
        /// Multiaddrs.
        #[serde(deserialize_with = "cbor::at_most::<ADDRESSES_MAX, _, _>")]
        addresses: Vec<String>,
    },
    /// Where members of spaces that we share may be found.
    There {
        /// Hints, each about one device.
        #[serde(deserialize_with = "cbor::at_most::<WHEREABOUTS_MAX, _, _>")]
        whereabouts: Vec<Whereabouts>,
    },
    /// What I have of those that concern you.
    Have {
        /// 32 bytes each.
        ids: ByteBuf,
    },
    /// What you lack.
    Attestations {
        /// Their bytes.
        #[serde(deserialize_with = "cbor::at_most::<ATTESTATIONS_PER_MESSAGE_MAX, _, _>")]
        attestations: Vec<ByteBuf>,
    },
    /// Which spaces I founded you may read, though you are not in them; instead of what I
    /// offered before.
    Offers {
        /// The spaces.
        #[serde(deserialize_with = "cbor::at_most::<OFFERS_MAX, _, _>")]
        offers: Vec<Offer>,
    },
    /// Let me in as a reader of what you offered.
    Follow {
        /// Which space.
        space: SpaceId,
    },
    /// Say again what you have: you may have said it before I knew you.
    Again,
}

impl Message {
    /// The message that says what we have.
    #[must_use]
    pub fn have(ids: &[AttestationId]) -> Self {
        Self::Have { ids: ByteBuf::from(ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>()) }
    }

    /// The bytes of a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`DecodeError`]; at most [`FRAME_BYTES_MAX`] bytes are looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = cbor::decode(bytes, FRAME_BYTES_MAX)?;
        let is_bounded = match &message {
            Self::Here { addresses } => are_bounded(addresses),
            Self::There { whereabouts } => whereabouts.iter().all(|it| are_bounded(&it.addresses)),
            Self::Have { ids } => ids.len().is_multiple_of(32),
            Self::Attestations { .. } | Self::Follow { .. } | Self::Again => true,
            Self::Offers { offers } => offers.iter().all(|it| it.name.len() <= NAME_BYTES_MAX),
        };
        if is_bounded { Ok(message) } else { Err(DecodeError::Malformed) }
    }
}

fn are_bounded(addresses: &[String]) -> bool {
    addresses.iter().all(|address| address.len() <= NAME_BYTES_MAX)
}

/// The ids of a [`Message::Have`].
pub fn ids(bytes: &[u8]) -> impl Iterator<Item = AttestationId> {
    bytes.chunks_exact(32).filter_map(|id| id.try_into().ok()).map(AttestationId)
}
