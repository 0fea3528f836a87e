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
}

impl AnomalyKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Gap => "gap",
            Self::Backdated => "backdated",
        }
    }

    /// In plain words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Fork => {
                "a device said two different things after the same one: its keys may be in two places"
            }
            Self::Gap => {
                "a statement follows one that is not here: it was withheld, or is still on its way"
            }
            Self::Backdated => "a statement is dated before the one that it follows",
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
    /// In which of its chains.
    pub scope: Scope,
    /// The statements that show it.
    pub evidence: Vec<AttestationId>,
}

/// Finds what is wrong in a set, in a fixed order.
#[must_use]
pub fn examine(all: &[&Attestation]) -> Vec<Anomaly> {
    let by_id: BTreeMap<AttestationId, &Attestation> =
        all.iter().map(|attestation| (attestation.id, *attestation)).collect();
    let mut followers: BTreeMap<(DeviceId, Scope, Option<AttestationId>), Vec<AttestationId>> =
        BTreeMap::new();
    let mut anomalies = Vec::new();
    for attestation in by_id.values() {
        let Attestation { signer, scope, .. } = **attestation;
        if scope == Scope::FOUNDING {
            continue;
        }
        followers.entry((signer, scope, attestation.prev)).or_default().push(attestation.id);
        let Some(prev) = attestation.prev else { continue };
        let kind = match by_id.get(&prev) {
            None => AnomalyKind::Gap,
            Some(before) => {
                let is_later = attestation.issued_at.0.saturating_add(BACKDATED_FROM_MILLIS)
                    > before.issued_at.0;
                let is_chain = before.signer == signer && before.scope == scope;
                if is_later && is_chain && attestation.height > before.height {
                    continue;
                }
                AnomalyKind::Backdated
            }
        };
        anomalies.push(Anomaly { kind, signer, scope, evidence: vec![attestation.id, prev] });
    }
    for ((signer, scope, _), evidence) in followers {
        if evidence.len() > 1 {
            anomalies.push(Anomaly { kind: AnomalyKind::Fork, signer, scope, evidence });
        }
    }
    anomalies.sort_by_key(|it| (it.kind, it.signer, it.scope, it.evidence.clone()));
    anomalies
}
