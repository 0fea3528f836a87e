//! How often somebody may ask.
//!
//! Each key has a budget of its own, and so have all together who show no right: what one
//! program does in a loop keeps no other one waiting. The person's own ways in have no limit.
//!
//! The generic cell rate algorithm (ITU-T I.371): all that is kept is when the budget will be
//! whole again. A minute's worth may be asked at once, then one comes back at a time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use node_model::program::KeyName;

use crate::{
    keys::{book::KEYS_MAX, pace::Pace},
    problem::Problem,
};

/// What strangers may ask in a minute: health checks, pages for signing in, wrong keys.
const OF_STRANGERS: Pace = Pace::strangers();

const MINUTE: Duration = Duration::from_secs(60);

/// What is left of a budget, once a request was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pace: Pace,
    /// How many more may come at once.
    requests: u32,
    /// When all may come again.
    whole_in: Duration,
    /// How long to wait, when this one was too much.
    wait: Option<Duration>,
}

/// A budget: when it is whole again, in time since the node started.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    whole_at: Duration,
}

impl Budget {
    /// Counts a request, unless it is one too many.
    fn count(&mut self, pace: Pace, now: Duration) -> Left {
        let step = MINUTE / pace.per_minute();
        // A key whose pace was changed owes no more than a minute.
        let whole_at = self.whole_at.clamp(now, now + MINUTE);
        let after = whole_at + step;
        let wait = after.checked_sub(now + MINUTE).filter(|wait| !wait.is_zero());
        self.whole_at = if wait.is_some() { whole_at } else { after };
        let whole_in = self.whole_at.saturating_sub(now);
        let free = MINUTE.saturating_sub(whole_in).as_nanos() / step.as_nanos();
        Left { pace, requests: u32::try_from(free).unwrap_or(u32::MAX), whole_in, wait }
    }
}

/// The budgets of a doorway.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<Budgets>);

#[derive(Debug, Default)]
struct Budgets {
    keys: BTreeMap<KeyName, Budget>,
    strangers: Budget,
}

impl Rates {
    pub(super) fn count_key(&self, name: KeyName, pace: Pace, now: Duration) -> Left {
        self.change(|budgets| {
            // Names of keys that are gone; those that are there owe a minute at most.
            if budgets.keys.len() > 2 * KEYS_MAX {
                budgets.keys.retain(|_, budget| budget.whole_at > now);
            }
            budgets.keys.entry(name).or_default().count(pace, now)
        })
    }

    pub(super) fn count_stranger(&self, now: Duration) -> Left {
        self.change(|budgets| budgets.strangers.count(OF_STRANGERS, now))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Budgets) -> T) -> T {
        // Nobody panics halfway through a change of it.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Left {
    /// Whether the request was one too many.
    pub(super) fn is_over(&self) -> bool {
        self.wait.is_some()
    }

    /// Refuses the request if it was one too many.
    pub(super) fn check(&self, who: &str, fix: String) -> Result<(), Problem> {
        if !self.is_over() {
            return Ok(());
        }
        let detail = format!("{who} may ask {} times a minute, and did", self.pace.per_minute());
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", detail, fix))
    }

    /// Says it, in the words of draft-ietf-httpapi-ratelimit-headers-06, and in those that
    /// older programs know.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let numbers = [
            (LIMIT, X_LIMIT, u64::from(self.pace.per_minute())),
            (REMAINING, X_REMAINING, u64::from(self.requests)),
            (RESET, X_RESET, seconds(self.whole_in)),
        ];
        for (name, older, number) in numbers {
            headers.insert(name, HeaderValue::from(number));
            headers.insert(older, HeaderValue::from(number));
        }
        if let Some(wait) = self.wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
    }
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_minutes_worth_comes_at_once_and_then_one_at_a_time() {
        let (mut budget, pace) = (Budget::default(), Pace::new(3).expect("a pace"));
        let start = Duration::from_secs(1_000);
        let left: Vec<u32> = (0..3).map(|_| budget.count(pace, start).requests).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = budget.count(pace, start);
        assert_eq!((refused.wait, refused.whole_in), (Some(20 * SECOND), 60 * SECOND));
        assert!(budget.count(pace, start + 19 * SECOND).wait.is_some());
        let admitted = budget.count(pace, start + 20 * SECOND);
        assert_eq!((admitted.wait, admitted.requests), (None, 0), "refused ones cost nothing");
        assert_eq!(budget.count(pace, start + 200 * SECOND).requests, 2, "no more than a minute's");
    }

    #[test]
    fn a_slower_pace_makes_nobody_wait_longer_than_its_step() {
        let mut budget = Budget::default();
        let fast = Pace::new(600).expect("a pace");
        (0..600).for_each(|_| assert_eq!(budget.count(fast, SECOND).wait, None));
        let slow = Pace::new(1).expect("a pace");
        assert_eq!(budget.count(slow, SECOND).wait, Some(60 * SECOND));
    }

    #[test]
    fn keys_and_strangers_do_not_keep_each_other_waiting() {
        let (rates, one) = (Rates::default(), Pace::new(1).expect("a pace"));
        let [ada, ben] = ["ada", "ben"].map(|name| name.parse::<KeyName>().expect("a name"));
        assert_eq!(rates.count_key(ada, one, SECOND).wait, None);
        assert!(rates.count_key(ada, one, SECOND).wait.is_some());
        assert_eq!(rates.count_key(ben, one, SECOND).wait, None);
        assert_eq!(rates.count_stranger(SECOND).wait, None);
    }
}
