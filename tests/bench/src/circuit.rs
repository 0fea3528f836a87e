//! Changes that a peer waits for at the end of a long way, as over a relay.

use std::time::Duration;

use node_core::{Request, request::content_document};
use serde_json::json;

use crate::{
    cost::{Meter, quantiles, rounded},
    edits::{self, Line},
    pair::{self, BenchNode},
    path::Path,
};

/// The delay in each direction.
const DELAY: Duration = Duration::from_millis(100);

/// Changes in a loop.
const COUNT: u64 = 100;

/// Changes that are waited for one by one.
const SINGLE_COUNT: u64 = 20;

/// Two nodes that are 100 ms apart in each direction.
///
/// # Panics
/// When they do not come together.
pub async fn circuit() -> Vec<Line> {
    let (ada, ben) = (BenchNode::new("ada").await, BenchNode::new("ben").await);
    let space = ada.found().await;
    let id = content_document(space, "far");
    let documents = vec![edits::document(id, json!({"n": 0}))];
    ada.started.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    let path = Path::to(&ada.started, DELAY).await;
    pair::relate_over(&ada.started, &ben.started, space, Some(&path.address)).await;
    pair::arrived(&ben.started, space, 1, 0).await;
    let line = |name: &str, cost, mut more: serde_json::Value, bytes| {
        more["path"] = "tcp with 100 ms each way".into();
        more["path_kb"] = rounded((path.bytes() - bytes) as f64 / 1_000.0).into();
        (name.to_owned(), cost, more)
    };
    let changes = json!({"of": "both sides", "changes": COUNT});

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
    assert_eq!(path.connections(), 1, "all of it went over the long way");
    vec![at_once, in_turn, alone]
}
