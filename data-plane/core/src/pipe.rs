//! Whoever carries frames between two doorways: a visitor of both, who reads nothing.
//!
//! Invariant: what one end gave goes to the other end, all of it and in order, or the pipe is
//! broken and both visits are over.
//! Non-goals: HTTP, tokens and time; whoever owns the pipe has them.

use std::{collections::VecDeque, time::Duration};

use crate::batch::{Batch, Frame, Returned, VisitId, take_fitting};

/// Shortest wait for frames: what a node needs to look at a page.
const WAIT_MIN: Duration = Duration::from_millis(20);

/// How often the wait doubles while nothing comes: up to 640 milliseconds, which somebody who
/// writes at the other end does not feel.
const WAIT_DOUBLINGS_MAX: u32 = 5;

/// Most bytes that wait for one end: pages of some hundred spaces at once.
const PENDING_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Our own node.
    Here,
    /// The other one.
    There,
}

impl Side {
    /// The opposite end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }
}

/// Why a pipe cannot go on. Both visits are to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An answer to another batch.
    #[error("an answer to another batch")]
    OutOfOrder,
    /// An end does not take what is for it.
    #[error("one end sends more than the other one takes")]
    Overflow,
}

/// The state of a pipe.
#[derive(Debug)]
pub struct Pipe {
    here: End,
    there: End,
    /// Answers in a row that brought nothing.
    quiet: u32,
}

#[derive(Debug)]
struct End {
    visit: VisitId,
    number: u64,
    pending: VecDeque<Frame>,
    pending_bytes: usize,
    is_full: bool,
    wants_blobs: bool,
}

impl End {
    fn new(visit: VisitId) -> Self {
        let pending = VecDeque::new();
        Self { visit, number: 0, pending, pending_bytes: 0, is_full: false, wants_blobs: false }
    }
}

impl Pipe {
    /// A pipe with a visit at each end.
    #[must_use]
    pub fn new(here: VisitId, there: VisitId) -> Self {
        Self { here: End::new(here), there: End::new(there), quiet: 0 }
    }

    /// What to send to an end now.
    pub fn next(&mut self, side: Side) -> Batch {
        let wait = WAIT_MIN * (1 << (self.quiet / 2).min(WAIT_DOUBLINGS_MAX));
        let end = self.end(side);
        let frames = if end.is_full { vec![] } else { take_fitting(&mut end.pending) };
        end.pending_bytes -= bytes_of(&frames);
        Batch { visit: end.visit, number: end.number, wait, is_last: false, frames }
    }

    /// What to send to an end at last: nothing more, and that the visit is over.
    pub fn last(&mut self, side: Side) -> Batch {
        let end = self.end(side);
        let (visit, number) = (end.visit, end.number);
        Batch { visit, number, wait: Duration::ZERO, is_last: true, frames: vec![] }
    }

    /// What an end answered.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn returned(&mut self, side: Side, returned: Returned) -> Result<(), Broken> {
        let Returned { number, is_full, wants_blobs, frames } = returned;
        let end = self.end(side);
        if number != end.number {
            return Err(Broken::OutOfOrder);
        }
        end.number += 1;
        end.is_full = is_full;
        end.wants_blobs = wants_blobs;
        self.quiet = if frames.is_empty() { self.quiet.saturating_add(1) } else { 0 };
        let other = self.end(side.other());
        other.pending_bytes += bytes_of(&frames);
        other.pending.extend(frames);
        if other.pending_bytes > PENDING_BYTES_MAX {
            return Err(Broken::Overflow);
        }
        Ok(())
    }

    /// Whether each end was asked since something came last, and nothing waits.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let is_idle = |end: &End| end.pending.is_empty() && !end.is_full;
        self.quiet >= 2 && is_idle(&self.here) && is_idle(&self.there)
    }

    /// Whether an end wants blobs of the other one, as it said last.
    #[must_use]
    pub fn wants_blobs(&self, side: Side) -> bool {
        match side {
            Side::Here => self.here.wants_blobs,
            Side::There => self.there.wants_blobs,
        }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Here => &mut self.here,
            Side::There => &mut self.there,
        }
    }
}

fn bytes_of(frames: &[Frame]) -> usize {
    frames.iter().map(|frame| frame.bytes.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Lane;

    fn returned(number: u64, is_full: bool, bytes: &[usize]) -> Returned {
        let frame = |length: &usize| Frame { lane: Lane::Sync, bytes: vec![0; *length].into() };
        let frames = bytes.iter().map(frame).collect();
        Returned { number, is_full, wants_blobs: false, frames }
    }

    #[test]
    fn what_one_end_gives_the_other_gets_when_it_has_room() {
        let mut pipe = Pipe::new(VisitId([1; 16]), VisitId([2; 16]));
        assert_eq!(pipe.next(Side::Here).visit, VisitId([1; 16]));
        pipe.returned(Side::Here, returned(0, false, &[3, 4])).expect("in order");
        pipe.returned(Side::There, returned(0, true, &[])).expect("in order");
        assert_eq!(pipe.next(Side::There).frames, [], "it is full");
        assert!(!pipe.is_quiet());
        pipe.returned(Side::There, returned(1, false, &[])).expect("in order");
        let carried = pipe.next(Side::There);
        assert_eq!((carried.number, carried.frames.len()), (2, 2));
        assert!(pipe.is_quiet());
        let wanting = Returned { wants_blobs: true, ..returned(1, false, &[]) };
        pipe.returned(Side::Here, wanting).expect("in order");
        assert!(pipe.wants_blobs(Side::Here) && !pipe.wants_blobs(Side::There));
        assert_eq!(pipe.returned(Side::There, returned(1, false, &[])), Err(Broken::OutOfOrder));
    }

    #[test]
    fn who_never_takes_anything_breaks_it() {
        let mut pipe = Pipe::new(VisitId([1; 16]), VisitId([2; 16]));
        let much = PENDING_BYTES_MAX / 2;
        for number in 0..2 {
            pipe.returned(Side::Here, returned(number, false, &[much])).expect("is room");
        }
        assert_eq!(pipe.returned(Side::Here, returned(2, false, &[1])), Err(Broken::Overflow));
    }
}
