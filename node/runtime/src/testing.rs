//! A node for the tests of whatever talks to one.

use std::time::Duration;

use tempfile::TempDir;
use trust_core::keyring::DeviceKeys;

use crate::{Handle, Indexing, Network, OsEntropy, StartConfig, Started, start};

/// A real node without a network, in a temporary directory.
pub struct TestNode {
    /// Talks to it.
    pub handle: Handle,
    /// The node.
    pub started: Started,
    /// Its data directory, which goes when this goes.
    pub folder: TempDir,
}

/// Starts one.
///
/// # Panics
/// When the machine has no temporary folder to write to.
pub async fn test_node(name: &str, network: Network) -> TestNode {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = StartConfig {
        data_dir: folder.path().to_owned(),
        keys: DeviceKeys::random(&mut OsEntropy),
        agent_name: name.to_owned(),
        device_name: format!("{name}'s device"),
        sync_interval: Duration::from_secs(30 * 60),
        network,
        indexing: Indexing::AsItGoes,
    };
    let started = start(config).await.expect("an empty folder is a good start");
    TestNode { handle: started.handle.clone(), started, folder }
}
