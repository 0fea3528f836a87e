//! Bodies before they are sealed: compressed where it helps.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::EntryError;

pub(super) const PACKED_RAW: u8 = 0;
pub(super) const PACKED_ZSTD: u8 = 1;

/// Below this, compression gains nothing.
const ZSTD_FROM_BYTES: usize = 128;
const ZSTD_LEVEL: i32 = 3;

// A context has tables of some hundred KiB: made anew for each entry it costs as
// much as the compression of a page.
thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> =
        RefCell::new(Compressor::new(ZSTD_LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::new().ok());
}

fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(plain).ok())
}

fn decompress(compressed: &[u8], plain_bytes: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        decompressor.as_mut()?.decompress(compressed, plain_bytes).ok()
    })
}

pub(super) fn pack(plain: &[u8]) -> Vec<u8> {
    if plain.len() >= ZSTD_FROM_BYTES
        && let Some(compressed) = compress(plain)
        && compressed.len() < plain.len()
    {
        return [&[PACKED_ZSTD], compressed.as_slice()].concat();
    }
    [&[PACKED_RAW], plain].concat()
}

pub(super) fn unpack(packed: &[u8], plain_bytes: usize) -> Result<Vec<u8>, EntryError> {
    let plain = match packed.split_first() {
        Some((&PACKED_RAW, plain)) => plain.to_vec(),
        // Allocates what the header says, which `Header::decode` capped.
        Some((&PACKED_ZSTD, compressed)) => {
            decompress(compressed, plain_bytes).ok_or(EntryError::OverLimit)?
        }
        Some(_) | None => return Err(EntryError::Sealed),
    };
    if plain.len() == plain_bytes { Ok(plain) } else { Err(EntryError::OverLimit) }
}
