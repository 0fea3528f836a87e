//! What the benchmarks share: the reference community, a pair of nodes, real processes,
//! and what this machine says they cost.

use std::io::Write as _;

use serde_json::Value;

pub mod ask;
pub mod author;
pub mod beside;
pub mod calm;
pub mod circuit;
pub mod community;
pub mod cost;
pub mod doctor;
pub mod edits;
pub mod examine;
pub mod growth;
pub mod hostile;
pub mod kill;
pub mod open;
pub mod options;
pub mod pair;
pub mod path;
pub mod pending;
pub mod real;
pub mod resident;
pub mod sets;
pub mod start;
pub mod trust;

/// Prints one line of JSON; whoever does not read to the end ends it there.
pub fn say(line: &Value) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(1);
    }
}
