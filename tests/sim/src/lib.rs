//! The simulator: whole nodes without I/O, in virtual time, over simulated disks and a simulated
//! network, judged by invariants. One seed is one history; the same seed is the same history.
//!
//! Where to add something:
//! - an invariant: a function and a line of `INVARIANTS` in `invariants/mod.rs`;
//! - a fault: a variant of `Fault` in `fault.rs`, and where it strikes (`network/frames.rs` for
//!   frames, `trouble.rs` for everything that happens to a machine);
//! - something that people do: `workload.rs`.
//!
//! Non-goals: sockets, threads, HTTP, blobs' bytes. What a real transport does to frames is
//! written down in `network/mod.rs`.

mod clock;
mod describe;
mod dice;
pub mod disk;
mod fault;

mod invariants;
mod join;
mod log;
mod machine;
mod network;
mod reference;
mod removal;
mod run;
mod setup;
mod storage;

mod trace;
mod trouble;
mod turn;
mod workload;
mod world;

pub use fault::Counts;
pub use invariants::Violation;
pub use run::{Options, Outcome, run};
