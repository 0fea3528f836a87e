//! Two whole nodes in this process, related over loopback.

use std::{path::Path, time::Duration};

use node_core::{
    Request, Response,
    request::{PeerSyncState, Reach, Role, SpaceStatus},
};
use node_model::{DeviceId, SpaceId};
use node_runtime::{DeviceKeys, Indexing, Network, OsEntropy, StartConfig, Started, start};
use tempfile::TempDir;

/// How often the end of a transfer is looked for.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A node in a temporary directory.
pub struct BenchNode {
    /// The node.
    pub started: Started,
    /// Its data directory.
    pub folder: TempDir,
}

/// Keys that a restart needs again.
pub struct Secrets([[u8; 32]; 3]);

impl Secrets {
    /// Fresh ones.
    #[must_use]
    pub fn random() -> Self {
        let keys = DeviceKeys::random(&mut OsEntropy);
        Self([
            *keys.device.secret(),
            *keys.root().expect("new keys have one").secret(),
            *keys.hpke_seed(),
        ])
    }

    /// Reads what [`Secrets::bytes`] made.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.as_chunks();
        if rest.is_empty() { keys.try_into().ok().map(Self) } else { None }
    }

    /// For a file that another process reads.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> DeviceKeys {
        DeviceKeys::from_secrets(&self.0[0], &self.0[1], &self.0[2])
    }
}

/// Starts a node on a folder.
pub async fn node(name: &str, folder: &Path, secrets: &Secrets) -> Started {
    let listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
    listening(name, folder, secrets, &listen).await
}

async fn listening(name: &str, folder: &Path, secrets: &Secrets, listen: &[&str]) -> Started {
    let config = StartConfig {
        data_dir: folder.to_owned(),
        keys: secrets.keys(),
        agent_name: name.to_owned(),
        device_name: name.to_owned(),
        sync_interval: Duration::from_secs(1_800),
        network: Network::Listen {
            addresses: listen.iter().map(ToString::to_string).collect(),
            mdns: false,
            circuits: true,
        },
        indexing: Indexing::AsItGoes,
    };
    start(config).await.expect("a node starts in an empty folder")
}

impl BenchNode {
    /// A new node.
    pub async fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let started = node(name, folder.path(), &Secrets::random()).await;
        Self { started, folder }
    }

    /// A new node that nobody can dial.
    pub async fn unreachable(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let started = listening(name, folder.path(), &Secrets::random(), &[]).await;
        Self { started, folder }
    }

    /// Founds a space.
    pub async fn found(&self) -> SpaceId {
        found(&self.started).await
    }
}

/// Founds a space.
pub async fn found(node: &Started) -> SpaceId {
    let request =
        Request::FoundSpace { name: "bench".into(), reach: Reach::Private, has_open_history: true };
    let Response::Space(info) = node.handle.request(request).await.expect("founds") else {
        panic!("not the answer");
    };
    info.space
}

/// Relates `guest` to `host` and makes it a writer of the space.
pub async fn relate(host: &Started, guest: &Started, space: SpaceId) {
    relate_over(host, guest, space, None).await;
}

/// Relates `guest` to `host`, as [`relate`] does; the guest dials this address, if there is
/// one, and not those of the host.
pub async fn relate_over(host: &Started, guest: &Started, space: SpaceId, address: Option<&str>) {
    let issue = Request::IssueTicket {
        grant: Some((space, Role::Writer)),
        is_for_own_device: false,
        lifetime: Duration::from_secs(900),
    };
    let Response::Ticket(mut ticket) = host.handle.request(issue).await.expect("issues") else {
        panic!("no ticket");
    };
    if let Some(address) = address {
        ticket.addresses = vec![address.to_owned()];
    }
    let pair = guest
        .handle
        .request(Request::Pair { ticket, is_link: false })
        .await
        .expect("reaches the host");
    let Response::PairingCode { device, .. } = pair else {
        panic!("no code");
    };
    let confirm = Request::ConfirmPairing { device, is_same: true };
    guest.handle.request(confirm).await.expect("pairs");
}

/// Waits until `guest` has everything of the space.
pub async fn arrived(guest: &Started, space: SpaceId, documents: u64, blobs: usize) {
    let sync = Request::Sync { device: None, is_full: false };
    loop {
        let Ok(Response::Synced(report)) = guest.handle.request(sync.clone()).await else {
            panic!("does not sync");
        };
        let is_synced = report.peers.iter().any(|(_, state)| *state == PeerSyncState::Synced);
        let status = space_status(guest, space).await;
        let is_here = status.is_some_and(|status| {
            status.documents >= documents && status.blobs >= blobs && status.blobs_missing == 0
        });
        if is_synced && is_here {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The device of a node.
pub async fn device(node: &Started) -> DeviceId {
    let identity = node.handle.request(Request::Identity).await.expect("it has one");
    let Response::Identity(identity) = identity else {
        panic!("not the answer");
    };
    identity.device
}

/// The numbers of a space.
pub async fn space_status(node: &Started, space: SpaceId) -> Option<SpaceStatus> {
    let Response::Status(status) =
        node.handle.request(Request::Status).await.expect("has a status")
    else {
        panic!("not the answer");
    };
    status.spaces.into_iter().find(|s| s.info.space == space)
}
