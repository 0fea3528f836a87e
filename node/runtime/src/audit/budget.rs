//! How much of the log those may fill who have no right to anything.

use std::time::Duration;

/// More than anybody does by mistake in one go.
const BURST: u32 = 100;

/// After the burst one record in so much time: at 400 bytes each that is 3.5 MB a day, so
/// that all files together reach back a week whatever strangers do.
const REFILL: Duration = Duration::from_secs(10);

/// A bucket of records, refilled as time passes.
#[derive(Debug)]
pub(super) struct Budget {
    left: u32,
    refilled_at: Duration,
}

impl Budget {
    pub(super) fn full(now: Duration) -> Self {
        Self { left: BURST, refilled_at: now }
    }

    /// Whether there is one more; takes it.
    pub(super) fn takes(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.refilled_at);
        let earned = u32::try_from(passed.as_secs() / REFILL.as_secs()).unwrap_or(u32::MAX);
        if earned >= BURST - self.left {
            (self.left, self.refilled_at) = (BURST, now.max(self.refilled_at));
        } else {
            self.left += earned;
            self.refilled_at += REFILL * earned;
        }
        let has_one = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_a_trickle() {
        let second = Duration::from_secs;
        let mut budget = Budget::full(second(5));
        let passed =
            |budget: &mut Budget, now, tries: u32| (0..tries).filter(|_| budget.takes(now)).count();
        assert_eq!(passed(&mut budget, second(5), 1_000), 100);
        assert_eq!(passed(&mut budget, second(14), 1_000), 0);
        assert_eq!(passed(&mut budget, second(15), 1_000), 1);
        assert_eq!(passed(&mut budget, second(44), 1_000), 2);
        assert_eq!(passed(&mut budget, second(45), 1_000), 1);
        assert_eq!(passed(&mut budget, second(1_000_000), 1_000), 100);
        assert_eq!(passed(&mut budget, Duration::MAX, 1_000), 100);
        // A clock that goes back earns nothing.
        assert_eq!(passed(&mut budget, second(1), 1_000), 0);
    }
}
