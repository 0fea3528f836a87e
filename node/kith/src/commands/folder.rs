//! `kith sync --folder`.

use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Asking, transfer::told};
use crate::{
    args::Sync,
    error::CliError,
    show::{Bar, answer, list, note, number, printable, table, text},
};

pub(super) async fn sync(asking: &Asking<'_>, folder: &Path, args: &Sync) -> Result<(), CliError> {
    if args.stop {
        return stop(asking, folder).await;
    }
    let body = json!({ "path": told(folder)?, "space": args.space, "full": args.full });
    let bar = Bar::new("synchronising", asking.is_json);
    let done = asking.client.stream("/api/v1/sync/folder", body, |line| bar.update(line)).await;
    bar.finish();
    let report = done?;
    if !asking.is_json {
        for refused in list(&report, "refused") {
            note(&format!("left out: {}: {}", text(refused, "id"), text(refused, "why")));
        }
        for passed in list(&report, "passed_over") {
            note(&format!("passed over: {}: {}", text(passed, "path"), text(passed, "why")));
        }
    }
    if let Some(every) = args.every {
        let every_seconds = every.as_secs();
        let body =
            json!({ "path": told(folder)?, "space": args.space, "every_seconds": every_seconds });
        asking.client.post("/api/v1/folders", body).await?;
    }
    answer(asking.is_json, &report, || {
        let mut words = told_in_words(&report, args.full);
        if args.every.is_some() {
            let runs = asking.client.is_running();
            words.push_str("\nIt is kept up to date from now on");
            words.push_str(if runs { ": kith status" } else { ", while the node runs: kith up" });
        }
        words
    });
    Ok(())
}

async fn stop(asking: &Asking<'_>, folder: &Path) -> Result<(), CliError> {
    let body = json!({ "path": told(folder)? });
    asking.client.call(Method::DELETE, "/api/v1/folders", Some(body.clone())).await?;
    answer(asking.is_json, &body, || {
        format!("{} is kept up to date no more; what is in it stays", folder.display())
    });
    Ok(())
}

/// The folders that are kept up to date, for `kith status`.
pub(super) fn kept(status: &Value) -> Option<String> {
    let folders = list(status, "folders");
    let rows: Vec<_> = folders.iter().map(row).collect();
    (!rows.is_empty()).then(|| table(&["FOLDER", "STATE", "LAST IN SYNC"], &rows))
}

fn row(folder: &Value) -> Vec<String> {
    let (state, since) = (text(folder, "state"), text(folder, "since"));
    let mut words = match state {
        "not-answering" => format!("not answering since {since}"),
        "failing" => {
            let (why, fix) = (text(folder, "why"), text(folder, "fix"));
            format!("failing since {since}: {why} ({fix})")
        }
        state => state.to_owned(),
    };
    let left_out = number(folder, "left_out");
    if left_out > 0 {
        words.push_str(&format!(", {left_out} left out: kith sync --folder DIR says what"));
    }
    let last_sync = text(folder, "last_sync");
    let last_sync = if last_sync.is_empty() { "never" } else { last_sync };
    vec![printable(text(folder, "path")), printable(&words), last_sync.to_owned()]
}

fn told_in_words(report: &Value, is_full: bool) -> String {
    let spaces = list(report, "spaces");
    if spaces.is_empty() {
        return "No space of yours is here or in the folder: kith space new NAME".to_owned();
    }
    let sum = |key: &str| spaces.iter().map(|space| number(space, key)).sum::<u64>();
    let mut words = format!(
        "{} changes and {} files into the folder, {} changes and {} files out of it",
        number(report, "pushed"),
        sum("blobs_pushed"),
        number(report, "pulled"),
        sum("blobs_pulled"),
    );
    if !is_full && !list(report, "passed_over").is_empty() {
        words.push_str("\nWhat is damaged is mended by who has it: kith sync --folder DIR --full");
    }
    words
}
