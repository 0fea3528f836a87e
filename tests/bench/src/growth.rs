//! How the cost of synchronising grows with the number of documents.

mod plot;

use std::time::Duration;

use node_core::{
    Request, Response,
    request::{PeerSyncState, content_document},
};
use node_model::{DeviceId, SpaceId};
use node_runtime::Started;
use serde_json::{Value, json};

use self::plot::{Panel, Series, plot};
use crate::{
    calm::idle,
    cost::{Meter, loopback_bytes, rounded},
    edits::{self, Line},
    pair::{self, BenchNode, Secrets},
    path::Path,
};

/// How many documents.
const SIZES: [u64; 5] = [500, 1_000, 2_000, 4_000, 8_000];

/// Changes of each: too few to be bundled.
const CHANGES: u64 = 5;

/// Documents in one write.
const AT_ONCE: usize = 1_000;

/// The delay in each direction when nothing is to be synchronised: so much longer than all
/// work that the time tells how often one waited for the other.
const DELAY: Duration = Duration::from_millis(25);

/// How many newcomers come one after another: the median tells more of the size than of what
/// else the machine did.
const FIRST_SYNCS: usize = 3;

/// How often a resync is done: the processor's time comes in ticks of 10 ms.
const RECONNECTS: u32 = 3;
const RESYNCS: u32 = 20;

/// How often the end of a resync is looked for: to look costs processor time, too.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A size and what it cost.
struct Point {
    documents: u64,
    first: Value,
    again: Value,
    reconnect: Value,
}

/// All sizes up to this one.
///
/// # Panics
/// When a node does not write or answer.
pub async fn growth(documents_max: u64) -> Growth {
    let mut points = Vec::new();
    for documents in SIZES.into_iter().filter(|size| *size <= documents_max) {
        points.push(point(documents).await);
    }
    Growth(points)
}

/// What each size cost.
pub struct Growth(Vec<Point>);

impl Growth {
    /// A line for each size.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let line = |point: &Point| {
            let Point { documents, first, again, reconnect } = point;
            let more = json!({"documents": documents, "changes": documents * CHANGES,
                "first_sync": first, "resync": again, "resync_after_reconnect": reconnect});
            (format!("growth-{documents}"), json!({}), more)
        };
        self.0.iter().map(line).collect()
    }

    /// The same as a drawing: an SVG file.
    #[must_use]
    pub fn svg(&self) -> String {
        let series = |name, of: fn(&Point) -> &Value, field: &str| Series {
            name,
            points: self
                .0
                .iter()
                .filter_map(|point| Some((point.documents as f64, of(point)[field].as_f64()?)))
                .collect(),
        };
        plot(&[
            Panel {
                title: "seconds",
                series: vec![
                    series("first sync", |it| &it.first, "seconds"),
                    series("CPU of both", |it| &it.first, "cpu_seconds"),
                    series("CPU of a resync", |it| &it.again, "cpu_seconds"),
                ],
            },
            Panel {
                title: "kB on the wire",
                series: vec![
                    series("first sync", |it| &it.first, "wire_kb"),
                    series("resync, reconnected", |it| &it.reconnect, "wire_kb"),
                    series("resync", |it| &it.again, "wire_kb"),
                ],
            },
        ])
    }
}

async fn point(documents: u64) -> Point {
    let ada = BenchNode::new("ada").await;
    let space = ada.found().await;
    write(&ada.started, space, documents).await;
    let mut firsts = Vec::new();
    for _ in 1..FIRST_SYNCS {
        let (first, BenchNode { started, folder: _folder }, _) =
            newcomer(&ada.started, space, documents).await;
        firsts.push(first);
        started.stop().await;
    }
    let (first, mut ben, secrets) = newcomer(&ada.started, space, documents).await;
    firsts.push(first);
    let seconds = |it: &Value| it["seconds"].as_f64().unwrap_or(f64::INFINITY);
    firsts.sort_by(|one, other| seconds(one).total_cmp(&seconds(other)));
    let first = firsts.swap_remove(FIRST_SYNCS / 2);

    let path = Path::to(&ada.started, DELAY).await;
    let host = pair::device(&ada.started).await;
    let mut reconnects = Resyncs::default();
    for _ in 0..RECONNECTS {
        let address = vec![path.address.clone()];
        let add = Request::AddPeer { device: host, addresses: address };
        ben.started.handle.request(add).await.expect("it is connected");
        ben.started.stop().await;
        path.hold();
        let dialled = path.connections();
        ben.started = pair::node("ben", ben.folder.path(), &secrets).await;
        path.dialled(dialled).await;
        idle().await;
        reconnects.add(&path, synced(&ben.started, host)).await;
        idle().await;
    }
    let mut resyncs = Resyncs::default();
    for _ in 0..RESYNCS {
        resyncs.add(&path, resync(&ben.started, host)).await;
    }
    Point { documents, first, again: resyncs.mean(), reconnect: reconnects.timed_mean() }
}

