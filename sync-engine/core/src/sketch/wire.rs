//! Runs of symbols as bytes.
//!
//! A count is sent as its distance from what a set of that size would have there on
//! average, which mostly fits one byte.

use super::{CodedSymbol, SYMBOLS_MAX};

/// Least bytes of a symbol: its sum, its checksum and a short count.
pub const SYMBOL_BYTES_MIN: usize = 16 + 8 + 1;

/// Bytes that are no run of symbols, or no counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no part of a sketch")]
pub struct Malformed;

/// Symbols in a row, on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many ids are in the set. One that changes from run to run says that the
    /// set has changed: runs of different sets do not decode.
    pub size: u64,
    /// The index of the first symbol.
    pub first: usize,
    /// The symbols; together with `first` at most [`SYMBOLS_MAX`].
    pub symbols: Vec<CodedSymbol>,
}

impl Run {
    /// `size ‖ first ‖ length ‖ symbols`: numbers as varints, of each symbol the sum,
    /// the checksum and the count's distance.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(20 + self.symbols.len() * (SYMBOL_BYTES_MIN + 1));
        put_varint(&mut bytes, self.size);
        put_varint(&mut bytes, self.first as u64);
        put_varint(&mut bytes, self.symbols.len() as u64);
        for (index, symbol) in (self.first..).zip(&self.symbols) {
            bytes.extend_from_slice(&symbol.sum.to_be_bytes());
            bytes.extend_from_slice(&symbol.check.to_be_bytes());
            put_count(&mut bytes, self.size, index, symbol.count);
        }
        bytes
    }

    /// Reads a run. Sets aside no more memory than fits the bytes that are there.
    ///
    /// # Errors
    /// [`Malformed`]: cut off, too long, beyond [`SYMBOLS_MAX`], or a number that is
    /// not in its shortest form.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let from = &mut bytes;
        let size = take_varint(from)?;
        let first = take_index(from)?;
        let length = take_index(from)?;
        if first + length > SYMBOLS_MAX || length > from.len() / SYMBOL_BYTES_MIN {
            return Err(Malformed);
        }
        let mut symbols = Vec::with_capacity(length);
        for index in first..first + length {
            let (sum, rest) = from.split_first_chunk().ok_or(Malformed)?;
            let (check, rest) = rest.split_first_chunk().ok_or(Malformed)?;
            *from = rest;
            let (sum, check) = (u128::from_be_bytes(*sum), u64::from_be_bytes(*check));
            symbols.push(CodedSymbol { sum, check, count: take_count(from, size, index)? });
        }
        if from.is_empty() { Ok(Self { size, first, symbols }) } else { Err(Malformed) }
    }
}

/// Adds a count as its distance from the average: differences of small absolute value
/// become small numbers (zig-zag).
pub(super) fn put_count(bytes: &mut Vec<u8>, size: u64, index: usize, count: i64) {
    let distance = count.wrapping_sub(expected(size, index));
    put_varint(bytes, ((distance << 1) ^ (distance >> 63)).cast_unsigned());
}

pub(super) fn take_count(bytes: &mut &[u8], size: u64, index: usize) -> Result<i64, Malformed> {
    let folded = take_varint(bytes)?;
    let distance = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
    Ok(distance.wrapping_add(expected(size, index)))
}

/// How many of `size` ids are mapped to an index on average, rounded down.
fn expected(size: u64, index: usize) -> i64 {
    let average = u128::from(size) * 2 / (index as u128 + 2);
    // At most `size`; one that is no count of anything wraps in both directions.
    u64::try_from(average).unwrap_or(size).cast_signed()
}

/// Unsigned LEB128.
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(super) fn take_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        // The tenth byte holds one bit; a last byte of zero would be superfluous.
        if shift == 63 && part > 1 || shift > 0 && *byte == 0 {
            return Err(Malformed);
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn take_index(bytes: &mut &[u8]) -> Result<usize, Malformed> {
    let value = take_varint(bytes)?;
    usize::try_from(value).ok().filter(|value| *value <= SYMBOLS_MAX).ok_or(Malformed)
}
