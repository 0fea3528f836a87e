//! The vectors in `docs/protocol/vectors/sketch.json`, for whoever writes another
//! implementation. `KITH_BLESS=1` writes the file anew.

use serde::{Deserialize, Serialize};

use super::*;

const FILE: &str = include_str!("../../../../docs/protocol/vectors/sketch.json");

/// From this package's folder, where tests run.
const PATH: &str = "../../docs/protocol/vectors/sketch.json";

/// The whole file; bytes are hexadecimal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vectors {
    ids: Vec<Mapped>,
    set: Set,
    refused: Vec<Refused>,
}

/// An id and where it is mapped to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mapped {
    id: String,
    short_id: String,
    check: String,
    first_indexes: Vec<u64>,
}

/// A set of ids, its first symbols, and what is sent of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Set {
    ids: Vec<String>,
    symbols: Vec<Symbol>,
    first_index_of_run: usize,
    run: String,
    counts: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Symbol {
    sum: String,
    check: String,
    count: i64,
}

/// Bytes that are no run.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Refused {
    name: String,
    bytes: String,
}

fn ids(count: u8) -> Vec<EntryId> {
    (0..count).map(|number| EntryId(*blake3::hash(&[number]).as_bytes())).collect()
}

fn mapped(id: EntryId) -> Mapped {
    let short = ShortId::of(id);
    let (check, mapping) = short.fingerprint();
    Mapped {
        id: hex(&id.0),
        short_id: hex(&short.0),
        check: hex(&check.to_be_bytes()),
        first_indexes: mapping.take(10).collect(),
    }
}

fn ours() -> Vectors {
    let sketch: Sketch = ids(200).into_iter().collect();
    let symbols = sketch.symbols()[..12].iter().map(|symbol| Symbol {
        sum: hex(&symbol.sum.to_be_bytes()),
        check: hex(&symbol.check.to_be_bytes()),
        count: symbol.count,
    });
    let refused = |name: &str, bytes: &[u8]| Refused { name: name.into(), bytes: hex(bytes) };
    let run = sketch.run(3..5).encode();
    Vectors {
        ids: ids(4).into_iter().chain([EntryId([0; 32]), EntryId([255; 32])]).map(mapped).collect(),
        set: Set {
            ids: ids(200).iter().map(|id| hex(&id.0)).collect(),
            symbols: symbols.collect(),
            first_index_of_run: 3,
            run: hex(&run),
            counts: hex(&sketch.counts().encode()),
        },
        refused: vec![
            refused("a byte too few", &run[..run.len() - 1]),
            refused("a byte too many", &[run.as_slice(), &[0]].concat()),
            refused(
                "a size in more bytes than needed",
                &[&[0xc8, 0x81, 0][..], &run[2..]].concat(),
            ),
            refused(
                "symbols from index 16384 on",
                &[&[0, 0x80, 0x80, 1, 1][..], &[0; 25]].concat(),
            ),
        ],
    }
}

#[test]
fn every_vector_is_made_and_read_as_it_says() {
    let ours = ours();
    if std::env::var_os("KITH_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&ours).expect("it is JSON");
        return std::fs::write(PATH, text + "\n").expect("the file is writable");
    }
    let vectors: Vectors = serde_json::from_str(FILE).expect("the file is of this form");
    assert_eq!(vectors, ours, "`KITH_BLESS=1` writes what this version makes");
    let run = Run::decode(&bytes(&vectors.set.run)).expect("it is good");
    assert_eq!((run.size, run.first), (200, vectors.set.first_index_of_run));
    let counts: Vec<i64> = run.symbols.iter().map(|symbol| symbol.count).collect();
    assert_eq!(counts, vectors.set.symbols[3..5].iter().map(|it| it.count).collect::<Vec<_>>());
    for refused in &vectors.refused {
        assert_eq!(Run::decode(&bytes(&refused.bytes)), Err(Malformed), "{}", refused.name);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}
