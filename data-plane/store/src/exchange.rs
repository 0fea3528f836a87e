//! The blob protocol, `/kith/blob/1`, on any stream: who wants blobs asks for what is missing
//! of them, and who has them asks its node who may have what.
//!
//! Invariant: everything is verified before it is stored, and reported only when it is durable.
//! Format: `docs/protocol/blobs.md`. Non-goals: streams, and how many there may be.

pub mod fetch;
pub mod provide;
mod stall;
mod wire;

pub use stall::STALL_MAX;
pub use wire::{BadRequest, REQUEST_BYTES_MAX};
