//! `kith doc`.

mod changes;
mod past;
mod purge;
mod query;

use std::{io::Read, path::Path};

use axum::http::Method;
use node_core::request::pointer_to;
use serde_json::{Map, Value, json};

use super::Asking;
use crate::{
    args::Doc,
    client::escape,
    error::CliError,
    show::{answer, text},
};

/// Largest document that is read from a file.
const DOCUMENT_BYTES_MAX: u64 = 10 * 1024 * 1024;

pub(super) async fn run(asking: &Asking<'_>, command: Doc) -> Result<(), CliError> {
    match command {
        Doc::New { space, kind, app, from } => {
            new(asking, &space, (&kind, app.as_deref()), from.as_deref()).await
        }
        Doc::Get { space, doc, path, at } => {
            get(asking, &doc_path(&space, &doc), path.as_deref(), at.as_deref()).await
        }
        Doc::Add { space, doc, path, by } => {
            past::add(asking, &doc_path(&space, &doc), &path, by).await
        }
        Doc::Set { space, doc, path, value } => set(asking, &space, &doc, &path, &value).await,
        Doc::Edit { space, doc } => edit(asking, &space, &doc).await,
        Doc::History { space, doc, limit, before } => {
            past::history(asking, &doc_path(&space, &doc), limit, before.as_deref()).await
        }
        Doc::Restore { space, doc, at } => {
            past::restore(asking, &doc_path(&space, &doc), &at).await
        }
        Doc::List { space, which } => query::list_fitting(asking, &space, which).await,
        Doc::Count { space, which, by, of } => {
            query::count(asking, &space, which, (by.as_deref(), of.as_deref())).await
        }
        Doc::Changes { space, since, entries: false, .. } => {
            changes::documents(asking, &space, since.as_deref()).await
        }
        Doc::Changes { space, since, kinds, entries: true } => {
            changes::entries(asking, &space, [("since", since), ("kinds", kinds)]).await
        }
        Doc::Purge { space, docs, yes } => purge::purge(asking, &space, docs, yes).await,
        Doc::Remove { space, doc } => {
            asking.client.call(Method::DELETE, &doc_path(&space, &doc), None).await?;
            answer(asking.is_json, &json!({"doc": doc}), || format!("{doc} is removed"));
            Ok(())
        }
    }
}

fn docs_path(space: &str) -> String {
    format!("/api/v1/spaces/{}/docs", escape(space))
}

fn doc_path(space: &str, doc: &str) -> String {
    format!("{}/{}", docs_path(space), escape(doc))
}

async fn new(
    asking: &Asking<'_>,
    space: &str,
    (kind, app): (&str, Option<&str>),
    from: Option<&Path>,
) -> Result<(), CliError> {
    let value = match from {
        Some(path) => parse_object(&read_text(path)?, &path.display().to_string())?,
        None => json!({}),
    };
    let body = json!({"type": kind, "app": app, "value": value});
    let written = asking.client.post(&docs_path(space), body).await?;
    answer(asking.is_json, &written, || text(&written, "doc").to_owned());
    Ok(())
}

async fn get(
    asking: &Asking<'_>,
    doc: &str,
    path: Option<&str>,
    at: Option<&str>,
) -> Result<(), CliError> {
    let queries: Vec<String> = [("path", path), ("at", at)]
        .into_iter()
        .filter_map(|(key, text)| Some(format!("{key}={}", escape(text?))))
        .collect();
    let got = asking.client.get(&format!("{doc}?{}", queries.join("&"))).await?;
    answer(asking.is_json, &got, || format!("{:#}", got.get("value").unwrap_or(&Value::Null)));
    Ok(())
}

async fn set(
    asking: &Asking<'_>,
    space: &str,
    doc: &str,
    path: &str,
    value: &str,
) -> Result<(), CliError> {
    let value: Value = serde_json::from_str(value).map_err(|error| {
        CliError::usage(
            format!("{value:?} is not JSON: {error}"),
            "quote text twice: kith doc set SPACE DOC PATH '\"text\"'",
        )
    })?;
    let target = format!("{}/value", doc_path(space, doc));
    let body = json!({"path": path, "value": value});
    let written = asking.client.call(Method::PUT, &target, Some(body)).await?;
    answer(asking.is_json, &written, || format!("{path} is set, safe on this device's disk"));
    Ok(())
}

