//! Entries: sealed, signed units of a document's history.
//!
//! Bytes: `[header, body, signature]`, three byte strings in an array. The header
//! is the array `[2, space, document, kind, author, run, sequence, prev, deps, covers,
//! epoch, plain_bytes, body_hash, blobs]`; its BLAKE3 hash is the entry's id and the
//! signature covers it. `body_hash` is the BLAKE3 hash of the sealed body, whose
//! associated data are the header's fields before `plain_bytes`.
//!
//! Invariant: a [`VerifiedEntry`] exists only for bytes whose author signed them.

pub mod covers;
mod packed;

use std::collections::{BTreeMap, btree_map};

use self::{
    covers::{COVERS_BYTES_MAX, Covers, Run},
    packed::{pack, unpack},
};
use node_model::{
    BlobId, DeviceId, DocumentId, Entropy, EntryId, Epoch, SpaceId,
    cbor::{self, DecodeError},
    limit::{ENTRY_BLOBS_MAX, ENTRY_BODY_BYTES_MAX, ENTRY_DEPS_MAX, ENTRY_PLAIN_BYTES_MAX},
    seal::SealKey,
    sign::{BadSignature, Domain, Signature, Signer, Verifier},
};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};

/// Largest header: all fields, with as many deps, blobs and covered entries as are
/// allowed.
pub const HEADER_BYTES_MAX: usize =
    512 + (ENTRY_DEPS_MAX + ENTRY_BLOBS_MAX) * 34 + COVERS_BYTES_MAX;

/// Largest entry on the wire.
pub const ENTRY_BYTES_MAX: usize = HEADER_BYTES_MAX + ENTRY_BODY_BYTES_MAX + 128;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum EntryKind {
    /// One Automerge change.
    Change,
    /// Changes that the author sent before, each in an entry of its own: it stands for
    /// these entries.
    Bundle,
    /// Removes the document.
    Tombstone,
}

impl From<EntryKind> for u8 {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Change => 1,
            EntryKind::Bundle => 2,
            EntryKind::Tombstone => 3,
        }
    }
}

impl TryFrom<u8> for EntryKind {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        match code {
            1 => Ok(Self::Change),
            2 => Ok(Self::Bundle),
            3 => Ok(Self::Tombstone),
            _ => Err("unknown kind of entry"),
        }
    }
}

/// What everybody who carries an entry can see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The space that it belongs to.
    pub space: SpaceId,
    /// The document.
    pub document: DocumentId,
    /// What it is.
    pub kind: EntryKind,
    /// The device that wrote it.
    pub author: DeviceId,
    /// In which run of its node.
    pub run: Run,
    /// How many entries the author wrote in this space before.
    pub sequence: u64,
    /// The author's entry before this one in this space.
    pub prev: Option<EntryId>,
    /// The document's heads when it was written.
    pub deps: Vec<EntryId>,
    /// The author's entries of the same document that it stands for; of a bundle only.
    pub covers: Covers,
    /// Which key seals the body.
    pub epoch: Epoch,
    /// Length of the unsealed body in bytes.
    pub plain_bytes: u32,
    /// BLAKE3 hash of the sealed body.
    pub body_hash: [u8; 32],
    /// Blobs that the body refers to, so that a custodian without keys can keep
    /// them too.
    pub blobs: Vec<BlobId>,
}

const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct HeaderWire(
    u8,
    SpaceId,
    DocumentId,
    EntryKind,
    DeviceId,
    Run,
    u64,
    Option<EntryId>,
    Vec<EntryId>,
    Covers,
    Epoch,
    u32,
    #[serde(with = "serde_bytes")] [u8; 32],
    Vec<BlobId>,
);

#[derive(Serialize, Deserialize)]
struct EntryWire(ByteBuf, ByteBuf, Signature);

#[derive(Serialize)]
struct EntryWireRef<'a>(&'a Bytes, &'a Bytes, &'a Signature);

