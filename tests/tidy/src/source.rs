//! The Rust files of the checkout, line by line, with test code marked.

use std::collections::BTreeSet;

use crate::scan::{self, Kind, is_word, item_end, line_of};
use crate::workspace;

/// What opens an item that only tests compile.
const TEST_MARKERS: &[&str] =
    &["#[cfg(test)]", "#[cfg(all(test", "#[cfg(any(test", "#[test]", "#[tokio::test"];

/// One Rust file.
pub(crate) struct SourceFile {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
    /// The file without literals and comments.
    pub(crate) code: String,
}

/// One line of a Rust file.
pub(crate) struct Line {
    pub(crate) raw: String,
    /// The line without literals and comments.
    pub(crate) code: String,
    pub(crate) has_comment: bool,
    pub(crate) in_test: bool,
}

impl SourceFile {
    /// Whether the code (not a comment, not a string) holds this word.
    pub(crate) fn names(&self, word: &str) -> bool {
        holds_word(&self.code, word)
    }
}

/// Every Rust file of the checkout.
pub(crate) fn rust_files() -> Vec<SourceFile> {
    let is_rust = |path: &String| path.ends_with(".rs");
    let paths = workspace::files().into_iter().filter(is_rust);
    paths.map(|path| parse(workspace::read(&path), path)).collect()
}

/// Whether a text holds a word that is not part of a longer one.
pub(crate) fn holds_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    })
}

fn parse(text: String, path: String) -> SourceFile {
    let code = scan::view(&text, &[Kind::Code]);
    let comments = scan::view(&text, &[Kind::Comment]);
    let in_test = test_lines(&code);
    let whole_file = is_test_file(&path);
    let lines = text.lines().zip(code.lines()).zip(comments.lines()).enumerate();
    let lines = lines.map(|(at, ((raw, code), comment))| Line {
        raw: raw.to_owned(),
        code: code.to_owned(),
        has_comment: !comment.trim().is_empty(),
        in_test: whole_file || in_test.contains(&at),
    });
    SourceFile { lines: lines.collect(), path, code }
}

/// `test.rs`, `tests.rs`, and everything in a crate's own `tests/` or `test/` folder.
fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_folder = path.contains("/tests/") || path.contains("/test/");
    in_folder || matches!(name, "test.rs" | "tests.rs") || name.ends_with("_test.rs")
}

fn test_lines(code: &str) -> BTreeSet<usize> {
    let starts = TEST_MARKERS.iter().flat_map(|marker| code.match_indices(marker));
    let mut lines = BTreeSet::new();
    for (start, _) in starts {
        let end = item_end(code, start).unwrap_or(code.len());
        lines.extend(line_of(code, start)..=line_of(code, end));
    }
    lines
}

#[test]
fn test_items_are_marked() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n}\nfn b() {}\n";
    let file = parse(text.to_owned(), "x.rs".to_owned());
    let marked: Vec<bool> = file.lines.iter().map(|line| line.in_test).collect();
    assert_eq!(marked, [false, true, true, true, false]);
}

#[test]
fn words_are_whole() {
    assert!(holds_word("use trust_core::Agent;", "trust_core"));
    assert!(!holds_word("use trust_core_extra::Agent;", "trust_core"));
}
