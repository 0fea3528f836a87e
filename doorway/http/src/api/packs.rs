//! Packs: a space in one sealed file of this device, and back.

use axum::{extract::State, response::Response};
use node_runtime::{PackReport, UnpackReport};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::transfer::{absolute, lines};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
    problem::Problem,
};

/// Where a pack goes.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ToPack {
    /// The file to write: an absolute path.
    file: String,
    /// An earlier pack of the space: an absolute path. What it and those that it builds on
    /// hold is left out.
    since: Option<String>,
}

/// Where a pack is.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ToUnpack {
    /// The pack: an absolute path.
    file: String,
}

/// Pack a space into a sealed file.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/pack", request_body = ToPack,
    responses((status = 200, body = String, content_type = "application/x-ndjson",
        description = "Lines {\"progress\":{done,total,unit}}, then {\"result\":{…}} or {\"error\":{…}}")))]
pub(crate) async fn pack(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(ToPack { file, since }): JsonBody<ToPack>,
) -> Result<Response, Problem> {
    let space = ask::space(&app.handle, &space).await?.space;
    let (file, since) = (absolute(file)?, since.map(absolute).transpose()?);
    Ok(lines(|progress| async move {
        let report = app.handle.pack(space, file, since, progress).await?;
        Ok(packed(&report))
    }))
}

/// Take in a pack.
#[utoipa::path(post, path = "/api/v1/unpack", request_body = ToUnpack,
    responses((status = 200, body = String, content_type = "application/x-ndjson",
        description = "Lines {\"progress\":{done,total,unit}}, then {\"result\":{…}} or {\"error\":{…}}")))]
pub(crate) async fn unpack(
    State(app): State<App>,
    JsonBody(ToUnpack { file }): JsonBody<ToUnpack>,
) -> Result<Response, Problem> {
    let file = absolute(file)?;
    Ok(lines(|progress| async move {
        let report = app.handle.unpack(file, progress).await?;
        Ok(unpacked(&report))
    }))
}

fn packed(report: &PackReport) -> Value {
    let PackReport { file, space, entries, blobs, attestations, bytes } = report;
    json!({
        "file": file,
        "space": space,
        "entries": entries,
        "blobs": blobs,
        "attestations": attestations,
        "bytes": bytes,
    })
}

fn unpacked(report: &UnpackReport) -> Value {
    let UnpackReport { space, entries_new, entries_known, blobs_new, refused } = report;
    let refused: Vec<_> = refused.iter().map(|(id, why)| json!({ "id": id, "why": why })).collect();
    json!({
        "space": space,
        "entries_new": entries_new,
        "entries_known": entries_known,
        "blobs_new": blobs_new,
        "refused": refused,
    })
}
