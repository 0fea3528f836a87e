//! The feature ledger, `docs/features.md`: complete, and never more hopeful than the code.

use std::collections::BTreeMap;

use crate::evidence::{Evidence, Finding, backticked};
use crate::workspace::{read, report};

const LEDGER: &str = "docs/features.md";

/// How many features each section has; ids run from 01.
const SECTIONS: &[(char, usize)] = &[
    ('T', 51),
    ('D', 42),
    ('S', 55),
    ('W', 36),
    ('N', 28),
    ('R', 26),
    ('P', 18),
    ('V', 17),
    ('O', 20),
];

const STATES: &[&str] = &["done", "partial", "open"];

/// What fits on a line beside the other columns.
const FEATURE_CHARS_MAX: usize = 90;

/// `| id | feature | state | shown by |`
struct Row {
    id: String,
    feature: String,
    state: String,
    shown_by: String,
}

#[test]
fn every_feature_has_one_row() {
    let mut rows_by_id: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(&read(LEDGER)) {
        *rows_by_id.entry(row.id).or_default() += 1;
    }
    let mut problems = Vec::new();
    for id in expected_ids() {
        match rows_by_id.remove(&id) {
            None => problems.push(format!("{id} is missing")),
            Some(1) => {}
            Some(times) => problems.push(format!("{id} stands there {times} times")),
        }
    }
    problems.extend(rows_by_id.into_keys().map(|id| format!("{id} is no feature")));
    report(&problems, "docs/features.md has exactly one row for each feature id");
}

#[test]
fn every_row_is_well_formed() {
    let mut problems = Vec::new();
    for row in rows(&read(LEDGER)) {
        if !STATES.contains(&row.state.as_str()) {
            problems.push(format!("{}: state `{}`", row.id, row.state));
        }
        if row.feature.is_empty() || row.feature.chars().count() > FEATURE_CHARS_MAX {
            problems.push(format!("{}: the title is empty or too long", row.id));
        }
    }
    report(
        &problems,
        "a row of docs/features.md is `| id | feature | state | shown by |`, without a `|` in a \
         cell; the state is done, partial or open; a title has at most 90 characters",
    );
}

#[test]
fn a_done_feature_is_shown() {
    let evidence = Evidence::gather();
    let mut problems = Vec::new();
    for row in rows(&read(LEDGER)) {
        let findings = backticked(&row.shown_by).into_iter().map(|(_, it)| evidence.find(it));
        let mut shown = false;
        for finding in findings {
            match finding {
                Finding::Exists => shown = true,
                Finding::Missing(what) => problems.push(format!("{}: {what}", row.id)),
                Finding::Prose => {}
            }
        }
        if row.state == "done" && !shown {
            problems.push(format!("{}: done, but nothing shows it", row.id));
        }
    }
    report(
        &problems,
        "`shown by` names, in backticks, a test (`crate::test_name`), a command (`kith …`) or a \
         path; what does not exist yet is not done, so say `partial` or `open`",
    );
}

fn expected_ids() -> impl Iterator<Item = String> {
    SECTIONS.iter().flat_map(|(section, last)| (1..=*last).map(move |n| format!("{section}{n:02}")))
}

fn rows(text: &str) -> Vec<Row> {
    text.lines().filter_map(parse_row).collect()
}

/// A table row whose first cell is a feature id; other lines are not rows.
fn parse_row(line: &str) -> Option<Row> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = inside.split('|').map(|cell| cell.trim().to_owned());
    let id = cells.next().filter(|id| is_id(id))?;
    let mut cell = || cells.next().unwrap_or_default();
    let (feature, state, shown_by) = (cell(), cell(), cell());
    // A fifth cell means a stray `|`: an impossible state makes the row fail.
    let state = if cells.next().is_some() { "too many cells".to_owned() } else { state };
    Some(Row { id, feature, state, shown_by })
}

fn is_id(cell: &str) -> bool {
    let mut chars = cell.chars();
    let section = chars.next().is_some_and(|it| it.is_ascii_uppercase());
    section && chars.as_str().len() >= 2 && chars.all(|it| it.is_ascii_digit())
}

#[test]
fn the_sections_add_up() {
    assert_eq!(expected_ids().count(), 293);
}

#[test]
fn rows_are_told_from_other_lines() {
    assert!(parse_row("| id | feature | state | shown by |").is_none());
    assert!(parse_row("|---|---|---|---|").is_none());
    let row = parse_row("| T01 | a | done | `x::y` |").expect("a row");
    assert_eq!((row.id.as_str(), row.shown_by.as_str()), ("T01", "`x::y`"));
    let stray = parse_row("| T01 | a | b | done | x |").expect("a row");
    assert_eq!(stray.state, "too many cells");
}
