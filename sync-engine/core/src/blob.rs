//! Sealed blobs: what a file becomes before it leaves a person's hands.
//!
//! Bytes: `"KBL1" ‖ sealed info (84) ‖ chunks`. The info is the plaintext's
//! BLAKE3 hash and length, sealed with a key below the space's blob secret; the
//! blob's own key derives from that secret and the hash, so the same file is
//! stored once in a space and nobody outside can confirm a guess. Chunks are
//! 64 KiB of plaintext each, sealed with XChaCha20-Poly1305 under the nonce
//! `index ‖ is_last ‖ 0…` (the STREAM construction of Hoang, Reyhanitabar,
//! Rogaway and Vizár, 2015), so any range opens without the rest.

use chacha20poly1305::{KeyInit, XChaCha20Poly1305, aead::AeadInOut};
use node_model::{
    cbor,
    limit::BLOB_BYTES_MAX,
    seal::{OVERHEAD_BYTES, SealKey},
};
use serde::{Deserialize, Serialize};

/// Plaintext bytes of a chunk.
pub const CHUNK_BYTES: usize = 64 * 1024;

const TAG_BYTES: usize = 16;
const MAGIC: &[u8; 4] = b"KBL1";

/// CBOR of `[hash, length]` with the length as 8 bytes: always the same size.
const INFO_BYTES: usize = 1 + 34 + 9;

/// Bytes before the first chunk.
pub const HEADER_BYTES: usize = MAGIC.len() + INFO_BYTES + OVERHEAD_BYTES;

/// Why a blob cannot be read. Nothing was shown of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Not a sealed blob, or sealed for another space.
    #[error("this blob does not belong to this space, or is damaged")]
    Foreign,
    /// A part was changed.
    #[error("this blob is damaged")]
    Damaged,
    /// Larger than a blob may be.
    #[error("larger than the {BLOB_BYTES_MAX} bytes that a blob may have")]
    TooLarge,
}

/// What a blob's header says to those who hold the space's blob secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// BLAKE3 hash of the plaintext.
    pub plain_hash: [u8; 32],
    /// Length of the plaintext in bytes.
    pub plain_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct InfoWire(#[serde(with = "serde_bytes")] [u8; 32], #[serde(with = "serde_bytes")] [u8; 8]);

/// Length of the sealed form of `plain_bytes` bytes.
#[must_use]
pub fn sealed_bytes(plain_bytes: u64) -> u64 {
    HEADER_BYTES as u64 + plain_bytes + chunk_count(plain_bytes) * TAG_BYTES as u64
}

/// An empty blob has one empty chunk, so that its end is authenticated too.
fn chunk_count(plain_bytes: u64) -> u64 {
    plain_bytes.div_ceil(CHUNK_BYTES as u64).max(1)
}

/// Seals and opens the chunks of one blob.
pub struct BlobCipher {
    cipher: XChaCha20Poly1305,
    info: BlobInfo,
}

impl BlobCipher {
    /// Starts sealing a plaintext whose hash and length are known; returns the
    /// header to put before the chunks.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`].
    pub fn seal(secret: &SealKey, info: BlobInfo) -> Result<(Self, Vec<u8>), BlobError> {
        if info.plain_bytes > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge);
        }
        let wire = InfoWire(info.plain_hash, info.plain_bytes.to_be_bytes());
        let sealed = info_key(secret).seal_synthetic(MAGIC, &cbor::encode(&wire));
        Ok((Self::new(secret, info), [&MAGIC[..], &sealed].concat()))
    }

    /// Reads a blob's header.
    ///
    /// # Errors
    /// [`BlobError::Foreign`].
    pub fn open(secret: &SealKey, header: &[u8]) -> Result<Self, BlobError> {
        let sealed = header
            .get(..HEADER_BYTES)
            .and_then(|header| header.strip_prefix(MAGIC))
            .ok_or(BlobError::Foreign)?;
        let plain = info_key(secret).open(MAGIC, sealed).map_err(|_| BlobError::Foreign)?;
        let InfoWire(plain_hash, plain_bytes) =
            cbor::decode(&plain, INFO_BYTES).map_err(|_| BlobError::Foreign)?;
        let plain_bytes = u64::from_be_bytes(plain_bytes);
        if plain_bytes > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge);
        }
        Ok(Self::new(secret, BlobInfo { plain_hash, plain_bytes }))
    }

    fn new(secret: &SealKey, info: BlobInfo) -> Self {
        let key = secret.derive("kith 2026-11 blob key", &info.plain_hash);
        Self { cipher: XChaCha20Poly1305::new(&(*key.expose()).into()), info }
    }

    /// Hash and length of the plaintext.
    #[must_use]
    pub fn info(&self) -> BlobInfo {
        self.info
    }

    /// Number of chunks.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        chunk_count(self.info.plain_bytes)
    }

    /// Where a chunk stands in the sealed bytes: offset and length.
    #[must_use]
    pub fn place(&self, index: u64) -> (u64, usize) {
        let stride = (CHUNK_BYTES + TAG_BYTES) as u64;
        (HEADER_BYTES as u64 + index * stride, self.plain_len(index) + TAG_BYTES)
    }

    fn plain_len(&self, index: u64) -> usize {
        let rest = self.info.plain_bytes.saturating_sub(index * CHUNK_BYTES as u64);
        usize::try_from(rest).map_or(CHUNK_BYTES, |rest| rest.min(CHUNK_BYTES))
    }

    /// Seals a chunk in place: plaintext in, ciphertext and tag out.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] when the chunk has not the length that its place
    /// demands: the file changed while it was read.
    pub fn seal_chunk(&self, index: u64, chunk: &mut Vec<u8>) -> Result<(), BlobError> {
        if chunk.len() != self.plain_len(index) {
            return Err(BlobError::Damaged);
        }
        self.cipher
            .encrypt_in_place(&self.nonce(index).into(), b"", chunk)
            .map_err(|_| BlobError::Damaged)
    }

    /// Opens a chunk in place.
    ///
    /// # Errors
    /// [`BlobError::Damaged`].
    pub fn open_chunk(&self, index: u64, chunk: &mut Vec<u8>) -> Result<(), BlobError> {
        if chunk.len() != self.plain_len(index) + TAG_BYTES {
            return Err(BlobError::Damaged);
        }
        self.cipher
            .decrypt_in_place(&self.nonce(index).into(), b"", chunk)
            .map_err(|_| BlobError::Damaged)
    }

    fn nonce(&self, index: u64) -> [u8; 24] {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&index.to_be_bytes());
        nonce[8] = u8::from(index + 1 == self.chunks());
        nonce
    }
}

