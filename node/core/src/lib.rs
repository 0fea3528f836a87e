//! The whole node, without I/O: three planes, and the one place where they meet.
//!
//! A driver hands [`Input`]s and the time in, and does the [`Effect`]s that come
//! out. The planes never see each other; `route.rs` turns one plane's event into
//! another's command.
//!
//! Invariant: a request is answered only after what it changed is durable.

mod acquaintance;
mod circles;
mod collection;
pub mod compaction;
pub mod conflicts;
mod custody;
mod denied;
pub mod doctor;
pub mod doorway;
mod effect;
pub mod failure;
mod farewell;
mod forks;
mod holders;
mod introduce;
mod journal;
mod keep;
mod members;
pub mod mend;
mod node;
mod offers;
pub mod pack;
mod pair;
mod parked;
pub mod past;
mod peers;
mod people;
mod purge;
pub mod receipts;
pub mod request;
mod route;
pub mod search;
mod serve;
mod settling;
mod sites;
mod state;
mod sync_now;
mod views;
mod whereabouts;
mod why;
mod write;

pub use denied::Denied;
pub use effect::Effect;
pub use failure::{Failure, FailureKind};
pub use mend::Mend;
pub use node::{Config, Input, Node, RequestId, SpaceStorage};
pub use request::{Request, Response};

#[cfg(test)]
mod tests;
