//! Power cuts: a node that is killed while people write loses nothing that it acknowledged.

use std::{collections::BTreeMap, fs, sync::Arc};

use acceptance::{Browser, Home, PATIENCE, dice, list, number, text};
use bytes::Bytes;
use rand_chacha::rand_core::Rng;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

/// How often the node is killed.
const KILLS: usize = 50;

/// Kills come after as many acknowledgements, at most: a few transactions of each writer.
const ACKNOWLEDGED_MAX: u32 = 40;

/// Acknowledgements that nobody has looked at yet.
const WAITING_MAX: usize = 64;

/// Something that the node said to be durable.
enum Acknowledged {
    Document { id: String, value: Value },
    Key { name: String, value: u32 },
    Blob { hash: String, bytes: Bytes },
}

/// All that was acknowledged so far.
#[derive(Default)]
struct Ledger {
    documents: BTreeMap<String, Value>,
    keys: BTreeMap<String, u32>,
    blobs: BTreeMap<String, Bytes>,
}

impl Ledger {
    fn note(&mut self, acknowledged: Acknowledged) {
        match acknowledged {
            Acknowledged::Document { id, value } => {
                self.documents.insert(id, value);
            }
            Acknowledged::Key { name, value } => {
                self.keys.insert(name, value);
            }
            Acknowledged::Blob { hash, bytes } => {
                self.blobs.insert(hash, bytes);
            }
        }
    }
}

#[tokio::test]
async fn a_killed_node_has_everything_that_it_acknowledged() {
    let mut dice = dice();
    let home = Home::new();
    let mut running = home.up().ready().await;
    home.new_space("album").await;
    let shared = home.new_document("album", &json!({"title": "Shared"})).await;
    let token = fs::read_to_string(home.data_dir().join("local-token")).expect("it is there");
    let mut all = Ledger::default();
    for round in 0..KILLS {
        let program = running.browser().with_token(token.trim());
        let deaths = 1 + dice.next_u32() % ACKNOWLEDGED_MAX;
        let mut writers = Writers::start(&program, &shared, round);
        let mut new = Ledger::default();
        for _ in 0..deaths {
            new.note(writers.next().await);
        }
        // Whatever else they are doing now is under way.
        running.kill().await;
        for acknowledged in writers.rest().await {
            new.note(acknowledged);
        }
        running = home.up().ready().await;
        let program = running.browser().with_token(token.trim());
        check(&program, &shared, &mut all, new, round).await;
    }
    let status = home.kith(&["status"]).json().await;
    let storage = &status["storage"];
    assert!(number(storage, "documents") as usize > all.documents.len());
    assert_eq!(number(storage, "blobs_missing"), 0, "{status}");
    running.stop().await;
}

/// People who write all at once, until nobody answers.
struct Writers {
    tasks: JoinSet<()>,
    acknowledged: mpsc::Receiver<Acknowledged>,
}

impl Writers {
    fn start(program: &Browser, shared: &str, round: usize) -> Self {
        let (send, acknowledged) = mpsc::channel(WAITING_MAX);
        let mut tasks = JoinSet::new();
        for writer in 0..2 {
            tasks.spawn(write_documents(
                program.clone(),
                format!("{round}.{writer}"),
                send.clone(),
            ));
        }
        let target: Arc<str> = format!("/api/v1/spaces/album/docs/{shared}/value").into();
        tasks.spawn(write_keys(program.clone(), target, round, send.clone()));
        tasks.spawn(write_blobs(program.clone(), round, send));
        Self { tasks, acknowledged }
    }

    async fn next(&mut self) -> Acknowledged {
        let next = tokio::time::timeout(PATIENCE, self.acknowledged.recv()).await;
        next.expect("the node answers in time").expect("somebody still writes")
    }

    /// What was acknowledged until the end of all of them.
    async fn rest(mut self) -> Vec<Acknowledged> {
        let mut rest = Vec::new();
        while let Some(acknowledged) = self.acknowledged.recv().await {
            rest.push(acknowledged);
        }
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a writer ends when nobody answers");
        }
        rest
    }
}

