//! What a synchronisation could not do, of what the doctor knows: each with what mends it.
//!
//! Invariant: a warning says what is so when the synchronisation is over, about what is
//! shared with the peers that it was about.
//! Non-goals: what goes on by itself, and what waits for a person to agree.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DeviceId, Now, SpaceId};

use super::{Cause, DoctorOf, Finding, Subject, diagnosis, facts::Documents};
use crate::{node::Node, request::PeerSyncState};

/// Most warnings of a synchronisation: some screens. `kith doctor` says all of it.
pub const WARNINGS_MAX: usize = 100;

/// What could not be done.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    /// Peers first, then by space, document and peer; each subject once.
    pub warnings: Vec<Finding>,
    /// Whether these are all.
    pub is_complete: bool,
}

impl Node {
    /// What is in the way of being in sync with these peers, who ended in these states.
    pub(crate) fn warnings(&mut self, now: Now, peers: &[(DeviceId, PeerSyncState)]) -> Warnings {
        let targets: BTreeMap<DeviceId, PeerSyncState> = peers.iter().copied().collect();
        let shared: BTreeSet<SpaceId> = targets
            .keys()
            .filter_map(|device| self.shares.get(device))
            .flat_map(|share| share.spaces.iter().copied())
            .collect();
        let facts = self.facts(now, DoctorOf::Everything, Documents::Known);
        let is_asked = |subject: &Subject| match (subject.peer, subject.space) {
            (Some(peer), _) => targets.contains_key(&peer),
            (None, Some(space)) => shared.contains(&space),
            (None, None) => false,
        };
        let mut found: Vec<(Subject, Cause)> = self.unreached(peers);
        let with_peers = diagnosis::diagnose(&facts).into_iter();
        let with_peers = with_peers.filter(|(subject, cause)| is_asked(subject) && warns(cause));
        let mut mismatched = BTreeSet::new();
        for (subject, cause) in with_peers {
            // It is about the whole program, not about one of its spaces.
            let is_version = matches!(cause, Cause::VersionMismatch { .. });
            if !is_version || mismatched.insert(subject.peer) {
                found.push((subject, cause));
            }
        }
        let is_complete = found.len() <= WARNINGS_MAX && !facts.has_unknown_documents;
        found.truncate(WARNINGS_MAX);
        let subjects: BTreeSet<Subject> = found.iter().map(|(subject, _)| *subject).collect();
        let dates = self.doctor.date(now.wall, &found, |subject| subjects.contains(subject));
        let warnings = found.into_iter().zip(dates);
        let warnings = warnings.map(|((subject, cause), at)| self.finding(subject, cause, at));
        Warnings { warnings: warnings.collect(), is_complete }
    }

    /// Those who could not be reached, once each, whatever is shared with them.
    fn unreached(&self, peers: &[(DeviceId, PeerSyncState)]) -> Vec<(Subject, Cause)> {
        let away = peers.iter().filter(|(_, state)| *state == PeerSyncState::Unreachable);
        let found = away.map(|(device, _)| {
            let known = self.data.peer(*device);
            let has_address = known.is_some_and(|it| !it.addresses.is_empty());
            let failure = known.and_then(|it| it.last_failure.clone());
            let subject = Subject { peer: Some(*device), ..Subject::default() };
            (subject, Cause::NoPath { has_address, failure })
        });
        found.collect()
    }
}

/// Whether a cause keeps things from being in sync until somebody does something. Peers
/// without a path are named by themselves.
fn warns(cause: &Cause) -> bool {
    match cause {
        Cause::NoPath { .. }
        | Cause::RelayOnly { .. }
        | Cause::BackPressure { .. }
        | Cause::Transferring { .. }
        | Cause::PeerBehind { .. }
        | Cause::WaitingForConsent(_) => false,
        Cause::Revoked { .. }
        | Cause::VersionMismatch { .. }
        | Cause::ClockSkew { .. }
        | Cause::Denied
        | Cause::Quota
        | Cause::DiskFull
        | Cause::PeerHindered { .. }
        | Cause::StorageFailed { .. }
        | Cause::RejectedEntry { .. }
        | Cause::MissingDependency { .. }
        | Cause::MissingFiles { .. } => true,
    }
}
