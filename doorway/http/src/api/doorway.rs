//! A device of the same person, or of a peer, proves itself, and gets a token for about an
//! hour.
//!
//! Invariant: who may not have a token learns nothing by asking: challenges look alike for
//! every device, and so do refusals.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
};
use data_encoding::HEXLOWER;
use node_core::doorway::{DoorwayRequest, DoorwayResponse, not_proven};
use node_model::{
    DeviceId,
    challenge::{Challenge, Nonce},
    sign::Signature,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, parse};
use crate::{ask, config::App, extract::JsonBody, problem::Problem};

/// Largest body that somebody may send who has proven nothing. The largest that makes
/// sense, an answer, has 300 bytes.
const BYTES_MAX: usize = 4 * 1024;

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewChallenge {
    /// The device's id.
    device: String,
}

/// What to sign: with the node and the `Host` of the request, as docs/protocol/doorway.md
/// says.
#[derive(Serialize, ToSchema)]
pub(crate) struct Challenged {
    /// 64 hexadecimal digits, good once.
    challenge: String,
    /// The node that asks.
    node: String,
    expires_at: String,
}

/// Ask for a challenge, as a device of the person whose node this is, or of a peer.
#[utoipa::path(post, path = "/api/v1/challenges", request_body = NewChallenge, responses((status = 200, body = Challenged, description = "To be signed within five minutes; the same for every device")))]
pub(crate) async fn challenge(
    State(app): State<App>,
    JsonBody(new): JsonBody<NewChallenge, BYTES_MAX>,
) -> Answer<Challenged> {
    let device: DeviceId = parse("device", &new.device)?;
    let answer = ask::doorway(&app.handle, DoorwayRequest::Challenge { device }).await?;
    let DoorwayResponse::Challenge { nonce, node, expires_at } = answer else {
        return Err(ask::unexpected().into());
    };
    let (challenge, node) = (nonce.to_string(), node.to_string());
    Ok(Json(Challenged { challenge, node, expires_at: expires_at.rfc3339() }))
}

/// An answer to a challenge.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Proof {
    device: String,
    challenge: String,
    /// 128 hexadecimal digits.
    signature: String,
}

/// What lets in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Given {
    /// Send it as `Authorization: Bearer`.
    token: String,
    expires_at: String,
}

/// Get a token for a signed challenge. It is good for an hour, as long as the device is one
/// of the person's or of a peer, and until the node ends.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = Proof, responses((status = 200, body = Given, description = "A token with the rights of local-token; of a peer, to synchronise only")))]
pub(crate) async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    JsonBody(proof): JsonBody<Proof, BYTES_MAX>,
) -> Answer<Given> {
    let device: DeviceId = parse("device", &proof.device)?;
    let nonce: Nonce = parse("challenge", &proof.challenge)?;
    let signature = read_signature(&proof.signature)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let node = ask::identity(&app.handle).await?.device;
    let challenge = read_challenge(nonce, node, host)?;
    // Here and not in the loop, which must not wait for mathematics.
    let answered = challenge.verify(device, &signature).map_err(|_| not_proven(host))?;
    let answer = ask::doorway(&app.handle, DoorwayRequest::Redeem { answered }).await?;
    let DoorwayResponse::Token { token, expires_at } = answer else {
        return Err(ask::unexpected().into());
    };
    Ok(Json(Given { token: token.expose(), expires_at: expires_at.rfc3339() }))
}

/// A challenge of another doorway.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Asked {
    challenge: String,
    /// The node that it says it is.
    node: String,
    /// Where it was reached, such as `127.0.0.1:4718`.
    host: String,
}

/// This device's answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Signed {
    pub(super) device: String,
    /// 128 hexadecimal digits.
    pub(super) signature: String,
}

/// Answer a challenge with this device's key, if the node that asks is ours or a peer's.
#[utoipa::path(post, path = "/api/v1/challenges/answer", request_body = Asked, responses((status = 200, body = Signed, description = "The answer")))]
pub(crate) async fn answer(
    State(app): State<App>,
    JsonBody(asked): JsonBody<Asked, BYTES_MAX>,
) -> Answer<Signed> {
    let nonce: Nonce = parse("challenge", &asked.challenge)?;
    let challenge = read_challenge(nonce, parse("node", &asked.node)?, &asked.host)?;
    let answer = ask::doorway(&app.handle, DoorwayRequest::Answer { challenge }).await?;
    let DoorwayResponse::Answer { device, signature } = answer else {
        return Err(ask::unexpected().into());
    };
    let signature = HEXLOWER.encode(&signature.0);
    Ok(Json(Signed { device: device.to_string(), signature }))
}

pub(super) fn read_challenge(
    nonce: Nonce,
    node: DeviceId,
    host: &str,
) -> Result<Challenge, Problem> {
    let read = Challenge::new(nonce, node, host);
    read.map_err(|error| Problem::invalid(format!("host: {error}")))
}

fn read_signature(text: &str) -> Result<Signature, Problem> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    let detail = "signature: it has 128 hexadecimal digits";
    bytes.map(Signature).ok_or_else(|| Problem::invalid(detail))
}
