//! Documents: what they name in backticks exists.

use crate::evidence::{Evidence, Finding, backticked};
use crate::workspace::{files, read, report};

/// Documents whose paths are looked up.
const CHECKED: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/testing.md"];

const DECISIONS: &str = "docs/decisions/";
const DECISIONS_INDEX: &str = "docs/decisions/README.md";

#[test]
fn documents_name_paths_that_exist() {
    let evidence = Evidence::gather();
    let mut problems = Vec::new();
    for document in CHECKED {
        for (line, named) in backticked(&read(document)) {
            if named.contains("::") || named.starts_with("kith ") {
                continue;
            }
            if let Finding::Missing(what) = evidence.find(named) {
                problems.push(format!("{document}:{line}: {what}"));
            }
        }
    }
    report(
        &problems,
        "a stale document is a bug: name the path as it is now, from the root; write places in \
         the data directory as `<data-dir>/…`, and what is no path without backticks",
    );
}

#[test]
fn the_decision_index_names_what_exists() {
    let index = read(DECISIONS_INDEX);
    let (evidence, files) = (Evidence::gather(), files());
    let mut problems = Vec::new();
    for (line, named) in backticked(&index) {
        let is_beside = files.contains(&format!("{DECISIONS}{named}"));
        match evidence.find(named) {
            Finding::Missing(what) if !is_beside => {
                problems.push(format!("{DECISIONS_INDEX}:{line}: {what}"));
            }
            Finding::Missing(_) | Finding::Exists | Finding::Prose => {}
        }
    }
    for target in link_targets(&index) {
        let path = normal(&format!("{DECISIONS}{target}"));
        if let Finding::Missing(what) = evidence.find(&path) {
            problems.push(format!("{DECISIONS_INDEX} links to {target}: {what}"));
        }
    }
    report(&problems, "name the file or test as it is now, or remove it from the index");
}

#[test]
fn the_decision_index_is_complete() {
    let index = read(DECISIONS_INDEX);
    let is_record = |path: &String| path.ends_with(".md") && path != DECISIONS_INDEX;
    let records = files().into_iter().filter_map(|path| {
        let name = path.strip_prefix(DECISIONS)?;
        is_record(&path).then(|| name.to_owned())
    });
    let unlisted: Vec<String> = records.filter(|name| !index.contains(name.as_str())).collect();
    report(&unlisted, "add a row for each record to docs/decisions/README.md");
}

/// The targets of `[text](target)` that are files, without their `#fragment`.
fn link_targets(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    let targets = after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let files = targets.filter(|target| !target.contains(':') && !target.starts_with('#'));
    files.map(|target| target.split('#').next().unwrap_or(target)).collect()
}

/// The path without its `..` steps.
fn normal(path: &str) -> String {
    let mut steps = Vec::new();
    for step in path.split('/') {
        match step {
            "." => {}
            ".." => drop(steps.pop()),
            _ => steps.push(step),
        }
    }
    steps.join("/")
}

#[test]
fn links_are_followed_from_the_index() {
    let text = "[a](0001-a.md#why) [b](https://x.y) [c](../testing.md) [d](#d)";
    assert_eq!(link_targets(text), ["0001-a.md", "../testing.md"]);
    assert_eq!(normal("docs/decisions/../testing.md"), "docs/testing.md");
}
