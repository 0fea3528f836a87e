//! A space in a folder: on a stick, or in one that a file synchroniser keeps equal in several
//! places. No locks, no server, nobody has to be there at the same time.
//!
//! Each file is written once, under its final name only when it is whole, by the one device
//! whose folder it is in, and never changed; so synchronisers have nothing to merge. The layout
//! and the bytes are in `docs/protocol/folder.md`.
//!
//! Invariants: no name in the folder is believed, no link in it is followed, and nothing outside
//! it is touched. What cannot be used is passed over and named, and looked at again next time.
//! Non-goals: who may write what (whoever takes entries out asks), keys, and secrets: entries
//! are sealed before they come here, and what a custodian sees of them is what a finder sees.

mod error;
mod examine;
mod file;
mod merge;
mod place;
mod purge;
mod store;
mod view;

pub use error::FolderError;
pub use place::{Kind, PassedOver, SpacePlace, begin, is_ours, spaces};
pub use store::{BATCH_BYTES_MAX, FolderStore};

#[cfg(test)]
mod tests;
