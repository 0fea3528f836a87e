//! Many small changes: one document with a long history, many documents with a short one,
//! and changes that somebody waits for on the other side.

use std::time::Duration;

use node_core::{
    Request, Response,
    request::{CompactionCounts, Meta, WriteDocument, content_document},
};
use node_model::{DocumentId, SpaceId};
use node_runtime::{NodeEvent, Started};
use serde_json::{Value, json};

use crate::{
    cost::{Meter, loopback_bytes, rounded},
    pair::{self, BenchNode},
};

/// Requests that are asked before the first one is answered.
const AT_ONCE: usize = 256;

/// Changes that a peer waits for, in one go.
const LIVE_COUNT: u64 = 1_000;

/// How often the end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A line of output: its name, what it cost, and what else there is to say.
pub type Line = (String, Value, Value);

async fn compaction(node: &Started) -> CompactionCounts {
    let Ok(Response::Status(status)) = node.handle.request(Request::Status).await else {
        panic!("no status");
    };
    status.compaction
}

/// Waits until a node has bundled what it wrote, which it does after some calm.
async fn bundled(node: &Started, bundles: u64) {
    loop {
        let counts = compaction(node).await;
        if counts.bundles >= bundles && counts.waiting == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// To an empty node: everything of a space, and what it took.
async fn to_an_empty_node(name: &str, ada: &BenchNode, space: SpaceId, documents: u64) -> Line {
    let ben = BenchNode::new("ben").await;
    let (meter, before) = (Meter::start(), loopback_bytes());
    pair::relate(&ada.started, &ben.started, space).await;
    pair::arrived(&ben.started, space, documents, 0).await;
    let cost = meter.stop();
    let wire_kb = rounded((loopback_bytes() - before) as f64 / 1_000.0);
    let status = pair::space_status(&ben.started, space).await.expect("it arrived");
    let entry_kb = rounded(status.bytes as f64 / 1_000.0);
    let more = json!({"of": "both sides", "wire_kb": wire_kb, "entries": status.entries,
        "entry_kb": entry_kb});
    (name.to_owned(), cost, more)
}

/// A document to write.
#[must_use]
pub fn document(document: DocumentId, value: Value) -> WriteDocument {
    WriteDocument { document, meta: Meta { kind: "document".into(), ..Meta::default() }, value }
}

/// 1,000 documents with 20 changes each, as single entries and bundled.
pub async fn documents() -> Vec<Line> {
    let ada = BenchNode::new("ada").await;
    let space = ada.found().await;
    let ids: Vec<_> =
        (0..1_000).map(|index| content_document(space, &format!("doc-{index}"))).collect();
    for change in 0..20 {
        let documents = ids.iter().enumerate().map(|(index, id)| {
            let title = format!("Document {index}");
            document(*id, json!({"title": title, "change": change, "text": "some words"}))
        });
        let write = Request::WriteDocuments { space, documents: documents.collect() };
        ada.started.handle.request(write).await.expect("writes");
    }
    let singly = to_an_empty_node("documents-1000x20-singly", &ada, space, 1_000).await;
    bundled(&ada.started, 1_000).await;
    vec![singly, to_an_empty_node("documents-1000x20", &ada, space, 1_000).await]
}

/// One document of `count` edits, to an empty node.
pub async fn edits(count: usize) -> Vec<Line> {
    let ada = BenchNode::new("ada").await;
    let space = ada.found().await;
    let id = content_document(space, "long");
    let documents = vec![document(id, json!({"text": []}))];
    ada.started.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    let meter = Meter::start();
    let letters = (0..count).map(|number| char::from(b'a' + (number * 7 % 26) as u8).to_string());
    let letters: Vec<String> = letters.collect();
    for some in letters.chunks(AT_ONCE) {
        let sets = some.iter().map(|letter| {
            let path = "/text/-".to_owned();
            ada.started.handle.request(Request::SetValue {
                space,
                document: id,
                path,
                value: letter.as_str().into(),
            })
        });
        for set in futures::future::join_all(sets).await {
            set.expect("writes");
        }
    }
    let a_second = rounded(count as f64 / meter.seconds());
    let written = (
        format!("edits-{count}-written"),
        meter.stop(),
        json!({"durable_changes_a_second": a_second}),
    );
    bundled(&ada.started, 1).await;
    vec![written, to_an_empty_node(&format!("edits-{count}"), &ada, space, 1).await]
}

/// Changes that somebody on the other side waits for.
pub async fn live() -> Vec<Line> {
    let (ada, ben) = (BenchNode::new("ada").await, BenchNode::new("ben").await);
    let space = ada.found().await;
    let id = content_document(space, "live");
    let documents = vec![document(id, json!({"n": 0}))];
    ada.started.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    pair::relate(&ada.started, &ben.started, space).await;
    pair::arrived(&ben.started, space, 1, 0).await;
    vec![
        in_a_loop(&ada, &ben, space, id).await,
        one_after_another(&ada, &ben, space, id).await,
        one_by_one(&ada, &ben, space, id).await,
    ]
}

/// Sets the one value of a document.
pub async fn set(node: &BenchNode, space: SpaceId, document: DocumentId, n: u64) {
    let set = Request::SetValue { space, document, path: "n".into(), value: n.into() };
    node.started.handle.request(set).await.expect("writes");
}

async fn read(node: &BenchNode, space: SpaceId, document: DocumentId) -> Option<u64> {
    let read = node.started.handle.request(Request::ReadDocument { space, document }).await;
    let Ok(Response::Document(view)) = read else { return None };
    view.value["n"].as_u64()
}

/// Asked without waiting for the answers, as a program does that calls its library.
async fn in_a_loop(ada: &BenchNode, ben: &BenchNode, space: SpaceId, id: DocumentId) -> Line {
    let meter = Meter::start();
    let sets: Vec<_> = (1..=LIVE_COUNT).map(|n| set(ada, space, id, n)).collect();
    futures::future::join_all(sets).await;
    arrived(ben, space, id, LIVE_COUNT).await;
    let more = json!({"of": "both sides", "changes": LIVE_COUNT});
    ("live-1000-in-a-loop".to_owned(), meter.stop(), more)
}

/// Each asked once the one before is durable.
async fn one_after_another(
    ada: &BenchNode,
    ben: &BenchNode,
    space: SpaceId,
    id: DocumentId,
) -> Line {
    let meter = Meter::start();
    for n in LIVE_COUNT + 1..=2 * LIVE_COUNT {
        set(ada, space, id, n).await;
    }
    arrived(ben, space, id, 2 * LIVE_COUNT).await;
    let more = json!({"of": "both sides", "changes": LIVE_COUNT});
    ("live-1000-one-after-another".to_owned(), meter.stop(), more)
}

/// Waits until a node has that value.
pub async fn arrived(node: &BenchNode, space: SpaceId, id: DocumentId, n: u64) {
    while read(node, space, id).await != Some(n) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One every five milliseconds, from the call to when it is durable at the other side.
async fn one_by_one(ada: &BenchNode, ben: &BenchNode, space: SpaceId, id: DocumentId) -> Line {
    const COUNT: u64 = 500;
    let mut events = ben.started.handle.events();
    let mut times = Vec::new();
    for n in 1..=COUNT {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let meter = Meter::start_clock();
        set(ada, space, id, 10_000 + n).await;
        loop {
            let event = events.recv().await.expect("the node runs");
            let is_it =
                matches!(event, NodeEvent::Changed { documents, .. } if documents.contains(&id));
            if is_it && read(ben, space, id).await == Some(10_000 + n) {
                break;
            }
        }
        times.push(meter.seconds() * 1_000.0);
    }
    ("live-every-5-ms".to_owned(), json!({}), crate::cost::quantiles(times))
}

/// Documents that are changed together, as often as it goes.
pub async fn batches() -> Line {
    const ROUNDS: u64 = 100;
    let ada = BenchNode::new("ada").await;
    let space = ada.found().await;
    let ids: Vec<_> =
        (0..100).map(|index| content_document(space, &format!("doc-{index}"))).collect();
    let meter = Meter::start();
    for round in 0..ROUNDS {
        let documents = ids.iter().map(|id| document(*id, json!({"round": round}))).collect();
        let write = Request::WriteDocuments { space, documents };
        ada.started.handle.request(write).await.expect("writes");
    }
    let a_second = rounded((ROUNDS * ids.len() as u64) as f64 / meter.seconds());
    ("write-in-batches".to_owned(), meter.stop(), json!({"durable_changes_a_second": a_second}))
}
