//! What can be read without a key stands on the page that says what it tells.

use std::collections::BTreeSet;

use crate::evidence::backticked;
use crate::source::rust_files;
use crate::workspace::{read, report};

const PAGE: &str = "docs/privacy.md";

/// What goes or lies about in the clear: the file, the struct, and how many fields it had
/// when somebody last thought about them.
const IN_THE_CLEAR: &[(&str, &str, usize)] = &[
    ("sync-engine/core/src/entry.rs", "Header", 13),
    ("node/model/src/pack.rs", "Header", 3),
    ("node/model/src/ticket.rs", "Ticket", 6),
];

#[test]
fn what_is_in_the_clear_is_on_the_privacy_page() {
    let page = read(PAGE);
    let named: BTreeSet<&str> = backticked(&page).into_iter().map(|(_, text)| text).collect();
    let mut problems = Vec::new();
    for (path, name, count) in IN_THE_CLEAR {
        let fields = fields(path, name);
        if fields.len() != *count {
            problems.push(format!("{path}: {name} has {} fields, not {count}", fields.len()));
        }
        for field in fields.iter().filter(|field| !named.contains(field.as_str())) {
            problems.push(format!("{path}: {name}.{field} is not on {PAGE}"));
        }
    }
    report(
        &problems,
        "say on the page what the field tells to whom, then change IN_THE_CLEAR \
         (tests/tidy/src/privacy.rs)",
    );
}

/// The public fields of a struct.
fn fields(path: &str, name: &str) -> Vec<String> {
    let files = rust_files();
    let file = files.iter().find(|file| file.path == path);
    let lines = file.into_iter().flat_map(|file| &file.lines).map(|line| line.code.trim());
    let start = format!("pub struct {name} {{");
    let inside = lines.skip_while(|line| *line != start).skip(1).take_while(|line| *line != "}");
    let names = inside.filter_map(|line| line.strip_prefix("pub ")?.split_once(':'));
    names.map(|(name, _)| name.to_owned()).collect()
}
