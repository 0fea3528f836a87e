//! Frames of all lanes in the body of an HTTP request and of its answer.
//!
//! Invariant: what decodes is within all bounds, those of each frame's lane included.
//! Format: `docs/protocol/doorway-sync.md`. Non-goal: what a frame says; lanes know that.

use std::time::Duration;

use bytes::Bytes;
use node_model::{
    cbor::{self, DecodeError},
    limit::FRAME_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::net::Lane;

/// Version of this format.
pub const VERSION: u16 = 2;

/// Largest batch in bytes: one largest frame, and a few pages of entries beside it.
pub const BATCH_BYTES_MAX: usize = FRAME_BYTES_MAX + 4 * 1024 * 1024;

/// Most frames in a batch: a head and a page for each of some hundred spaces.
pub const BATCH_FRAMES_MAX: usize = 1_024;

/// Longest wait for an answer that has frames. Proxies give up on silence after 30 seconds
/// at the earliest.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// What a frame takes in a batch beside its own bytes: two heads of CBOR and the lane.
const FRAME_OVERHEAD_BYTES: usize = 16;

/// What a batch takes beside its frames: field names and small numbers.
const BATCH_OVERHEAD_BYTES: usize = 256;

/// Names a visit; whoever comes makes it up at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VisitId(pub [u8; 16]);

/// One frame and its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// On which lane.
    pub lane: Lane,
    /// The frame, within its lane's cap.
    pub bytes: Bytes,
}

/// What a visitor sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Of which visit.
    pub visit: VisitId,
    /// 0 opens a visit; each batch after it has the next number.
    pub number: u64,
    /// How long an answer without frames may take.
    pub wait: Duration,
    /// Whether the visit ends with it.
    pub is_last: bool,
    /// In the order in which they were sent.
    pub frames: Vec<Frame>,
}

/// What a visitor gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Of the batch that it answers.
    pub number: u64,
    /// Whether frames of the visitor are still waiting here. It must send none until they
    /// are not.
    pub is_full: bool,
    /// Whether the node wants blobs of the visitor.
    pub wants_blobs: bool,
    /// In the order in which they were sent.
    pub frames: Vec<Frame>,
}

#[derive(Serialize, Deserialize)]
struct SentFrame(u8, ByteBuf);

#[derive(Serialize, Deserialize)]
struct SentBatch {
    version: u16,
    visit: ByteArray<16>,
    number: u64,
    wait_ms: u32,
    last: bool,
    #[serde(deserialize_with = "cbor::at_most::<BATCH_FRAMES_MAX, _, _>")]
    frames: Vec<SentFrame>,
}

#[derive(Serialize, Deserialize)]
struct SentReturned {
    version: u16,
    number: u64,
    full: bool,
    wants: bool,
    #[serde(deserialize_with = "cbor::at_most::<BATCH_FRAMES_MAX, _, _>")]
    frames: Vec<SentFrame>,
}

