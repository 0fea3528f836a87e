//! Sync engine, without I/O: what documents mean and how stores become equal.
//!
//! Automerge changes become sealed, signed [entries](entry); entries become
//! [documents](document); [reconciliation](reconcile) makes the stores of two
//! nodes equal without either being able to read them.
//!
//! Invariant: nothing is acknowledged, announced or sent before the store has
//! made it durable.
//! Non-goals: sockets, clocks, deciding who may.

pub mod blob;
pub mod digest;
pub mod document;
mod engine;
pub mod entry;
pub mod json;
pub mod part;
pub mod patch;
pub mod query;
pub mod receipt;
pub mod reconcile;
pub mod rule;
pub mod sketch;
pub mod store;
pub mod text;

pub use engine::{
    ArrivalKind, BundleOrder, Carried, Changes, Collected, Compacted, CopyFacts, DocumentTrouble,
    EngineError, EqualPart, Event, Events, Flushed, FrameError, JobId, KeptPart, LARGE_FROM_BYTES,
    Limit, LoadOrder, LoadedDocument, MadeBundle, Output, PeerSync, RefusedEntries, SpaceCounts,
    SyncEngine, Unlisted, Writer, conflict::DecisionError, content_document, path_document,
};
