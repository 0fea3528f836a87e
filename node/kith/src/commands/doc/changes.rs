//! What has changed in a space since somebody looked.

use serde_json::Value;

use super::super::Asking;
use crate::{
    client::escape,
    error::CliError,
    show::{answer, list, number, printable, table, text},
};

/// The documents, each once.
pub(super) async fn documents(
    asking: &Asking<'_>,
    space: &str,
    since: Option<&str>,
) -> Result<(), CliError> {
    let since = since.map(|stamp| format!("?since={}", escape(stamp))).unwrap_or_default();
    let path = format!("/api/v1/spaces/{}/changes{since}", escape(space));
    let changed = asking.client.get(&path).await?;
    answer(asking.is_json, &changed, || {
        let docs = list(&changed, "docs").iter().filter_map(Value::as_str);
        let lines: Vec<&str> = docs.chain([text(&changed, "stamp")]).collect();
        lines.join("\n")
    });
    Ok(())
}

/// Entry by entry.
pub(super) async fn entries(
    asking: &Asking<'_>,
    space: &str,
    asked: [(&str, Option<String>); 2],
) -> Result<(), CliError> {
    let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let asked: Vec<String> =
        asked.map(|(name, value)| format!("{name}={}", escape(&value))).collect();
    let path = format!("/api/v1/spaces/{}/arrivals?{}", escape(space), asked.join("&"));
    let arrived = asking.client.get(&path).await?;
    answer(asking.is_json, &arrived, || {
        let rows: Vec<Vec<String>> = list(&arrived, "entries").iter().map(row).collect();
        let mut lines = table(&["PLACE", "KIND", "DOCUMENT", "BY"], &rows);
        if arrived.get("more") == Some(&Value::Bool(true)) {
            lines.push_str("\nand more: ask on with the stamp");
        }
        format!("{lines}\n{}", text(&arrived, "stamp"))
    });
    Ok(())
}

fn row(entry: &Value) -> Vec<String> {
    let by = match text(entry, "name") {
        "" => text(entry, "device"),
        name => name,
    };
    let position = number(entry, "position").to_string();
    vec![position, text(entry, "kind").to_owned(), text(entry, "doc").to_owned(), printable(by)]
}
