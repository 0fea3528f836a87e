//! Devices of peers synchronise over HTTP: the frames of a connection, in batches.
//!
//! Invariant: nothing of a body is read before its token was good, and of one device one body
//! at a time.
//! Non-goal: what frames say and who may have what; the node treats them as it treats those
//! of a connection.

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use node_core::doorway::{DoorwayRequest, DoorwayResponse};
use node_model::challenge::Nonce;
use node_runtime::visit::BATCH_BYTES_MAX;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Answer,
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
