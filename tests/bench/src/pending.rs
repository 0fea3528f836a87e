//! What it costs to write while nobody listens: changes wait for a peer, in memory and on
//! disk.

use std::{collections::BTreeMap, path::Path};

use node_core::{Request, request::content_document};
use serde_json::json;

use crate::{
    calm::{bytes_where, calm, folder_bytes},
    cost::{Meter, memory_mb, rounded},
    edits::{self, Line},
    pair::BenchNode,
};

/// Documents that take the operations in turn.
const DOCUMENTS: u64 = 20;

/// `operations` single writes of a node without peers.
///
/// # Panics
/// When it does not write.
pub async fn pending(operations: u64) -> Vec<Line> {
    let ada = BenchNode::new("ada").await;
    let space = ada.found().await;
    calm(&ada.started).await;
    let empty = Taken::of(ada.folder.path());
    let ids: Vec<_> =
        (0..DOCUMENTS).map(|index| content_document(space, &format!("doc-{index}"))).collect();
    let documents = ids.iter().map(|id| edits::document(*id, json!({"n": 0}))).collect();
    let write = Request::WriteDocuments { space, documents };
    ada.started.handle.request(write).await.expect("writes");
    let meter = Meter::start();
    for (n, id) in (1..=operations).zip(ids.iter().cycle()) {
        edits::set(&ada, space, *id, n).await;
    }
    let cost = meter.stop();
    let written = Taken::of(ada.folder.path());
    calm(&ada.started).await;
    let bundled = Taken::of(ada.folder.path());
    let BenchNode { started, folder } = ada;
    started.stop().await;
    let stopped = Taken::of(folder.path());
    let of = |taken: &Taken| {
        let disk_mb: BTreeMap<_, _> = taken
            .disk_mb
            .iter()
            .map(|(part, mb)| (*part, rounded(mb - empty.disk_mb[part])))
            .collect();
        json!({"operations": operations, "documents": DOCUMENTS,
            "resident_mb_more": rounded(taken.resident_mb - empty.resident_mb),
            "resident_mb_empty": rounded(empty.resident_mb), "disk_mb_more": disk_mb})
    };
    vec![
        (format!("pending-{operations}-written"), cost, of(&written)),
        (format!("pending-{operations}-calm"), json!({}), of(&bundled)),
        (format!("pending-{operations}-stopped"), json!({}), of(&stopped)),
    ]
}

/// What a node takes.
struct Taken {
    resident_mb: f64,
    /// By part of the data directory.
    disk_mb: BTreeMap<&'static str, f64>,
}

impl Taken {
    fn of(root: &Path) -> Self {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let disk_mb = BTreeMap::from([
            ("all", mb(folder_bytes(root))),
            ("spaces", mb(folder_bytes(&root.join("spaces")))),
            // What SQLite has not put in its place yet; it keeps the file, whatever it needs.
            ("write_ahead", mb(bytes_where(root, |name| name.ends_with("-wal")))),
            ("views", mb(folder_bytes(&root.join("views")))),
        ]);
        Self { resident_mb: memory_mb("VmRSS:"), disk_mb }
    }
}
