//! Virtual time: an agenda of events, and what the wall clock of a machine says.

use std::{collections::BTreeMap, time::Duration};

use node_model::Timestamp;

/// 21 November 2026; the day does not matter, that it is not 1970 does.
const WALL_AT_START_MS: u64 = 1_795_219_200_000;

/// Events by time; at one time, in the order in which they were entered.
pub(crate) struct Agenda<E> {
    now: Duration,
    entered: u64,
    events: BTreeMap<(Duration, u64), E>,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self { now: Duration::ZERO, entered: 0, events: BTreeMap::new() }
    }

    /// Time since the world began.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// Enters an event; the past is now.
    pub(crate) fn at(&mut self, time: Duration, event: E) {
        self.entered += 1;
        self.events.insert((time.max(self.now), self.entered), event);
    }

    /// Goes to the next event.
    pub(crate) fn next(&mut self) -> Option<E> {
        let ((time, _), event) = self.events.pop_first()?;
        self.now = time;
        Some(event)
    }

    /// Lets time pass without an event.
    pub(crate) fn pass_to(&mut self, time: Duration) {
        self.now = self.now.max(time);
    }

    /// When the next event is.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.events.keys().next().map(|(time, _)| *time)
    }
}

/// What a wall clock that is wrong by `skew_ms` says.
pub(crate) fn wall(now: Duration, skew_ms: i64) -> Timestamp {
    let elapsed = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Timestamp((WALL_AT_START_MS + elapsed).saturating_add_signed(skew_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_by_entry() {
        let mut agenda = Agenda::new();
        agenda.after(Duration::from_secs(2), "late");
        agenda.after(Duration::from_secs(1), "first");
        agenda.after(Duration::from_secs(1), "second");
        let order: Vec<_> = std::iter::from_fn(|| agenda.next()).collect();
        assert_eq!(order, ["first", "second", "late"]);
        assert_eq!(agenda.now(), Duration::from_secs(2));
    }
}
