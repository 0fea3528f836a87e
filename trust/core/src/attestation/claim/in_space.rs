//! The bodies of claims that are about a space.

use node_model::{
    AttestationId, DeviceId, DocumentId, EntryId, Epoch, SpaceId, Timestamp, cbor::at_most,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{
    AFTER_MAX, Body, Claim, KIND_DOCUMENT_PURGE, KIND_LOCATION, KIND_SPACE_EPOCH,
    KIND_SPACE_FOUNDING, KIND_SPACE_GRANT, KIND_SPACE_REVOCATION, KIND_WITNESS_RECEIPT,
    LABEL_BYTES_MAX, LOSSES_MAX, PINS_MAX, PURGED_MAX, WORD_BYTES_MAX, WRAPS_MAX,
    body::{bounded, bounded_bytes},
};
use crate::{
    attestation::{AttestationError, EntryPin, Party},
    keyring::{KeyId, WrappedKey},
    words::{Reach, Role},
};

#[derive(Serialize, Deserialize)]
pub(super) struct FoundingBody(
    #[serde(with = "serde_bytes")] pub(super) [u8; 16],
    pub(super) Reach,
    pub(super) ByteBuf,
    pub(super) bool,
);
#[derive(Serialize, Deserialize)]
pub(super) struct GrantBody(
    pub(super) SpaceId,
    pub(super) Party,
    pub(super) Role,
    #[serde(deserialize_with = "at_most::<AFTER_MAX, _, _>")] pub(super) Vec<AttestationId>,
);
#[derive(Serialize, Deserialize)]
pub(super) struct RevocationBody(
    pub(super) SpaceId,
    pub(super) Party,
    #[serde(deserialize_with = "at_most::<PINS_MAX, _, _>")] pub(super) Vec<EntryPin>,
    #[serde(deserialize_with = "at_most::<AFTER_MAX, _, _>")] pub(super) Vec<AttestationId>,
);
#[derive(Serialize, Deserialize)]
pub(super) struct EpochBody(
    pub(super) SpaceId,
    pub(super) Epoch,
    pub(super) KeyId,
    pub(super) bool,
    #[serde(deserialize_with = "at_most::<WRAPS_MAX, _, _>")] pub(super) Vec<WrappedKey>,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "at_most::<LOSSES_MAX, _, _>"
    )]
    pub(super) Vec<AttestationId>,
);
#[derive(Serialize, Deserialize)]
pub(super) struct LocationBody(
    pub(super) SpaceId,
    pub(super) String,
    pub(super) DeviceId,
    pub(super) u64,
);
#[derive(Serialize, Deserialize)]
pub(super) struct WitnessReceiptBody(pub(super) SpaceId, pub(super) EntryId, pub(super) Timestamp);
#[derive(Serialize, Deserialize)]
pub(super) struct PurgeBody(
    pub(super) SpaceId,
    #[serde(deserialize_with = "at_most::<PURGED_MAX, _, _>")] pub(super) Vec<DocumentId>,
    #[serde(deserialize_with = "at_most::<AFTER_MAX, _, _>")] pub(super) Vec<AttestationId>,
);

/// The claim in a body of one of these kinds; `None` for other kinds.
pub(super) fn decode(kind: u16, body: Body<'_>) -> Result<Option<Claim>, AttestationError> {
    let claim = match kind {
        KIND_SPACE_FOUNDING => {
            let FoundingBody(nonce, reach, label, has_open_history) = body.read()?;
            let label = bounded_bytes(label, LABEL_BYTES_MAX)?;
            Claim::SpaceFounding { nonce, reach, label, has_open_history }
        }
        KIND_SPACE_GRANT => {
            let GrantBody(space, party, role, after) = body.read()?;
            Claim::SpaceGrant { space, party, role, after }
        }
        KIND_SPACE_REVOCATION => {
            let RevocationBody(space, party, pins, after) = body.read()?;
            Claim::SpaceRevocation { space, party, pins, after }
        }
        KIND_SPACE_EPOCH => {
            let EpochBody(space, epoch, key, is_new, wraps, after) = body.read()?;
            if epoch < Epoch::FIRST {
                return Err(AttestationError::Claim);
            }
            Claim::SpaceEpoch { space, epoch, key, is_new, wraps, after }
        }
        KIND_LOCATION => {
            let LocationBody(space, collection, device, bytes) = body.read()?;
            let collection = bounded(collection, WORD_BYTES_MAX)?;
            Claim::Location { space, collection, device, bytes }
        }
        KIND_WITNESS_RECEIPT => {
            let WitnessReceiptBody(space, entry, accepted_at) = body.read()?;
            Claim::WitnessReceipt { space, entry, accepted_at }
        }
        KIND_DOCUMENT_PURGE => {
            let PurgeBody(space, documents, after) = body.read()?;
            if documents.is_empty() {
                return Err(AttestationError::Claim);
            }
            Claim::DocumentPurge { space, documents, after }
        }
        _ => return Ok(None),
    };
    Ok(Some(claim))
}

impl Claim {
    /// What the issuer of a statement about a space knew of it: without all of that it does
    /// not count, and keys are handed to nobody. Other statements name nothing.
    #[must_use]
    pub fn after(&self) -> &[AttestationId] {
        match self {
            Self::SpaceGrant { after, .. }
            | Self::SpaceRevocation { after, .. }
            | Self::SpaceEpoch { after, .. }
            | Self::DocumentPurge { after, .. } => after,
            Self::DeviceLink { .. }
            | Self::DeviceRevocation { .. }
            | Self::Profile { .. }
            | Self::Relationship { .. }
            | Self::Vouch { .. }
            | Self::EconomicEvent { .. }
            | Self::SpaceFounding { .. }
            | Self::Custody { .. }
            | Self::Location { .. }
            | Self::RecoveryShare { .. }
            | Self::WitnessReceipt { .. }
            | Self::DeviceDescription { .. }
            | Self::Unknown { .. } => &[],
        }
    }
}
