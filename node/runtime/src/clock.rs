use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use node_model::{Now, Timestamp};

/// The only place that reads the machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// What both clocks say.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let millis = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        Now { monotonic: self.start.elapsed(), wall: Timestamp(millis) }
    }

    /// The instant of a monotonic time of this clock.
    #[must_use]
    pub fn instant(&self, monotonic: Duration) -> Instant {
        self.start + monotonic
    }
}
