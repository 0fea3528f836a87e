//! `kith conflicts`.

use serde_json::{Value, json};

use super::Asking;
use crate::{
    args::Conflicts,
    client::escape,
    error::CliError,
    show::{answer, list, printable, text},
};

/// Letters shown of a value; the rest is in `kith conflicts show --json`.
const VALUE_LETTERS_MAX: usize = 200;

pub(super) async fn run(asking: &Asking<'_>, command: Conflicts) -> Result<(), CliError> {
    match command {
        Conflicts::List { space } => {
            let spaces = match space {
                Some(space) => vec![space],
                None => readable_spaces(asking).await?,
            };
            let mut conflicts = Vec::new();
            let mut complete = true;
            for space in spaces {
                complete &= collect(asking, &space, &mut conflicts).await?;
            }
            show(asking, &json!({"conflicts": conflicts, "complete": complete}));
            Ok(())
        }
        Conflicts::Show { space, doc } => {
            let found = asking.client.get(&doc_path(&space, &doc)).await?;
            show(asking, &found);
            Ok(())
        }
        Conflicts::Escalate { space, doc, conflict, why } => {
            let path = escalation(&space, &doc, &conflict);
            let left = asking.client.post(&path, json!({"why": why})).await?;
            answer(asking.is_json, &left, || {
                "the admins of the space see it among the conflicts".to_owned()
            });
            Ok(())
        }
        Conflicts::Withdraw { space, doc, conflict } => {
            let back = asking.client.delete(&escalation(&space, &doc, &conflict)).await?;
            answer(asking.is_json, &back, || "whoever may write settles it again".to_owned());
            Ok(())
        }
        Conflicts::Resolve { space, doc: Some(doc), conflict: Some(conflict), keep, .. } => {
            let path = format!("{}/{}", doc_path(&space, &doc), escape(&conflict));
            let settled = asking.client.post(&path, json!({"keep": keep})).await?;
            answer(asking.is_json, &settled, || {
                format!("settled; the document is {}", text(&settled, "doc"))
            });
            Ok(())
        }
        Conflicts::Resolve { space, doc, keep, .. } => {
            let path = doc.map_or_else(|| space_path(&space), |doc| doc_path(&space, &doc));
            let settled = settle_all(asking, &path, &keep).await?;
            answer(asking.is_json, &settled, || told(&settled));
            Ok(())
        }
    }
}

/// Settles all that stands at an address; large spaces take several requests.
async fn settle_all(asking: &Asking<'_>, path: &str, keep: &str) -> Result<Value, CliError> {
    let mut body = json!({"keep": keep});
    let (mut settled, mut left_open) = (0, 0);
    let (mut left, mut complete) = (Vec::new(), true);
    loop {
        let mut step = asking.client.post(path, body).await?;
        let number = |key: &str| step.get(key).and_then(Value::as_u64).unwrap_or_default();
        settled += number("settled");
        left_open += number("left_open");
        complete &= step.get("complete") == Some(&Value::Bool(true));
        if let Some(Value::Array(more)) = step.get_mut("left").map(Value::take) {
            left.extend(more);
        }
        match step.get("next").and_then(Value::as_str) {
            Some(next) => body = json!({"keep": keep, "after": next}),
            None => break,
        }
    }
    Ok(json!({"settled": settled, "left_open": left_open, "left": left, "complete": complete}))
}

/// How many were settled, and which were not.
fn told(settled: &Value) -> String {
    let number = |key: &str| settled.get(key).and_then(Value::as_u64).unwrap_or_default();
    let mut lines = vec![format!("settled: {}", number("settled"))];
    if number("left_open") > 0 {
        lines.push(format!("still open: {}", number("left_open")));
    }
    for it in list(settled, "left") {
        let [doc, conflict] = ["doc", "conflict"].map(|key| text(it, key));
        let [place, why] = ["place", "why"].map(|key| printable(text(it, key)));
        lines.push(format!("  {doc} {conflict}  {place}: {why}"));
    }
    if settled.get("complete") == Some(&Value::Bool(false)) {
        lines.push(
            "There may be more: a history or a value is too large to look at it all.".to_owned(),
        );
    }
    lines.join("\n")
}

/// Whoever keeps a space sealed sees no conflicts in it.
async fn readable_spaces(asking: &Asking<'_>) -> Result<Vec<String>, CliError> {
    let spaces = asking.client.get("/api/v1/spaces").await?;
    let readable = list(&spaces, "spaces").iter().filter(|it| text(it, "role") != "custodian");
    Ok(readable.map(|space| text(space, "space").to_owned()).collect())
}

/// Adds the conflicts of a space, and says whether these are all.
async fn collect(
    asking: &Asking<'_>,
    space: &str,
    conflicts: &mut Vec<Value>,
) -> Result<bool, CliError> {
    let path = space_path(space);
    let mut query = String::new();
    let mut is_complete = true;
    loop {
        let mut page = asking.client.get(&format!("{path}{query}")).await?;
        is_complete &= page.get("complete") == Some(&Value::Bool(true));
        if let Some(Value::Array(found)) = page.get_mut("conflicts").map(Value::take) {
            conflicts.extend(found);
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => query = format!("?after={}", escape(next)),
            None => return Ok(is_complete),
        }
    }
}

