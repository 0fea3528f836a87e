//! Ids. Printable forms: `did:key:z6Mk…` for agents, the libp2p peer id for
//! devices, base32 (RFC 4648, lower case, no padding) for everything hashed.

use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A printable id that cannot be read. Nothing was looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {kind}")]
pub struct ParseIdError {
    kind: &'static str,
    text: String,
}

/// Longest text that can be an id; longer input is cut off in messages.
const ID_TEXT_MAX: usize = 80;

fn unreadable(kind: &'static str, text: &str) -> ParseIdError {
    ParseIdError { kind, text: text.chars().take(ID_TEXT_MAX).collect() }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $kind:literal, $print:path, $parse:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The raw bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&$print(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                $parse(text)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| unreadable($kind, text))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(de::Error::custom)
                } else {
                    <serde_bytes::ByteArray<$len>>::deserialize(deserializer)
                        .map(|bytes| Self(bytes.into_array()))
                }
            }
        }
    };
}

id!(
    /// A person or organisation: its Ed25519 root key.
    AgentId, 32, "an agent (did:key:z6Mk…)", print_did, parse_did
);
id!(
    /// A device: its Ed25519 signing key, which is also its libp2p peer id.
    DeviceId, 32, "a node (12D3KooW…)", print_peer, parse_peer
);
id!(
    /// A space: the hash of the attestation that founds it.
    SpaceId, 32, "a space id", print_base32, parse_base32
);
id!(
    /// A document within a space.
    DocumentId, 16, "a document id", print_base32, parse_base32
);
id!(
    /// An entry: the BLAKE3 hash of its header, which holds the body's hash.
    EntryId, 32, "an entry id", print_base32, parse_base32
);
id!(
    /// An attestation: the BLAKE3 hash of its signed bytes.
    AttestationId, 32, "an attestation id", print_base32, parse_base32
);

impl AttestationId {
    /// Its first eight bytes as a number, in the order of ids: to compare many fast.
    #[must_use]
    pub fn prefix(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}
id!(
    /// A blob: the BLAKE3 hash of its sealed bytes.
    BlobId, 32, "a blob hash", print_base32, parse_base32
);

/// Version of a space's key, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch that a space starts with.
    pub const FIRST: Self = Self(1);
}

fn print_base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn parse_base32(text: &str) -> Option<Vec<u8>> {
    let short = text.len() <= ID_TEXT_MAX;
    short.then(|| BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok())?
}

/// Multicodec `ed25519-pub` as a varint (did:key method, section 3.1).
const ED25519_MULTICODEC: [u8; 2] = [0xed, 0x01];

fn print_did(key: &[u8; 32]) -> String {
    let bytes = [&ED25519_MULTICODEC[..], key].concat();
    format!("did:key:z{}", bs58::encode(bytes).into_string())
}

fn parse_did(text: &str) -> Option<Vec<u8>> {
    let encoded = text.strip_prefix("did:key:z").filter(|rest| rest.len() <= ID_TEXT_MAX)?;
    let bytes = bs58::decode(encoded).into_vec().ok()?;
    bytes.strip_prefix(&ED25519_MULTICODEC).map(<[u8]>::to_vec)
}

/// Identity multihash of a protobuf `PublicKey { type: Ed25519, data: 32 bytes }`
/// (libp2p peer-ids specification).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

fn print_peer(key: &[u8; 32]) -> String {
    bs58::encode([&PEER_ID_PREFIX[..], key].concat()).into_string()
}

fn parse_peer(text: &str) -> Option<Vec<u8>> {
    let short = text.len() <= ID_TEXT_MAX;
    let bytes = short.then(|| bs58::decode(text).into_vec().ok())??;
    bytes.strip_prefix(&PEER_ID_PREFIX).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_read_back() {
        let key = [7; 32];
        let agent = AgentId(key);
        assert!(agent.to_string().starts_with("did:key:z6Mk"));
        assert_eq!(agent.to_string().parse(), Ok(agent));
        let device = DeviceId(key);
        assert!(device.to_string().starts_with("12D3KooW"));
        assert_eq!(device.to_string().parse(), Ok(device));
        let document = DocumentId([9; 16]);
        assert_eq!(document.to_string().len(), 26);
        assert_eq!(document.to_string().parse(), Ok(document));
    }

    #[test]
    fn wrong_ids_are_named() {
        let error = "12D3KooWnonsense0".parse::<DeviceId>().expect_err("not base58");
        assert!(error.to_string().contains("is not a node"));
        assert!("did:key:z6Mk".parse::<AgentId>().is_err());
        assert!("a".repeat(10_000).parse::<BlobId>().expect_err("long").to_string().len() < 200);
    }

    #[test]
    fn ids_are_text_in_json_and_bytes_in_cbor() {
        let id = BlobId([1; 32]);
        assert_eq!(crate::cbor::encode(&id).len(), 34);
        assert_eq!(crate::cbor::decode(&crate::cbor::encode(&id), 64), Ok(id));
    }
}
