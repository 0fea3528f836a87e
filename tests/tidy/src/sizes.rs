//! Sizes: a file has at most 400 lines, a function at most 70.
//!
//! `ratchet.txt` lists what was larger when it was written. An entry may shrink, never grow.

use std::collections::BTreeMap;
use std::fs;

use crate::scan;
use crate::source::{SourceFile, rust_files};
use crate::workspace::{read, report, root};

/// Four screens: what a reader can hold.
const FILE_LINES_MAX: usize = 400;
/// One screen; after TigerBeetle.
const FUNCTION_LINES_MAX: usize = 70;

const RATCHET: &str = "tests/tidy/ratchet.txt";
const RATCHET_HEADER: &str = "\
# What is larger than 400 lines a file or 70 a function: `path lines` or `path::fn lines`.
# An entry may shrink, never grow. Rewrite: TIDY_BLESS=1 cargo nextest run -p tidy sizes
";

/// Lines by `path` or `path::function`.
type Sizes = BTreeMap<String, usize>;

#[test]
fn files_and_functions_stay_small() {
    let too_large = too_large();
    if std::env::var_os("TIDY_BLESS").is_some() {
        return bless(&too_large);
    }
    report(
        &compare(&too_large, &parse_ratchet(&read(RATCHET))),
        "split state first and functions second; if that is not for now, \
         `TIDY_BLESS=1 cargo nextest run -p tidy sizes` rewrites the ratchet and the review sees it",
    );
}

fn too_large() -> Sizes {
    let mut sizes = Sizes::new();
    for file in rust_files() {
        if file.lines.len() > FILE_LINES_MAX {
            sizes.insert(file.path.clone(), file.lines.len());
        }
        sizes.extend(large_functions(&file));
    }
    sizes
}

/// Of functions with one name in one file, the largest counts.
fn large_functions(file: &SourceFile) -> Sizes {
    let mut sizes = Sizes::new();
    for function in scan::functions(&file.code) {
        let in_test = file.lines[function.first_line].in_test;
        if function.lines > FUNCTION_LINES_MAX && !in_test {
            let size = sizes.entry(format!("{}::{}", file.path, function.name)).or_default();
            *size = function.lines.max(*size);
        }
    }
    sizes
}

fn compare(actual: &Sizes, allowed: &Sizes) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, lines) in actual {
        match allowed.get(name) {
            None => problems.push(format!("{name} has {lines} lines, {} at most", limit(name))),
            Some(old) if lines > old => problems.push(format!("{name} grew: {old} -> {lines}")),
            Some(old) if lines < old => {
                problems.push(format!("{name} shrank: lower it from {old} to {lines}"));
            }
            Some(_) => {}
        }
    }
    for name in allowed.keys().filter(|name| !actual.contains_key(*name)) {
        problems.push(format!("{name} is small now, or gone: lower it by removing its line"));
    }
    problems
}

fn limit(name: &str) -> usize {
    if name.contains("::") { FUNCTION_LINES_MAX } else { FILE_LINES_MAX }
}

fn parse_ratchet(text: &str) -> Sizes {
    let entries = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    entries.map(parse_entry).collect()
}

fn parse_entry(line: &str) -> (String, usize) {
    let parsed = line.split_once(' ').and_then(|(name, lines)| {
        let lines = lines.trim().parse().ok()?;
        Some((name.to_owned(), lines))
    });
    parsed.unwrap_or_else(|| panic!("{RATCHET}: `{line}` is not `path lines`"))
}

fn bless(sizes: &Sizes) {
    let entries = sizes.iter().map(|(name, lines)| format!("{name} {lines}\n"));
    let text: String = std::iter::once(RATCHET_HEADER.to_owned()).chain(entries).collect();
    fs::write(root().join(RATCHET), text).expect("the ratchet file is writable");
}

#[test]
fn the_ratchet_only_turns_one_way() {
    let allowed = parse_ratchet("# why\na.rs 500\nb.rs 500\nc.rs 500\nd.rs::f 90\n");
    let now = parse_ratchet("a.rs 501\nb.rs 499\nc.rs 500\ne.rs 450\n");
    let problems = compare(&now, &allowed);
    let starts = ["a.rs grew", "b.rs shrank", "e.rs has 450", "d.rs::f is small"];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}
