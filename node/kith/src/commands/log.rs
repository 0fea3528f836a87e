//! `kith log`.

use serde_json::Value;

use super::Asking;
use crate::{
    args::Log,
    error::CliError,
    show::{line, list, note, number, printable, table, text},
};

/// The ids that a record may have, and how a line names them.
const THINGS: [&str; 5] = ["space", "doc", "blob", "agent", "device"];

pub(super) async fn run(asking: &Asking<'_>, log: Log) -> Result<(), CliError> {
    let Log { hours, event } = log;
    let mut path = format!("/api/v1/log?hours={hours}");
    if let Some(event) = event {
        path.push_str(&format!("&event={event}"));
    }
    let found = asking.client.get(&path).await?;
    let records = list(&found, "records");
    if asking.is_json {
        for record in records {
            line(&record.to_string());
        }
    } else if records.is_empty() {
        line("nothing was asked of this node");
    } else {
        let rows: Vec<Vec<String>> = records.iter().map(row).collect();
        line(&table(&["when", "by", "what", "outcome", "more"], &rows));
    }
    if found.get("truncated") == Some(&Value::Bool(true)) {
        note("there are older records; fewer --hours or an --event show all of them");
    }
    match number(&found, "passed_over") {
        0 => {}
        count => note(&format!("lines of the log that cannot be read: {count}")),
    }
    Ok(())
}

fn row(record: &Value) -> Vec<String> {
    let word = |key: &str| printable(text(record, key));
    if text(record, "event") == "dropped" {
        let missing = format!("{} records are missing", number(record, "count"));
        return vec![word("at"), String::new(), missing, String::new(), String::new()];
    }
    vec![word("at"), word("by"), word("what"), outcome(record), more(record)]
}

fn outcome(record: &Value) -> String {
    let mut words = vec![printable(text(record, "outcome"))];
    if let Some(status) = record.get("status").and_then(Value::as_u64) {
        words.push(status.to_string());
    }
    match text(record, "error") {
        "" => {}
        error => words.push(printable(error)),
    }
    words.join(" ")
}

fn more(record: &Value) -> String {
    let mut words = Vec::new();
    for key in ["query_characters", "results", "times", "duration_ms"] {
        if let Some(count) = record.get(key).and_then(Value::as_u64) {
            words.push(match key {
                "query_characters" => format!("a query of {count} characters"),
                "results" => format!("{count} found"),
                "times" => format!("{count} times"),
                _ => format!("{count} ms"),
            });
        }
    }
    for key in THINGS {
        match text(record, key) {
            "" => {}
            id => words.push(format!("{key} {}", printable(id))),
        }
    }
    match text(record, "by_agent") {
        "" => {}
        agent => words.push(format!("by {}", printable(agent))),
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_told_in_a_line_without_control_characters() {
        let search = json!({
            "at": "2026-11-21T14:00:00Z", "event": "search", "by": "session",
            "what": "GET /search", "query_characters": 12, "results": 0, "space": "s",
            "outcome": "allowed", "status": 200, "duration_ms": 3,
        });
        let more = "a query of 12 characters, 0 found, 3 ms, space s";
        assert_eq!(
            row(&search),
            ["2026-11-21T14:00:00Z", "session", "GET /search", "allowed 200", more]
        );
        let denied = json!({
            "at": "t", "event": "access", "by": "device:d\u{1b}", "by_agent": "a", "what": "hold",
            "outcome": "denied", "error": "not-a-member", "times": 2, "space": "s",
        });
        let expected = ["t", "device:d\u{fffd}", "hold", "denied not-a-member"];
        assert_eq!(row(&denied)[..4], expected);
        assert_eq!(row(&denied)[4], "2 times, space s, by a");
        let dropped = json!({"at": "t", "event": "dropped", "count": 5});
        assert_eq!(row(&dropped), ["t", "", "5 records are missing", "", ""]);
    }
}