fn space_path(space: &str) -> String {
    format!("/api/v1/spaces/{}/conflicts", escape(space))
}

fn doc_path(space: &str, doc: &str) -> String {
    format!("/api/v1/spaces/{}/docs/{}/conflicts", escape(space), escape(doc))
}

fn escalation(space: &str, doc: &str, conflict: &str) -> String {
    format!("{}/{}/escalation", doc_path(space, doc), escape(conflict))
}

fn show(asking: &Asking<'_>, found: &Value) {
    answer(asking.is_json, found, || {
        let mut paragraphs: Vec<String> = list(found, "conflicts").iter().map(paragraph).collect();
        if paragraphs.is_empty() {
            paragraphs.push("no conflicts".to_owned());
        }
        if found.get("complete") == Some(&Value::Bool(false)) {
            let more = "There may be more: a history or a value is too large to look at it all.";
            paragraphs.push(more.to_owned());
        }
        paragraphs.join("\n\n")
    });
}

fn paragraph(conflict: &Value) -> String {
    let is_removed = text(conflict, "kind") == "removed-document";
    let title = printable(text(conflict, "title"));
    let mut lines = vec![match text(conflict, "place") {
        _ if is_removed => format!("{title}: removed by one, changed by another"),
        place => format!("{title}, at {}", printable(place)),
    }];
    for (number, side) in list(conflict, "sides").iter().enumerate() {
        let mark = if side.get("shown") == Some(&Value::Bool(true)) { "shown" } else { "" };
        lines.push(format!("  {number} {mark:5}  {}", said(side)));
    }
    let before = conflict.get("before").unwrap_or(&Value::Null);
    let mut choices = "shown|mine|theirs|both|undo|NUMBER";
    match text(before, "state") {
        "value" => lines.push(format!("  before   {}", value_of(before))),
        "nothing" => lines.push("  before   nothing".to_owned()),
        _ if is_removed => choices = "shown|1",
        _ => choices = "shown|mine|theirs|both|NUMBER",
    }
    lines.extend(list(conflict, "asked").iter().map(|asked| {
        let why = match printable(text(asked, "why")) {
            why if why.is_empty() => why,
            why => format!(": {why}"),
        };
        format!("  left to the admins by {}{why}", who(asked))
    }));
    let [space, doc, id] = ["space", "doc", "conflict"].map(|key| text(conflict, key));
    lines.push(format!("  kith conflicts resolve {space} {doc} {id} --keep {choices}"));
    lines.join("\n")
}

/// A side in a line: what, who, when.
fn said(side: &Value) -> String {
    let what = match side.get("deleted") {
        Some(Value::Bool(true)) => "deleted".to_owned(),
        Some(_) | None => value_of(side),
    };
    let who = who(side);
    match text(side, "at") {
        "" => format!("{what}  {who}"),
        at => format!("{what}  {who}, {at}"),
    }
}

fn who(said: &Value) -> String {
    let names: Vec<String> =
        list(said, "by").iter().map(|author| printable(text(author, "name"))).collect();
    match (names.is_empty(), said.get("mine") == Some(&Value::Bool(true))) {
        (true, _) => "somebody".to_owned(),
        (false, true) => format!("{} (you)", names.join(", ")),
        (false, false) => names.join(", "),
    }
}

fn value_of(holder: &Value) -> String {
    let shown = printable(&holder.get("value").unwrap_or(&Value::Null).to_string());
    match shown.char_indices().nth(VALUE_LETTERS_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_open_is_named_with_its_reason() {
        let left = json!([{"doc": "d", "conflict": "c", "place": "/t\u{9b}", "why": "no side"}]);
        let settled = json!({"settled": 2, "left_open": 1, "left": left, "complete": false});
        let told = told(&settled);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[..3], ["settled: 2", "still open: 1", "  d c  /t\u{fffd}: no side"]);
        assert!(lines[3].starts_with("There may be more"), "{told}");
    }

    #[test]
    fn a_conflict_is_told_in_lines_without_control_characters() {
        let conflict = json!({
            "space": "s", "doc": "d", "conflict": "c", "place": "/title", "kind": "overwritten",
            "title": "Sum\u{1b}mer", "before": {"state": "value", "value": "x".repeat(300)},
            "sides": [
                {"value": "Lake\u{9b}", "deleted": false, "mine": true, "shown": true,
                 "by": [{"name": "Ada"}], "at": "2026-11-21T14:00:00Z"},
                {"value": null, "deleted": true, "mine": false, "shown": false, "by": [], "at": null},
            ],
        });
        let told = paragraph(&conflict);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "Sum\u{fffd}mer, at /title");
        assert_eq!(lines[1], "  0 shown  \"Lake\u{fffd}\"  Ada (you), 2026-11-21T14:00:00Z");
        assert_eq!(lines[2], "  1        deleted  somebody");
        assert!(lines[3].ends_with("xxx…") && lines[3].chars().count() < 220, "{told}");
        assert_eq!(
            lines[4],
            "  kith conflicts resolve s d c --keep shown|mine|theirs|both|undo|NUMBER"
        );
    }
}
