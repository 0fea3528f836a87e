//! Words that do not reach the main branch.

use crate::source::{Line, SourceFile, holds_word, rust_files};
use crate::workspace::report;

/// Marks of unfinished work, in comments too. Split, so that this file passes.
const UNFINISHED: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X")];

/// A banned piece of code, where it is allowed all the same, and what to do instead.
struct Ban {
    code: &'static str,
    allowed_in: &'static [&'static str],
    instead: &'static str,
}

const BANS: &[Ban] = &[
    Ban { code: "todo!", allowed_in: &[], instead: "finish it or leave it out" },
    Ban { code: "unimplemented!", allowed_in: &[], instead: "finish it or leave it out" },
    Ban { code: "#[ignore", allowed_in: &[], instead: "mend the test or delete it" },
    Ban {
        code: "FailureKind::NotAllowed,",
        allowed_in: &["node/core/src/mend.rs"],
        instead: "`Failure::refused` with the command that mends it",
    },
    Ban {
        code: "thread::sleep",
        allowed_in: &["tests/acceptance/"],
        instead: "wait for the event; in a core, ask for a timeout",
    },
];

#[test]
fn unfinished_work_is_not_committed() {
    let mut problems = Vec::new();
    for file in rust_files() {
        for (at, line) in file.lines.iter().enumerate() {
            if UNFINISHED.iter().any(|word| holds_word(&line.raw, word)) {
                problems.push(place(&file, at));
            }
        }
    }
    report(&problems, "mend it now, or record it in docs/features.md and drop the mark");
}

#[test]
fn banned_code_stays_away() {
    let mut problems = Vec::new();
    for file in rust_files() {
        for ban in BANS.iter().filter(|ban| !allowed(ban, &file)) {
            for (at, line) in file.lines.iter().enumerate() {
                if line.code.contains(ban.code) {
                    let place = place(&file, at);
                    problems.push(format!("{place}: `{}`; {}", ban.code, ban.instead));
                }
            }
        }
    }
    report(&problems, "do what each line says");
}

#[test]
fn an_unwrap_says_why_it_cannot_fail() {
    let mut problems = Vec::new();
    for file in rust_files() {
        if file.path.starts_with("tests/") {
            continue;
        }
        for (at, line) in file.lines.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| &file.lines[at]);
            let explained = line.has_comment || before.is_some_and(|it| it.has_comment);
            if is_bare_unwrap(line) && !explained {
                problems.push(place(&file, at));
            }
        }
    }
    report(
        &problems,
        "return an error, or use `.expect(\"why it cannot fail\")`; an `.unwrap()` needs a comment \
         on its line or the line before",
    );
}

fn is_bare_unwrap(line: &Line) -> bool {
    !line.in_test && line.code.contains(".unwrap()")
}

fn allowed(ban: &Ban, file: &SourceFile) -> bool {
    ban.allowed_in.iter().any(|folder| file.path.starts_with(folder))
}

fn place(file: &SourceFile, at: usize) -> String {
    format!("{}:{}", file.path, at + 1)
}
