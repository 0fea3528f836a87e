//! Whether what was acknowledged is where it has to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use acceptance::{Connection, list, number, text};
use bytes::Bytes;
use serde_json::{Value, json};

use super::writers::Acknowledged;
use crate::{cost::Meter, real::Member};

/// Longest that nodes may take to become equal once nobody writes: a debug build on a busy
/// machine with two slow cores, that has to dial again first.
const SETTLE_SECONDS_MAX: f64 = 120.0;

/// How often to ask whether they are: nothing tells.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Documents of one answer of a list.
const PAGE: usize = 5_000;

/// How long it took until all were equal, and why they are not.
pub(super) struct Settled {
    pub(super) seconds: f64,
    /// None means that they are.
    pub(super) causes: Vec<Value>,
}

impl Settled {
    pub(super) fn is_settled(&self) -> bool {
        self.causes.is_empty()
    }
}

/// Waits until every node says that everybody has confirmed everything, files too.
pub(super) async fn settle(members: &[Member]) -> Settled {
    let meter = Meter::start_clock();
    loop {
        let causes = all_causes(members).await;
        let seconds = meter.seconds();
        if causes.is_empty() || seconds > SETTLE_SECONDS_MAX {
            return Settled { seconds, causes };
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn all_causes(members: &[Member]) -> Vec<Value> {
    let mut all = Vec::new();
    for member in members {
        let causes = member.causes().await;
        all.extend(causes.into_iter().map(|cause| json!({"at": member.name, "cause": cause})));
        let status = member.json("/api/v1/status").await;
        let missing = number(&status["storage"], "blobs_missing");
        if missing > 0 {
            all.push(json!({"at": member.name, "blobs_missing": missing}));
        }
    }
    all
}

/// What was found to be wrong, a line each.
#[derive(Default)]
pub(super) struct Found {
    /// Acknowledged, and not there.
    pub(super) lost: Vec<String>,
    /// Documents that are not the same everywhere.
    pub(super) diverged: Vec<String>,
}

/// All that was acknowledged so far.
#[derive(Default)]
pub(super) struct Ledger {
    /// Titles by document.
    documents: BTreeMap<String, String>,
    /// Keys by shared document.
    keys: BTreeMap<String, BTreeMap<String, u64>>,
    blobs: BTreeSet<String>,
    /// What no check has seen yet.
    new_documents: BTreeSet<String>,
    new_blobs: BTreeMap<String, Bytes>,
}

impl Ledger {
    /// Takes in what was acknowledged while this document was the shared one.
    pub(super) fn note(&mut self, acknowledged: Vec<Acknowledged>, shared: &str) {
        let keys = self.keys.entry(shared.to_owned()).or_default();
        self.new_documents.insert(shared.to_owned());
        for it in acknowledged {
            match it {
                Acknowledged::Document { id, title } => {
                    self.new_documents.insert(id.clone());
                    self.documents.insert(id, title);
                }
                Acknowledged::Keys(new) => keys.extend(new),
                Acknowledged::Blob { hash, bytes } => {
                    self.blobs.insert(hash.clone());
                    self.new_blobs.insert(hash, bytes);
                }
                Acknowledged::Refused(_) => {}
            }
        }
    }

    /// Documents and blobs.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.documents.len() + self.keys.len(), self.blobs.len())
    }

    /// Looks at both people: heads and contents of what is new, or of everything, and that
    /// all of the rest is listed.
    pub(super) async fn check(&mut self, people: &[Member], space: &str, is_all: bool) -> Found {
        let mut found = Found::default();
        let mut documents = std::mem::take(&mut self.new_documents);
        let blobs = std::mem::take(&mut self.new_blobs);
        if is_all {
            documents.extend(self.documents.keys().chain(self.keys.keys()).cloned());
        }
        let mut heads: Vec<BTreeMap<String, Vec<Value>>> = Vec::new();
        for member in people {
            let mut place = Place::new(member, space).await;
            self.listed(&mut place, &mut found.lost).await;
            for (hash, bytes) in &blobs {
                let answer = place.get(&format!("blobs/{hash}")).await;
                if answer.status != 200 || answer.body != *bytes {
                    found.lost.push(format!("{}: blob {hash}: {}", member.name, answer.status));
                }
            }
            heads.push(self.heads(&mut place, &documents, &mut found.lost).await);
        }
        for document in &documents {
            let mut of_each = heads.iter().map(|heads| heads.get(document));
            let first = of_each.next();
            if of_each.any(|other| Some(other) != first) {
                let heads: Vec<_> = heads.iter().map(|heads| heads.get(document)).collect();
                found.diverged.push(format!("document {document}: heads {heads:?}"));
            }
        }
        found
    }

    /// All documents and blobs that were ever acknowledged are listed, with their titles.
    async fn listed(&self, place: &mut Place<'_>, lost: &mut Vec<String>) {
        let name = place.member.name;
        let titles = place.titles().await;
        for (document, title) in &self.documents {
            match titles.get(document) {
                Some(listed) if listed == title => {}
                other => lost.push(format!("{name}: document {document} {title}: {other:?}")),
            }
        }
        let listed = place.get("blobs").await.json();
        let here = list(&listed, "blobs").iter().filter(|blob| blob["here"] == true);
        let here: BTreeSet<&str> = here.map(|blob| text(blob, "blob")).collect();
        for hash in self.blobs.iter().filter(|hash| !here.contains(hash.as_str())) {
            lost.push(format!("{name}: blob {hash} is not here"));
        }
    }

    /// Heads of documents, whose contents are compared on the way.
    async fn heads(
        &self,
        place: &mut Place<'_>,
        documents: &BTreeSet<String>,
        lost: &mut Vec<String>,
    ) -> BTreeMap<String, Vec<Value>> {
        let name = place.member.name;
        let mut heads = BTreeMap::new();
        for document in documents {
            let answer = place.get(&format!("docs/{document}")).await;
            if answer.status != 200 {
                lost.push(format!("{name}: document {document}: {}", answer.text()));
                continue;
            }
            let read = answer.json();
            for (key, value) in self.keys.get(document).into_iter().flatten() {
                if read["value"][key] != *value {
                    let other = &read["value"][key];
                    lost.push(format!("{name}: {document} {key}: {other} instead of {value}"));
                }
            }
            heads.insert(document.clone(), list(&read, "heads").to_vec());
        }
        heads
    }
}

/// A space at a node, over one connection.
struct Place<'a> {
    member: &'a Member,
    space: &'a str,
    connection: Connection,
}

impl<'a> Place<'a> {
    async fn new(member: &'a Member, space: &'a str) -> Self {
        let connection = member.program().connect().await.expect("the doorway is open");
        Self { member, space, connection }
    }

    async fn get(&mut self, what: &str) -> acceptance::Answer {
        let path = format!("/api/v1/spaces/{}/{what}", self.space);
        let answer = self.connection.send("GET", &path, Bytes::new()).await;
        answer.unwrap_or_else(|error| panic!("{}: {path}: {error}", self.member.name))
    }

    /// Titles of all documents.
    async fn titles(&mut self) -> BTreeMap<String, String> {
        let mut titles = BTreeMap::new();
        let mut after = String::new();
        loop {
            let listed = self.get(&format!("docs?limit={PAGE}{after}")).await.json();
            titles.extend(
                list(&listed, "docs")
                    .iter()
                    .map(|line| (text(line, "doc").to_owned(), text(line, "title").to_owned())),
            );
            let Some(next) = listed.get("next").and_then(Value::as_str) else { return titles };
            after = format!("&after={next}");
        }
    }
}
