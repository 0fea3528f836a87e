use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use node_core::{
    Request,
    request::{PeerInfo, SpaceStatus, Status},
};
use node_model::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{
    Answer, Done,
    devices::Place,
    folder::{KeptFolder, kept},
    keep::Part,
    parse,
    progress::EntriesProgress,
};
use crate::{
    ask,
    audit::{self, Thing},
    config::App,
    extract::{JsonBody, Params},
    openapi::openapi,
    problem::Problem,
};

/// A node that takes longer to say its own name is not ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// That the doorway is alive.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
}

/// Is the process alive?
#[utoipa::path(get, path = "/health", responses((status = 200, body = Health, description = "It is")))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Does the node answer?
#[utoipa::path(get, path = "/ready", responses((status = 200, body = Health, description = "It does")))]
pub(crate) async fn ready(State(app): State<App>) -> Answer<Health> {
    match timeout(READY_TIMEOUT, ask::identity(&app.handle)).await {
        Ok(Ok(_)) => Ok(Json(Health { status: "ready" })),
        Ok(Err(_)) | Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "the node does not answer",
            "kith status",
        )),
    }
}

/// Which program this is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Version {
    name: &'static str,
    version: &'static str,
    /// Of this interface.
    api: u32,
}

/// Which version runs?
#[utoipa::path(get, path = "/version", responses((status = 200, body = Version, description = "The version")))]
pub(crate) async fn version(State(app): State<App>) -> Json<Version> {
    Json(Version { name: "kith", version: app.handle.version(), api: 1 })
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, body = Value, description = "OpenAPI 3.1")))]
pub(crate) async fn description() -> Json<Value> {
    Json(openapi())
}

/// Who and where a node is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Info {
    node: String,
    agent: String,
    device: String,
    name: String,
    device_name: String,
    listen: Vec<String>,
}

/// Who and where is this node?
#[utoipa::path(get, path = "/api/v1/info", responses((status = 200, body = Info, description = "This node")))]
pub(crate) async fn info(State(app): State<App>) -> Answer<Info> {
    let identity = ask::identity(&app.handle).await?;
    Ok(Json(Info {
        node: identity.device.to_string(),
        agent: identity.agent.to_string(),
        device: identity.device.to_string(),
        name: identity.name,
        device_name: identity.device_name,
        listen: identity.listen,
    }))
}

/// Another node.
#[derive(Serialize, ToSchema)]
pub(crate) struct Peer {
    peer: String,
    agent: Option<String>,
    name: String,
    /// What its agent says of it, as in the list of devices.
    class: Option<&'static str>,
    site: Option<String>,
    region: Option<String>,
    /// The layer of the relationship, if there is one.
    relation: Option<&'static str>,
    connected: bool,
    /// How it is reached: `direct` or `circuit`.
    path: &'static str,
    /// The peer that passes the connection on, with a path of `circuit`.
    through: Option<String>,
    /// Version of the protocol that both speak; `null` as long as it has said none since it
    /// connected, or speaks none that this node does.
    protocol: Option<u16>,
    /// What both can do of what is optional: `pushes`, `sketches`, `rules`.
    capabilities: Vec<&'static str>,
    /// `synced`, `syncing`, `behind` or `unreachable`.
    state: &'static str,
    /// How far the exchange of entries is that is running.
    progress: Option<EntriesProgress>,
    /// When both last confirmed that everything shared is equal.
    last_sync: Option<String>,
    addresses: Vec<String>,
    last_failure: Option<String>,
}

