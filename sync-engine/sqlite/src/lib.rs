//! Entries of a space in one SQLite file.
//!
//! Invariant: [`EntryStore::append`] returns after the commit was synced to the
//! disk (WAL, `synchronous=FULL`), so what it accepted survives a power cut.
//! Non-goal: reading what entries say; bodies are ciphertext here.

mod schema;
mod store;

pub use schema::FORMAT;
pub use store::{OpenOptions, SqliteStore};

#[cfg(test)]
mod tests;
