//! From facts to causes: which one counts. A pure function of the facts.

use std::time::Duration;

use node_model::{DeviceId, DocumentId, SpaceId};
use sync_engine_core::{CopyFacts, DocumentTrouble, reconcile::PeerState, store::StoreError};

use super::{
    Foreign,
    causes::{Cause, Consent, Refuser, Subject},
    is_newer,
};
use crate::failure::Failure;

/// Everything that causes derive from.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) spaces: Vec<SpaceFacts>,
    pub(super) consents: Vec<(Option<DeviceId>, Consent)>,
    /// Whether there are documents that were not looked at, though some were to be.
    pub(super) has_unknown_documents: bool,
}

/// A space that this node keeps and has not left.
#[derive(Clone, Debug)]
pub(super) struct SpaceFacts {
    pub(super) space: SpaceId,
    pub(super) out: Option<Out>,
    /// Whether its store is open.
    pub(super) is_open: bool,
    /// Why the last attempt to open it or to store something failed.
    pub(super) store_error: Option<StoreError>,
    /// Whether files are not here since as much is kept for the founder as was agreed.
    pub(super) lacks_room: bool,
    /// The peers that share it.
    pub(super) peers: Vec<PeerFacts>,
    /// Files that are not here.
    pub(super) files_wanted: usize,
    pub(super) documents: Vec<(DocumentId, DocumentTrouble)>,
}

/// How we are out of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    Removed,
    DeviceRevoked,
}

/// A peer that shares a space.
#[derive(Clone, Debug)]
pub(super) struct PeerFacts {
    pub(super) peer: DeviceId,
    pub(super) is_connected: bool,
    pub(super) has_address: bool,
    pub(super) failure: Option<String>,
    /// Whether somebody passes the connection on.
    pub(super) is_circuit: bool,
    /// Whether what is sent to it waits.
    pub(super) is_congested: bool,
    pub(super) foreign: Option<Foreign>,
    pub(super) clock_ahead: Option<Duration>,
    /// How the copies compare; `None` without a session.
    pub(super) copies: Option<CopyFacts>,
    /// Files of the space that are being fetched from it.
    pub(super) files_coming: usize,
}

/// Each subject's one cause, in order of subjects.
pub(super) fn diagnose(facts: &Facts) -> Vec<(Subject, Cause)> {
    let mut found: Vec<(Subject, Cause)> = facts.spaces.iter().flat_map(of_space).collect();
    found.extend(facts.consents.iter().map(|(peer, consent)| {
        let subject = Subject { peer: *peer, ..Subject::default() };
        (subject, Cause::WaitingForConsent(*consent))
    }));
    // The sort is stable: of two for one subject the first one counts.
    found.sort_by_key(|(subject, _)| *subject);
    found.dedup_by_key(|(subject, _)| *subject);
    found
}

fn of_space(facts: &SpaceFacts) -> Vec<(Subject, Cause)> {
    let whole = Subject { space: Some(facts.space), ..Subject::default() };
    let documents = facts.documents.iter().filter_map(|(document, trouble)| {
        Some((Subject { document: Some(*document), ..whole }, of_document(trouble)?))
    });
    let mut found: Vec<_> = documents.collect();
    if let Some(out) = facts.out {
        let is_device = out == Out::DeviceRevoked;
        found.push((whole, Cause::Revoked { is_device }));
        return found;
    }
    if let Some(error) = facts.store_error.as_ref().filter(|_| !facts.is_open) {
        // Whoever else is near: nothing goes in or out.
        found.push((whole, of_store(error)));
        return found;
    }
    for peer in &facts.peers {
        let subject = Subject { peer: Some(peer.peer), ..whole };
        found.extend(of_peer(facts, peer).map(|cause| (subject, cause)));
    }
    let files_coming: usize = facts.peers.iter().map(|peer| peer.files_coming).sum();
    if let Some(files) = facts.files_wanted.checked_sub(files_coming).filter(|files| *files > 0) {
        let cause = if facts.lacks_room { Cause::Quota } else { Cause::MissingFiles { files } };
        found.push((whole, cause));
    }
    found
}

