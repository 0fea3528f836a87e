//! Bodies of claims, read within their bounds.

use node_model::{
    cbor::{self, Origin},
    limit::ATTESTATION_BYTES_MAX,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

use crate::attestation::AttestationError;

/// The body of a claim, before its kind says what it is.
#[derive(Clone, Copy)]
pub(in crate::attestation) struct Body<'a> {
    pub(in crate::attestation) origin: Origin,
    pub(in crate::attestation) bytes: &'a [u8],
}

impl Body<'_> {
    pub(super) fn read<T: Serialize + DeserializeOwned>(self) -> Result<T, AttestationError> {
        cbor::decode_from(self.origin, self.bytes, ATTESTATION_BYTES_MAX)
            .map_err(|_| AttestationError::Claim)
    }
}

pub(super) fn bounded(text: String, bytes_max: usize) -> Result<String, AttestationError> {
    if text.len() <= bytes_max { Ok(text) } else { Err(AttestationError::Claim) }
}

pub(super) fn bounded_bytes(bytes: ByteBuf, bytes_max: usize) -> Result<Vec<u8>, AttestationError> {
    if bytes.len() <= bytes_max { Ok(bytes.into_vec()) } else { Err(AttestationError::Claim) }
}
