//! Dependency arrows: who may depend on whom, and who may use which technology.

use crate::source;
use crate::workspace::{Crate, crates, report};

const PLANE_CORES: &[&str] = &["trust-core", "sync-engine-core", "data-plane-core"];

/// Which workspace crates a crate may depend on, dev-dependencies included.
/// Crates under `tests/` may depend on everything; nothing depends on them.
const ARROWS: &[(&str, &[&str])] = &[
    // The shared words: below everything.
    ("node-model", &[]),
    // The plane cores never see each other.
    ("trust-core", &["node-model"]),
    ("sync-engine-core", &["node-model"]),
    ("data-plane-core", &["node-model"]),
    // A shell knows its own plane only.
    ("trust-embedded", &["node-model", "trust-core"]),
    ("sync-engine-sqlite", &["node-model", "sync-engine-core"]),
    ("sync-engine-folder", &["node-model", "sync-engine-core"]),
    ("data-plane-store", &["node-model", "data-plane-core"]),
    ("data-plane-libp2p", &["node-model", "data-plane-core", "data-plane-store"]),
    // The node composes the cores; the runtime drives it and wires the shells.
    ("node-core", &["node-model", "trust-core", "sync-engine-core", "data-plane-core"]),
    (
        "node-runtime",
        &[
            "node-model",
            "node-core",
            "trust-core",
            "sync-engine-core",
            "data-plane-core",
            "trust-embedded",
            "sync-engine-sqlite",
            "sync-engine-folder",
            "data-plane-store",
            "data-plane-libp2p",
        ],
    ),
    // The same node in a browser, where there is neither a disk nor a socket.
    ("node-web", &["node-model", "node-core", "trust-core", "sync-engine-core", "data-plane-core"]),
    // The doorway talks to the node, never to a plane.
    ("doorway-http", &["node-model", "node-core", "node-runtime"]),
    // The binary may see everything.
    (
        "kith",
        &[
            "node-model",
            "node-core",
            "node-runtime",
            "doorway-http",
            "trust-core",
            "sync-engine-core",
            "data-plane-core",
            "trust-embedded",
            "sync-engine-sqlite",
            "sync-engine-folder",
            "data-plane-store",
            "data-plane-libp2p",
        ],
    ),
];

/// Which crates may use a technology. `tests/` stands for every crate in that folder.
const TECHNOLOGIES: &[(&str, &[&str])] = &[
    ("automerge", &["sync-engine-core"]),
    ("libp2p", &["data-plane-libp2p"]),
    ("yamux", &["data-plane-libp2p"]),
    ("iroh-blobs", &["data-plane-store"]),
    ("rusqlite", &["trust-embedded", "sync-engine-sqlite", "data-plane-store", "sim"]),
    ("libsqlite3-sys", &["trust-embedded", "sync-engine-sqlite", "data-plane-store", "sim"]),
    ("axum", &["doorway-http", "kith"]),
];

/// What a plane core never depends on, not even in its tests: time, sockets, disks, chance.
const IMPURE: &[&str] = &["tokio", "axum", "libp2p", "rusqlite", "iroh-blobs", "rand", "getrandom"];

/// Crates whose name is not their folder path with `-` for `/`.
const NAMED_OTHERWISE: &[(&str, &str)] = &[("node/kith", "kith"), ("tests/bench", "kith-bench")];

/// Folders in which a file may name more than one plane core.
const COMPOSERS: &[&str] = &["node/core/", "node/runtime/", "node/web/", "node/kith/", "tests/"];

#[test]
fn crates_depend_only_along_the_arrows() {
    let crates = crates();
    let ours = |name: &str| crates.iter().any(|it| it.name == name);
    let mut problems = Vec::new();
    for from in crates.iter().filter(|it| !in_tests(it)) {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == from.name) else {
            problems.push(format!("{} has no row", from.name));
            continue;
        };
        for to in from.dependencies.iter().filter(|to| ours(to)) {
            if !allowed.contains(&to.as_str()) {
                problems.push(format!("{} -> {to}", from.name));
            }
        }
    }
    report(
        &problems,
        "facts go down and events come up, so move the code to the side of the arrow that may \
         see both, or turn the call into an event that node/core/src/route.rs passes on; a new \
         crate needs a row in ARROWS (tests/tidy/src/arrows.rs)",
    );
}

#[test]
fn technologies_stay_in_their_crates() {
    let mut problems = Vec::new();
    for user in &crates() {
        for (technology, homes) in TECHNOLOGIES {
            let at_home =
                homes.contains(&user.name.as_str()) || in_tests(user) && homes.contains(&"tests/");
            if !at_home && user.dependencies.iter().any(|it| it == technology) {
                problems.push(format!("{} uses {technology}", user.name));
            }
        }
    }
    report(
        &problems,
        "one technology has one home; ask the crate that owns it for what you need, or change \
         TECHNOLOGIES (tests/tidy/src/arrows.rs) and `deny.toml` together",
    );
}

#[test]
fn plane_cores_stay_pure() {
    let mut problems = Vec::new();
    for core in crates().iter().filter(|it| PLANE_CORES.contains(&it.name.as_str())) {
        for impure in core.dependencies.iter().filter(|it| IMPURE.contains(&it.as_str())) {
            problems.push(format!("{} depends on {impure}", core.name));
        }
    }
    report(
        &problems,
        "a core takes time, randomness and bytes as arguments and returns effects; do the I/O in \
         a shell",
    );
}

#[test]
fn a_crate_is_named_after_its_folder() {
    let mut problems = Vec::new();
    for it in &crates() {
        let otherwise = NAMED_OTHERWISE.iter().find(|(folder, _)| *folder == it.folder);
        let expected = match otherwise {
            Some((_, name)) => (*name).to_owned(),
            None => it.folder.trim_start_matches("tests/").replace('/', "-"),
        };
        if it.name != expected {
            problems.push(format!("{} in {} should be {expected}", it.name, it.folder));
        }
    }
    report(&problems, "rename the crate, so that a `use` line says where it lives");
}

#[test]
fn only_the_node_names_several_planes() {
    let cores: Vec<String> = PLANE_CORES.iter().map(|it| it.replace('-', "_")).collect();
    let mut problems = Vec::new();
    for file in source::rust_files() {
        if COMPOSERS.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        let named = cores.iter().filter(|core| file.names(core)).count();
        if named > 1 {
            problems.push(format!("{} names {named} plane cores", file.path));
        }
    }
    report(&problems, "let one plane emit an event and route it in node/core/src/route.rs");
}

fn in_tests(it: &Crate) -> bool {
    it.folder.starts_with("tests/")
}
