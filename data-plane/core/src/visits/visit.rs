//! One visit.

use std::{collections::VecDeque, time::Duration};

use super::{Errand, Refused, TurnId};
use crate::batch::{Frame, Returned, VisitId, take_fitting};

/// While as much waits for a visitor, its frames are not looked at: some thirty pages of
/// entries, as on a lane.
pub(super) const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Visit {
    pub(super) id: VisitId,
    /// The batch that comes next.
    pub(super) number: u64,
    pub(super) heard_at: Duration,
    pub(super) incoming: VecDeque<Frame>,
    pub(super) outgoing: VecDeque<Frame>,
    pub(super) outgoing_bytes: usize,
    pub(super) turn: Option<Turn>,
    pub(super) errands: VecDeque<Errand>,
    /// Whether the visitor was told that there is one.
    pub(super) knows_errands: bool,
    /// Whether it asked what they are.
    pub(super) has_begun: bool,
    /// Since when there are some that it did not begin.
    pub(super) waiting_since: Option<Duration>,
    pub(super) is_ending: bool,
    /// Whether the node was told that the device is connected. What it said before that was
    /// meant for an earlier connection.
    pub(super) is_told: bool,
}

#[derive(Debug)]
pub(super) struct Turn {
    pub(super) id: TurnId,
    pub(super) number: u64,
    pub(super) until: Duration,
}

impl Visit {
    pub(super) fn new(id: VisitId, now: Duration) -> Self {
        Self {
            id,
            number: 0,
            heard_at: now,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            outgoing_bytes: 0,
            turn: None,
            errands: VecDeque::new(),
            knows_errands: false,
            has_begun: false,
            waiting_since: None,
            is_ending: false,
            is_told: false,
        }
    }

    pub(super) fn has_waiting_errand(&self) -> bool {
        !self.errands.is_empty() && !self.has_begun
    }

    pub(super) fn has_work(&self) -> bool {
        !self.incoming.is_empty() && self.outgoing_bytes < WAITING_BYTES_MAX
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        let is_late = |turn: &Turn| self.is_ending || now >= turn.until;
        let is_answered =
            !self.outgoing.is_empty() || (!self.errands.is_empty() && !self.knows_errands);
        !self.has_work() && self.turn.as_ref().is_some_and(|turn| is_answered || is_late(turn))
    }

    pub(super) fn answer(&mut self) -> Option<(TurnId, Result<Returned, Refused>)> {
        let Turn { id, number, until: _ } = self.turn.take()?;
        let frames = take_fitting(&mut self.outgoing);
        self.outgoing_bytes -= frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
        let (is_full, wants_blobs) = (!self.incoming.is_empty(), !self.errands.is_empty());
        self.knows_errands = wants_blobs;
        Some((id, Ok(Returned { number, is_full, wants_blobs, frames })))
    }
}
