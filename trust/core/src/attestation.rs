//! Attestations: signed claims by an agent, in deterministic CBOR.
//!
//! Bytes: `[envelope, signature]`, both byte strings. The envelope is the array
//! `[1, issuer, signer, kind, body, issued_at, expires_at, prev]`; its
//! BLAKE3 hash is the attestation's id. `signer` is the issuer's root key or a
//! device that the issuer linked; `prev` chains what one signer issued, so a
//! withheld or forked history shows.

use node_model::{
    AgentId, AttestationId, DeviceId, Epoch, SpaceId, Timestamp,
    cbor::{self, DecodeError},
    limit::{ATTESTATION_BYTES_MAX, NAME_BYTES_MAX},
    sign::{BadSignature, Domain, Signature, Signer, Verifier},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    keyring::WrappedKey,
    words::{Layer, Reach, Role},
};

/// Most devices that one epoch attestation wraps a key for, so that it stays
/// below [`ATTESTATION_BYTES_MAX`]; more devices take more attestations.
pub const WRAPS_MAX: usize = 4;

/// Longest sealed label of a space: a name and its seal.
const LABEL_BYTES_MAX: usize = NAME_BYTES_MAX + node_model::seal::OVERHEAD_BYTES;

/// What an attestation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The issuer's root key admits a device.
    DeviceLink {
        /// The device's signing key.
        device: DeviceId,
        /// The device's X25519 key for HPKE.
        hpke: [u8; 32],
        /// What its owner calls it.
        name: String,
        /// The device's own signature over the issuer's id: nobody can claim a
        /// device that does not agree.
        consent: Signature,
    },
    /// What the issuer wants to be called.
    Profile {
        /// A name for people.
        name: String,
    },
    /// The issuer's side of a relationship.
    Relationship {
        /// The other side.
        with: AgentId,
        /// How close.
        layer: Layer,
    },
    /// Founds a space; the space's id is this attestation's.
    SpaceFounding {
        /// Makes the id unique.
        nonce: [u8; 16],
        /// How far the space may travel.
        reach: Reach,
        /// The space's name, sealed with the first epoch's key.
        label: Vec<u8>,
    },
    /// Admits an agent to a space.
    SpaceGrant {
        /// The space.
        space: SpaceId,
        /// Who is admitted.
        member: AgentId,
        /// What they may do.
        role: Role,
    },
    /// An epoch's key, wrapped to devices.
    SpaceEpoch {
        /// The space.
        space: SpaceId,
        /// Which epoch.
        epoch: Epoch,
        /// The key, once for each device; at most [`WRAPS_MAX`].
        wraps: Vec<WrappedKey>,
    },
    /// A kind that this version does not know: kept and passed on, never obeyed.
    Unknown {
        /// Its number.
        kind: u16,
        /// Its bytes.
        body: Vec<u8>,
    },
}

/// An attestation whose signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// BLAKE3 hash of the envelope.
    pub id: AttestationId,
    /// In whose name.
    pub issuer: AgentId,
    /// The key that signed: the issuer's root or one of its devices. That the
    /// issuer linked the device is for the [graph](crate::graph) to say.
    pub signer: DeviceId,
    /// What it says.
    pub claim: Claim,
    /// When, by the signer's clock; of two statements of one signer about the
    /// same thing the later one counts.
    pub issued_at: Timestamp,
    /// From when on it says nothing any more.
    pub expires_at: Option<Timestamp>,
    /// What the same signer issued before.
    pub prev: Option<AttestationId>,
    bytes: Vec<u8>,
}

