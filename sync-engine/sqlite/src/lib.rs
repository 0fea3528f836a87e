//! Entries of a space in one SQLite file, and a [full-text index](search) of what
//! they mean.
//!
//! Invariant: [`append`](sync_engine_core::store::EntryStore::append) returns after
//! the commit was synced to the disk (WAL, `synchronous=FULL`), so what it accepted
//! survives a power cut.
//! Non-goal: reading what entries say; bodies are ciphertext here. The index is
//! given plain text, and nothing of it reaches a disk unsealed.

mod repair;
mod schema;
pub mod search;
mod store;

pub use repair::{Repaired, repair};
pub use schema::FORMAT;
pub use store::{OpenOptions, SqliteStore};

#[cfg(test)]
mod tests;
