//! Ways on which statements of trust, and perhaps entries, travel outside of connections: a folder
//! that a file synchroniser or a server keeps, or a ledger of another program. Each has a task of
//! its own beside the loop, and may hang, fail or be absent for as long as it likes.
//!
//! An adapter is one call that brings both sides up to date: it takes in what is new out there
//! (`PackRequest::TakeAttestations` and its neighbours, the intake of packs), and puts out what is
//! lacking there (`PackRequest::Seal`). What each must do is `conformance`, among the tests.
//!
//! Invariants: no write, sync or turn of the loop waits for a call; each adapter has one call under
//! way and no queue, since a call compares all that is here with all that is there; what hangs
//! is left alone, and called again later and later.
//! Non-goals: what travels and in which form; and ending a call of the system that never returns,
//! which nobody can: an adapter sees to it that the next call waits for it without a thread.

use std::time::Duration;

use futures::future::BoxFuture;
use node_core::Failure;
use node_model::Timestamp;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use crate::{
    clock::Clock,
    handle::{Handle, NodeEvent, Progress, ProgressSender, WeakHandle},
};

/// What a call came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Called {
    /// How much out there could not be used.
    pub(crate) left_out: usize,
}

/// A call under way. Whenever it got further it says so to its [`ProgressSender`]: without that it
/// counts as hanging.
pub(crate) type Call = BoxFuture<'static, Result<Called, Failure>>;

/// An adapter: its call, and how often to look for what others put out there.
pub(crate) struct Carrier {
    pub(crate) every: Duration,
    pub(crate) call: Box<dyn Fn(Handle, ProgressSender) -> Call + Send + Sync>,
}

/// How it stands with a way outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierStatus {
    /// In a word.
    pub state: CarrierState,
    /// When both sides were last up to date.
    pub last_sync: Option<Timestamp>,
    /// How much out there could not be used, then.
    pub left_out: usize,
}

/// How it stands with a way outside, in a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CarrierState {
    /// It was not called, or not to its end yet.
    #[default]
    Waiting,
    /// The last call did all.
    Synced,
    /// A call hangs, or was left hanging.
    NotAnswering {
        /// Its last sign of life.
        since: Timestamp,
    },
    /// The last calls failed.
    Failing {
        /// When the first of them ended.
        since: Timestamp,
        /// What the last one said.
        failure: Failure,
    },
}

impl CarrierState {
    /// Its stable name.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Synced => "synced",
            Self::NotAnswering { .. } => "not-answering",
            Self::Failing { .. } => "failing",
        }
    }
}

/// How patient one is with an adapter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// A call without a sign of life for so long counts as hanging. A disk that sleeps, or a network
    /// mount over a slow line, wakes up in less.
    pub(crate) answer_max: Duration,
    /// After so much more it is left alone. Long, since nothing else can be done about it.
    pub(crate) give_up: Duration,
    /// Changes that follow each other within this time go out together.
    pub(crate) calm: Duration,
    /// Calls that fail become as seldom as this, or as the adapter's own rhythm: a stick that is
    /// plugged in is noticed within a quarter of an hour.
    pub(crate) back_off_max: Duration,
}

/// The pace of a node.
pub(crate) const PACE: Pace = Pace {
    answer_max: Duration::from_secs(10),
    give_up: Duration::from_secs(10 * 60),
    calm: Duration::from_secs(2),
    back_off_max: Duration::from_secs(15 * 60),
};

/// A call takes at most one part in so many of the time, however much there is to compare.
const REST_PER_CALL: u32 = 10;

/// Runs an adapter for as long as there is the node.
pub(crate) async fn run(
    carrier: Carrier,
    node: WeakHandle,
    (clock, pace): (Clock, Pace),
    status: watch::Sender<CarrierStatus>,
) {
    let Some(events) = node.upgrade().map(|node| node.events()) else { return };
    let mut running = Running { carrier, clock, pace, status, events, failures: 0 };
    while let Some(node) = node.upgrade() {
        let began = clock.now().monotonic;
        let outcome = running.call(node).await;
        let took = clock.now().monotonic.saturating_sub(began);
        running.note(outcome);
        if !running.rest(took).await {
            return;
        }
    }
}

