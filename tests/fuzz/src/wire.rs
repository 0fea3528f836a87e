//! Signed, sealed and checked envelopes around arbitrary bytes: the formats written down a second
//! time, so that a target reaches what stands behind a check.

use node_model::{
    DocumentId, Epoch, SpaceId, Timestamp, cbor,
    seal::SealKey,
    sign::{Domain, Signer},
};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};

use crate::mutate::leb128;

pub(crate) const SPACE: SpaceId = SpaceId([1; 32]);
pub(crate) const DOCUMENT: DocumentId = DocumentId([2; 16]);

pub(crate) fn key() -> SealKey {
    SealKey::from_bytes([3; 32])
}

pub(crate) fn device() -> Signer {
    Signer::from_secret(&[4; 32])
}

pub(crate) fn root() -> Signer {
    Signer::from_secret(&[5; 32])
}

/// `[envelope, signature]` over any envelope.
pub(crate) fn signed_envelope(envelope: &[u8]) -> Vec<u8> {
    let signature = root().sign(Domain::Attestation, envelope);
    cbor::encode(&(ByteBuf::from(envelope), signature))
}

/// An attestation of any kind, scope and body.
pub(crate) fn signed_claim(kind: u16, scope: &[u8; 32], body: &[u8]) -> Vec<u8> {
    let none: Option<u8> = None;
    let envelope = cbor::encode(&(
        1_u8,
        root().agent(),
        root().device(),
        kind,
        ByteBuf::from(scope),
        ByteBuf::from(body),
        1_u64,
        Timestamp(5),
        none,
        none,
    ));
    signed_envelope(&envelope)
}

/// An entry whose sealed body unpacks to any bytes.
pub(crate) fn sealed_entry(plain_bytes: u32, packed: &[u8]) -> Vec<u8> {
    let none: Option<u8> = None;
    let no_ids: [[u8; 0]; 0] = [];
    let (version, kind, sequence) = (1_u8, 1_u8, 0_u64);
    let author = device().device();
    let binding =
        cbor::encode(&(version, SPACE, DOCUMENT, kind, author, sequence, none, no_ids, Epoch(1)));
    let body = key().seal_synthetic(&binding, packed);
    let header = cbor::encode(&(
        version,
        SPACE,
        DOCUMENT,
        kind,
        author,
        sequence,
        none,
        no_ids,
        Epoch(1),
        plain_bytes,
        ByteBuf::from(*blake3::hash(&body).as_bytes()),
        no_ids,
    ));
    signed_entry(&header, &body)
}

/// `[header, body, signature]` over any header.
pub(crate) fn signed_entry(header: &[u8], body: &[u8]) -> Vec<u8> {
    let signature = device().sign(Domain::Entry, blake3::hash(header).as_bytes());
    cbor::encode(&(ByteBuf::from(header), ByteBuf::from(body), signature))
}

/// The header of a sealed blob around any info.
pub(crate) fn blob_header(secret: &SealKey, info: &[u8]) -> Vec<u8> {
    let sealed = secret.derive("kith 2026-11 blob info key", &[]).seal_synthetic(b"KBL1", info);
    [&b"KBL1"[..], &sealed].concat()
}

/// A ticket's text around any body.
pub(crate) fn ticket(body: &[u8]) -> String {
    let checksum = blake3::hash(body);
    let bytes = [body, &checksum.as_bytes()[..4]].concat();
    format!("kith1{}", data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
}

/// First bytes of an Automerge chunk.
const CHUNK_MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];

/// An Automerge chunk of a type around any contents (binary format, section "Chunk").
pub(crate) fn chunk(kind: u8, contents: &[u8]) -> Vec<u8> {
    let length = leb128(contents.len() as u64);
    let covered = [&[kind][..], &length, contents].concat();
    let checksum = Sha256::digest(&covered);
    [&CHUNK_MAGIC[..], &checksum[..4], &covered].concat()
}

/// The contents of a chunk.
pub(crate) fn contents(chunk: &[u8]) -> Vec<u8> {
    let length = chunk[9..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    chunk[9 + length..].to_vec()
}
