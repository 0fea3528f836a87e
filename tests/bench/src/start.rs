//! How long a node takes to open on a store of very many entries.
//!
//! The store is as if four members had written by turns into very many documents, each of
//! which got ten changes: sealed with the space's key and signed by their authors. Their
//! bodies are the same ten changes again and again, which were written once by a real node:
//! a document does not look at who wrote a change, and to make each would take an hour.

use std::{path::Path, thread, time::Duration};

use node_core::{Request, Response, request::content_document};
use node_model::{DeviceId, DocumentId, EntryId, Epoch, SpaceId, seal::SealKey};
use node_runtime::Started;
use serde_json::json;
use sync_engine_core::{
    entry::VerifiedEntry,
    store::{Batch, EntryStore},
};
use sync_engine_sqlite::SqliteStore;

use crate::{
    author::{Author, key_of, store_of},
    calm::{Prepared, data_dir, folder_bytes},
    cost::{Meter, memory_mb, rounded},
    edits::{self, Line},
    pair::{self, Secrets},
};

/// Members who write: the owner of the node is the first.
const AUTHORS: usize = 4;

/// Changes of each document.
const CHANGES: usize = 10;

/// Entries of each author in one transaction.
const AT_ONCE: usize = 5_000;

/// How long the node has nothing to do before its memory is looked at.
const IDLE: Duration = Duration::from_secs(10);

/// Opens a node on `entries` entries.
///
/// # Panics
/// When it does not start or answer.
pub async fn start(entries: u64) -> Vec<Line> {
    let prepared = Prepared::by(&["start", "--entries", &entries.to_string()]);
    let space = prepared.space;
    let before_mb = memory_mb("VmRSS:");
    let meter = Meter::start();
    let node = prepared.start().await;
    let opened = meter.seconds();
    let read = Meter::start_clock();
    let document = document_of(space, 0, 0);
    let view = node.handle.request(Request::ReadDocument { space, document }).await;
    let Ok(Response::Document(view)) = view else { panic!("it is not read") };
    let (read, cost) = (read.seconds(), meter.stop());
    assert_eq!(view.value["n"], CHANGES - 1, "all changes are there");
    let asked = Meter::start_clock();
    let status = pair::space_status(&node, space).await.expect("it is there");
    let more = json!({"entries": status.entries, "entry_mb": rounded(status.bytes as f64 / 1e6),
        "disk_mb": rounded(folder_bytes(&prepared.data_dir()) as f64 / 1e6),
        "opened_seconds": rounded(opened), "first_read_ms": rounded(read * 1_000.0),
        "then_status_ms": rounded(asked.seconds() * 1_000.0),
        "resident_mb": rounded(memory_mb("VmRSS:"))});
    let started = (format!("start-{entries}"), cost, more);
    let meter = Meter::start();
    tokio::time::sleep(IDLE).await;
    let more = json!({"resident_mb": rounded(memory_mb("VmRSS:")),
        "resident_mb_before_start": rounded(before_mb)});
    let idle = (format!("start-{entries}-after-10-s"), meter.stop(), more);
    node.stop().await;
    vec![started, idle]
}

/// Makes the store, in the process that is not measured.
///
/// # Panics
/// When it cannot.
pub async fn prepare(entries: u64, folder: &Path) {
    let data_dir = data_dir(folder);
    let secrets: Vec<Secrets> = (0..AUTHORS).map(|_| Secrets::random()).collect();
    std::fs::create_dir_all(&data_dir).expect("the folder is ours");
    let ada = pair::node("ada", &data_dir, &secrets[0]).await;
    let space = pair::found(&ada).await;
    for (number, secrets) in secrets.iter().enumerate().skip(1) {
        join(&ada, space, &format!("member-{number}"), secrets).await;
    }
    let template = write_template(&ada, space).await;
    ada.stop().await;
    let key = key_of(&data_dir, &secrets[0], space);
    let mut store = store_of(&data_dir, space);
    let stored = store.document(template).expect("it was written");
    let bodies: Vec<Vec<u8>> = stored.into_iter().map(|bytes| opened(bytes, &key.1)).collect();
    assert_eq!(bodies.len(), CHANGES, "nothing is bundled yet");
    let count = usize::try_from(entries).expect("it fits into memory");
    let mut shares: Vec<Share> = (0..AUTHORS)
        .map(|number| {
            // The entries that are there count.
            let share = count / AUTHORS + usize::from(number < count % AUTHORS);
            Share::new(number, space, &secrets[number], share, &store)
        })
        .collect();
    while shares.iter().any(|share| share.written < share.entries) {
        let batches = thread::scope(|scope| {
            let writing: Vec<_> = shares
                .iter_mut()
                .map(|share| scope.spawn(|| share.write(space, &key, &bodies)))
                .collect();
            let written = writing.into_iter().map(|it| it.join().expect("entries are small"));
            written.collect::<Vec<Batch>>()
        });
        store.append(&batches).expect("the disk has room");
    }
    drop(store);
    Prepared::save(folder, &secrets[0], space).expect("the folder is ours");
}

async fn join(ada: &Started, space: SpaceId, name: &str, secrets: &Secrets) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let guest = pair::node(name, folder.path(), secrets).await;
    pair::relate(ada, &guest, space).await;
    guest.stop().await;
}

/// One document as all of them are.
async fn write_template(ada: &Started, space: SpaceId) -> DocumentId {
    let id = content_document(space, "template");
    let value = json!({"title": "A document", "n": 0, "text": "some words that stay as they are"});
    let documents = vec![edits::document(id, value)];
    ada.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    for n in 1..CHANGES {
        let path = "n".to_owned();
        let set = Request::SetValue { space, document: id, path, value: n.into() };
        ada.handle.request(set).await.expect("writes");
    }
    id
}

fn opened(bytes: Vec<u8>, key: &SealKey) -> Vec<u8> {
    let entry = VerifiedEntry::from_storage(bytes).expect("a node stored it");
    entry.open(key).expect("it is the space's key")
}

fn document_of(space: SpaceId, author: usize, number: usize) -> DocumentId {
    content_document(space, &format!("doc-{author}-{number}"))
}

/// What one of them writes, into documents of their own.
struct Share {
    author: Author,
    source: Option<DeviceId>,
    /// Each with its last entry.
    documents: Vec<(DocumentId, Option<EntryId>)>,
    written: usize,
    entries: usize,
}

impl Share {
    fn new(
        number: usize,
        space: SpaceId,
        secrets: &Secrets,
        entries: usize,
        store: &SqliteStore,
    ) -> Self {
        let author = Author::new(number as u8, secrets, store);
        let documents = (0..entries.div_ceil(CHANGES))
            .map(|document| (document_of(space, number, document), None))
            .collect();
        let source = (number > 0).then(|| author.device());
        Self { author, source, documents, written: 0, entries }
    }

    /// The next entries: the first change of each document, then the second of each.
    fn write(&mut self, space: SpaceId, key: &(Epoch, SealKey), bodies: &[Vec<u8>]) -> Batch {
        let until = self.entries.min(self.written + AT_ONCE);
        let mut entries = Vec::with_capacity(until - self.written);
        for at in self.written..until {
            let count = self.documents.len();
            let (document, head) = &mut self.documents[at % count];
            let deps = head.iter().copied().collect();
            let sealed = self.author.seal((space, *document), key, deps, &bodies[at / count]);
            let entry = sealed.expect("a small entry is within all limits");
            *head = Some(entry.id());
            entries.push(entry);
        }
        self.written = until;
        Batch { entries, source: self.source, cursor: None }
    }
}
