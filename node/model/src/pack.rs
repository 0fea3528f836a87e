//! Packs: everything of a space in one sealed file, for places without a network.
//!
//! Bytes: `"KITHPACK" ‖ version (u16) ‖ header length (u32) ‖ header ‖ frames`; a frame is
//! `length (u32) ‖ sealed`. The header holds the pack's key, sealed to each device that may
//! open it, in slots that do not say whose they are. Frames are sealed with a key below it
//! that is bound to all bytes before the first frame, each to its place; the last frame says
//! that it is the last. So what was changed, moved, dropped or cut off is noticed.
//!
//! Invariant: a [`Frame`] comes out of an [`Opener`] only in the order that it was sealed in.
//! Non-goals: files, and who holds which key (`trust-core`).

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    BlobId, Entropy, SpaceId, cbor,
    limit::FRAME_BYTES_MAX,
    seal::{OVERHEAD_BYTES, SealKey},
};

const MAGIC: &[u8; 8] = b"KITHPACK";

/// The version that this program writes and reads.
pub const VERSION: u16 = 1;

/// Bytes before the header: magic, version, length.
pub const PREAMBLE_BYTES: usize = 14;

/// A slot: the pack's key, encrypted to one device (HPKE: 32 bytes of key, 32 of content, a
/// tag of 16).
pub const SLOT_BYTES: usize = 80;

/// Most slots. A reader tries them one by one, some 50 µs each; devices beyond that open the
/// pack with the space's key.
pub const SLOTS_MAX: usize = 4_096;

/// The pack's key, sealed with a key of the space.
pub const SHARED_BYTES: usize = 32 + OVERHEAD_BYTES;

/// Largest header: all slots, and what stands beside them.
pub const HEADER_BYTES_MAX: usize = SLOTS_MAX * SLOT_BYTES + SHARED_BYTES + 64;

/// Most attestations in a frame: half a megabyte.
pub const ATTESTATIONS_PER_FRAME_MAX: usize = 512;

/// Most entries in a frame, as in a page of reconciliation.
pub const ENTRIES_PER_FRAME_MAX: usize = 1_024;

/// Bytes of entries at which a frame is full; one entry more still fits below the limit.
pub const ENTRIES_BYTES_FULL: usize = 1024 * 1024;

/// Most bytes of ids in each list of a frame: a megabyte.
pub const IDS_BYTES_MAX: usize = 32 * 32_768;

/// Most bytes of a blob in a frame: enough that sealing, not counting, takes the time.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;

const FRAMES: &str = "kith 2026-11 pack frames";

/// Why bytes are no pack, or no frame of one. Nothing of the frame was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Something else.
    #[error("this file is not a pack")]
    NotAPack,
    /// A later format.
    #[error("the pack has version {found}, this program reads up to {VERSION}; update kith")]
    Newer {
        /// Its version.
        found: u16,
    },
    /// Changed, out of place, or cut off.
    #[error("the pack is damaged or cut off")]
    Damaged,
}

/// What everybody who finds a pack can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The space.
    pub space: SpaceId,
    /// The pack's key for each device, in no order that tells anything.
    pub slots: Vec<[u8; SLOT_BYTES]>,
    /// The pack's key for those who hold the space's; `None` when a custodian made it.
    pub shared: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct HeaderWire(SpaceId, ByteBuf, Option<ByteBuf>);

impl Header {
    /// All bytes before the first frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let shared = self.shared.clone().map(ByteBuf::from);
        let wire = cbor::encode(&HeaderWire(self.space, self.slots.concat().into(), shared));
        let len = u32::try_from(wire.len()).expect("slots and lengths are bounded");
        [&MAGIC[..], &VERSION.to_be_bytes(), &len.to_be_bytes(), &wire].concat()
    }

    /// Length of the header behind this preamble.
    ///
    /// # Errors
    /// [`PackError`]; the length is at most [`HEADER_BYTES_MAX`].
    pub fn bytes_behind(preamble: &[u8; PREAMBLE_BYTES]) -> Result<usize, PackError> {
        let rest = preamble.strip_prefix(MAGIC).ok_or(PackError::NotAPack)?;
        let (version, len) = rest.split_first_chunk().ok_or(PackError::NotAPack)?;
        let found = u16::from_be_bytes(*version);
        if found > VERSION {
            return Err(PackError::Newer { found });
        }
        let len = u32::from_be_bytes(len.try_into().map_err(|_| PackError::NotAPack)?);
        let len = usize::try_from(len).map_err(|_| PackError::Damaged)?;
        let is_good = found == VERSION && len <= HEADER_BYTES_MAX;
        if is_good { Ok(len) } else { Err(PackError::Damaged) }
    }

    /// Reads the header behind a preamble.
    ///
    /// # Errors
    /// [`PackError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PackError> {
        let HeaderWire(space, slots, shared) =
            cbor::decode(bytes, HEADER_BYTES_MAX).map_err(|_| PackError::Damaged)?;
        let (slots, rest) = slots.as_chunks::<SLOT_BYTES>();
        let is_shared_good = shared.as_ref().is_none_or(|shared| shared.len() == SHARED_BYTES);
        if !rest.is_empty() || slots.len() > SLOTS_MAX || !is_shared_good {
            return Err(PackError::Damaged);
        }
        Ok(Self { space, slots: slots.to_vec(), shared: shared.map(ByteBuf::into_vec) })
    }
}

