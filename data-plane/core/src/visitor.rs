//! Who visits a doorway: the side that asks. The other one is [`crate::visits`].
//!
//! Invariant: one batch at a time, frames in the order in which they were given, and none
//! while the doorway says that earlier ones still wait there.
//! Non-goals: HTTP, tokens and time; whoever owns the visitor has them.

use std::{collections::VecDeque, time::Duration};

use crate::batch::{Batch, Frame, Returned, VisitId, take_fitting};

/// Most bytes that wait for the doorway: pages of some hundred spaces at once.
const PENDING_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why a visit cannot go on. It is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An answer to another batch.
    #[error("an answer to another batch")]
    OutOfOrder,
    /// The doorway does not take what is for it.
    #[error("one end sends more than the other one takes")]
    Overflow,
}

/// The state of a visit.
#[derive(Debug)]
pub struct Visitor {
    visit: VisitId,
    number: u64,
    pending: VecDeque<Frame>,
    pending_bytes: usize,
    is_full: bool,
    wants_blobs: bool,
}

impl Visitor {
    /// A visit that begins with the next batch.
    #[must_use]
    pub fn new(visit: VisitId) -> Self {
        let pending = VecDeque::new();
        Self { visit, number: 0, pending, pending_bytes: 0, is_full: false, wants_blobs: false }
    }

    /// Takes frames for the doorway.
    ///
    /// # Errors
    /// [`Broken::Overflow`].
    pub fn send(&mut self, frames: Vec<Frame>) -> Result<(), Broken> {
        self.pending_bytes += bytes_of(&frames);
        self.pending.extend(frames);
        if self.pending_bytes > PENDING_BYTES_MAX { Err(Broken::Overflow) } else { Ok(()) }
    }

    /// What to send now. `wait` is how long an answer without frames may take.
    pub fn next(&mut self, wait: Duration) -> Batch {
        let frames = if self.is_full { vec![] } else { take_fitting(&mut self.pending) };
        self.pending_bytes -= bytes_of(&frames);
        Batch { visit: self.visit, number: self.number, wait, is_last: false, frames }
    }

    /// What to send at last: nothing more, and that the visit is over.
    #[must_use]
    pub fn last(&self) -> Batch {
        let (visit, number) = (self.visit, self.number);
        Batch { visit, number, wait: Duration::ZERO, is_last: true, frames: vec![] }
    }

    /// Takes the doorway's answer, and says what it brought.
    ///
    /// # Errors
    /// [`Broken::OutOfOrder`].
    pub fn returned(&mut self, returned: Returned) -> Result<Vec<Frame>, Broken> {
        let Returned { number, is_full, wants_blobs, frames } = returned;
        if number != self.number {
            return Err(Broken::OutOfOrder);
        }
        self.number += 1;
        self.is_full = is_full;
        self.wants_blobs = wants_blobs;
        Ok(frames)
    }

    /// Whether frames wait here that the doorway would take.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        !self.is_full && !self.pending.is_empty()
    }

    /// Whether nothing waits at either end.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.is_full && self.pending.is_empty()
    }

    /// Whether the doorway wants blobs, as it said last.
    #[must_use]
    pub fn wants_blobs(&self) -> bool {
        self.wants_blobs
    }
}

fn bytes_of(frames: &[Frame]) -> usize {
    frames.iter().map(|frame| frame.bytes.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Lane;

    fn frames(bytes: &[usize]) -> Vec<Frame> {
        let frame = |length: &usize| Frame { lane: Lane::Sync, bytes: vec![0; *length].into() };
        bytes.iter().map(frame).collect()
    }

    fn returned(number: u64, is_full: bool) -> Returned {
        Returned { number, is_full, wants_blobs: false, frames: vec![] }
    }

    #[test]
    fn frames_wait_while_the_doorway_is_full() {
        let mut visitor = Visitor::new(VisitId([1; 16]));
        assert!(visitor.is_idle() && !visitor.has_frames());
        visitor.send(frames(&[3, 4])).expect("is room");
        assert_eq!(visitor.next(Duration::ZERO).frames.len(), 2);
        assert_eq!(visitor.returned(returned(0, true)), Ok(vec![]));
        visitor.send(frames(&[5])).expect("is room");
        assert!(!visitor.has_frames() && !visitor.is_idle());
        let next = visitor.next(Duration::ZERO);
        assert_eq!((next.number, next.frames.len()), (1, 0));
        assert_eq!(visitor.returned(returned(1, false)), Ok(vec![]));
        assert!(visitor.has_frames());
        assert_eq!(visitor.next(Duration::ZERO).frames.len(), 1);
        assert_eq!(visitor.returned(returned(1, false)), Err(Broken::OutOfOrder));
    }

    #[test]
    fn a_doorway_that_never_takes_anything_ends_it() {
        let mut visitor = Visitor::new(VisitId([1; 16]));
        visitor.send(frames(&[PENDING_BYTES_MAX])).expect("is room");
        assert_eq!(visitor.send(frames(&[1])), Err(Broken::Overflow));
    }
}
