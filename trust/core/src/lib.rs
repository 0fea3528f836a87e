//! Trust plane, without I/O: who is who, who relates to whom, who may do what.
//!
//! Facts are signed [attestation]s. Everything else — devices of an agent,
//! relationships, members of a space, the keys we hold — is derived from the set
//! of attestations, so the order in which they arrive decides nothing.
//!
//! Invariant: every "may this device do A with B?" is answered by
//! [`Trust::decide`] and carries its evidence.
//! Non-goals: content, queries, blobs, anything frequent.

pub mod attestation;
pub mod decision;
pub mod exchange;
pub mod explain;
pub mod graph;
pub mod history;
pub mod keyring;
pub mod ledger;
pub mod membership;
#[cfg(test)]
mod oracle;
pub mod pairing;
pub mod session;
pub mod sites;
#[cfg(test)]
pub(crate) mod tests_people;
mod trust;
pub mod words;

pub use attestation::{Attestation, Claim, Party, Statement, Terms};
pub use decision::{Action, Decision, Question, Rule, Verdict};
pub use graph::Graph;
pub use ledger::{Ledger, LedgerError};
pub use sites::{Description, Label, Nearness};
pub use trust::{
    ATTESTATIONS_MAX, Admission, CLOCK_SKEW_MAX, Introduction, JOURNAL_MAX, Journalled, Received,
    ReplayError, SIGNER_ATTESTATIONS_MAX, STRANGER_ATTESTATIONS_MAX, Trust, TrustError,
    is_sealed_to,
};
pub use words::{DeviceClass, Layer, Reach, Role};