fn info_key(secret: &SealKey) -> SealKey {
    secret.derive("kith 2026-11 blob info key", &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(plain: &[u8], secret: &SealKey) -> Vec<u8> {
        let info = BlobInfo {
            plain_hash: *blake3::hash(plain).as_bytes(),
            plain_bytes: plain.len() as u64,
        };
        let (cipher, mut bytes) = BlobCipher::seal(secret, info).expect("small");
        for index in 0..cipher.chunks() {
            let start = index as usize * CHUNK_BYTES;
            let mut chunk = plain[start..plain.len().min(start + CHUNK_BYTES)].to_vec();
            cipher.seal_chunk(index, &mut chunk).expect("right length");
            bytes.extend(chunk);
        }
        bytes
    }

    fn opened(sealed: &[u8], secret: &SealKey) -> Result<Vec<u8>, BlobError> {
        let cipher = BlobCipher::open(secret, sealed)?;
        let mut plain = Vec::new();
        for index in 0..cipher.chunks() {
            let (offset, len) = cipher.place(index);
            let range = offset as usize..offset as usize + len;
            let mut chunk = sealed.get(range).ok_or(BlobError::Damaged)?.to_vec();
            cipher.open_chunk(index, &mut chunk)?;
            plain.extend(chunk);
        }
        Ok(plain)
    }

    #[test]
    fn blobs_of_every_awkward_size_read_back() {
        let secret = SealKey::from_bytes([1; 32]);
        for len in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
            let plain: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let bytes = sealed(&plain, &secret);
            assert_eq!(bytes.len() as u64, sealed_bytes(len as u64));
            assert_eq!(opened(&bytes, &secret), Ok(plain));
        }
    }

    #[test]
    fn one_file_is_one_blob_in_a_space_and_another_one_elsewhere() {
        let (here, there) = (SealKey::from_bytes([1; 32]), SealKey::from_bytes([2; 32]));
        assert_eq!(sealed(b"photo", &here), sealed(b"photo", &here));
        assert_ne!(sealed(b"photo", &here), sealed(b"photo", &there));
        assert_eq!(opened(&sealed(b"photo", &here), &there), Err(BlobError::Foreign));
    }

    #[test]
    fn changed_moved_and_missing_chunks_are_noticed() {
        let secret = SealKey::from_bytes([1; 32]);
        let bytes = sealed(&vec![7; 3 * CHUNK_BYTES], &secret);
        for at in [0, 10, HEADER_BYTES, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, &secret).is_err(), "byte {at}");
        }
        assert!(opened(&bytes[..bytes.len() - CHUNK_BYTES - TAG_BYTES], &secret).is_err());
        let mut swapped = bytes.clone();
        let stride = CHUNK_BYTES + TAG_BYTES;
        let (first, second) = swapped[HEADER_BYTES..HEADER_BYTES + 2 * stride].split_at_mut(stride);
        first.swap_with_slice(second);
        assert!(opened(&swapped, &secret).is_err());
    }
}
