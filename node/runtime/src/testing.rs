//! A node for the tests of whatever talks to one.

use std::time::Duration;

use node_core::{
    Request, Response,
    pack::{PackRequest, PackResponse},
};
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
    test_node_with(DeviceKeys::random(&mut OsEntropy), name, network).await
}

/// Starts one with these keys: several with one root are devices of one person.
///
/// # Panics
/// As [`test_node`].
pub async fn test_node_with(keys: DeviceKeys, name: &str, network: Network) -> TestNode {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = StartConfig {
        data_dir: folder.path().to_owned(),
        keys,
        agent_name: name.to_owned(),
        device_name: format!("{name}'s device"),
        sync_interval: Duration::from_secs(30 * 60),
        network,
        indexing: Indexing::AsItGoes,
    };
    let started = start(config).await.expect("an empty folder is a good start");
    TestNode { handle: started.handle.clone(), started, folder }
}

/// Tells one node whose device the other one is, and what else its person said.
///
/// # Panics
/// When one of them does not run.
pub async fn introduce(from: &TestNode, to: &TestNode) {
    let Ok(Response::Spaces(spaces)) = from.handle.request(Request::Spaces).await else {
        panic!("every node lists its spaces");
    };
    let home = spaces.iter().find(|space| space.is_home).expect("everybody has a space");
    let seal = Request::Pack(PackRequest::Seal { space: home.space });
    let Ok(Response::Pack(PackResponse::Plan(plan))) = from.handle.request(seal).await else {
        panic!("a member may pack");
    };
    let said = plan.attestations.into_iter().map(|(_, bytes)| bytes.into());
    let take = PackRequest::TakeAttestations { attestations: said.collect() };
    to.handle.request(Request::Pack(take)).await.expect("they are good");
}
