//! What documents say: those that fit a question, and what they add up to.

use serde_json::{Value, json};

use super::super::Asking;
use crate::{
    args::Which,
    client::escape,
    error::CliError,
    show::{answer, list, number, printable, table, text},
};

pub(super) async fn list_fitting(
    asking: &Asking<'_>,
    space: &str,
    which: Which,
) -> Result<(), CliError> {
    let mut body = asked(which);
    let path = format!("/api/v1/spaces/{}/query", escape(space));
    let mut docs = Vec::new();
    loop {
        let page = asking.client.post(&path, body.clone()).await?;
        docs.extend_from_slice(list(&page, "docs"));
        match page.get("next") {
            Some(next) => body["after"] = next.clone(),
            None => break,
        }
    }
    let docs = json!({ "docs": docs });
    answer(asking.is_json, &docs, || {
        let row = |doc: &Value| {
            ["title", "type", "app", "path", "doc"].map(|key| text(doc, key).to_owned()).to_vec()
        };
        let rows: Vec<_> = list(&docs, "docs").iter().map(row).collect();
        table(&["TITLE", "TYPE", "APP", "PATH", "DOC"], &rows)
    });
    Ok(())
}

pub(super) async fn count(
    asking: &Asking<'_>,
    space: &str,
    which: Which,
    (by, of): (Option<&str>, Option<&str>),
) -> Result<(), CliError> {
    let mut body = asked(which);
    (body["by"], body["of"]) = (by.into(), of.into());
    let path = format!("/api/v1/spaces/{}/tally", escape(space));
    let total = asking.client.post(&path, body).await?;
    answer(asking.is_json, &total, || {
        let heads = ["VALUE", "DOCUMENTS", "SUM", "LEAST", "MOST"];
        let width = if of.is_some() { heads.len() } else { 2 };
        let row = |name: String, sums: &Value| {
            let of_number = |key| sums[key].as_f64().map_or_else(String::new, |it| it.to_string());
            let documents = number(sums, "documents").to_string();
            let mut row =
                vec![name, documents, of_number("sum"), of_number("least"), of_number("most")];
            row.truncate(width);
            row
        };
        let groups = list(&total, "groups").iter();
        let mut rows: Vec<_> =
            groups.map(|group| row(printable(&value(&group["value"])), group)).collect();
        if number(&total["others"], "documents") > 0 {
            rows.push(row("others".into(), &total["others"]));
        }
        rows.push(row("all".into(), &total));
        let mut lines = table(&heads[..width], &rows);
        if total.get("next").is_some() {
            lines.push_str("\nnot all documents were looked at: this took too long");
        }
        lines
    });
    Ok(())
}

fn asked(which: Which) -> Value {
    let Which { kind, app, conditions } = which;
    json!({"type": kind, "app": app, "where": conditions})
}

/// A text as it is, anything else as JSON.
fn value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
