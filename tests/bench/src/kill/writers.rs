//! People who write all the time, until nobody answers or they are told to stop.

use std::time::Duration;

use acceptance::{Browser, text};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

/// Pauses between two writes of one kind: as fast as a few people and programs write, and
/// slow enough that a check after 20 kills takes seconds.
const DOCUMENT_PAUSE: Duration = Duration::from_millis(25);
const VALUE_PAUSE: Duration = Duration::from_millis(40);
const BATCH_PAUSE: Duration = Duration::from_millis(80);
const BLOB_PAUSE: Duration = Duration::from_millis(400);

/// Keys of one batch.
const BATCH_KEYS: u64 = 5;

/// Something that a node said to be durable.
#[derive(Debug)]
pub(super) enum Acknowledged {
    /// A document and its title.
    Document { id: String, title: String },
    /// Keys of the shared document.
    Keys(Vec<(String, u64)>),
    /// A blob.
    Blob { hash: String, bytes: Bytes },
    /// It answered that it did not do it, which it has no reason to.
    Refused(String),
}

/// What one writer sends next.
struct Write {
    method: &'static str,
    path: String,
    kind: &'static str,
    body: Bytes,
}

/// What a writer writes.
#[derive(Clone, Copy)]
enum Kind {
    Documents,
    Values,
    Batches,
    Blobs,
}

/// Who writes one kind of thing.
#[derive(Clone)]
struct Writer {
    kind: Kind,
    /// Where the space is.
    space: String,
    /// The shared document.
    shared: String,
    /// In the names of all that it writes.
    life: String,
}

/// All writers at one node.
#[derive(Default)]
pub(super) struct Writers {
    tasks: JoinSet<Vec<Acknowledged>>,
    stop: watch::Sender<bool>,
}

impl Writers {
    /// Starts them; `life` is in the names of all that they write.
    pub(super) fn start(program: &Browser, space: &str, shared: &str, life: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for kind in [Kind::Documents, Kind::Values, Kind::Batches, Kind::Blobs] {
            let space = format!("/api/v1/spaces/{space}");
            let writer = Writer { kind, space, shared: shared.to_owned(), life: life.to_owned() };
            tasks.spawn(write_all(program.clone(), writer, stopped.clone()));
        }
        Self { tasks, stop }
    }

    /// Tells them to stop.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// What was acknowledged until the end of all of them.
    pub(super) async fn end(mut self) -> Vec<Acknowledged> {
        let mut all = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            all.extend(ended.expect("a writer ends when nobody answers"));
        }
        all
    }
}

async fn write_all(
    program: Browser,
    writer: Writer,
    mut stopped: watch::Receiver<bool>,
) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    let Ok(mut connection) = program.connect().await else { return acknowledged };
    for count in 0.. {
        let Write { method, path, kind, body } = writer.write(count);
        let Ok(answer) = connection.send_as(kind, method, &path, body).await else { break };
        acknowledged.push(match answer.status {
            200 | 201 => writer.note(count, &answer.json()),
            status => Acknowledged::Refused(format!("{method} {path}: {status} {}", answer.text())),
        });
        let told = tokio::time::timeout(writer.pause(), stopped.wait_for(|it| *it));
        if told.await.is_ok() {
            break;
        }
    }
    acknowledged
}

const JSON: &str = "application/json";

impl Writer {
    fn pause(&self) -> Duration {
        match self.kind {
            Kind::Documents => DOCUMENT_PAUSE,
            Kind::Values => VALUE_PAUSE,
            Kind::Batches => BATCH_PAUSE,
            Kind::Blobs => BLOB_PAUSE,
        }
    }

    fn write(&self, count: u64) -> Write {
        let Self { kind, space, shared, .. } = self;
        match kind {
            Kind::Documents => {
                let value = json!({"title": self.title(count), "n": count});
                let body = json!({"type": "note", "value": value}).to_string().into();
                Write { method: "POST", path: format!("{space}/docs"), kind: JSON, body }
            }
            Kind::Values => {
                let (name, value) = self.key(count);
                let body = json!({"path": name, "value": value}).to_string().into();
                let path = format!("{space}/docs/{shared}/value");
                Write { method: "PUT", path, kind: JSON, body }
            }
            Kind::Batches => {
                let path = format!("{space}/docs/{shared}");
                let kind = "application/json-patch+json";
                Write { method: "PATCH", path, kind, body: self.patch(count) }
            }
            Kind::Blobs => {
                let path = format!("{space}/blobs?name=b.bin");
                let kind = "application/octet-stream";
                Write { method: "PUT", path, kind, body: self.blob(count) }
            }
        }
    }

    /// What the answer means.
    fn note(&self, count: u64, answer: &Value) -> Acknowledged {
        match self.kind {
            Kind::Documents => Acknowledged::Document {
                id: text(answer, "doc").to_owned(),
                title: self.title(count),
            },
            Kind::Values => Acknowledged::Keys(vec![self.key(count)]),
            Kind::Batches => Acknowledged::Keys(self.batch(count)),
            Kind::Blobs => Acknowledged::Blob {
                hash: text(answer, "blob").to_owned(),
                bytes: self.blob(count),
            },
        }
    }

    fn title(&self, count: u64) -> String {
        format!("{}.{count}", self.life)
    }

    fn key(&self, count: u64) -> (String, u64) {
        (format!("{}v{count}", self.life), count)
    }

    fn batch(&self, count: u64) -> Vec<(String, u64)> {
        (0..BATCH_KEYS).map(|key| (format!("{}b{count}k{key}", self.life), count)).collect()
    }

    fn patch(&self, count: u64) -> Bytes {
        // Both people write the last one: somebody loses, and all agree who.
        let contested = ("contested".to_owned(), count);
        let keys = self.batch(count).into_iter().chain([contested]);
        let operations = keys
            .map(|(name, value)| json!({"op": "add", "path": format!("/{name}"), "value": value}));
        operations.collect::<Value>().to_string().into()
    }

    fn blob(&self, count: u64) -> Bytes {
        // Small ones are kept in a database, large ones in files.
        let times = if count % 3 == 2 { 20_000 } else { 10 };
        format!("blob {} ", self.title(count)).repeat(times).into()
    }
}