impl Header {
    fn encode(&self) -> Vec<u8> {
        cbor::encode(&HeaderWire(
            VERSION,
            self.space,
            self.document,
            self.kind,
            self.author,
            self.run,
            self.sequence,
            self.prev,
            self.deps.clone(),
            self.covers.clone(),
            self.epoch,
            self.plain_bytes,
            self.body_hash,
            self.blobs.clone(),
        ))
    }

    fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let wire: HeaderWire = cbor::decode(bytes, HEADER_BYTES_MAX)?;
        let HeaderWire(
            version,
            space,
            document,
            kind,
            author,
            run,
            sequence,
            prev,
            deps,
            covers,
            epoch,
            plain_bytes,
            body_hash,
            blobs,
        ) = wire;
        if version != VERSION {
            return Err(EntryError::OtherVersion(version));
        }
        let bounded = deps.len() <= ENTRY_DEPS_MAX
            && blobs.len() <= ENTRY_BLOBS_MAX
            && plain_bytes as usize <= ENTRY_PLAIN_BYTES_MAX;
        if !bounded {
            return Err(EntryError::OverLimit);
        }
        if covers.is_empty() == (kind == EntryKind::Bundle) {
            return Err(EntryError::Covers);
        }
        Ok(Self {
            space,
            document,
            kind,
            author,
            run,
            sequence,
            prev,
            deps,
            covers,
            epoch,
            plain_bytes,
            body_hash,
            blobs,
        })
    }

    /// Associated data of the sealed body: what it must not be moved from.
    fn binding(&self) -> Vec<u8> {
        cbor::encode(&(
            VERSION,
            self.space,
            self.document,
            self.kind,
            self.author,
            self.run,
            self.sequence,
            self.prev,
            &self.deps,
            &self.covers,
            self.epoch,
        ))
    }
}

/// Why bytes are no entry. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not the byte format.
    #[error("not an entry: {0}")]
    Decode(#[from] DecodeError),
    /// Another format.
    #[error("the entry has version {0} of the format, this node reads {VERSION}")]
    OtherVersion(u8),
    /// More of something than is allowed.
    #[error("the entry exceeds a limit")]
    OverLimit,
    /// A bundle that stands for nothing, or something else that stands for entries.
    #[error("only a bundle stands for other entries, and for at least one")]
    Covers,
    /// The body is not the one that the header names.
    #[error("the entry's body does not match its header")]
    Body,
    /// Not signed by its author.
    #[error("the entry's signature does not match")]
    Signature(#[from] BadSignature),
    /// The body does not open or unpack.
    #[error("the entry's body cannot be opened with the space's key")]
    Sealed,
}

/// An entry whose author's signature was checked, with the very bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEntry {
    id: EntryId,
    header: Header,
    bytes: Vec<u8>,
}

impl VerifiedEntry {
    /// Reads and verifies an entry from outside.
    ///
    /// # Errors
    /// [`EntryError`]; at most [`ENTRY_BYTES_MAX`] bytes are looked at.
    pub fn read(bytes: Vec<u8>) -> Result<Self, EntryError> {
        read_with(bytes, &mut BTreeMap::new())
    }

    /// Takes bytes that this node verified before it stored them.
    ///
    /// # Errors
    /// [`EntryError`] when the storage changed them.
    pub fn from_storage(bytes: Vec<u8>) -> Result<Self, EntryError> {
        let (id, header, _) = parse(&bytes)?;
        Ok(Self { id, header, bytes })
    }

    /// BLAKE3 hash of the header.
    #[must_use]
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The clear part.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether this bundle stands for `other`, which its author wrote before it.
    #[must_use]
    pub fn covers(&self, other: &Header) -> bool {
        let own = &self.header;
        (own.author, own.document) == (other.author, other.document)
            && other.sequence < own.sequence
            && own.covers.contain(other.run, other.sequence)
    }

    /// The bytes to store and to pass on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens the body.
    ///
    /// # Errors
    /// [`EntryError::Sealed`] with another key, [`EntryError::OverLimit`] when it
    /// would unpack to more than its header says.
    pub fn open(&self, key: &SealKey) -> Result<Vec<u8>, EntryError> {
        let wire: EntryWire = cbor::decode(&self.bytes, ENTRY_BYTES_MAX)?;
        let packed = key.open(&self.header.binding(), &wire.1).map_err(|_| EntryError::Sealed)?;
        unpack(&packed, self.header.plain_bytes as usize)
    }
}

