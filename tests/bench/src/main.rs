//! `kith-bench`: measures what the product promises and prints one JSON line for
//! each measurement. `docs/performance.md` quotes it.

#![expect(clippy::print_stderr, reason = "this is its output")]

use std::{fs, process::ExitCode};

use kith_bench::{
    ask, community,
    cost::{Meter, memory_mb, quantiles, rounded},
    edits, examine,
    pair::{self, BenchNode, Secrets},
    say, sets,
    trust::{Villager, village},
};
use node_core::{
    Request, Response,
    request::{Meta, WriteDocument, content_document},
};
use node_model::{SpaceId, Timestamp};
use node_runtime::{OsEntropy, Progress, search::Limit};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use trust_core::{Action, Attestation, Layer, Question, Terms, Trust};

use crate::{measurement::Measurement, trial::Trial};

mod measurement;
mod trial;

/// The allocator of `kith`: docs/decisions/0033.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SEED: u64 = 1;

const USAGE: &str = "usage: kith-bench [community | blob-large | blobs-small | documents | edits | edits-many | live | write | trust | ask | examine | sets | pending | resident | open | hostile | growth | circuit]…\n\
without a name: all of them, each in a process of its own\n\
kith-bench pending [--operations 10000] writes while nobody listens\n\
kith-bench resident [--documents 10000] looks at the memory of a node that was started again\n\
kith-bench growth [--documents-max 8000] [--svg FILE] synchronises more and more documents\n\
kith-bench start [--entries 1000000] opens a node on very many entries; to make them takes minutes\n\
kith-bench generate FOLDER writes the reference community\n\
kith-bench kill [--loops 200] [--seed 1] [--kith PATH] kills real nodes while they write and synchronise\n\
kith-bench doctor [--repeat 20] [--cause NAME] [--kith PATH] asks the doctor of real nodes about each cause";

const ALL: [&str; 18] = [
    "community",
    "blob-large",
    "blobs-small",
    "documents",
    "edits",
    "edits-many",
    "live",
    "write",
    "trust",
    "ask",
    "examine",
    "sets",
    "pending",
    "resident",
    "open",
    "hostile",
    "growth",
    "circuit",
];

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let [generate, folder] = names.as_slice()
        && generate == "generate"
    {
        let made = community::write(folder.as_ref(), SEED).expect("the folder can be written");
        say(&json!({"files": made.files, "bytes": made.bytes}));
        return ExitCode::SUCCESS;
    }
    if let Some((trial, rest)) = names.split_first()
        && let Some(trial) = Trial::named(trial)
    {
        return trial.run(rest).unwrap_or_else(wrong_usage);
    }
    if let Some(measurement) = Measurement::read(&names) {
        return measurement.map_or_else(wrong_usage, |it| runtime().block_on(it.run()));
    }
    if let [name] = names.as_slice() {
        return one(name);
    }
    let names = if names.is_empty() { ALL.map(str::to_owned).to_vec() } else { names };
    // Peak memory and CPU seconds belong to a process.
    let program = std::env::current_exe().expect("this program has a path");
    let run = |name: &String| std::process::Command::new(&program).arg(name).status();
    if names.iter().all(|name| run(name).is_ok_and(|status| status.success())) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn wrong_usage(error: String) -> ExitCode {
    eprintln!("{error}\n{USAGE}");
    ExitCode::from(2)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("this machine has threads")
}

