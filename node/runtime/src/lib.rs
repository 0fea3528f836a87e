//! Drives a node: time, randomness, workers, the network and the disk around
//! `node-core`, and the [`Handle`] by which everything else talks to it.
//!
//! Invariant: the loop never waits for a shell; it stops reading the network
//! while its own outbox is full, so back-pressure reaches the sockets.

pub mod audit;
mod blobs;
mod carrier;
mod clock;
mod driver;
mod entropy;
mod export;
mod folder;
mod handle;
mod import;
mod import_file;
mod loader;
mod pack;
mod private_file;
pub mod query;
pub mod renew;
mod seal_file;
pub mod search;
mod start;
pub mod storage;
pub mod testing;
pub mod visit;

pub use blobs::{BlobReader, FileEntry, StoredBlob};
pub use carrier::{CarrierState, CarrierStatus};
pub use clock::Clock;
pub use entropy::OsEntropy;
pub use export::ExportReport;
pub use folder::{FolderReport, FolderSpace, KeptFolder};
pub use handle::{Handle, NodeEvent, Progress, ProgressSender, Skipped};
pub use import::ImportReport;
pub use pack::{PackReport, UnpackReport};
pub use private_file::write_private;
pub use search::Indexing;
pub use start::{Network, StartConfig, StartError, Started, start};
pub use sync_engine_folder::PassedOver;
pub use trust_core::keyring::{DeviceKeys, Standing};

#[cfg(test)]
mod tests;
