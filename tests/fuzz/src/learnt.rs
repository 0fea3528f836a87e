//! What a search led by coverage has learnt: inputs that reach something that no shorter one
//! does, in one file for each target.
//!
//! Of each input its length in four bytes, big-endian, and its bytes; the shortest first, each
//! once. So the same inputs are the same file.

use std::collections::BTreeSet;

/// Most bytes of a file: what is longest is left out.
pub const FILE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a length.
const LENGTH_BYTES: usize = 4;

/// The bytes of a file of these inputs.
#[must_use]
pub fn to_bytes(inputs: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let sorted: BTreeSet<(usize, Vec<u8>)> =
        inputs.into_iter().map(|input| (input.len(), input)).collect();
    let mut bytes = Vec::new();
    for (length, input) in sorted {
        if bytes.len() + LENGTH_BYTES + length > FILE_BYTES_MAX {
            break;
        }
        let length = u32::try_from(length).expect("it is far below the limit of a file");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&input);
    }
    bytes
}

/// The inputs of a file; `None` when it is no such file.
#[must_use]
pub fn from_bytes(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (input, rest) = rest.split_at_checked(length)?;
        inputs.push(input.to_vec());
        bytes = rest;
    }
    Some(inputs)
}
