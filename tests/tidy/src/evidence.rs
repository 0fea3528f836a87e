//! What a document may point at in backticks: a test, a `kith` command, a path.

use std::collections::BTreeSet;

use crate::source::{SourceFile, rust_files};
use crate::workspace::{Crate, crates, files, root};

/// Where the command line is declared.
const ARGUMENTS: &str = "node/kith/src/args";

/// Begins a media type, not a path.
const MEDIA: &[&str] = &["application/", "text/", "image/", "audio/", "video/"];

/// Everything in the checkout that a document may name.
pub(crate) struct Evidence {
    crates: Vec<Crate>,
    sources: Vec<SourceFile>,
    files: Vec<String>,
    commands: BTreeSet<String>,
}

/// What became of one name.
pub(crate) enum Finding {
    Exists,
    Missing(String),
    /// Not a name of anything that can be looked up.
    Prose,
}

impl Evidence {
    pub(crate) fn gather() -> Self {
        let sources = rust_files();
        let commands = commands(&sources);
        Self { crates: crates(), sources, files: files(), commands }
    }

    /// Looks up what stands between two backticks.
    pub(crate) fn find(&self, named: &str) -> Finding {
        if let Some(command) = named.strip_prefix("kith ") {
            return self.find_command(command);
        }
        if named.contains("::") {
            return self.find_test(named);
        }
        if !looks_like_a_path(named) {
            return Finding::Prose;
        }
        found(self.has_path(named), || format!("`{named}` does not exist"))
    }

    fn find_command(&self, command: &str) -> Finding {
        let word = command.split(' ').find(|word| !word.starts_with('-')).unwrap_or_default();
        let known = self.commands.contains(&plain(word));
        found(known, || format!("`kith {word}` is not declared in {ARGUMENTS}*.rs"))
    }

    /// `crate::test` or `crate::module::test`, with `-` or `_` in the crate's name.
    fn find_test(&self, named: &str) -> Finding {
        let (first, _) = named.split_once("::").unwrap_or_default();
        let test = named.rsplit("::").next().unwrap_or_default().trim_end_matches("()");
        let Some(home) = self.crates.iter().find(|it| plain(&it.name) == plain(first)) else {
            return Finding::Prose;
        };
        if test.starts_with(char::is_uppercase) {
            return Finding::Prose;
        }
        let folder = format!("{}/", home.folder);
        let definition = format!("fn {test}");
        let mut inside = self.sources.iter().filter(|file| file.path.starts_with(&folder));
        let exists = inside.any(|file| file.names(&definition));
        found(exists, || format!("`{named}`: no `{definition}` in {folder}"))
    }

    fn has_path(&self, named: &str) -> bool {
        let name = format!("/{named}");
        let anywhere = !named.contains('/') && self.files.iter().any(|it| it.ends_with(&name));
        anywhere || root().join(named).exists()
    }
}

/// What stands in backticks, outside fenced blocks, with its line number.
pub(crate) fn backticked(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(|named| (at + 1, named)));
        }
    }
    found
}

/// Not a URL, an HTTP route, a place in the data directory, a pattern or a media type.
fn looks_like_a_path(named: &str) -> bool {
    let foreign_start = named.starts_with(['/', '~', '@', '-']);
    let foreign_char = named.contains(|it: char| " <>{}()*…$|=:,?&\"'%".contains(it));
    let media = MEDIA.iter().any(|it| named.starts_with(it));
    let ending = [".rs", ".md", ".toml"].iter().any(|it| named.ends_with(it));
    !foreign_start && !foreign_char && !media && (ending || named.contains('/'))
}

/// Every identifier in the files that declare the command line.
fn commands(sources: &[SourceFile]) -> BTreeSet<String> {
    let declaring = sources.iter().filter(|file| file.path.starts_with(ARGUMENTS));
    let words = declaring.flat_map(|file| file.code.split(|it: char| !crate::scan::is_word(it)));
    words.filter(|word| !word.is_empty()).map(plain).collect()
}

/// `ImportBatch`, `import-batch` and `import_batch` are one name.
fn plain(name: &str) -> String {
    name.replace(['-', '_'], "").to_lowercase()
}

fn found(exists: bool, otherwise: impl FnOnce() -> String) -> Finding {
    if exists { Finding::Exists } else { Finding::Missing(otherwise()) }
}

#[test]
fn paths_are_told_from_prose() {
    for path in ["node/core", "route.rs", "docs/features.md", ".ci/run", "tests/sim/"] {
        assert!(looks_like_a_path(path), "{path}");
    }
    for prose in ["/health", "<data-dir>/blobs", "https://x.y", "application/json", "fn", "a / b"] {
        assert!(!looks_like_a_path(prose), "{prose}");
    }
}

#[test]
fn fenced_blocks_are_not_read() {
    assert_eq!(backticked("a `b` c `d`\n```\n`e`\n```\n"), [(1, "b"), (1, "d")]);
}
