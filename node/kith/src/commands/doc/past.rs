//! The past of a document, and counters.

use axum::http::Method;
use node_core::request::pointer_to;
use serde_json::{Value, json};

use super::super::Asking;
use crate::{
    client::escape,
    error::CliError,
    show::{answer, list, number, printable, text},
};

/// Digits shown of a change: enough to name it.
const DIGITS: usize = 12;

/// Letters shown of a value.
const VALUE_LETTERS_MAX: usize = 60;

/// Edits shown of a change; the rest is in `--json`.
const EDITS_MAX: usize = 8;

pub(super) async fn add(
    asking: &Asking<'_>,
    doc: &str,
    path: &str,
    by: i64,
) -> Result<(), CliError> {
    let place =
        if path.starts_with('/') || path.is_empty() { path.to_owned() } else { pointer_to(path) };
    let operations = json!([{"op": "increment", "path": place, "by": by}]);
    let written = asking.client.call(Method::PATCH, doc, Some(operations)).await?;
    answer(asking.is_json, &written, || format!("{by} is added, safe on this device's disk"));
    Ok(())
}

pub(super) async fn restore(asking: &Asking<'_>, doc: &str, at: &str) -> Result<(), CliError> {
    let written = asking.client.post(&format!("{doc}/restore"), json!({"at": at})).await?;
    answer(asking.is_json, &written, || {
        "it is as it was; its history says what to restore to undo this".to_owned()
    });
    Ok(())
}

pub(super) async fn history(
    asking: &Asking<'_>,
    doc: &str,
    limit: u8,
    before: Option<&str>,
) -> Result<(), CliError> {
    let before = before.map(|before| format!("&before={}", escape(before))).unwrap_or_default();
    let found = asking.client.get(&format!("{doc}/history?limit={limit}{before}")).await?;
    answer(asking.is_json, &found, || {
        let changes = list(&found, "history");
        let mut lines: Vec<String> = changes.iter().flat_map(told).collect();
        match found.get("next").and_then(Value::as_str) {
            Some(next) => {
                let (shown, total) = (changes.len(), number(&found, "total"));
                let next = short(next);
                lines.push(format!("{shown} of {total} changes; older ones: --before {next}"));
            }
            None if lines.is_empty() => lines.push("no changes".to_owned()),
            None => {}
        }
        lines.join("\n")
    });
    Ok(())
}

/// A change: in a line who made it and when, below what it did.
fn told(change: &Value) -> Vec<String> {
    let when = match text(change, "at") {
        "" => "without a time",
        at => at,
    };
    let who = change.get("by").map_or("", |by| text(by, "name"));
    let who = if who.is_empty() { "somebody" } else { who };
    let device = match text(change, "device_name") {
        "" => short(text(change, "device")),
        name => name,
    };
    let hash = short(text(change, "change"));
    let mut lines = vec![format!("{hash}  {when}  {}, on {}", printable(who), printable(device))];
    let edits = list(change, "edits");
    lines.extend(edits.iter().take(EDITS_MAX).map(|edit| format!("    {}", edit_line(edit))));
    let is_all = change.get("complete") == Some(&Value::Bool(true)) && edits.len() <= EDITS_MAX;
    match (is_all, edits.is_empty()) {
        (true, true) => lines.push("    nothing that shows".to_owned()),
        (true, false) => {}
        (false, true) => {
            let operations = number(change, "operations");
            lines.push(format!("    {operations} operations; look with: kith doc get --at {hash}"));
        }
        (false, false) => lines.push("    and more".to_owned()),
    }
    lines
}

fn edit_line(edit: &Value) -> String {
    let path = printable(text(edit, "path"));
    let value = |key: &str| match edit.get(key) {
        Some(value) => shortened(value),
        None => "…".to_owned(),
    };
    match text(edit, "op") {
        "add" => format!("added    {path}: {}", value("new")),
        "remove" => format!("removed  {path}: {}", value("old")),
        "increment" => {
            let by = edit.get("by").and_then(Value::as_i64).unwrap_or_default();
            format!("counted  {path}: {by:+}, now {}", value("new"))
        }
        _ => format!("changed  {path}: {} → {}", value("old"), value("new")),
    }
}

fn shortened(value: &Value) -> String {
    let shown = printable(&value.to_string());
    match shown.char_indices().nth(VALUE_LETTERS_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

fn short(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_lines_without_control_characters() {
        let change = json!({
            "change": "4f1c09be77aa55cc00", "at": "2026-11-21T14:00:00Z", "device": "kith-device",
            "device_name": "lap\u{1b}top", "by": {"name": "Ada"}, "complete": true,
            "edits": [
                {"op": "add", "path": "/a", "new": {"b": "x".repeat(100)}, "cut": false},
                {"op": "remove", "path": "/c\u{9b}", "cut": true},
                {"op": "replace", "path": "/d", "old": null, "new": 2, "cut": false},
                {"op": "increment", "path": "/n", "old": 3, "new": 1, "by": -2, "cut": false},
            ],
        });
        let lines = told(&change);
        assert_eq!(lines[0], "4f1c09be77aa  2026-11-21T14:00:00Z  Ada, on lap\u{fffd}top");
        assert!(lines[1].starts_with("    added    /a: {\"b\":\"xxx") && lines[1].ends_with('…'));
        assert_eq!(
            lines[2..],
            [
                "    removed  /c\u{fffd}: …",
                "    changed  /d: null → 2",
                "    counted  /n: -2, now 1",
            ]
        );
        let large = json!({
            "change": "4f1c", "at": null, "device": "0123456789abcdef", "by": null, "edits": [],
            "operations": 9_000, "complete": false,
        });
        assert_eq!(
            told(&large),
            [
                "4f1c  without a time  somebody, on 0123456789ab",
                "    9000 operations; look with: kith doc get --at 4f1c",
            ]
        );
    }
}
