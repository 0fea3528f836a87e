//! Spaces with a folder of this device, both ways.

use axum::{extract::State, response::Response};
use node_runtime::{FolderReport, FolderSpace, PassedOver};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::transfer::{absolute, lines};
use crate::{ask, config::App, extract::JsonBody, problem::Problem};

/// With which folder.
#[derive(Deserialize, ToSchema)]
pub(crate) struct WithFolder {
    /// An absolute path.
    path: String,
    /// A space: its id, a unique beginning of it, or its name; all when left out.
    space: Option<String>,
    /// Read everything that is there, and write again what is damaged.
    #[serde(default)]
    full: bool,
}

/// Synchronise with a folder.
#[utoipa::path(post, path = "/api/v1/sync/folder", request_body = WithFolder,
    responses((status = 200, body = String, content_type = "application/x-ndjson",
        description = "Lines {\"progress\":{done,total,unit}}, then {\"result\":{…}} or {\"error\":{…}}")))]
pub(crate) async fn sync(
    State(app): State<App>,
    JsonBody(WithFolder { path, space, full }): JsonBody<WithFolder>,
) -> Result<Response, Problem> {
    let path = absolute(path)?;
    let space = match space {
        Some(space) => Some(ask::space(&app.handle, &space).await?.space),
        None => None,
    };
    Ok(lines(move |progress| async move {
        let report = app.handle.sync_folder(path, space, full, progress).await?;
        Ok(synced(&report))
    }))
}

fn synced(report: &FolderReport) -> Value {
    let FolderReport { folder, spaces, refused, passed_over } = report;
    let sum = |count: fn(&FolderSpace) -> u64| spaces.iter().map(count).sum::<u64>();
    let refused: Vec<_> = refused.iter().map(|(id, why)| json!({ "id": id, "why": why })).collect();
    let passed_over: Vec<_> = passed_over
        .iter()
        .map(|PassedOver { path, why }| json!({ "path": path, "why": why }))
        .collect();
    json!({
        "folder": folder,
        "pushed": sum(|space| space.pushed),
        "pulled": sum(|space| space.pulled),
        "refused": refused,
        "passed_over": passed_over,
        "spaces": spaces.iter().map(of_space).collect::<Vec<_>>(),
    })
}

fn of_space(counts: &FolderSpace) -> Value {
    let FolderSpace { space, pushed, pulled, blobs_pushed, blobs_pulled } = counts;
    json!({
        "space": space,
        "pushed": pushed,
        "pulled": pulled,
        "blobs_pushed": blobs_pushed,
        "blobs_pulled": blobs_pulled,
    })
}