fn one(name: &str) -> ExitCode {
    runtime().block_on(async {
        match name {
            "community" => bench_community().await,
            "blob-large" => bench_blob_large().await,
            "blobs-small" => bench_blobs_small().await,
            "documents" => report_all(edits::documents().await),
            "edits" => report_all(edits::edits(10_000).await),
            "edits-many" => report_all(edits::edits(260_000).await),
            "live" => report_all(edits::live().await),
            "write" => bench_write().await,
            "trust" => bench_trust(),
            "ask" => report("ask", json!({}), ask::refusals()),
            "examine" => report("examine", json!({}), examine::looks()),
            "sets" => bench_sets(),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
        ExitCode::SUCCESS
    })
}

fn report(name: &str, mut cost: Value, more: Value) {
    cost["name"] = name.into();
    if let (Value::Object(cost), Value::Object(more)) = (&mut cost, more) {
        cost.extend(more);
    }
    say(&cost);
}

async fn import(node: &BenchNode, space: node_model::SpaceId, folder: &std::path::Path) -> u64 {
    let (progress, _) = watch::channel(Progress::default());
    let done = node.started.handle.import(space, folder.to_owned(), progress).await;
    let done = done.expect("imports");
    assert!(done.skipped.is_empty(), "{:?}", done.skipped);
    done.documents
}

async fn bench_community() {
    let source = tempfile::tempdir().expect("a temporary folder");
    let made = community::write(source.path(), SEED).expect("writes");
    let secrets = Secrets::random();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let started = pair::node("ada", folder.path(), &secrets).await;
    let ada = BenchNode { started, folder };
    let space = ada.found().await;
    let meter = Meter::start();
    let documents = import(&ada, space, source.path()).await;
    report("community-import", meter.stop(), json!({"documents": documents, "bytes": made.bytes}));

    let BenchNode { started, folder } = ada;
    started.stop().await;
    let meter = Meter::start();
    let started = pair::node("ada", folder.path(), &secrets).await;
    report("community-start", meter.stop(), json!({}));
    query(&started, space).await;
    search(&started).await;
    report("community-idle", json!({}), json!({"resident_mb": rounded(memory_mb("VmRSS:"))}));

    let ben = BenchNode::new("ben").await;
    let meter = Meter::start();
    pair::relate(&started, &ben.started, space).await;
    pair::arrived(&ben.started, space, documents, 0).await;
    report("community-first-sync", meter.stop(), json!({"documents": documents}));
}

async fn query(node: &node_runtime::Started, space: node_model::SpaceId) {
    let mut times: Vec<f64> = Vec::new();
    for index in (0..community::ITEMS).step_by(7) {
        let meter = Meter::start();
        let find = Request::FindDocument {
            space,
            text: format!("item-{index:04}"),
            includes_removed: false,
        };
        let Ok(Response::Found(document)) = node.handle.request(find).await else {
            panic!("item {index} is not found");
        };
        let read = node.handle.request(Request::ReadDocument { space, document }).await;
        read.expect("reads");
        times.push(meter.seconds() * 1_000.0);
    }
    report("community-query-by-id", json!({}), quantiles(times));
}

/// Two of the words that all prose is made of: nearly every item matches, which is the
/// most that a search of this community has to look through.
async fn search(node: &node_runtime::Started) {
    let words = community::WORDS;
    let pairs = words.iter().flat_map(|one| words.iter().map(move |two| format!("{one} {two}")));
    let mut times = Vec::new();
    for text in pairs.step_by(2) {
        let meter = Meter::start();
        let found = node.handle.search(&text, None, Limit::default()).await.expect("searches");
        times.push(meter.seconds() * 1_000.0);
        assert!(found.is_complete && found.hits.len() == 10, "{text}");
    }
    report("community-search", json!({}), quantiles(times));
}

fn random_file(random: &mut ChaCha8Rng, path: &std::path::Path, len: usize) {
    use std::io::Write;
    let mut file = fs::File::create(path).expect("creates");
    let mut buffer = vec![0; len.min(1 << 20)];
    let mut left = len;
    while left > 0 {
        let count = left.min(buffer.len());
        random.fill_bytes(&mut buffer[..count]);
        file.write_all(&buffer[..count]).expect("writes");
        left -= count;
    }
}

async fn bench_blob_large() {
    let source = tempfile::tempdir().expect("a temporary folder");
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    random_file(&mut random, &source.path().join("film.bin"), 1 << 30);
    transfer("blob-1gib", source, 1).await;
}

async fn bench_blobs_small() {
    let source = tempfile::tempdir().expect("a temporary folder");
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    for index in 0..10_000 {
        random_file(&mut random, &source.path().join(format!("{index:05}.bin")), 16 * 1_024);
    }
    transfer("blobs-10000x16kib", source, 10_000).await;
}

async fn transfer(name: &str, source: tempfile::TempDir, files: usize) {
    let ada = BenchNode::new("ada").await;
    let space = ada.found().await;
    let meter = Meter::start();
    let documents = import(&ada, space, source.path()).await;
    report(&format!("{name}-import"), meter.stop(), json!({}));
    let ben = BenchNode::new("ben").await;
    let meter = Meter::start();
    pair::relate(&ada.started, &ben.started, space).await;
    pair::arrived(&ben.started, space, documents, files).await;
    report(name, meter.stop(), json!({"of": "both sides"}));
}

fn report_all(lines: Vec<edits::Line>) {
    for (name, cost, more) in lines {
        report(&name, cost, more);
    }
}

async fn bench_write() {
    let ada = BenchNode::new("ada").await;
    let space = ada.found().await;
    let document = content_document(space, "counter");
    let meta = Meta { kind: "document".into(), ..Meta::default() };
    let documents = vec![WriteDocument { document, meta, value: json!({"n": 0}) }];
    ada.started.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    let count = 1_000;
    let meter = Meter::start();
    for n in 0..count {
        let set = Request::SetValue { space, document, path: "n".into(), value: n.into() };
        ada.started.handle.request(set).await.expect("writes");
    }
    let a_second = rounded(f64::from(count) / meter.seconds());
    report("write-one-at-a-time", meter.stop(), json!({"durable_changes_a_second": a_second}));
    report_all(vec![edits::batches().await]);
}

fn bench_sets() {
    for (name, result) in sets::measure(SEED) {
        report(&name, result, json!({}));
    }
}

/// Statements in one message of a peer.
const STATEMENTS_A_MESSAGE: usize = 512;

fn bench_trust() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("trust.db");
    let secrets = Secrets::random();
    let open = || {
        let ledger = trust_embedded::EmbeddedLedger::open(&path, None).expect("opens");
        let now = Timestamp(2_000);
        Trust::open(secrets.keys(), Box::new(ledger), &mut OsEntropy, now, "ada", "laptop")
            .expect("opens")
    };
    let mut trust = open();
    let me = trust.agent();
    let (villagers, said) = village(me, 10_000);
    for villager in &villagers {
        // Ours first: strangers would be kept short.
        let terms = (Terms::of(Layer::Reciprocal), None);
        trust.relate(Timestamp(2_000), villager.agent(), terms, &[]).expect("says");
    }
    let meter = Meter::start();
    receive(&mut trust, &said);
    report("trust-receive", meter.stop(), json!({"attestations": said.len()}));
    decide(&trust, &villagers);
    drop(trust);

    let (_, more) = village(me, 99_000);
    let mut trust = open();
    for some in more.chunks(STATEMENTS_A_MESSAGE) {
        let bytes = some.iter().map(Attestation::bytes);
        trust.welcome(bytes, Timestamp(2_000)).expect("keeps");
    }
    let loaded = trust.attestation_count();
    drop(trust);
    let meter = Meter::start();
    let trust = open();
    report("trust-start", meter.stop(), json!({"attestations": loaded}));
    decide(&trust, &villagers);
}

