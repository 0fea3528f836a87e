//! Bytes of the blob protocol, `/kith/blob/1`.
//!
//! The requester opens a stream and writes requests:
//!
//! ```text
//! request = length: u32, body        integers are big-endian
//! body    = count: u16 (1 to 64), count × wanted
//! wanted  = id: 32 bytes, boundaries: u16 (0 to 512), boundaries × u64
//! ```
//!
//! Boundaries are where wanted ranges of chunks begin and end, ascending; an odd
//! number of them leaves the last range open. For each blob, in order, the
//! provider writes one byte: 0 when the blob is not here or not for this
//! requester, or 1 and then what the blob store writes: the size, then a small
//! blob as a whole, or the ranges of a large one with their hash tree. A requester may write requests ahead, and closes its side after
//! the last.

use node_model::BlobId;

use crate::Ranges;

/// Most blobs in one request: some milliseconds of small blobs.
pub(super) const REQUEST_BLOBS_MAX: usize = 64;

/// Most boundaries of one blob's ranges; the store promises no more.
const BOUNDARIES_MAX: usize = 512;

/// Largest body of a request; its length stands before it.
pub const REQUEST_BYTES_MAX: usize = 2 + REQUEST_BLOBS_MAX * (32 + 2 + BOUNDARIES_MAX * 8);

/// The blob does not follow.
pub(super) const REFUSED: u8 = 0;

/// The blob follows.
pub(super) const FOLLOWS: u8 = 1;

/// A blob and the parts of it that are wanted.
pub(super) struct Wanted {
    pub(super) blob: BlobId,
    pub(super) ranges: Ranges,
}

/// A request that breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// It ends early.
    #[error("the request ends early")]
    Short,
    /// It has bytes left over.
    #[error("the request has bytes left over")]
    Long,
    /// It names none or too many blobs.
    #[error("the request names {0} blobs")]
    Count(u16),
    /// Its ranges make no sense.
    #[error("the ranges of a blob are not ascending or too many")]
    Ranges,
}

/// A request's bytes, its length first.
///
/// # Panics
/// When more than [`REQUEST_BLOBS_MAX`] blobs are wanted.
pub(super) fn encode_request(wanted: &[Wanted]) -> Vec<u8> {
    assert!(wanted.len() <= REQUEST_BLOBS_MAX, "a request names at most 64 blobs");
    let mut body = Vec::with_capacity(2 + wanted.len() * 42);
    put_count(&mut body, wanted.len());
    for Wanted { blob, ranges } in wanted {
        let boundaries = ranges.boundaries();
        body.extend_from_slice(blob.as_bytes());
        put_count(&mut body, boundaries.len());
        for boundary in boundaries {
            body.extend_from_slice(&boundary.to_be_bytes());
        }
    }
    let length = u32::try_from(body.len()).expect("a request is far below 4 GiB");
    [&length.to_be_bytes()[..], &body].concat()
}

fn put_count(body: &mut Vec<u8>, count: usize) {
    let count = u16::try_from(count).expect("at most 64 blobs and 512 boundaries");
    body.extend_from_slice(&count.to_be_bytes());
}

/// Reads a request's body.
pub(super) fn decode_request(mut body: &[u8]) -> Result<Vec<Wanted>, BadRequest> {
    let count = take_u16(&mut body)?;
    if count == 0 || usize::from(count) > REQUEST_BLOBS_MAX {
        return Err(BadRequest::Count(count));
    }
    let mut wanted = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let blob = BlobId(take(&mut body)?);
        let boundaries = take_u16(&mut body)?;
        if usize::from(boundaries) > BOUNDARIES_MAX {
            return Err(BadRequest::Ranges);
        }
        let boundaries: Vec<u64> = (0..boundaries)
            .map(|_| take(&mut body).map(u64::from_be_bytes))
            .collect::<Result<_, _>>()?;
        let ranges = Ranges::from_boundaries(boundaries).ok_or(BadRequest::Ranges)?;
        wanted.push(Wanted { blob, ranges });
    }
    if body.is_empty() { Ok(wanted) } else { Err(BadRequest::Long) }
}

fn take_u16(body: &mut &[u8]) -> Result<u16, BadRequest> {
    take(body).map(u16::from_be_bytes)
}

fn take<const N: usize>(body: &mut &[u8]) -> Result<[u8; N], BadRequest> {
    let (head, rest) = body.split_first_chunk::<N>().ok_or(BadRequest::Short)?;
    *body = rest;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(byte: u8, boundaries: &[u64]) -> Wanted {
        let ranges = Ranges::from_boundaries(boundaries.to_vec()).expect("ascending");
        Wanted { blob: BlobId([byte; 32]), ranges }
    }

    fn body(wanted: &[Wanted]) -> Vec<u8> {
        encode_request(wanted).split_off(4)
    }

    #[test]
    fn a_request_reads_back() {
        let bytes = encode_request(&[wanted(1, &[0]), wanted(2, &[16, 32, 64])]);
        assert_eq!(bytes[..4], u32::to_be_bytes(u32::try_from(bytes.len() - 4).expect("small")));
        let read = decode_request(&bytes[4..]).expect("well formed");
        let found: Vec<_> =
            read.iter().map(|wanted| (wanted.blob, wanted.ranges.boundaries())).collect();
        assert_eq!(found, [(BlobId([1; 32]), vec![0]), (BlobId([2; 32]), vec![16, 32, 64])]);
    }

    #[test]
    fn broken_requests_are_refused() {
        let good = body(&[wanted(1, &[0])]);
        for length in 0..good.len() {
            assert_eq!(decode_request(&good[..length]).err(), Some(BadRequest::Short));
        }
        assert_eq!(decode_request(&[&good[..], &[0]].concat()).err(), Some(BadRequest::Long));
        assert_eq!(decode_request(&[0, 0]).err(), Some(BadRequest::Count(0)));
        assert_eq!(decode_request(&[0, 65]).err(), Some(BadRequest::Count(65)));
        let mut descending = body(&[wanted(1, &[5, 6])]);
        let last = descending.len() - 1;
        descending[last] = 5;
        assert_eq!(decode_request(&descending).err(), Some(BadRequest::Ranges));
        let mut many = good;
        many[34..36].copy_from_slice(&513_u16.to_be_bytes());
        assert_eq!(decode_request(&many).err(), Some(BadRequest::Ranges));
    }

    #[test]
    fn the_largest_request_fits() {
        let boundaries: Vec<u64> = (0..512).collect();
        let wanted: Vec<Wanted> = (0..64).map(|byte| wanted(byte, &boundaries)).collect();
        assert_eq!(body(&wanted).len(), REQUEST_BYTES_MAX);
    }
}
