//! Harness of the acceptance tests: the real `kith` in real directories, over real sockets.
//!
//! A test waits for what it needs (a line, an exit, an answer), never for time to pass; where
//! there is no event it asks again until the answer fits. Everything has a limit, so that a hang
//! is a failure that says what was waited for.
//!
//! Non-goal: knowing the product from inside; these tests see what a person or script sees.

mod folder;
mod home;
mod http;
mod mounts;
mod running;
mod wait;

pub use folder::{Tree, read_tree, write_tree};
pub use home::{Failed, Home, Kith, PASSPHRASE, Said};
pub use http::{Answer, Browser, Connection, Lost};
pub use mounts::{HungMount, Inside, in_own_mounts, mount, skip};
pub use running::{Running, Up};
pub use wait::{PATIENCE, until};

pub use rustix::process::Signal;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::Value;

/// The seeded randomness of a test; `KITH_ACCEPTANCE_SEED` chooses another history.
#[must_use]
pub fn dice() -> ChaCha8Rng {
    let seed = std::env::var("KITH_ACCEPTANCE_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(1);
    ChaCha8Rng::seed_from_u64(seed)
}

/// A string of an answer that must be there.
#[must_use]
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    let found = value.get(key).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text {key:?} in {value}"))
}

/// A list of an answer that must be there.
#[must_use]
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let found = value.get(key).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no list {key:?} in {value}"))
}

/// A number of an answer that must be there.
#[must_use]
pub fn number(value: &Value, key: &str) -> u64 {
    let found = value.get(key).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number {key:?} in {value}"))
}
