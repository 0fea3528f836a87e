//! Attestations: signed claims by an agent, in deterministic CBOR.
//!
//! Bytes: `[envelope, signature]`, both byte strings. The envelope is the array
//! `[1, issuer, signer, kind, scope, body, height, issued_at, expires_at, prev]`;
//! its BLAKE3 hash is the attestation's id. `signer` is the issuer's root key or a
//! device that the issuer linked. `prev` chains what one signer said in one
//! [scope](Scope), so a withheld or forked history shows
//! ([`history`](crate::history)). `height` is one more than the largest of the
//! issuer's that the signer knew (a Lamport clock): of two statements about the
//! same matter the higher one holds, whatever the clocks said.

mod claim;
mod parts;

use node_model::{
    AgentId, AttestationId, DeviceId, Timestamp,
    cbor::{self, DecodeError, Origin},
    limit::ATTESTATION_BYTES_MAX,
    sign::{BadSignature, Domain, Signature, Signer, Verifier},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use self::claim::Body;
pub use self::{
    claim::{AFTER_MAX, Claim, LOSSES_MAX, PINS_MAX, PURGED_MAX, WRAPS_MAX},
    parts::{DevicePin, EntryPin, Party, Prefix, Scope, Terms},
};

/// What a signer says, before it is signed.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What.
    pub claim: Claim,
    /// One more than the largest height of the issuer's that is known.
    pub height: u64,
    /// What the signer said before in the claim's scope.
    pub prev: Option<AttestationId>,
    /// When.
    pub issued_at: Timestamp,
    /// From when on it says nothing any more.
    pub expires_at: Option<Timestamp>,
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
    /// In which chain of the signer it stands.
    pub scope: Scope,
    /// What it says.
    pub claim: Claim,
    /// Its place among the issuer's statements.
    pub height: u64,
    /// When, by the signer's clock; for people only.
    pub issued_at: Timestamp,
    /// From when on it says nothing any more.
    pub expires_at: Option<Timestamp>,
    /// What the same signer said before in this scope.
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
    /// A known kind with an impossible body, in a scope that is not its own, or with an
    /// end that it must not have.
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
    Scope,
    ByteBuf,
    u64,
    Timestamp,
    Option<Timestamp>,
    Option<AttestationId>,
);

impl Attestation {
    /// Signs a statement in the name of `issuer`.
    #[must_use]
    pub fn issue(signer: &Signer, issuer: AgentId, statement: Statement) -> Self {
        let Statement { claim, height, prev, issued_at, expires_at } = statement;
        let (kind, body) = claim.encode();
        let scope = claim.scope(issuer);
        let envelope = cbor::encode(&Envelope(
            VERSION,
            issuer,
            signer.device(),
            kind,
            scope,
            ByteBuf::from(body),
            height,
            issued_at,
            expires_at,
            prev,
        ));
        let id = AttestationId(*blake3::hash(&envelope).as_bytes());
        let signature = signer.sign(Domain::Attestation, &envelope);
        let bytes = cbor::encode(&Wire(ByteBuf::from(envelope), signature));
        let signer = signer.device();
        Self { id, issuer, signer, scope, claim, height, issued_at, expires_at, prev, bytes }
    }

    /// Reads and checks an attestation from outside.
    ///
    /// # Errors
    /// [`AttestationError`]; at most [`ATTESTATION_BYTES_MAX`] bytes are looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, AttestationError> {
        let (attestation, envelope, signature) = parse(Origin::Outside, bytes)?;
        let verifier = Verifier::new(&attestation.signer.0)?;
        verifier.verify(Domain::Attestation, &envelope, &signature)?;
        attestation.claim.verify(attestation.issuer)?;
        Ok(attestation)
    }

    /// Takes bytes that this node checked before it stored them, sealed.
    ///
    /// # Errors
    /// [`AttestationError`] when the storage changed them.
    pub fn from_storage(bytes: &[u8]) -> Result<Self, AttestationError> {
        parse(Origin::OwnStorage, bytes).map(|(attestation, _, _)| attestation)
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
        !self.claim.may_expire() || self.expires_at.is_none_or(|end| now < end)
    }
}

fn parse(
    origin: Origin,
    bytes: &[u8],
) -> Result<(Attestation, ByteBuf, Signature), AttestationError> {
    let Wire(envelope, signature) = cbor::decode_from(origin, bytes, ATTESTATION_BYTES_MAX)?;
    let Envelope(version, issuer, signer, kind, scope, body, height, issued_at, expires_at, prev) =
        cbor::decode_from(origin, &envelope, ATTESTATION_BYTES_MAX)?;
    let claim = if version == VERSION {
        Claim::decode(issuer, scope, kind, Body { origin, bytes: &body })?
    } else {
        Claim::Unknown { kind, scope, body: body.into_vec() }
    };
    let is_chained_founding = matches!(claim, Claim::SpaceFounding { .. }) && prev.is_some();
    if is_chained_founding || (expires_at.is_some() && !claim.may_expire()) {
        return Err(AttestationError::Claim);
    }
    let id = AttestationId(*blake3::hash(&envelope).as_bytes());
    let bytes = bytes.to_vec();
    let attestation = Attestation {
        id,
        issuer,
        signer,
        scope,
        claim,
        height,
        issued_at,
        expires_at,
        prev,
        bytes,
    };
    Ok((attestation, envelope, signature))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