enum Outcome {
    Done(Called),
    Failed(Failure),
    /// It was left hanging.
    Silent,
}

struct Running {
    carrier: Carrier,
    clock: Clock,
    pace: Pace,
    status: watch::Sender<CarrierStatus>,
    events: broadcast::Receiver<NodeEvent>,
    /// Calls that failed or hung, one after the other.
    failures: u32,
}

impl Running {
    async fn call(&mut self, node: Handle) -> Outcome {
        let (progress, mut told) = watch::channel(Progress::default());
        let mut call = (self.carrier.call)(node, progress);
        // What is shown again when a call that seemed to hang goes on.
        let before = match self.status.borrow().state.clone() {
            CarrierState::NotAnswering { .. } => CarrierState::Waiting,
            state @ (CarrierState::Waiting
            | CarrierState::Synced
            | CarrierState::Failing { .. }) => state,
        };
        let (mut alive, mut is_silent, mut tells) = (self.clock.now().wall, false, true);
        loop {
            let limit = if is_silent { self.pace.give_up } else { self.pace.answer_max };
            tokio::select! {
                biased;
                result = &mut call => {
                    return result.map_or_else(Outcome::Failed, Outcome::Done);
                }
                changed = told.changed(), if tells => {
                    tells = changed.is_ok();
                    if tells {
                        (alive, is_silent) = (self.clock.now().wall, false);
                        self.show(before.clone());
                    }
                }
                () = tokio::time::sleep(limit) => {
                    if is_silent {
                        return Outcome::Silent;
                    }
                    is_silent = true;
                    if !self.is_silent() {
                        self.show(CarrierState::NotAnswering { since: alive });
                    }
                }
            }
        }
    }

    fn is_silent(&self) -> bool {
        matches!(self.status.borrow().state, CarrierState::NotAnswering { .. })
    }

    fn show(&self, state: CarrierState) {
        self.status.send_if_modified(|status| {
            let is_other = status.state != state;
            status.state = state;
            is_other
        });
    }

    fn note(&mut self, outcome: Outcome) {
        let now = self.clock.now().wall;
        match outcome {
            Outcome::Done(Called { left_out }) => {
                self.failures = 0;
                let state = CarrierState::Synced;
                self.status.send_replace(CarrierStatus { state, last_sync: Some(now), left_out });
            }
            Outcome::Failed(failure) => {
                self.failures = self.failures.saturating_add(1);
                let since = match &self.status.borrow().state {
                    CarrierState::Failing { since, .. } => *since,
                    CarrierState::Waiting
                    | CarrierState::Synced
                    | CarrierState::NotAnswering { .. } => now,
                };
                self.show(CarrierState::Failing { since, failure });
            }
            Outcome::Silent => self.failures = self.failures.saturating_add(1),
        }
    }

    /// Until the next call; false when the node is gone.
    async fn rest(&mut self, took: Duration) -> bool {
        let rest = took.saturating_mul(REST_PER_CALL);
        let longest = self.pace.back_off_max.max(self.carrier.every);
        let doubled = 2_u32.saturating_pow(self.failures);
        let wait = self.carrier.every.saturating_mul(doubled).min(longest);
        let wait = if self.failures == 0 { wait.max(rest) } else { wait };
        let end = tokio::time::sleep(wait);
        tokio::pin!(end);
        // What fails is not called more often for having more to carry.
        let mut listens = self.failures == 0;
        loop {
            tokio::select! {
                () = &mut end => return true,
                event = self.events.recv(), if listens => match event {
                    Ok(NodeEvent::Changed { .. }) | Err(RecvError::Lagged(_)) => {
                        listens = false;
                        let soon = self.clock.now().monotonic + self.pace.calm.max(rest);
                        let soon = self.clock.instant(soon).into();
                        if soon < end.deadline() {
                            end.as_mut().reset(soon);
                        }
                    }
                    Ok(NodeEvent::PairingCode { .. } | NodeEvent::Paired { .. }) => {}
                    Err(RecvError::Closed) => return false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
