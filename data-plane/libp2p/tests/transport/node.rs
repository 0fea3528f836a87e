//! A transport with a store, and what tests ask of it.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use data_plane_core::net::{Lane, NetCommand, NetEvent};
use data_plane_libp2p::{NetConfig, Network, StartError, start};
use data_plane_store::Blobs;
use node_model::DeviceId;
use tempfile::TempDir;

/// Longer than anything here takes, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// What two nodes talk over.
#[derive(Clone, Copy)]
pub(crate) enum Transport {
    Tcp,
    Quic,
}

impl Transport {
    fn listen(self) -> &'static str {
        match self {
            Self::Tcp => "/ip4/127.0.0.1/tcp/0",
            Self::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        }
    }
}

/// Waits, but not forever.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens soon")
}

/// A transport under test.
pub(crate) struct Node {
    pub(crate) device: DeviceId,
    pub(crate) network: Network,
    pub(crate) blobs: Blobs,
    _folder: TempDir,
}

impl Node {
    pub(crate) async fn start(seed: u8, transport: Transport) -> Self {
        Self::try_start(seed, &[transport.listen()]).await.expect("it starts")
    }

    pub(crate) async fn try_start(seed: u8, listen: &[&str]) -> Result<Self, StartError> {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(folder.path()).await.expect("a store");
        let listen = listen.iter().map(ToString::to_string).collect();
        let secret = [seed; 32].into();
        let config = NetConfig { secret, listen, mdns: false, circuits: true };
        let network = start(config, blobs.clone()).await?;
        Ok(Self { device: Self::device_of(seed), network, blobs, _folder: folder })
    }

    /// Why a node does not start.
    pub(crate) async fn failure(listen: &[&str]) -> StartError {
        Self::try_start(1, listen).await.err().expect("it does not start")
    }

    pub(crate) fn device_of(seed: u8) -> DeviceId {
        let keypair = libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).expect("a seed");
        DeviceId(keypair.public().try_into_ed25519().expect("Ed25519").to_bytes())
    }

    /// Two connected nodes that have not admitted each other.
    pub(crate) async fn strangers(transport: Transport) -> (Self, Self) {
        let mut a = Self::start(1, transport).await;
        let mut b = Self::start(2, transport).await;
        a.dial(b.device, &b.network.listening).await;
        let device = b.device;
        let seen = a.event(|event| matches!(event, NetEvent::Connected { .. })).await;
        assert!(
            matches!(seen, NetEvent::Connected { device: seen, outbound: true, .. } if seen == device)
        );
        let seen = b.event(|event| matches!(event, NetEvent::Connected { .. })).await;
        assert!(
            matches!(seen, NetEvent::Connected { device, outbound: false, .. } if device == a.device)
        );
        (a, b)
    }

    /// Two connected nodes that have admitted each other.
    pub(crate) async fn connected_pair(transport: Transport) -> (Self, Self) {
        let (a, b) = Self::strangers(transport).await;
        a.command(NetCommand::Admit { device: b.device }).await;
        b.command(NetCommand::Admit { device: a.device }).await;
        (a, b)
    }

    pub(crate) async fn command(&self, command: NetCommand) {
        soon(self.network.commands.send(command)).await.expect("the transport runs");
    }

    pub(crate) async fn dial(&self, device: DeviceId, addresses: &[String]) {
        self.command(NetCommand::Dial { device, addresses: addresses.to_vec() }).await;
    }

    pub(crate) async fn send(&self, device: DeviceId, lane: Lane, frame: Bytes) {
        self.command(NetCommand::Send { device, lane, frame }).await;
    }

    pub(crate) async fn next(&mut self) -> NetEvent {
        soon(self.network.events.recv()).await.expect("the transport runs")
    }

    /// The next event of a kind; others are passed over.
    pub(crate) async fn event(&mut self, is_it: impl Fn(&NetEvent) -> bool) -> NetEvent {
        loop {
            let event = self.next().await;
            if is_it(&event) {
                return event;
            }
        }
    }

    pub(crate) async fn any_frame(&mut self) -> (Lane, Bytes) {
        loop {
            if let NetEvent::Frame { lane, frame, .. } = self.next().await {
                return (lane, frame);
            }
        }
    }

    pub(crate) async fn frame(&mut self, expected: Lane) -> Bytes {
        let (lane, frame) = self.any_frame().await;
        assert_eq!(lane, expected);
        frame
    }
}

/// Why a dial failed.
pub(crate) async fn dial_reason(node: &mut Node, expected: DeviceId) -> String {
    loop {
        if let NetEvent::DialFailed { device, reason } = node.next().await {
            assert_eq!(device, expected);
            return reason;
        }
    }
}

/// Host and port of a TCP multiaddr.
pub(crate) fn host_and_port(address: &str) -> (IpAddr, u16) {
    let parts: Vec<&str> = address.split('/').collect();
    (parts[2].parse().expect("a host"), parts[4].parse().expect("a port"))
}
