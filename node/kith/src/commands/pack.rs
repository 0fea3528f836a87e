//! `kith pack` and `kith unpack`.

use serde_json::{Value, json};

use super::{Asking, transfer::told};
use crate::{
    args::{Pack, Unpack},
    client::escape,
    error::CliError,
    show::{Bar, answer, bytes, list, note, number, text},
};

pub(super) async fn pack(asking: &Asking<'_>, args: Pack) -> Result<(), CliError> {
    let path = format!("/api/v1/spaces/{}/pack", escape(&args.space));
    let mut body = json!({ "file": told(&args.file)? });
    if let Some(since) = &args.since {
        body["since"] = told(since)?.into();
    }
    let report = work(asking, "packing", &path, body).await?;
    answer(asking.is_json, &report, || {
        format!(
            "{} entries, {} files, {}: {}",
            number(&report, "entries"),
            number(&report, "blobs"),
            bytes(number(&report, "bytes")),
            text(&report, "file"),
        )
    });
    Ok(())
}

pub(super) async fn unpack(asking: &Asking<'_>, args: Unpack) -> Result<(), CliError> {
    let body = json!({ "file": told(&args.file)? });
    let report = work(asking, "unpacking", "/api/v1/unpack", body).await?;
    if !asking.is_json {
        for refused in list(&report, "refused") {
            note(&format!("left out: {}: {}", text(refused, "id"), text(refused, "why")));
        }
    }
    answer(asking.is_json, &report, || {
        format!(
            "{} new entries and {} new files; {} entries were here",
            number(&report, "entries_new"),
            number(&report, "blobs_new"),
            number(&report, "entries_known"),
        )
    });
    Ok(())
}

async fn work(asking: &Asking<'_>, what: &str, path: &str, body: Value) -> Result<Value, CliError> {
    let bar = Bar::new(what, asking.is_json);
    let done = asking.client.stream(path, body, |line| bar.update(line)).await;
    bar.finish();
    done
}
