//! `kith import` and `kith export`.

use std::path::Path;

use serde_json::{Value, json};

use super::Asking;
use crate::{
    args::{Export, Import},
    client::escape,
    error::CliError,
    show::{Bar, answer, bytes, list, note, number, text},
};

pub(super) async fn import(asking: &Asking<'_>, args: Import) -> Result<(), CliError> {
    let path = format!("/api/v1/spaces/{}/import", escape(&args.space));
    let more = json!({"new_only": args.new_only});
    let report = transfer(asking, "importing", (&path, &args.path), more).await?;
    answer(asking.is_json, &report, || {
        format!(
            "{} documents, {} files, {}{}{}",
            number(&report, "documents"),
            number(&report, "blobs"),
            bytes(number(&report, "bytes")),
            known(&report),
            skipped(&report)
        )
    });
    Ok(())
}

pub(super) async fn export(asking: &Asking<'_>, args: Export) -> Result<(), CliError> {
    let path = format!("/api/v1/spaces/{}/export", escape(&args.space));
    let report = transfer(asking, "exporting", (&path, &args.dir), json!({})).await?;
    answer(asking.is_json, &report, || {
        format!(
            "{} files, {}{}",
            number(&report, "files"),
            bytes(number(&report, "bytes")),
            skipped(&report)
        )
    });
    Ok(())
}

async fn transfer(
    asking: &Asking<'_>,
    what: &str,
    (path, folder): (&str, &Path),
    mut body: Value,
) -> Result<Value, CliError> {
    body["path"] = told(folder)?.into();
    let bar = Bar::new(what, asking.is_json);
    let done = asking.client.stream(path, body, |line| bar.update(line)).await;
    bar.finish();
    let report = done?;
    if !asking.is_json {
        for left_out in list(&report, "skipped") {
            note(&format!("left out: {}: {}", text(left_out, "path"), text(left_out, "why")));
        }
    }
    Ok(report)
}

/// A path as the node is told it.
pub(super) fn told(path: &Path) -> Result<String, CliError> {
    // The node may run in another folder.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| {
        let message = format!("{} is not a name that can be told to the node", path.display());
        CliError::usage(message, "rename it")
    })
}

fn known(report: &Value) -> String {
    match number(report, "known") {
        0 => String::new(),
        count => format!(", {count} left as they are"),
    }
}

fn skipped(report: &Value) -> String {
    match list(report, "skipped").len() {
        0 => String::new(),
        count => format!(", {count} left out"),
    }
}
