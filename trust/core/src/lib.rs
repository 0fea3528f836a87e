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
pub mod graph;
pub mod keyring;
pub mod ledger;
pub mod pairing;
mod trust;
pub mod words;

pub use attestation::{Attestation, Claim};
pub use decision::{Action, Decision, Question, Rule};
pub use graph::Graph;
pub use ledger::{Ledger, LedgerError};
pub use trust::{ATTESTATIONS_MAX, Received, Trust, TrustError};
pub use words::{Layer, Reach, Role};
