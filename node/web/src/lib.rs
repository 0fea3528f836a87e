//! A whole node in a browser: the same core as everywhere, with records that a script keeps
//! for it, and a doorway in the place of a network (decision 32).
//!
//! The script says what happened, and gets effects in the order in which they are to be done;
//! what has to be kept is the first of them, so nothing is said to anybody before it is
//! durable. `docs/protocol/web.md` has the messages.
//!
//! Invariant: no clock, no randomness and no socket here; the module imports nothing.
//! Non-goals: files, which a browser fetches by its doorway, and circuits.

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "an exported name is an unsafe attribute")]
mod abi;
mod ask;
mod browser;
mod call;
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the hook of `getrandom` gets a raw pointer")]
mod chance;
mod keys;
mod message;
mod outbox;
mod records;

pub use browser::Browser;
pub use call::{Call, Moment};
pub use message::{BadMessage, Message};
