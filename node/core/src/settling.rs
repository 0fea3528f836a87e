//! When the stores of spaces give room back to the disk.
//!
//! After some calm: who writes on needs the room again. So a burst of writes takes its room
//! on the disk until a while after it was bundled, and not for ever.
//!
//! Invariant: one step of one space at a time, so that nobody waits longer than for that.
//! Non-goal: what is not needed; the store knows.

use std::{collections::BTreeMap, time::Duration};

use node_model::{Now, SpaceId};

use crate::node::Node;

/// How long a store is left alone before it settles: longer than the calm after which a
/// document is bundled, so that a burst of writes and its bundles are settled once.
const CALM: Duration = Duration::from_secs(5);

/// Between two steps, for whatever else is to be done.
const PAUSE: Duration = Duration::from_millis(50);

/// Spaces whose stores changed.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    /// When each is calm.
    spaces: BTreeMap<SpaceId, Duration>,
    /// When the next step may be.
    free_from: Duration,
}

impl Settling {
    fn note(&mut self, now: Now, space: SpaceId) {
        self.spaces.insert(space, now.monotonic + CALM);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.spaces.values().min().map(|due| *due.max(&self.free_from))
    }

    fn next_due(&self, now: Now) -> Option<SpaceId> {
        let is_due = |due: &Duration| *due.max(&self.free_from) <= now.monotonic;
        let mut spaces = self.spaces.iter();
        spaces.find(|(_, due)| is_due(due)).map(|(space, _)| *space)
    }

    fn stepped(&mut self, now: Now, space: SpaceId, has_more: bool) {
        self.free_from = now.monotonic + PAUSE;
        if !has_more {
            self.spaces.remove(&space);
        }
    }
}

impl Node {
    /// Notes which stores changed.
    pub(crate) fn settle_later(&mut self, now: Now) {
        for space in self.sync.take_unsettled() {
            self.settling.note(now, space);
        }
    }

    /// Does a step, if it is time.
    pub(crate) fn settle_some(&mut self, now: Now) {
        let Some(space) = self.settling.next_due(now) else { return };
        let settled = self.sync.settle(space);
        if let Err(error) = &settled {
            tracing::warn!(%space, %error, "could not give room back to the disk");
        }
        self.settling.stepped(now, space, settled.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use node_model::Timestamp;

    use super::*;

    const ONE: SpaceId = SpaceId([1; 32]);
    const TWO: SpaceId = SpaceId([2; 32]);

    fn at(milliseconds: u64) -> Now {
        Now { monotonic: Duration::from_millis(milliseconds), wall: Timestamp(0) }
    }

    #[test]
    fn a_store_settles_step_by_step_once_nobody_writes() {
        let mut settling = Settling::default();
        assert_eq!(settling.poll_timeout(), None);
        settling.note(at(1_000), ONE);
        settling.note(at(4_000), ONE);
        settling.note(at(4_500), TWO);
        assert_eq!(settling.next_due(at(8_999)), None, "somebody wrote");
        assert_eq!(settling.poll_timeout(), Some(at(9_000).monotonic));
        assert_eq!(settling.next_due(at(9_600)), Some(ONE));
        settling.stepped(at(9_600), ONE, true);
        assert_eq!(settling.next_due(at(9_649)), None, "others have their turn");
        assert_eq!(settling.poll_timeout(), Some(at(9_650).monotonic));
        settling.stepped(at(9_650), ONE, false);
        assert_eq!(settling.next_due(at(9_700)), Some(TWO));
        settling.note(at(9_700), TWO);
        assert_eq!(settling.next_due(at(9_800)), None, "somebody writes again");
        settling.stepped(at(14_700), TWO, false);
        assert_eq!(settling.poll_timeout(), None);
    }
}
