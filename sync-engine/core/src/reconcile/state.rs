//! How the copies of two sides compare, in a word.

use super::{Session, Step};
use crate::store::StoreHead;

/// How a peer's copy of a space compares with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// Nothing heard yet.
    Unknown,
    /// Both named the same digest.
    Equal,
    /// We are pulling.
    Pulling,
    /// They differ, and nothing is under way from our side.
    Different,
    /// The peer says that there is no such space for us.
    Denied,
}

impl Session {
    /// How the two copies compare, as far as both sides said. `whole` is the head of our
    /// store.
    #[must_use]
    pub fn state(&self, whole: StoreHead) -> PeerState {
        let own = self.own(whole);
        if self.is_denied {
            return PeerState::Denied;
        }
        match (&self.step, self.theirs()) {
            (
                Step::Pull(_)
                | Step::List(_)
                | Step::Sketch(_)
                | Step::Await
                | Step::Find(_)
                | Step::Finish,
                _,
            ) => PeerState::Pulling,
            (Step::Idle, None) => PeerState::Unknown,
            (Step::Idle, Some(theirs)) => {
                let both_said = self.told.is_some_and(|told| told.digest == own.digest);
                if both_said && theirs.digest == own.digest {
                    PeerState::Equal
                } else {
                    PeerState::Different
                }
            }
        }
    }
}
