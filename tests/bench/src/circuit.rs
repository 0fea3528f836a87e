//! Changes that a peer waits for at the end of a circuit: through a third node, since neither
//! can be dialled.

use std::time::Duration;

use data_plane_core::net::circuit_address;
use node_core::{Request, Response, request::content_document};
use node_runtime::Started;
use serde_json::json;

use crate::{
    cost::{Meter, quantiles, rounded},
    edits::{self, Line},
    pair::{self, BenchNode, LOOK_EVERY},
    path::Path,
};

/// The delay in each direction between each node and the third one: half of that between the
/// two.
const DELAY: Duration = Duration::from_millis(50);

/// Changes in a loop.
const COUNT: u64 = 100;

/// Changes that are waited for one by one.
const SINGLE_COUNT: u64 = 20;

/// Two nodes that are 100 ms apart in each direction and know a third one, which is not in
/// their space.
///
/// # Panics
/// When they do not come together.
pub async fn circuit() -> Vec<Line> {
    let rack = BenchNode::new("rack").await;
    let ada = BenchNode::unreachable("ada").await;
    let ben = BenchNode::unreachable("ben").await;
    let path = Path::to(&rack.started, DELAY).await;
    let hall = rack.found().await;
    pair::relate_over(&rack.started, &ada.started, hall, Some(&path.address)).await;
    let bens = Path::to(&rack.started, DELAY).await;
    pair::relate_over(&rack.started, &ben.started, hall, Some(&bens.address)).await;
    let address = circuit_address(pair::device(&rack.started).await);
    reachable_at(&ada.started, &address).await;

    let space = ada.found().await;
    let id = content_document(space, "far");
    let documents = vec![edits::document(id, json!({"n": 0}))];
    ada.started.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    pair::relate_over(&ada.started, &ben.started, space, Some(&address)).await;
    pair::arrived(&ben.started, space, 1, 0).await;
    let line = |name: &str, cost, mut more: serde_json::Value, bytes| {
        more["path"] = "circuit with 100 ms each way".into();
        more["path_kb"] = rounded((path.bytes() - bytes) as f64 / 1_000.0).into();
        (name.to_owned(), cost, more)
    };
    let changes = json!({"of": "all three", "changes": COUNT});

    let (meter, before) = (Meter::start(), path.bytes());
    let sets: Vec<_> = (1..=COUNT).map(|n| edits::set(&ada, space, id, n)).collect();
    futures::future::join_all(sets).await;
    edits::arrived(&ben, space, id, COUNT).await;
    let at_once = line("circuit-100-in-a-loop", meter.stop(), changes.clone(), before);

    let (meter, before) = (Meter::start(), path.bytes());
    for n in COUNT + 1..=2 * COUNT {
        edits::set(&ada, space, id, n).await;
    }
    edits::arrived(&ben, space, id, 2 * COUNT).await;
    let in_turn = line("circuit-100-one-after-another", meter.stop(), changes, before);

    let (mut times, before) = (Vec::new(), path.bytes());
    for n in 2 * COUNT + 1..=2 * COUNT + SINGLE_COUNT {
        let meter = Meter::start_clock();
        edits::set(&ada, space, id, n).await;
        edits::arrived(&ben, space, id, n).await;
        times.push(meter.seconds() * 1_000.0);
    }
    let alone = line("circuit-until-it-arrived", quantiles(times), json!({}), before);
    let found = pair::space_status(&rack.started, space).await;
    assert!(found.is_none(), "the third one does not have what it passes on");
    vec![at_once, in_turn, alone]
}

/// Waits until others reach a node there.
async fn reachable_at(node: &Started, address: &str) {
    loop {
        let Ok(Response::Identity(identity)) = node.handle.request(Request::Identity).await else {
            panic!("it has an identity");
        };
        if identity.listen.iter().any(|other| other == address) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
