//! Devices of peers synchronise over HTTP: the frames of a connection in batches, and blobs as
//! requests and answers.
//!
//! Invariant: nothing of a body is read before its token was good, and of one device one body
//! of each kind at a time.
//! Non-goal: what frames say and who may have what; the node treats them as it treats those
//! of a connection.

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use futures::TryStreamExt;
use node_core::doorway::{DoorwayRequest, DoorwayResponse};
use node_model::challenge::Nonce;
use node_runtime::visit::{BATCH_BYTES_MAX, BLOBS_REQUEST_BYTES_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Answer, Done,
    doorway::{Signed, read_challenge},
    parse,
};
use crate::{
    access::Peer,
    ask,
    config::App,
    extract::{JsonBody, bounded},
    problem::Problem,
};

/// What a batch is, for whoever reads headers.
const CONTENT_TYPE: &str = "application/vnd.kith.frames";

/// What a request for blobs or the answer to it is.
const BLOBS_TYPE: &str = "application/vnd.kith.blobs";

/// Largest body with a challenge.
const CHALLENGE_BYTES_MAX: usize = 4 * 1024;

/// Bring a batch of frames, and get one.
#[utoipa::path(post, path = "/api/v1/sync/frames",
    request_body(content = Vec<u8>, content_type = "application/vnd.kith.frames"),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.kith.frames",
        description = "Frames for the device, as docs/protocol/doorway-sync.md says")))]
pub(crate) async fn exchange(
    State(app): State<App>,
    Extension(Peer(device)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let turn = app.handle.visit(device)?;
    let body = bounded(&headers, body, BATCH_BYTES_MAX).await?;
    let returned = turn.exchange(&body).await?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], returned).into_response())
}

/// Whether a batch waited.
#[derive(Serialize, ToSchema)]
pub(crate) struct Nudged {
    waited: bool,
}

/// Have the batch of this device answered now, which waits for the node to have something to
/// say: for a visitor who has something to say itself.
#[utoipa::path(post, path = "/api/v1/sync/nudge", responses((status = 200, body = Nudged, description = "Whether a batch waited")))]
pub(crate) async fn nudge(
    State(app): State<App>,
    Extension(Peer(device)): Extension<Peer>,
) -> Answer<Nudged> {
    let waited = app.handle.hurry_visit(device).await?;
    Ok(Json(Nudged { waited }))
}

/// Which blobs does this node want of the device that visits it?
#[utoipa::path(post, path = "/api/v1/sync/blobs/wanted", responses(
    (status = 200, body = Vec<u8>, content_type = "application/vnd.kith.blobs",
        description = "A request, as docs/protocol/blobs.md says; the same until its answer was brought"),
    (status = 204, description = "None")))]
pub(crate) async fn wanted(
    State(app): State<App>,
    Extension(Peer(device)): Extension<Peer>,
) -> Result<Response, Problem> {
    Ok(match app.handle.wanted_of(device).await? {
        Some(request) => ([(header::CONTENT_TYPE, BLOBS_TYPE)], request).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Bring the answer to what this node wants.
#[utoipa::path(put, path = "/api/v1/sync/blobs",
    request_body(content = Vec<u8>, content_type = "application/vnd.kith.blobs"),
    responses((status = 200, body = Done, description = "Read as far as it was of use; what is good of it is kept")))]
pub(crate) async fn bring(
    State(app): State<App>,
    Extension(Peer(device)): Extension<Peer>,
    body: Body,
) -> Answer<Done> {
    let pieces = body.into_data_stream().map_err(std::io::Error::other);
    app.handle.take_blobs(device, tokio_util::io::StreamReader::new(pieces)).await?;
    Ok(Done::YES)
}

/// Get blobs that the device may have.
#[utoipa::path(post, path = "/api/v1/sync/blobs",
    request_body(content = Vec<u8>, content_type = "application/vnd.kith.blobs"),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.kith.blobs",
        description = "The answer to a request, as docs/protocol/blobs.md says")))]
pub(crate) async fn provide(
    State(app): State<App>,
    Extension(Peer(device)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let turn = app.handle.provide_blobs(device)?;
    let request = bounded(&headers, body, BLOBS_REQUEST_BYTES_MAX).await?;
    let answer = turn.answer(request).await?;
    Ok(([(header::CONTENT_TYPE, BLOBS_TYPE)], Body::from_stream(answer)).into_response())
}

/// A challenge of the doorway of the device that asks.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AskedBack {
    challenge: String,
    /// Where that doorway says that it is reached.
    host: String,
}

/// Let this node prove who it is, to the device whose token it is.
#[utoipa::path(post, path = "/api/v1/sync/proof", request_body = AskedBack, responses((status = 200, body = Signed, description = "This node's answer, for the doorway of that device only")))]
pub(crate) async fn prove(
    State(app): State<App>,
    Extension(Peer(device)): Extension<Peer>,
    JsonBody(asked): JsonBody<AskedBack, CHALLENGE_BYTES_MAX>,
) -> Answer<Signed> {
    let nonce: Nonce = parse("challenge", &asked.challenge)?;
    let challenge = read_challenge(nonce, device, &asked.host)?;
    let answer = ask::doorway(&app.handle, DoorwayRequest::Answer { challenge }).await?;
    let DoorwayResponse::Answer { device, signature } = answer else {
        return Err(ask::unexpected().into());
    };
    let signature = HEXLOWER.encode(&signature.0);
    Ok(Json(Signed { device: device.to_string(), signature }))
}
