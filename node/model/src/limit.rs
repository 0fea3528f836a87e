//! Bounds that several planes share. A bound that only one machine needs stands
//! beside that machine.

/// Largest sealed body of one entry, in bytes: the 10 MB of a document
/// (features D42) and its seal, with a little room for compression that fails.
pub const ENTRY_BODY_BYTES_MAX: usize = 10 * 1024 * 1024 + 64 * 1024;

/// Largest plaintext that one entry body may unpack to.
pub const ENTRY_PLAIN_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Most parents that an entry names. Automerge merges many heads into one
/// change; beyond this a writer merges in two steps.
pub const ENTRY_DEPS_MAX: usize = 1_024;

/// Most blobs that one entry refers to: 32 KiB of header.
pub const ENTRY_BLOBS_MAX: usize = 1_024;

/// Largest frame on a lane, in bytes (features D42: responses up to 64 MB; a
/// frame must hold one largest entry and a page of small ones).
pub const FRAME_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Largest attestation, in bytes (features T48).
pub const ATTESTATION_BYTES_MAX: usize = 1_024;

/// Largest blob, in bytes: 1 TiB keeps chunk counts within 32 bits.
pub const BLOB_BYTES_MAX: u64 = 1 << 40;

/// Longest name or title that we keep, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