impl From<PeerInfo> for Peer {
    fn from(peer: PeerInfo) -> Self {
        let Place { class, site, region } = peer.description.into();
        Self {
            peer: peer.device.to_string(),
            agent: peer.agent.map(|agent| agent.to_string()),
            name: peer.name,
            class,
            site,
            region,
            relation: peer.layer.map(|layer| layer.word()),
            connected: peer.is_connected,
            path: if peer.circuit.is_some() { "circuit" } else { "direct" },
            through: peer.circuit.map(|device| device.to_string()),
            protocol: peer.agreement.map(|it| it.version),
            capabilities: peer.agreement.map(|it| it.capabilities.words()).unwrap_or_default(),
            state: peer.state.word(),
            progress: peer.progress.map(EntriesProgress::from),
            last_sync: peer.last_sync.map(|at| at.rfc3339()),
            addresses: peer.addresses,
            last_failure: peer.last_failure,
        }
    }
}

/// A space with its numbers.
#[derive(Serialize, ToSchema)]
pub(crate) struct SpaceNumbers {
    space: String,
    name: String,
    reach: &'static str,
    role: Option<&'static str>,
    members: usize,
    /// Whether it is the person's own, for progress and notes.
    home: bool,
    documents: u64,
    entries: u64,
    /// Those that others signed for to hold, in two places at least.
    safe_entries: u64,
    blobs: usize,
    blobs_missing: usize,
    bytes: u64,
    /// `local`, `synced`, `syncing`, `behind`, `offline` or `unopened`.
    state: &'static str,
    /// How far the exchange of its entries is that is running.
    progress: Option<EntriesProgress>,
    /// What this node keeps of it; nothing where that is everything.
    part: Option<Part>,
    /// Connected peers that keep a part of it only.
    partial_peers: usize,
}

impl From<SpaceStatus> for SpaceNumbers {
    fn from(status: SpaceStatus) -> Self {
        Self {
            space: status.info.space.to_string(),
            name: status.info.name,
            reach: status.info.reach.word(),
            role: status.info.role.map(|role| role.word()),
            members: status.info.members,
            home: status.info.is_home,
            documents: status.documents,
            entries: status.entries,
            safe_entries: status.safe_entries,
            blobs: status.blobs,
            blobs_missing: status.blobs_missing,
            bytes: status.bytes,
            state: status.state.word(),
            progress: status.progress.map(EntriesProgress::from),
            part: status.info.part.map(Part::from),
            partial_peers: status.partial_peers,
        }
    }
}

/// What the node keeps, over all spaces.
#[derive(Serialize, ToSchema)]
pub(crate) struct Storage {
    documents: u64,
    entries: u64,
    entry_bytes: u64,
    blobs: usize,
    blobs_missing: usize,
    blobs_wanted: usize,
    attestations: usize,
}

/// What was bundled since the node started: many changes of a document in one entry.
#[derive(Serialize, ToSchema)]
pub(crate) struct Compaction {
    /// Bundles made.
    bundles: u64,
    /// Entries that they took the place of.
    entries: u64,
    /// Bytes of these.
    entry_bytes: u64,
    /// Bytes of the bundles.
    bundle_bytes: u64,
    /// When the last one was made.
    last_at: Option<String>,
    /// Those that could not be made, or did not fit any more once they were.
    dropped: u64,
    /// Documents that wait until nobody writes for a moment, or for more changes.
    waiting: u64,
    /// Changes that are in no bundle yet.
    waiting_changes: u64,
    /// Entries that were deleted because a bundle stands for them, and everybody has it who
    /// may remove members.
    collected_entries: u64,
    /// Bytes of these.
    collected_bytes: u64,
    /// When the last of these went.
    last_collected_at: Option<String>,
}

/// A history that contradicts itself: worth a look by a person.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alarm {
    /// `fork` (two statements, or two entries, in one place), `gap`, `backdated` or `two-owners`.
    kind: &'static str,
    /// Whose key signed.
    device: String,
    words: &'static str,
}

/// Everything at a glance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    node: String,
    agent: String,
    version: &'static str,
    name: String,
    device: String,
    device_name: String,
    listen: Vec<String>,
    peers: Vec<Peer>,
    spaces: Vec<SpaceNumbers>,
    folders: Vec<KeptFolder>,
    storage: Storage,
    alarms: Vec<Alarm>,
    compaction: Compaction,
}

