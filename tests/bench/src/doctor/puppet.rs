//! A node that became a puppet: a peer of good standing that says what no `kith` says.

use std::time::Duration;

use acceptance::{list, text};
use data_plane_core::net::{Lane, NetCommand, NetEvent};
use data_plane_libp2p::{NetConfig, Network, start};
use data_plane_store::Blobs;
use node_core::{Request, Response};
use node_model::{AgentId, DeviceId, SpaceId, Timestamp, ticket::Ticket};
use node_runtime::OsEntropy;
use serde_bytes::ByteBuf;
use serde_json::json;
use sync_engine_core::reconcile::{Message, PROTOCOL};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use trust_core::{Layer, Terms, Trust, exchange};
use zeroize::Zeroizing;

use crate::{
    pair::{self, Secrets},
    real::Member,
};

/// How far its clock is ahead, when it is: what a person gets wrong by hand.
const AHEAD: Duration = Duration::from_secs(10 * 60);

/// The keys of a node that was paired, on a transport.
pub(super) struct Puppet {
    device: DeviceId,
    ada: DeviceId,
    space: SpaceId,
    commands: mpsc::Sender<NetCommand>,
    listening: JoinHandle<()>,
    /// What it dates later than anybody's clock.
    said: Vec<ByteBuf>,
    _folders: [TempDir; 2],
}

impl Puppet {
    /// Pairs as a node does, ends that node, and comes back with its keys.
    pub(super) async fn new(ada: &Member, space: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let secrets = Secrets::random();
        let node = pair::node("ben", folder.path(), &secrets).await;
        let wanted = json!({"space": space, "role": "writer"});
        let issued = ada.post("/api/v1/tickets", &wanted).await;
        let ticket: Ticket = text(&issued, "ticket").parse().expect("it is one");
        let pair = Request::Pair { ticket, is_link: false };
        let Ok(Response::PairingCode { device: of_ada, .. }) = node.handle.request(pair).await
        else {
            panic!("no code");
        };
        let confirm = Request::ConfirmPairing { device: of_ada, is_same: true };
        node.handle.request(confirm).await.expect("pairs");
        let space: SpaceId = space.parse().expect("it is one");
        pair::arrived(&node, space, 0, 0).await;
        node.stop().await;

        let agent: AgentId = ada.running().agent().parse().expect("it is one");
        let said = dated_ahead(&secrets, folder.path(), agent);
        let store = tempfile::tempdir().expect("a temporary folder");
        let blobs = Blobs::open(store.path()).await.expect("an empty store opens");
        let secret = Zeroizing::new(*secrets.keys().device.secret());
        let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        let config = NetConfig { secret, listen, mdns: false, circuits: false };
        let network = start(config, blobs).await;
        let Network { commands, events, .. } = network.expect("it listens");
        let addresses = list(&ada.running().ready, "listen").iter();
        let addresses = addresses.filter_map(|it| it.as_str().map(str::to_owned)).collect();
        for command in
            [NetCommand::Admit { device: of_ada }, NetCommand::Dial { device: of_ada, addresses }]
        {
            commands.send(command).await.expect("it runs");
        }
        let listening = heard(events, of_ada).await;
        let device = secrets.keys().device.device();
        let folders = [folder, store];
        Self { device, ada: of_ada, space, commands, listening, said, _folders: folders }
    }

    /// Its node id.
    pub(super) fn device(&self) -> DeviceId {
        self.device
    }

    async fn send(&self, lane: Lane, frame: Vec<u8>) {
        let send = NetCommand::Send { device: self.ada, lane, frame: frame.into() };
        self.commands.send(send).await.expect("it runs");
    }

    /// Speaks a protocol of the future, or of the past.
    pub(super) async fn speak_another_version(&self, is_newer: bool) {
        let protocol = if is_newer { PROTOCOL + 1 } else { PROTOCOL - 1 };
        self.send(Lane::Sync, Message::Heads { protocol, heads: vec![] }.encode()).await;
    }

    /// Says that there is no such space.
    pub(super) async fn deny(&self) {
        self.send(Lane::Sync, Message::Denied { space: self.space }.encode()).await;
    }

    /// Says something that it signed when its clock was ahead.
    pub(super) async fn say_what_is_dated_ahead(&self) {
        let message = exchange::Message::Attestations { attestations: self.said.clone() };
        self.send(Lane::Trust, message.encode()).await;
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What the node's person would sign if its clock were ahead, with all that it rests on.
fn dated_ahead(secrets: &Secrets, folder: &std::path::Path, ada: AgentId) -> Vec<ByteBuf> {
    let ledger = trust_embedded::EmbeddedLedger::open(&folder.join("trust.db"), None);
    let ledger = Box::new(ledger.expect("the node has let go of it"));
    let now = Timestamp(now().0 + u64::try_from(AHEAD.as_millis()).expect("minutes"));
    let keys = secrets.keys();
    let trust = Trust::open(keys, ledger, &mut OsEntropy, now, "ben", "ben");
    let mut trust = trust.expect("the node closed it well");
    trust.relate(now, ada, (Terms::of(Layer::Invested), None), &[]).expect("it may say so");
    let ids = trust.visible_to(ada).into_iter();
    ids.filter_map(|id| Some(ByteBuf::from(trust.attestation(id)?.bytes()))).collect()
}

#[expect(clippy::disallowed_methods, reason = "a puppet dates what it says")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.expect("after 1970").as_millis();
    Timestamp(u64::try_from(millis).expect("a few centuries"))
}

/// Waits until Ada speaks on the sync lane, so that what is said now is heard; then goes on
/// listening, for a transport that nobody listens to stands still.
async fn heard(mut events: mpsc::Receiver<NetEvent>, ada: DeviceId) -> JoinHandle<()> {
    let first = async {
        while let Some(event) = events.recv().await {
            if matches!(event, NetEvent::Frame { device, lane: Lane::Sync, .. } if device == ada) {
                return;
            }
        }
        panic!("the transport ended");
    };
    timeout(acceptance::PATIENCE, first).await.expect("Ada speaks");
    tokio::spawn(async move { while events.recv().await.is_some() {} })
}