/// Reads and verifies a batch; a verifier is made once for each author.
#[must_use]
pub fn read_batch(batch: Vec<Vec<u8>>) -> Vec<Result<VerifiedEntry, EntryError>> {
    let mut verifiers = BTreeMap::new();
    batch.into_iter().map(|bytes| read_with(bytes, &mut verifiers)).collect()
}

fn read_with(
    bytes: Vec<u8>,
    verifiers: &mut BTreeMap<DeviceId, Verifier>,
) -> Result<VerifiedEntry, EntryError> {
    let (id, header, signature) = parse(&bytes)?;
    let verifier = match verifiers.entry(header.author) {
        btree_map::Entry::Occupied(known) => known.into_mut(),
        btree_map::Entry::Vacant(new) => new.insert(Verifier::new(&header.author.0)?),
    };
    verifier.verify(Domain::Entry, &id.0, &signature)?;
    Ok(VerifiedEntry { id, header, bytes })
}

fn parse(bytes: &[u8]) -> Result<(EntryId, Header, Signature), EntryError> {
    let EntryWire(header_bytes, body, signature) = cbor::decode(bytes, ENTRY_BYTES_MAX)?;
    let header = Header::decode(&header_bytes)?;
    if body.len() > ENTRY_BODY_BYTES_MAX {
        return Err(EntryError::OverLimit);
    }
    if *blake3::hash(&body).as_bytes() != header.body_hash {
        return Err(EntryError::Body);
    }
    Ok((EntryId(*blake3::hash(&header_bytes).as_bytes()), header, signature))
}

/// What a writer decides about a new entry.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The space.
    pub space: SpaceId,
    /// The document.
    pub document: DocumentId,
    /// What it is.
    pub kind: EntryKind,
    /// The run of this node.
    pub run: Run,
    /// How many entries this device wrote in the space before.
    pub sequence: u64,
    /// The last of them.
    pub prev: Option<EntryId>,
    /// The document's heads.
    pub deps: Vec<EntryId>,
    /// What a bundle stands for.
    pub covers: Covers,
    /// Blobs that the body refers to.
    pub blobs: Vec<BlobId>,
}

impl Draft {
    /// Packs, seals and signs `plain`.
    ///
    /// # Errors
    /// [`EntryError::OverLimit`].
    pub fn seal(
        self,
        entropy: &mut Entropy,
        signer: &Signer,
        (epoch, key): (Epoch, &SealKey),
        plain: &[u8],
    ) -> Result<VerifiedEntry, EntryError> {
        let over = plain.len() > ENTRY_PLAIN_BYTES_MAX
            || self.deps.len() > ENTRY_DEPS_MAX
            || self.blobs.len() > ENTRY_BLOBS_MAX;
        if over {
            return Err(EntryError::OverLimit);
        }
        let mut header = Header {
            space: self.space,
            document: self.document,
            kind: self.kind,
            author: signer.device(),
            run: self.run,
            sequence: self.sequence,
            prev: self.prev,
            deps: self.deps,
            covers: self.covers,
            epoch,
            plain_bytes: u32::try_from(plain.len()).map_err(|_| EntryError::OverLimit)?,
            body_hash: [0; 32],
            blobs: self.blobs,
        };
        let body = key.seal(entropy, &header.binding(), &pack(plain));
        header.body_hash = *blake3::hash(&body).as_bytes();
        let header_bytes = header.encode();
        let id = EntryId(*blake3::hash(&header_bytes).as_bytes());
        let signature = signer.sign(Domain::Entry, &id.0);
        let wire = EntryWireRef(Bytes::new(&header_bytes), Bytes::new(&body), &signature);
        Ok(VerifiedEntry { id, header, bytes: cbor::encode(&wire) })
    }
}

#[cfg(test)]
mod tests;