/// How does everything stand?
#[utoipa::path(get, path = "/api/v1/status", responses((status = 200, body = Overview, description = "Node, peers, spaces, storage")))]
pub(crate) async fn status(State(app): State<App>) -> Answer<Overview> {
    let status = ask::status(&app.handle).await?;
    let storage = storage(&status);
    let counts = status.compaction;
    let compaction = Compaction {
        bundles: counts.bundles,
        entries: counts.entries,
        entry_bytes: counts.entry_bytes,
        bundle_bytes: counts.bundle_bytes,
        last_at: counts.last_at.map(Timestamp::rfc3339),
        dropped: counts.dropped,
        waiting: counts.waiting,
        waiting_changes: counts.waiting_changes,
        collected_entries: status.collection.entries,
        collected_bytes: status.collection.bytes,
        last_collected_at: status.collection.last_at.map(Timestamp::rfc3339),
    };
    let alarms = status.anomalies.iter().map(|(kind, device)| Alarm {
        kind: kind.word(),
        device: device.to_string(),
        words: kind.in_words(),
    });
    let alarms = alarms.collect();
    let identity = status.identity;
    Ok(Json(Overview {
        node: identity.device.to_string(),
        agent: identity.agent.to_string(),
        version: app.handle.version(),
        name: identity.name,
        device: identity.device.to_string(),
        device_name: identity.device_name,
        listen: identity.listen,
        peers: status.peers.into_iter().map(Peer::from).collect(),
        spaces: status.spaces.into_iter().map(SpaceNumbers::from).collect(),
        folders: kept(&app.handle).await,
        storage,
        alarms,
        compaction,
    }))
}

fn storage(status: &Status) -> Storage {
    let spaces = &status.spaces;
    Storage {
        documents: spaces.iter().map(|space| space.documents).sum(),
        entries: spaces.iter().map(|space| space.entries).sum(),
        entry_bytes: spaces.iter().map(|space| space.bytes).sum(),
        blobs: spaces.iter().map(|space| space.blobs).sum(),
        blobs_missing: spaces.iter().map(|space| space.blobs_missing).sum(),
        blobs_wanted: status.blobs_wanted,
        attestations: status.attestations,
    }
}

/// Other nodes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Peers {
    peers: Vec<Peer>,
}

/// Which other nodes do we know?
#[utoipa::path(get, path = "/api/v1/peers", responses((status = 200, body = Peers, description = "Other nodes")))]
pub(crate) async fn peers(State(app): State<App>) -> Answer<Peers> {
    let peers = ask::peers(&app.handle).await?;
    Ok(Json(Peers { peers: peers.into_iter().map(Peer::from).collect() }))
}

/// Where a peer may be found.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewPeer {
    peer: String,
    /// Multiaddrs.
    addresses: Vec<String>,
}

/// Remember where a peer may be found, and dial it.
#[utoipa::path(post, path = "/api/v1/peers", request_body = NewPeer, responses((status = 200, body = Done, description = "Remembered")))]
pub(crate) async fn add_peer(
    State(app): State<App>,
    JsonBody(new): JsonBody<NewPeer>,
) -> Answer<Done> {
    let device: DeviceId = parse("peer", &new.peer)?;
    audit::concerns(Thing::Device(device));
    ask::done(&app.handle, Request::AddPeer { device, addresses: new.addresses }).await?;
    Ok(Done::YES)
}

/// Forget where a peer may be found.
#[utoipa::path(delete, path = "/api/v1/peers/{peer}", responses((status = 200, body = Done, description = "Forgotten")))]
pub(crate) async fn remove_peer(
    State(app): State<App>,
    Params(peer): Params<String>,
) -> Answer<Done> {
    let device = parse("peer", &peer)?;
    audit::concerns(Thing::Device(device));
    ask::done(&app.handle, Request::RemovePeer { device }).await?;
    Ok(Done::YES)
}