/// Writes until the connection breaks; whatever else comes back than success is a failure.
async fn write_all(
    program: Browser,
    send: mpsc::Sender<Acknowledged>,
    next: impl Fn(u32) -> (&'static str, String, Bytes, u16),
    note: impl Fn(u32, &Value) -> Acknowledged,
) {
    let Ok(mut connection) = program.connect().await else { return };
    for count in 0.. {
        let (method, path, body, status) = next(count);
        let Ok(answer) = connection.send(method, &path, body).await else { return };
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        if send.send(note(count, &answer.json())).await.is_err() {
            return;
        }
    }
}

async fn write_documents(program: Browser, writer: String, send: mpsc::Sender<Acknowledged>) {
    let value = |count: u32| json!({"title": format!("{writer}.{count}"), "n": count});
    let program = program.with("content-type", "application/json");
    let next = |count| {
        let body = json!({"type": "note", "value": value(count)}).to_string();
        ("POST", "/api/v1/spaces/album/docs".to_owned(), body.into(), 201)
    };
    let note = |count, answer: &Value| Acknowledged::Document {
        id: text(answer, "doc").to_owned(),
        value: value(count),
    };
    write_all(program, send, next, note).await;
}

async fn write_keys(
    program: Browser,
    target: Arc<str>,
    round: usize,
    send: mpsc::Sender<Acknowledged>,
) {
    let name = |count: u32| format!("r{round}k{count}");
    let program = program.with("content-type", "application/json");
    let next = |count| {
        let body = json!({"path": name(count), "value": count}).to_string();
        ("PUT", target.to_string(), body.into(), 200)
    };
    let note = |count, _: &Value| Acknowledged::Key { name: name(count), value: count };
    write_all(program, send, next, note).await;
}

async fn write_blobs(program: Browser, round: usize, send: mpsc::Sender<Acknowledged>) {
    // Small ones are kept in a database, large ones in files.
    let bytes = |count: u32| {
        let text = format!("blob {round}.{count} ");
        Bytes::from(text.repeat(if count.is_multiple_of(2) { 10 } else { 10_000 }))
    };
    let next =
        |count| ("PUT", "/api/v1/spaces/album/blobs?name=b.bin".to_owned(), bytes(count), 201);
    let note = |count, answer: &Value| Acknowledged::Blob {
        hash: text(answer, "blob").to_owned(),
        bytes: bytes(count),
    };
    write_all(program, send, next, note).await;
}

/// What is new is compared byte by byte; what is old must still be listed.
async fn check(program: &Browser, shared: &str, all: &mut Ledger, new: Ledger, round: usize) {
    let mut connection = program.connect().await.expect("the doorway is open");
    let mut get = async |path: String| {
        let answer = connection.send("GET", &path, Bytes::new()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(answer.status, 200, "round {round}: {path}: {}", answer.text());
        answer
    };
    for (id, value) in new.documents {
        let got = get(format!("/api/v1/spaces/album/docs/{id}")).await.json();
        assert_eq!(got["value"], value, "round {round}");
        all.documents.insert(id, value);
    }
    for (hash, bytes) in new.blobs {
        let got = get(format!("/api/v1/spaces/album/blobs/{hash}")).await;
        assert!(got.body == bytes, "round {round}: blob {hash} differs");
        all.blobs.insert(hash, bytes);
    }
    all.keys.extend(new.keys);
    let got = get(format!("/api/v1/spaces/album/docs/{shared}")).await.json();
    for (name, value) in &all.keys {
        assert_eq!(got["value"][name], *value, "round {round}: {name}");
    }
    let listed = get("/api/v1/spaces/album/docs".to_owned()).await.json();
    let listed: Vec<_> = list(&listed, "docs").iter().map(|doc| text(doc, "doc")).collect();
    let lost: Vec<_> = all.documents.keys().filter(|id| !listed.contains(&id.as_str())).collect();
    assert!(lost.is_empty(), "round {round}: {lost:?}");
    let listed = get("/api/v1/spaces/album/blobs".to_owned()).await.json();
    for blob in list(&listed, "blobs") {
        assert_eq!(blob["here"], true, "round {round}: {blob}");
    }
    let listed: Vec<_> = list(&listed, "blobs").iter().map(|blob| text(blob, "blob")).collect();
    let lost: Vec<_> = all.blobs.keys().filter(|hash| !listed.contains(&hash.as_str())).collect();
    assert!(lost.is_empty(), "round {round}: {lost:?}");
}

#[tokio::test]
async fn a_killed_command_leaves_what_the_ones_before_it_wrote() {
    let home = Home::new();
    home.new_space("album").await;
    let mut documents = vec![];
    for at in 0..3 {
        documents.push(home.new_document("album", &json!({"at": at})).await);
        // A file that never ends: the command is in the middle of its work when it is killed.
        let mut hanging = home.kith(&["blob", "put", "album", "-"]).hang().await;
        hanging.kill().await.expect("it can be killed");
    }
    documents.sort();
    assert_eq!(home.documents("album").await, documents);
    let listed = home.kith(&["blob", "list", "album"]).json().await;
    assert_eq!(listed, json!({"blobs": []}));
}
