//! The memory of a node that has many documents and nothing to do.

use std::{path::Path, time::Duration};

use node_core::{Request, Response, request::content_document};
use node_runtime::Started;
use serde_json::json;

use crate::{
    calm::{Prepared, data_dir},
    community::WORDS,
    cost::{Meter, memory_mb, quantiles, rounded},
    edits::{self, Line},
    pair::{self, Secrets},
};

/// How long it has nothing to do before it is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// Documents in one write.
const AT_ONCE: u64 = 1_000;

/// Words in a document: some 400 bytes.
const WORDS_EACH: u64 = 60;

/// Writes the documents, in the process that is not measured.
///
/// # Panics
/// When it cannot.
pub async fn prepare(documents: u64, folder: &Path) {
    let secrets = Secrets::random();
    std::fs::create_dir_all(data_dir(folder)).expect("the folder is ours");
    let node = pair::node("ada", &data_dir(folder), &secrets).await;
    let space = pair::found(&node).await;
    for first in (0..documents).step_by(AT_ONCE as usize) {
        let some = (first..documents.min(first + AT_ONCE)).map(|index| {
            let words = (0..WORDS_EACH).map(|word| {
                let which = index.wrapping_mul(31).wrapping_add(word * (7 + index % 5));
                WORDS[(which % WORDS.len() as u64) as usize]
            });
            let text = words.collect::<Vec<_>>().join(" ");
            let value = json!({"title": format!("Document {index}"), "text": text});
            edits::document(content_document(space, &format!("doc-{index}")), value)
        });
        let write = Request::WriteDocuments { space, documents: some.collect() };
        node.handle.request(write).await.expect("writes");
    }
    node.stop().await;
    Prepared::save(folder, &secrets, space).expect("the folder is ours");
}

/// The memory of a node with `documents` that was started again.
///
/// # Panics
/// When it does not start or answer.
pub async fn resident(documents: u64) -> Vec<Line> {
    let prepared = Prepared::by(&["resident", "--documents", &documents.to_string()]);
    let empty_mb = memory_mb("VmRSS:");
    let meter = Meter::start();
    let node = prepared.start().await;
    let line = |what: &str, cost| {
        let mb = rounded(memory_mb("VmRSS:"));
        let more = json!({"documents": documents, "resident_mb": mb,
            "resident_mb_before_start": rounded(empty_mb)});
        (format!("resident-{documents}-{what}"), cost, more)
    };
    tokio::time::sleep(IDLE).await;
    let started = line("started", meter.stop());
    let meter = Meter::start();
    let list = Request::Documents { space: prepared.space };
    let Ok(Response::Documents(listed)) = node.handle.request(list).await else {
        panic!("no list");
    };
    assert_eq!(listed.len() as u64, documents);
    drop(listed);
    let cost = meter.stop();
    tokio::time::sleep(IDLE).await;
    let listed = line("listed", cost);
    let times = read_all(&node, &prepared, documents).await;
    tokio::time::sleep(IDLE).await;
    let read = line("read", quantiles(times));
    node.stop().await;
    vec![started, listed, read]
}

/// Reads each document once, one after another: how long each took, in milliseconds.
async fn read_all(node: &Started, prepared: &Prepared, documents: u64) -> Vec<f64> {
    let mut times = Vec::new();
    for index in 0..documents {
        let document = content_document(prepared.space, &format!("doc-{index}"));
        let meter = Meter::start_clock();
        let read = Request::ReadDocument { space: prepared.space, document };
        node.handle.request(read).await.expect("reads");
        times.push(meter.seconds() * 1_000.0);
    }
    times
}