/// Why a peer's copy is not confirmed to be equal to ours; `None` when it is, and no file
/// is coming from there.
fn of_peer(space: &SpaceFacts, peer: &PeerFacts) -> Option<Cause> {
    let cause = of_copies(space, peer)?;
    let is_under_way = matches!(cause, Cause::Transferring { .. } | Cause::PeerBehind { .. });
    Some(match (peer.is_circuit, cause) {
        (true, what) if is_under_way => Cause::RelayOnly { what: Box::new(what) },
        (false, Cause::PeerBehind { entries, .. }) if peer.is_congested => {
            Cause::BackPressure { entries }
        }
        (_, cause) => cause,
    })
}

fn of_copies(space: &SpaceFacts, peer: &PeerFacts) -> Option<Cause> {
    if !peer.is_connected {
        let (has_address, failure) = (peer.has_address, peer.failure.clone());
        return Some(Cause::NoPath { has_address, failure });
    }
    if let Some(foreign) = peer.foreign {
        return Some(Cause::VersionMismatch { is_newer: is_newer(foreign) });
    }
    let Some(copies) = &peer.copies else {
        return Some(Cause::PeerBehind { entries: 0, has_spoken: false });
    };
    // What failed once is of the past when there is nothing to take in.
    let takes_in = copies.unread_here > 0 || !copies.has_spoken;
    let is_settled = matches!(copies.state, PeerState::Equal | PeerState::Denied);
    if let Some(error) = space.store_error.as_ref().filter(|_| takes_in && !is_settled) {
        return Some(of_store(error));
    }
    let transferring = || Cause::Transferring {
        entries: copies.unread_here,
        files: peer.files_coming,
        progress: copies.progress,
    };
    match copies.state {
        PeerState::Equal if peer.files_coming > 0 => Some(transferring()),
        PeerState::Equal => None,
        PeerState::Denied => Some(match (copies.hindrance, peer.clock_ahead) {
            (Some(why), _) => Cause::PeerHindered { why },
            (None, Some(ahead)) => Cause::ClockSkew { ahead },
            (None, None) => Cause::Denied,
        }),
        PeerState::Pulling => Some(transferring()),
        PeerState::Unknown => Some(match copies.hindrance {
            Some(why) => Cause::PeerHindered { why },
            None => Cause::PeerBehind { entries: copies.unread_there, has_spoken: false },
        }),
        PeerState::Different => Some(of_difference(copies, transferring())),
    }
}

/// Nothing is under way, and the copies differ.
fn of_difference(copies: &CopyFacts, transferring: Cause) -> Cause {
    if copies.unread_here > 0 {
        return transferring;
    }
    if copies.unread_there > 0 {
        let entries = copies.unread_there;
        let behind = Cause::PeerBehind { entries, has_spoken: true };
        return copies.hindrance.map_or(behind, |why| Cause::PeerHindered { why });
    }
    // Both have looked at everything: one of them left something out.
    let (by, count, why) = if copies.has_refused {
        (Refuser::Us, copies.refused.count, copies.refused.last.clone())
    } else {
        (Refuser::Them, 0, None)
    };
    Cause::RejectedEntry { by, count, why }
}

fn of_store(error: &StoreError) -> Cause {
    match error {
        StoreError::Quota => Cause::Quota,
        StoreError::Full => Cause::DiskFull,
        StoreError::Newer { .. }
        | StoreError::Older { .. }
        | StoreError::Damaged(_)
        | StoreError::Storage(_) => {
            let fix = Failure::from(error.clone()).fix;
            Cause::StorageFailed { error: error.to_string(), fix }
        }
    }
}

/// What was refused stays out; what waits may come in.
fn of_document(trouble: &DocumentTrouble) -> Option<Cause> {
    if let Some((entry, refusal)) = trouble.example {
        let by = Refuser::Everybody(entry, refusal);
        let why = Some(refusal.to_string());
        return Some(Cause::RejectedEntry { by, count: trouble.refused as u64, why });
    }
    (trouble.waiting > 0).then_some(Cause::MissingDependency { changes: trouble.waiting })
}

#[cfg(test)]
mod tests;
