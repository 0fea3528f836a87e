//! Spaces with folders of this device, both ways: once, or from now on.

use std::time::Duration;

use axum::{extract::State, response::Response};
use node_runtime::{
    CarrierState, FolderReport, FolderSpace, Handle, KeptFolder as Kept, PassedOver,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Answer, Done,
    transfer::{absolute, lines},
};
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

/// Which folder, and how often.
#[derive(Deserialize, ToSchema)]
pub(crate) struct KeepFolder {
    /// An absolute path.
    path: String,
    /// A space: its id, a unique beginning of it, or its name; all when left out.
    space: Option<String>,
    /// How often to look for what others put there; what changes here goes out at once.
    every_seconds: u64,
}

/// Keep a folder up to date from now on.
#[utoipa::path(post, path = "/api/v1/folders", request_body = KeepFolder,
    responses((status = 200, body = Done, description = "It is kept, also after a restart")))]
pub(crate) async fn keep(
    State(app): State<App>,
    JsonBody(KeepFolder { path, space, every_seconds }): JsonBody<KeepFolder>,
) -> Answer<Done> {
    let path = absolute(path)?;
    let space = match space {
        Some(space) => Some(ask::space(&app.handle, &space).await?.space),
        None => None,
    };
    app.handle.keep_folder(path, space, Duration::from_secs(every_seconds)).await?;
    Ok(Done::YES)
}

/// Which folder.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ForgetFolder {
    /// The path by which it is kept.
    path: String,
}

/// Keep a folder up to date no more; what is in it stays.
#[utoipa::path(delete, path = "/api/v1/folders", request_body = ForgetFolder,
    responses((status = 200, body = Done, description = "It is not kept any more")))]
pub(crate) async fn forget(
    State(app): State<App>,
    JsonBody(ForgetFolder { path }): JsonBody<ForgetFolder>,
) -> Answer<Done> {
    app.handle.forget_folder(&absolute(path)?).await?;
    Ok(Done::YES)
}

/// A folder that is kept up to date.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeptFolder {
    path: String,
    /// The only space that goes there.
    space: Option<String>,
    every_seconds: u64,
    /// `waiting`, `synced`, `not-answering` or `failing`.
    state: &'static str,
    /// Since when it does not answer, or fails.
    since: Option<String>,
    /// When both sides were last up to date.
    last_sync: Option<String>,
    /// Files and entries there that could not be used, then.
    left_out: usize,
    /// Why it fails.
    why: Option<String>,
    /// What mends it.
    fix: Option<String>,
}

impl From<Kept> for KeptFolder {
    fn from(Kept { folder, space, every, status }: Kept) -> Self {
        let (since, failure) = match &status.state {
            CarrierState::Waiting | CarrierState::Synced => (None, None),
            CarrierState::NotAnswering { since } => (Some(since), None),
            CarrierState::Failing { since, failure } => (Some(since), Some(failure)),
        };
        Self {
            path: folder.display().to_string(),
            space: space.map(|space| space.to_string()),
            every_seconds: every.as_secs(),
            state: status.state.word(),
            since: since.map(|at| at.rfc3339()),
            last_sync: status.last_sync.map(|at| at.rfc3339()),
            left_out: status.left_out,
            why: failure.map(|failure| failure.message.clone()),
            fix: failure.map(|failure| failure.fix.clone()),
        }
    }
}

/// The folders that are kept up to date.
pub(crate) async fn kept(node: &Handle) -> Vec<KeptFolder> {
    node.kept_folders().await.into_iter().map(KeptFolder::from).collect()
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