async fn edit(asking: &Asking<'_>, space: &str, doc: &str) -> Result<(), CliError> {
    let got = asking.client.get(&doc_path(space, doc)).await?;
    let before = got.get("value").cloned().unwrap_or(Value::Null);
    let editor = std::env::var("VISUAL").or_else(|_| std::env::var("EDITOR"));
    let editor = editor.unwrap_or_else(|_| "vi".to_owned());
    let failed = |error: std::io::Error| {
        CliError::machine(format!("the editor {editor:?} did not work: {error}"), "set EDITOR")
    };
    // Only the owner reads it, and it goes with this command.
    let file = tempfile::Builder::new().suffix(".json").tempfile().map_err(failed)?;
    std::fs::write(file.path(), format!("{before:#}\n")).map_err(failed)?;
    let status = tokio::process::Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file.path())
        .status()
        .await
        .map_err(failed)?;
    if !status.success() {
        return Err(CliError::machine("the editor failed; nothing was changed", "try again"));
    }
    let after = parse_object(&read_text(file.path())?, "what you wrote")?;
    let operations = difference(&before, &after);
    if operations.is_empty() {
        answer(asking.is_json, &got, || "nothing was changed".to_owned());
        return Ok(());
    }
    let written = asking
        .client
        .call(Method::PATCH, &doc_path(space, doc), Some(Value::Array(operations)))
        .await?;
    answer(asking.is_json, &written, || "saved, safe on this device's disk".to_owned());
    Ok(())
}

/// The JSON Patch from one object to another, by key, so that what nobody
/// touched merges with what others change meanwhile.
fn difference(before: &Value, after: &Value) -> Vec<Value> {
    let none = Map::new();
    let mut operations = Vec::new();
    collect(
        before.as_object().unwrap_or(&none),
        after.as_object().unwrap_or(&none),
        "",
        &mut operations,
    );
    operations
}

fn collect(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    base: &str,
    operations: &mut Vec<Value>,
) {
    let path = |key: &str| format!("{base}{}", pointer_to(key));
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        operations.push(json!({"op": "remove", "path": path(key)}));
    }
    for (key, new) in after {
        match (before.get(key), new) {
            (Some(old), new) if old == new => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                collect(old, new, &path(key), operations);
            }
            (_, new) => operations.push(json!({"op": "add", "path": path(key), "value": new})),
        }
    }
}

fn read_text(path: &Path) -> Result<String, CliError> {
    let failed = |error: std::io::Error| {
        let failure = node_core::Failure::new(
            node_core::FailureKind::NotFound,
            format!("{} cannot be read: {error}", path.display()),
            "check the name of the file",
        );
        CliError::from(failure)
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text))
    };
    read.map_err(failed)?;
    if text.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(CliError::usage("a document has at most 10 MB", "kith blob put SPACE FILE"));
    }
    Ok(text)
}

fn parse_object(text: &str, what: &str) -> Result<Value, CliError> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        CliError::usage(format!("{what} is not JSON: {error}"), "mend it and try again")
    })?;
    if value.is_object() {
        return Ok(value);
    }
    Err(CliError::usage(format!("{what} is not a JSON object"), "write {\"key\": value, …}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_touches_only_what_changed() {
        let before = json!({"a": 1, "b": {"c": [1], "d": 2}, "x/y": 0});
        let after = json!({"a": 1, "b": {"c": [1, 2], "d": 2}, "new": true});
        assert_eq!(
            difference(&before, &after),
            [
                json!({"op": "remove", "path": "/x~1y"}),
                json!({"op": "add", "path": "/b/c", "value": [1, 2]}),
                json!({"op": "add", "path": "/new", "value": true}),
            ]
        );
        assert!(difference(&after, &after).is_empty());
    }
}