/// A part of a pack. They come in the order of the variants; each blob is followed by its pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Who is who in the space and who may do what.
    Attestations {
        /// Their bytes.
        #[serde(deserialize_with = "cbor::at_most::<ATTESTATIONS_PER_FRAME_MAX, _, _>")]
        attestations: Vec<ByteBuf>,
    },
    /// Entries, in their order of arrival at the maker.
    Entries {
        /// Their bytes.
        #[serde(deserialize_with = "cbor::at_most::<ENTRIES_PER_FRAME_MAX, _, _>")]
        entries: Vec<ByteBuf>,
    },
    /// What whoever took in this pack and all that it builds on has; for `--since`.
    Covered {
        /// Ids of 32 bytes each.
        attestations: ByteBuf,
        /// Ids of 32 bytes each.
        entries: ByteBuf,
        /// Ids of 32 bytes each.
        blobs: ByteBuf,
    },
    /// A blob begins.
    Blob {
        /// Which.
        blob: BlobId,
    },
    /// Bytes of the blob.
    Piece {
        /// The next ones of its transfer form, at most [`PIECE_BYTES_MAX`].
        bytes: ByteBuf,
    },
    /// Nothing follows.
    End {
        /// Attestations in the pack.
        attestations: u64,
        /// Entries in it.
        entries: u64,
        /// Blobs in it.
        blobs: u64,
    },
}

impl Frame {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`PackError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PackError> {
        let frame = cbor::decode(bytes, FRAME_BYTES_MAX).map_err(|_| PackError::Damaged)?;
        let is_good = match &frame {
            Self::Covered { attestations, entries, blobs } => [attestations, entries, blobs]
                .iter()
                .all(|ids| ids.len() <= IDS_BYTES_MAX && ids.len().is_multiple_of(32)),
            Self::Piece { bytes } => bytes.len() <= PIECE_BYTES_MAX,
            Self::Attestations { .. }
            | Self::Entries { .. }
            | Self::Blob { .. }
            | Self::End { .. } => true,
        };
        if is_good { Ok(frame) } else { Err(PackError::Damaged) }
    }

    fn phase(&self) -> Phase {
        match self {
            Self::Attestations { .. } => Phase::Attestations,
            Self::Entries { .. } => Phase::Entries,
            Self::Covered { .. } => Phase::Covered,
            Self::Blob { .. } | Self::Piece { .. } => Phase::Blobs,
            Self::End { .. } => Phase::End,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Attestations,
    Entries,
    Covered,
    Blobs,
    End,
}

/// Seals the frames of one pack, in order.
pub struct Sealer {
    key: SealKey,
    place: u64,
}

impl Sealer {
    /// Begins behind `header`, all bytes before the first frame.
    #[must_use]
    pub fn new(key: &SealKey, header: &[u8]) -> Self {
        Self { key: key.derive(FRAMES, header), place: 0 }
    }

    /// The bytes of the next frame.
    pub fn seal(&mut self, entropy: &mut Entropy, frame: &Frame) -> Vec<u8> {
        let sealed = self.key.seal(entropy, &self.place.to_be_bytes(), &frame.encode());
        self.place += 1;
        let len = u32::try_from(sealed.len()).expect("what goes into a frame is bounded");
        [&len.to_be_bytes()[..], &sealed].concat()
    }
}

/// Opens the frames of one pack, in order.
pub struct Opener {
    key: SealKey,
    place: u64,
    phase: Phase,
}

impl Opener {
    /// Begins behind `header`, all bytes before the first frame.
    #[must_use]
    pub fn new(key: &SealKey, header: &[u8]) -> Self {
        Self { key: key.derive(FRAMES, header), place: 0, phase: Phase::Attestations }
    }

    /// How many sealed bytes follow this length.
    ///
    /// # Errors
    /// [`PackError::Damaged`] when they are more than a frame may have.
    pub fn bytes_behind(length: [u8; 4]) -> Result<usize, PackError> {
        let len = usize::try_from(u32::from_be_bytes(length)).map_err(|_| PackError::Damaged)?;
        let is_possible = (OVERHEAD_BYTES..=FRAME_BYTES_MAX + OVERHEAD_BYTES).contains(&len);
        if is_possible { Ok(len) } else { Err(PackError::Damaged) }
    }

    /// Opens the next frame.
    ///
    /// # Errors
    /// [`PackError::Damaged`] when it is not the next one as it was sealed.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Frame, PackError> {
        let plain = self.key.open(&self.place.to_be_bytes(), sealed);
        let frame = Frame::decode(&plain.map_err(|_| PackError::Damaged)?)?;
        let is_homeless = matches!(frame, Frame::Piece { .. }) && self.phase != Phase::Blobs;
        if is_homeless || frame.phase() < self.phase || self.phase == Phase::End {
            return Err(PackError::Damaged);
        }
        self.phase = frame.phase();
        self.place += 1;
        Ok(frame)
    }

    /// Whether the last frame was opened.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.phase == Phase::End
    }
}

#[cfg(test)]
mod tests;