fn receive(trust: &mut Trust, said: &[Attestation]) {
    for some in said.chunks(STATEMENTS_A_MESSAGE) {
        let bytes = some.iter().map(Attestation::bytes);
        let received = trust.receive(bytes, Timestamp(2_000)).expect("keeps");
        assert_eq!((received.rejected, received.new.len()), (0, some.len()));
    }
}

fn decide(trust: &Trust, villagers: &[Villager]) {
    let spaces: Vec<SpaceId> = trust.graph().spaces.keys().copied().collect();
    let count = 100_000;
    let mut allowed = 0;
    let meter = Meter::start();
    for number in 0..count {
        let device = villagers[number % villagers.len()].device();
        let space = spaces[number % spaces.len()];
        let action = match number % 4 {
            0 => Action::Connect,
            1 => Action::Hold(space),
            2 => Action::Write(space, None),
            _ => Action::Administer(space),
        };
        allowed += usize::from(trust.decide(Question { device, action }).is_allowed());
    }
    let microseconds = rounded(meter.seconds() * 1e6 / count as f64);
    let loaded = trust.attestation_count();
    let more = json!({"microseconds_each": microseconds, "allowed": allowed, "of": count,
        "relationships": villagers.len(), "attestations": loaded});
    report("trust-decide", json!({}), more);
}
