//! Whoever carries frames between two doorways: a visitor of both, who reads nothing.
//!
//! Invariant: what one end gave goes to the other end, all of it and in order, or the pipe is
//! broken and both visits are over.
//! Non-goals: HTTP, tokens and time; whoever owns the pipe has them.

use std::time::Duration;

use crate::{
    batch::{Batch, Returned, VisitId},
    visitor::{Broken, Visitor},
};

/// Shortest wait for frames: what a node needs to look at a page.
const WAIT_MIN: Duration = Duration::from_millis(20);

/// How often the wait doubles while nothing comes: up to 640 milliseconds, which somebody who
/// writes at the other end does not feel.
const WAIT_DOUBLINGS_MAX: u32 = 5;

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

/// The state of a pipe.
#[derive(Debug)]
pub struct Pipe {
    here: Visitor,
    there: Visitor,
    /// Answers in a row that brought nothing.
    quiet: u32,
}

impl Pipe {
    /// A pipe with a visit at each end.
    #[must_use]
    pub fn new(here: VisitId, there: VisitId) -> Self {
        Self { here: Visitor::new(here), there: Visitor::new(there), quiet: 0 }
    }

    /// What to send to an end now.
    pub fn next(&mut self, side: Side) -> Batch {
        let wait = WAIT_MIN * (1 << (self.quiet / 2).min(WAIT_DOUBLINGS_MAX));
        self.end(side).next(wait)
    }

    /// What to send to an end at last: nothing more, and that the visit is over.
    pub fn last(&mut self, side: Side) -> Batch {
        self.end(side).last()
    }

    /// What an end answered.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn returned(&mut self, side: Side, returned: Returned) -> Result<(), Broken> {
        let frames = self.end(side).returned(returned)?;
        self.quiet = if frames.is_empty() { self.quiet.saturating_add(1) } else { 0 };
        self.end(side.other()).send(frames)
    }

    /// Whether each end was asked since something came last, and nothing waits.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet >= 2 && self.here.is_idle() && self.there.is_idle()
    }

    /// Whether an end wants blobs of the other one, as it said last.
    #[must_use]
    pub fn wants_blobs(&self, side: Side) -> bool {
        match side {
            Side::Here => self.here.wants_blobs(),
            Side::There => self.there.wants_blobs(),
        }
    }

    fn end(&mut self, side: Side) -> &mut Visitor {
        match side {
            Side::Here => &mut self.here,
            Side::There => &mut self.there,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{batch::Frame, net::Lane};

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
}
