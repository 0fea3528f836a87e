//! What a member who means harm costs a node: five hundred crafted documents that come in a
//! pack, are read, listed, indexed, and read again after a start.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use node_core::{
    Request, Response,
    doctor::{Cause, DoctorOf},
    request::content_document,
};
use node_model::{DocumentId, SpaceId};
use node_runtime::{Progress, Started};
use serde_json::{Value, json};
use sync_engine_core::{
    document::crafted::{self, Crafted},
    store::{Batch, EntryStore},
};
use tokio::sync::watch;

use crate::{
    author::{Author, key_of, store_of},
    beside::{beside, summary},
    calm::{self, Prepared, data_dir},
    cost::{Meter, rounded},
    edits::{self, Line},
    pair::{self, Secrets},
};

/// The pack, in the folder that another process made.
const PACK: &str = "crafted.kithpack";

/// What is wrong with each of them, one a line: to make them again would take the memory that
/// is measured.
const NAMES: &str = "names";

fn small(space: SpaceId) -> (SpaceId, DocumentId) {
    (space, content_document(space, "small"))
}

fn crafted_document(space: SpaceId, number: usize) -> DocumentId {
    content_document(space, &format!("crafted-{number}"))
}

/// Makes a node with a small document, and a pack in which a member of the same space writes
/// what no node would write, in the process that is not measured.
///
/// # Panics
/// When it cannot.
pub async fn prepare(folder: &Path) {
    let [own, other] = [data_dir(folder), folder.join("mallory")];
    let [ada, mallory] = [Secrets::random(), Secrets::random()];
    for folder in [&own, &other] {
        std::fs::create_dir_all(folder).expect("the folder is ours");
    }
    let node = pair::node("ada", &own, &ada).await;
    let space = pair::found(&node).await;
    let value = json!({"title": "A small document"});
    let documents = vec![edits::document(small(space).1, value)];
    node.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    let guest = pair::node("mallory", &other, &mallory).await;
    pair::relate(&node, &guest, space).await;
    pair::arrived(&guest, space, 1, 0).await;
    guest.stop().await;
    node.stop().await;
    let crafted = crafted::all();
    write_crafted(&other, &mallory, space, &crafted);
    let names: Vec<_> = crafted.into_iter().map(|it| it.name).collect();
    std::fs::write(folder.join(NAMES), names.join("\n")).expect("the folder is ours");
    let guest = pair::node("mallory", &other, &mallory).await;
    let (progress, _) = watch::channel(Progress::default());
    let pack = folder.join(PACK);
    guest.handle.pack(space, pack, None, progress).await.expect("it is packed");
    guest.stop().await;
    Prepared::save(folder, &ada, space).expect("the folder is ours");
}

/// Writes them past the node, which would refuse.
fn write_crafted(data_dir: &Path, secrets: &Secrets, space: SpaceId, crafted: &[Crafted]) {
    let key = key_of(data_dir, secrets, space);
    let mut store = store_of(data_dir, space);
    let mut author = Author::new(1, secrets, &store);
    for (number, crafted) in crafted.iter().enumerate() {
        let place = (space, crafted_document(space, number));
        let mut entries = Vec::with_capacity(crafted.changes.len());
        let mut last = None;
        for change in &crafted.changes {
            let sealed = author.seal(place, &key, last.into_iter().collect(), change);
            let entry = sealed.expect("all of them fit into an entry");
            last = Some(entry.id());
            entries.push(entry);
        }
        let batch = Batch { entries, source: None, cursor: None };
        store.append(&[batch]).expect("the disk has room");
    }
}

/// Takes the pack in and reads everything, twice, with a start between.
///
/// # Panics
/// When the node does not start, or does not serve.
pub async fn hostile() -> Vec<Line> {
    let prepared = Prepared::by(&["hostile"]);
    let beside_it = |name| prepared.data_dir().with_file_name(name);
    let names = std::fs::read_to_string(beside_it(NAMES)).expect("it was made");
    let names: Vec<_> = names.lines().collect();
    let node = prepared.start().await;
    let arrived = arrive(&node, prepared.space, beside_it(PACK)).await;
    let read = read_all(&node, prepared.space, &names, "hostile-read").await;
    let meter = Meter::start();
    calm::idle().await;
    let settled = ("hostile-indexed".to_owned(), meter.stop(), json!({}));
    let named = named(&node, prepared.space).await;
    node.stop().await;
    let node = prepared.start().await;
    let again = read_all(&node, prepared.space, &names, "hostile-read-after-a-start").await;
    node.stop().await;
    vec![arrived, read, settled, named, again]
}

async fn arrive(node: &Started, space: SpaceId, pack: PathBuf) -> Line {
    let (progress, _) = watch::channel(Progress::default());
    let (meter, mut times) = (Meter::start(), Vec::new());
    let unpack = node.handle.unpack(pack, progress);
    let report = beside(node, small(space), &mut times, unpack).await.expect("it is a pack");
    let more = json!({"entries": report.entries_new, "refused": report.refused.len(),
        "small_document_meanwhile": summary(times)});
    ("hostile-arrive".to_owned(), meter.stop(), more)
}

/// Reads each of them.
async fn read_all(node: &Started, space: SpaceId, names: &[&str], name: &str) -> Line {
    let (meter, mut times, mut others) = (Meter::start(), Vec::new(), Vec::new());
    let (mut read, mut slowest) = (0, (0.0, 0));
    for number in 0..names.len() {
        let document = crafted_document(space, number);
        let one = Meter::start_clock();
        let ask = node.handle.request(Request::ReadDocument { space, document });
        let answer = beside(node, small(space), &mut others, async {
            let answer = ask.await;
            (answer.is_ok(), one.seconds() * 1_000.0)
        });
        let (is_read, milliseconds) = answer.await;
        read += usize::from(is_read);
        if milliseconds > slowest.0 {
            slowest = (milliseconds, number);
        }
        times.push(milliseconds);
    }
    let more = json!({"documents": names.len(), "read": read, "each": summary(times),
        "slowest": names[slowest.1], "small_document_meanwhile": summary(others)});
    (name.to_owned(), meter.stop(), more)
}

/// How many of them the doctor names, and lists.
async fn named(node: &Started, space: SpaceId) -> Line {
    let all: BTreeSet<_> =
        (0..crafted::CRAFTED).map(|number| crafted_document(space, number)).collect();
    let (meter, mut times) = (Meter::start(), Vec::new());
    let list = node.handle.request(Request::Documents { space });
    let list = beside(node, small(space), &mut times, list).await;
    let Ok(Response::Documents(listed)) = list else { panic!("no list") };
    let doctor = node.handle.request(Request::Doctor { of: DoctorOf::Space(space) });
    let answer = beside(node, small(space), &mut times, doctor).await;
    let Ok(Response::Findings(found)) = answer else { panic!("no findings") };
    let of = |is_such: fn(&Cause) -> bool| {
        let such = found.findings.iter().filter(|finding| is_such(&finding.cause));
        let documents: BTreeSet<_> = such.filter_map(|finding| finding.subject.document).collect();
        Value::from(documents.intersection(&all).count())
    };
    let more = json!({
        "listed": listed.iter().filter(|it| all.contains(&it.document)).count(),
        "rejected_entry": of(|cause| matches!(cause, Cause::RejectedEntry { .. })),
        "missing_dependency": of(|cause| matches!(cause, Cause::MissingDependency { .. })),
        "small_document_meanwhile": summary(times), "seconds_of_both": rounded(meter.seconds()),
    });
    ("hostile-named".to_owned(), meter.stop(), more)
}
