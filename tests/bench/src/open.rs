//! How long the first look at a large document takes, and whether others wait for it.

use node_core::{Request, request::content_document};
use node_model::{DocumentId, SpaceId};
use node_runtime::Started;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::{
    beside::{beside, read, summary},
    calm::status,
    community::WORDS,
    cost::{Meter, rounded},
    edits::{self, Line},
    pair::{self, BenchNode, Secrets},
};

/// Values of the large document, and bytes of each: 1 MB together.
const VALUES: usize = 4_000;
const VALUE_BYTES: usize = 250;

/// Changes that wrote it, where they were many.
const CHANGES: usize = 400;

/// How often the node is started again: of each start there is one first look.
const REPEATS: usize = 5;

/// How the large document came to be.
#[derive(Clone, Copy)]
enum Written {
    AtOnce,
    InSteps,
    Bundled,
}

impl Written {
    fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "open-1mb-of-one-change",
            Self::InSteps => "open-1mb-of-400-changes",
            Self::Bundled => "open-1mb-of-400-changes-bundled",
        }
    }
}

/// All three ways.
///
/// # Panics
/// When a node does not write or answer.
pub async fn open() -> Vec<Line> {
    let mut lines = Vec::new();
    for written in [Written::AtOnce, Written::InSteps, Written::Bundled] {
        lines.push(one(written).await);
    }
    lines
}

async fn one(written: Written) -> Line {
    let (secrets, folder) = (Secrets::random(), tempfile::tempdir().expect("a temporary folder"));
    let mut ada = BenchNode { started: pair::node("ada", folder.path(), &secrets).await, folder };
    let space = ada.found().await;
    let ids = ["large", "small"].map(|name| content_document(space, name));
    write(&ada.started, space, ids, written).await;
    let (mut first, mut others) = (Vec::new(), Vec::new());
    let mut json_bytes = 0;
    for _ in 0..REPEATS {
        ada.started.stop().await;
        ada.started = pair::node("ada", ada.folder.path(), &secrets).await;
        let [large, small] = ids.map(|id| (space, id));
        let meter = Meter::start_clock();
        let look = async {
            let value = read(&ada.started, large).await;
            (meter.seconds() * 1_000.0, value)
        };
        let (milliseconds, value) = beside(&ada.started, small, &mut others, look).await;
        json_bytes = value.to_string().len();
        first.push(milliseconds);
    }
    ada.started.stop().await;
    first.sort_by(f64::total_cmp);
    let more = json!({"first_read_ms": first.iter().map(|ms| rounded(*ms)).collect::<Vec<_>>(),
        "first_read_ms_median": rounded(first[first.len() / 2]), "json_bytes": json_bytes,
        "small_document_meanwhile": summary(others)});
    (written.name().to_owned(), json!({}), more)
}

async fn write(node: &Started, space: SpaceId, [large, small]: [DocumentId; 2], written: Written) {
    let parts: Vec<(String, Value)> =
        (0..CHANGES).map(|number| (format!("part-{number}"), part(number))).collect();
    let (whole, later) = match written {
        Written::AtOnce => (Value::Object(parts.into_iter().collect()), vec![]),
        Written::InSteps | Written::Bundled => (json!({}), parts),
    };
    let documents = vec![
        edits::document(small, json!({"title": "small", "n": 1})),
        edits::document(large, whole),
    ];
    node.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    for (path, value) in later {
        let set = Request::SetValue { space, document: large, path, value };
        node.handle.request(set).await.expect("writes");
    }
    while matches!(written, Written::Bundled) && status(node).await.compaction.bundles == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// What one change writes: words at random, so that it packs no better than prose does.
fn part(number: usize) -> Value {
    let mut random = ChaCha8Rng::seed_from_u64(number as u64);
    let values = (0..VALUES / CHANGES).map(|at| {
        let mut text = String::new();
        while text.len() < VALUE_BYTES {
            text.push_str(WORDS[random.next_u64() as usize % WORDS.len()]);
            text.push(' ');
        }
        text.truncate(VALUE_BYTES);
        (format!("value-{at}"), Value::from(text))
    });
    Value::Object(values.collect())
}