impl Batch {
    /// The bytes of a request's body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { visit, number, wait, is_last, frames } = self;
        cbor::encode(&SentBatch {
            version: VERSION,
            visit: ByteArray::new(visit.0),
            number: *number,
            wait_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
            last: *is_last,
            frames: frames.iter().map(SentFrame::from).collect(),
        })
    }

    /// Reads a request's body. A longer wait than [`WAIT_MAX`] becomes that.
    ///
    /// # Errors
    /// [`DecodeError`]; at most [`BATCH_BYTES_MAX`] bytes are looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let sent: SentBatch = cbor::decode(bytes, BATCH_BYTES_MAX)?;
        let SentBatch { version, visit, number, wait_ms, last, frames } = sent;
        check_version(version)?;
        Ok(Self {
            visit: VisitId(visit.into_array()),
            number,
            wait: Duration::from_millis(wait_ms.into()).min(WAIT_MAX),
            is_last: last,
            frames: frames.into_iter().map(Frame::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl Returned {
    /// The bytes of an answer's body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { number, is_full, wants_blobs, frames } = self;
        cbor::encode(&SentReturned {
            version: VERSION,
            number: *number,
            full: *is_full,
            wants: *wants_blobs,
            frames: frames.iter().map(SentFrame::from).collect(),
        })
    }

    /// Reads an answer's body.
    ///
    /// # Errors
    /// As [`Batch::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let sent: SentReturned = cbor::decode(bytes, BATCH_BYTES_MAX)?;
        let SentReturned { version, number, full, wants, frames } = sent;
        check_version(version)?;
        let frames = frames.into_iter().map(Frame::try_from).collect::<Result<_, _>>()?;
        Ok(Self { number, is_full: full, wants_blobs: wants, frames })
    }
}

/// Takes from the front what fits into one batch: at least one frame, if there is one.
pub(crate) fn take_fitting(queue: &mut std::collections::VecDeque<Frame>) -> Vec<Frame> {
    let mut room = BATCH_BYTES_MAX - BATCH_OVERHEAD_BYTES;
    let mut taken = Vec::new();
    while taken.len() < BATCH_FRAMES_MAX {
        let Some(frame) = queue.front() else { break };
        let Some(left) = room.checked_sub(frame.bytes.len() + FRAME_OVERHEAD_BYTES) else { break };
        room = left;
        taken.extend(queue.pop_front());
    }
    taken
}

fn check_version(version: u16) -> Result<(), DecodeError> {
    if version == VERSION { Ok(()) } else { Err(DecodeError::Malformed) }
}

impl From<&Frame> for SentFrame {
    fn from(frame: &Frame) -> Self {
        let lane = match frame.lane {
            Lane::Pair => 0,
            Lane::Trust => 1,
            Lane::Sync => 2,
            Lane::Search => 3,
        };
        Self(lane, ByteBuf::from(frame.bytes.as_ref()))
    }
}

impl TryFrom<SentFrame> for Frame {
    type Error = DecodeError;

    fn try_from(SentFrame(lane, bytes): SentFrame) -> Result<Self, DecodeError> {
        let lane = Lane::ALL.get(usize::from(lane)).copied().ok_or(DecodeError::Malformed)?;
        if bytes.len() > lane.frame_bytes_max() {
            let (got, max) = (bytes.len(), lane.frame_bytes_max());
            return Err(DecodeError::TooLarge { got, max });
        }
        Ok(Self { lane, bytes: bytes.into_vec().into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(lane: Lane, length: usize) -> Frame {
        Frame { lane, bytes: vec![7; length].into() }
    }

    fn batch(frames: Vec<Frame>) -> Batch {
        let wait = Duration::from_millis(40);
        Batch { visit: VisitId([3; 16]), number: 9, wait, is_last: false, frames }
    }

    #[test]
    fn what_is_sent_is_what_arrives() {
        let frames = Lane::ALL.map(|lane| frame(lane, 5)).to_vec();
        let sent = batch(frames.clone());
        assert_eq!(Batch::decode(&sent.encode()), Ok(sent));
        let returned = Returned { number: 1, is_full: true, wants_blobs: true, frames };
        assert_eq!(Returned::decode(&returned.encode()), Ok(returned));
        let patient = Batch { wait: WAIT_MAX * 9, ..batch(vec![]) };
        assert_eq!(Batch::decode(&patient.encode()).expect("reads").wait, WAIT_MAX);
    }

    #[test]
    fn the_fullest_batch_is_within_its_bound() {
        let largest = [frame(Lane::Sync, FRAME_BYTES_MAX), frame(Lane::Sync, 5 << 20)];
        let mut queue = largest.to_vec().into();
        let sent = batch(take_fitting(&mut queue));
        assert_eq!((sent.frames.len(), queue.len()), (1, 1));
        assert!(Batch::decode(&sent.encode()).is_ok());

        let mut many = vec![frame(Lane::Trust, 100); BATCH_FRAMES_MAX + 1].into();
        let sent = Batch { number: u64::MAX, wait: WAIT_MAX, ..batch(take_fitting(&mut many)) };
        assert_eq!((sent.frames.len(), many.len()), (BATCH_FRAMES_MAX, 1));
        assert!(Batch::decode(&sent.encode()).is_ok());
        let full = vec![frame(Lane::Sync, BATCH_BYTES_MAX / 64); 100];
        let sent = batch(take_fitting(&mut full.into()));
        assert_eq!(sent.frames.len(), 63);
        assert!(Batch::decode(&sent.encode()).is_ok());
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let too_many = batch(vec![frame(Lane::Sync, 0); BATCH_FRAMES_MAX + 1]);
        let too_long = batch(vec![frame(Lane::Pair, Lane::Pair.frame_bytes_max() + 1)]);
        for bad in [too_many, too_long] {
            assert!(Batch::decode(&bad.encode()).is_err());
        }
        let good = batch(vec![frame(Lane::Trust, 3)]).encode();
        for cut in 0..good.len() {
            assert!(Batch::decode(&good[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Batch::decode(&[good.as_slice(), &[0]].concat()).is_err());
        assert!(Batch::decode(&vec![0; BATCH_BYTES_MAX + 1]).is_err());
        let lane = SentFrame(4, ByteBuf::new());
        let returned = SentReturned {
            version: VERSION,
            number: 0,
            full: false,
            wants: false,
            frames: vec![lane],
        };
        assert_eq!(Returned::decode(&cbor::encode(&returned)), Err(DecodeError::Malformed));
        let newer = SentReturned { version: VERSION + 1, frames: vec![], ..returned };
        assert_eq!(Returned::decode(&cbor::encode(&newer)), Err(DecodeError::Malformed));
    }
}