/// Why bytes are no attestation. Nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// Not the byte format.
    #[error("not an attestation: {0}")]
    Decode(#[from] DecodeError),
    /// Not signed by the key that it names.
    #[error("the attestation's signature does not match")]
    Signature(#[from] BadSignature),
    /// A known kind with an impossible body.
    #[error("the attestation's claim is malformed")]
    Claim,
}

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Wire(ByteBuf, Signature);

#[derive(Serialize, Deserialize)]
struct Envelope(
    u8,
    AgentId,
    DeviceId,
    u16,
    ByteBuf,
    Timestamp,
    Option<Timestamp>,
    Option<AttestationId>,
);

impl Attestation {
    /// Signs `claim` in the name of `issuer`.
    #[must_use]
    pub fn issue(
        signer: &Signer,
        issuer: AgentId,
        claim: Claim,
        issued_at: Timestamp,
        prev: Option<AttestationId>,
    ) -> Self {
        let (kind, body) = encode_claim(&claim);
        let envelope = cbor::encode(&Envelope(
            VERSION,
            issuer,
            signer.device(),
            kind,
            ByteBuf::from(body),
            issued_at,
            None,
            prev,
        ));
        let id = AttestationId(*blake3::hash(&envelope).as_bytes());
        let signature = signer.sign(Domain::Attestation, &envelope);
        let bytes = cbor::encode(&Wire(ByteBuf::from(envelope), signature));
        let signer = signer.device();
        Self { id, issuer, signer, claim, issued_at, expires_at: None, prev, bytes }
    }

    /// Reads and checks an attestation from outside.
    ///
    /// # Errors
    /// [`AttestationError`]; at most [`ATTESTATION_BYTES_MAX`] bytes are looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, AttestationError> {
        let Wire(envelope, signature) = cbor::decode(bytes, ATTESTATION_BYTES_MAX)?;
        let Envelope(version, issuer, signer, kind, body, issued_at, expires_at, prev) =
            cbor::decode(&envelope, ATTESTATION_BYTES_MAX)?;
        Verifier::new(&signer.0)?.verify(Domain::Attestation, &envelope, &signature)?;
        let claim = if version == VERSION {
            decode_claim(issuer, kind, &body)?
        } else {
            Claim::Unknown { kind, body: body.into_vec() }
        };
        let id = AttestationId(*blake3::hash(&envelope).as_bytes());
        let bytes = bytes.to_vec();
        Ok(Self { id, issuer, signer, claim, issued_at, expires_at, prev, bytes })
    }

    /// The bytes to store and to pass on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the issuer's root key itself signed.
    #[must_use]
    pub fn is_rooted(&self) -> bool {
        self.signer.0 == self.issuer.0
    }

    /// Whether it still says anything at `now`.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

#[derive(Serialize, Deserialize)]
struct DeviceLinkBody(DeviceId, #[serde(with = "serde_bytes")] [u8; 32], String, Signature);
#[derive(Serialize, Deserialize)]
struct ProfileBody(String);
#[derive(Serialize, Deserialize)]
struct RelationshipBody(AgentId, Layer);
#[derive(Serialize, Deserialize)]
struct FoundingBody(#[serde(with = "serde_bytes")] [u8; 16], Reach, ByteBuf);
#[derive(Serialize, Deserialize)]
struct GrantBody(SpaceId, AgentId, Role);
#[derive(Serialize, Deserialize)]
struct EpochBody(SpaceId, Epoch, Vec<WrappedKey>);

const KIND_DEVICE_LINK: u16 = 1;
const KIND_PROFILE: u16 = 3;
const KIND_RELATIONSHIP: u16 = 4;
const KIND_SPACE_FOUNDING: u16 = 5;
const KIND_SPACE_GRANT: u16 = 6;
const KIND_SPACE_EPOCH: u16 = 8;

fn encode_claim(claim: &Claim) -> (u16, Vec<u8>) {
    match claim {
        Claim::DeviceLink { device, hpke, name, consent } => {
            let body = DeviceLinkBody(*device, *hpke, name.clone(), *consent);
            (KIND_DEVICE_LINK, cbor::encode(&body))
        }
        Claim::Profile { name } => (KIND_PROFILE, cbor::encode(&ProfileBody(name.clone()))),
        Claim::Relationship { with, layer } => {
            (KIND_RELATIONSHIP, cbor::encode(&RelationshipBody(*with, *layer)))
        }
        Claim::SpaceFounding { nonce, reach, label } => {
            let body = FoundingBody(*nonce, *reach, ByteBuf::from(label.clone()));
            (KIND_SPACE_FOUNDING, cbor::encode(&body))
        }
        Claim::SpaceGrant { space, member, role } => {
            (KIND_SPACE_GRANT, cbor::encode(&GrantBody(*space, *member, *role)))
        }
        Claim::SpaceEpoch { space, epoch, wraps } => {
            (KIND_SPACE_EPOCH, cbor::encode(&EpochBody(*space, *epoch, wraps.clone())))
        }
        Claim::Unknown { kind, body } => (*kind, body.clone()),
    }
}

fn decode_claim(issuer: AgentId, kind: u16, body: &[u8]) -> Result<Claim, AttestationError> {
    let claim = match kind {
        KIND_DEVICE_LINK => {
            let DeviceLinkBody(device, hpke, name, consent) = read_body(body)?;
            Verifier::new(&device.0)?.verify(Domain::DeviceLink, &issuer.0, &consent)?;
            Claim::DeviceLink { device, hpke, name: bounded(name)?, consent }
        }
        KIND_PROFILE => {
            let ProfileBody(name) = read_body(body)?;
            Claim::Profile { name: bounded(name)? }
        }
        KIND_RELATIONSHIP => {
            let RelationshipBody(with, layer) = read_body(body)?;
            Claim::Relationship { with, layer }
        }
        KIND_SPACE_FOUNDING => {
            let FoundingBody(nonce, reach, label) = read_body(body)?;
            if label.len() > LABEL_BYTES_MAX {
                return Err(AttestationError::Claim);
            }
            Claim::SpaceFounding { nonce, reach, label: label.into_vec() }
        }
        KIND_SPACE_GRANT => {
            let GrantBody(space, member, role) = read_body(body)?;
            Claim::SpaceGrant { space, member, role }
        }
        KIND_SPACE_EPOCH => {
            let EpochBody(space, epoch, wraps) = read_body(body)?;
            if wraps.len() > WRAPS_MAX || epoch < Epoch::FIRST {
                return Err(AttestationError::Claim);
            }
            Claim::SpaceEpoch { space, epoch, wraps }
        }
        kind => Claim::Unknown { kind, body: body.to_vec() },
    };
    Ok(claim)
}

fn read_body<T: Serialize + serde::de::DeserializeOwned>(
    body: &[u8],
) -> Result<T, AttestationError> {
    cbor::decode(body, ATTESTATION_BYTES_MAX).map_err(|_| AttestationError::Claim)
}

fn bounded(name: String) -> Result<String, AttestationError> {
    if name.len() <= NAME_BYTES_MAX { Ok(name) } else { Err(AttestationError::Claim) }
}

#[cfg(test)]
mod tests;
