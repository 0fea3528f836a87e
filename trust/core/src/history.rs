//! Histories that contradict themselves: each signer's statements in a scope are
//! hash-linked, so what was withheld, said twice or dated back shows.
//!
//! An anomaly changes no right by itself: what it proves is kept, passed on and
//! shown, and people decide.

use std::collections::BTreeMap;

use node_model::{AttestationId, DeviceId};

use crate::attestation::{Attestation, Scope};

/// How much earlier than the statement before it one may be dated, in
/// milliseconds, before it counts as dated back: clocks are set right by hours.
const BACKDATED_FROM_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// What is wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// One signer said two things after the same one: its keys are in two places,
    /// or it tells different people different things. Both are kept as the proof.
    Fork,
    /// A statement follows one that is not here: it was withheld, or is on its way.
    Gap,
    /// A statement is dated a day or more before the one that it follows, or is
    /// not higher than it.
    Backdated,
    /// A device consented to two agents: its key is in two hands.
    TwoOwners,
}

impl AnomalyKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Gap => "gap",
            Self::Backdated => "backdated",
            Self::TwoOwners => "two-owners",
        }
    }

    /// In plain words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Fork => {
                "a device said two different things after the same one: its keys may be in two places, or its disk was set back"
            }
            Self::Gap => {
                "a statement follows one that is not here: it was withheld, or is still on its way"
            }
            Self::Backdated => "a statement is dated before the one that it follows",
            Self::TwoOwners => {
                "a device says that it belongs to two people: somebody else has its key; take it back"
            }
        }
    }
}

/// A history that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What is wrong.
    pub kind: AnomalyKind,
    /// Whose key signed.
    pub signer: DeviceId,
    /// In which of its chains; of a device with two owners, its own id.
    pub scope: Scope,
    /// The statements that show it.
    pub evidence: Vec<AttestationId>,
}

/// Finds what is wrong in a set, in a fixed order. Fast when it comes sorted by id.
#[must_use]
pub fn examine(all: &[&Attestation]) -> Vec<Anomaly> {
    // A sorted list: a map of 100,000 ids takes several times as long to fill.
    let mut by_id: Vec<&Attestation> = all.to_vec();
    by_id.sort_unstable_by_key(|attestation| attestation.id);
    // Numbers beside each other are found faster than ids behind pointers.
    let prefixes: Vec<u64> = by_id.iter().map(|it| it.id.prefix()).collect();
    let find = |id: AttestationId| {
        let first = prefixes.partition_point(|prefix| *prefix < id.prefix());
        let alike = prefixes[first..].iter().take_while(|prefix| **prefix == id.prefix()).count();
        (first..first + alike).find(|at| by_id[*at].id == id)
    };
    let mut followers: Vec<Option<usize>> = vec![None; by_id.len()];
    let mut beginnings: BTreeMap<(DeviceId, Scope), AttestationId> = BTreeMap::new();
    let mut anomalies = Vec::new();
    for (index, attestation) in by_id.iter().enumerate() {
        let Attestation { id, signer, scope, prev, .. } = **attestation;
        // Whoever comes back by the phrase does not know what the root said last.
        if scope == Scope::FOUNDING || (attestation.is_rooted() && prev.is_none()) {
            continue;
        }
        let mut found = |kind, evidence| anomalies.push(Anomaly { kind, signer, scope, evidence });
        let Some(prev) = prev else {
            if let Some(other) = beginnings.insert((signer, scope), id) {
                found(AnomalyKind::Fork, vec![other, id]);
            }
            continue;
        };
        let Some(at) = find(prev) else {
            found(AnomalyKind::Gap, vec![id, prev]);
            continue;
        };
        let before = by_id[at];
        if !is_in_order(before, attestation) {
            found(AnomalyKind::Backdated, vec![id, prev]);
        }
        let is_chain = (before.signer, before.scope) == (signer, scope);
        if let Some(other) = followers[at].filter(|_| is_chain) {
            found(AnomalyKind::Fork, vec![by_id[other].id, id]);
        }
        followers[at] = followers[at].or(is_chain.then_some(index));
    }
    anomalies.sort_by_key(|it| (it.kind, it.signer, it.scope, it.evidence.clone()));
    anomalies
}

fn is_in_order(before: &Attestation, after: &Attestation) -> bool {
    let is_later = after.issued_at.0.saturating_add(BACKDATED_FROM_MILLIS) > before.issued_at.0;
    let is_chain = before.signer == after.signer && before.scope == after.scope;
    is_later && is_chain && after.height > before.height
}