/// Somebody who has nothing pairs and gets everything; what that cost.
async fn newcomer(from: &Started, space: SpaceId, documents: u64) -> (Value, BenchNode, Secrets) {
    let secrets = Secrets::random();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let started = pair::node("ben", folder.path(), &secrets).await;
    idle().await;
    let (meter, before) = (Meter::start(), loopback_bytes());
    pair::relate(from, &started, space).await;
    pair::arrived(&started, space, documents, 0).await;
    let mut first = meter.stop();
    first["wire_kb"] = rounded((loopback_bytes() - before) as f64 / 1_000.0).into();
    (first, BenchNode { started, folder }, secrets)
}

async fn write(node: &Started, space: SpaceId, documents: u64) {
    let ids: Vec<_> =
        (0..documents).map(|index| content_document(space, &format!("doc-{index}"))).collect();
    for change in 0..CHANGES {
        for some in ids.chunks(AT_ONCE) {
            let value = json!({"title": "A document", "change": change, "text": "some words"});
            let documents = some.iter().map(|id| edits::document(*id, value.clone())).collect();
            let write = Request::WriteDocuments { space, documents };
            node.handle.request(write).await.expect("writes");
        }
    }
}

/// Waits until a node is equal with a peer, without asking it to do anything.
async fn synced(node: &Started, peer: DeviceId) {
    loop {
        let Ok(Response::Peers(peers)) = node.handle.request(Request::Peers).await else {
            panic!("no peers");
        };
        let is_synced = |it: &node_core::request::PeerInfo| {
            it.device == peer && it.is_connected && it.state == PeerSyncState::Synced
        };
        if peers.iter().any(is_synced) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Compares with a peer once more, on the connection that is there. A node that has heard
/// what the peer has answers before the peer does, so this waits for that as well.
async fn resync(node: &Started, peer: DeviceId) {
    let sync = Request::Sync { device: Some(peer), is_full: false };
    let Ok(Response::Synced(report)) = node.handle.request(sync).await else {
        panic!("does not sync");
    };
    assert_eq!((report.pushed, report.pulled), (0, 0), "they are equal");
    tokio::time::sleep(4 * DELAY).await;
}

/// What several of the same kind cost together.
#[derive(Default)]
struct Resyncs {
    count: u32,
    seconds: f64,
    cpu_seconds: f64,
    bytes: u64,
}

impl Resyncs {
    /// Opens the way and measures until it is done.
    async fn add(&mut self, path: &Path, done: impl Future<Output = ()>) {
        let (meter, bytes) = (Meter::start(), path.bytes());
        path.release(DELAY);
        done.await;
        self.seconds += meter.seconds();
        self.cpu_seconds += meter.cpu_seconds();
        self.bytes += path.bytes() - bytes;
        self.count += 1;
    }

    fn mean(&self) -> Value {
        let count = f64::from(self.count);
        json!({
            "cpu_seconds": (self.cpu_seconds / count * 1e6).round() / 1e6,
            "wire_kb": rounded(self.bytes as f64 / count / 1_000.0),
            "count": self.count,
        })
    }

    /// With the time, where its end was seen.
    fn timed_mean(&self) -> Value {
        let seconds = self.seconds / f64::from(self.count);
        let mut mean = self.mean();
        mean["seconds"] = rounded(seconds).into();
        mean["round_trip_ms"] = rounded(2_000.0 * DELAY.as_secs_f64()).into();
        mean["round_trips"] = rounded(seconds / (2.0 * DELAY.as_secs_f64())).into();
        mean
    }
}
