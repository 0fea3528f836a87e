//! When to do what is better done once after many changes.

use std::time::Duration;

/// Waits for calm after changes, but not for ever.
#[derive(Debug)]
pub(super) struct Calm {
    calm: Duration,
    latest: Duration,
    /// When the first and the last change came that nothing was done about.
    changes: Option<(Duration, Duration)>,
}

impl Calm {
    /// Due after `calm` without a change, at the latest after `latest`.
    pub(super) fn new(calm: Duration, latest: Duration) -> Self {
        Self { calm, latest, changes: None }
    }

    /// Something changed.
    pub(super) fn changed(&mut self, now: Duration) {
        let first = self.changes.map_or(now, |(first, _)| first);
        self.changes = Some((first, now));
    }

    /// It was done.
    pub(super) fn done(&mut self) {
        self.changes = None;
    }

    /// When to do it.
    pub(super) fn due(&self) -> Option<Duration> {
        self.changes.map(|(first, last)| (last + self.calm).min(first + self.latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_is_waited_for_but_not_for_ever() {
        let second = Duration::from_secs;
        let mut calm = Calm::new(second(10), second(300));
        assert_eq!(calm.due(), None);
        calm.changed(second(100));
        assert_eq!(calm.due(), Some(second(110)));
        calm.changed(second(105));
        assert_eq!(calm.due(), Some(second(115)));
        calm.changed(second(399));
        assert_eq!(calm.due(), Some(second(400)));
        calm.done();
        assert_eq!(calm.due(), None);
    }
}
