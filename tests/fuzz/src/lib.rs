//! Decoders of outside bytes, and a driver that feeds them what nobody would send.
//!
//! A target is a function of bytes. It may refuse them; it must not panic, must not use more
//! memory than it says, and what it takes must encode to the very same bytes again. Where a
//! checksum, signature or seal stands in front of a decoder, a second target puts a right one
//! around the bytes, so that what is behind is reached, too.
//!
//! Every commit tries some ten thousand inputs for each target, the same ones every time. Longer,
//! for each target:
//!
//! ```sh
//! KITH_FUZZ_SECONDS=3600 cargo nextest run -p fuzz
//! KITH_FUZZ_SECONDS=3600 KITH_FUZZ_SEED=7 cargo nextest run -p fuzz -E 'test(=entries)'
//! ```
//!
//! Led by coverage, which finds more in the same time: `tests/run fuzz` (`guided/`). What it
//! has learnt is in `corpus/<target>.inputs`: every commit tries these, too, and mutates them.
//!
//! An input that fails is written to a file that the message names. Put it into
//! `tests/fuzz/corpus/<target>/` together with the fix: all files there are tried first, as they
//! are, and are seeds of further mutations.
//!
//! Non-goals: state machines (see `tests/sim`), decoders that are private to a crate (blob
//! requests, pages, imported files: their crates test them).

mod bounds;
pub mod frames;
pub mod heap;
pub mod learnt;
pub mod mutate;
pub mod seeds;
pub mod targets;
mod wire;
