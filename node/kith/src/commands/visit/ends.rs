//! The two nodes between which a visit carries, and what is asked of each over HTTP.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use bytes::Bytes;
use futures::TryStreamExt;
use node_runtime::visit::{BATCH_BYTES_MAX, BLOBS_REQUEST_BYTES_MAX, Batch, Returned, Side};
use tokio::sync::watch;

use crate::{client::lost, commands::Asking, elsewhere::Elsewhere, error::CliError};

const FRAMES: &str = "/api/v1/sync/frames";
const BLOBS: &str = "/api/v1/sync/blobs";
const WANTED: &str = "/api/v1/sync/blobs/wanted";

/// A full batch each way over a line of a megabit a second.
const BATCH_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How long an answer may take to begin: a node that is busy on a slow disk.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a transfer may go without a piece, and what was brought take to become durable.
const STALL_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// Answers in a row that a node did not take to the end, after which it is given up.
const FAILURES_MAX: u32 = 5;

/// How long after such an answer the next is asked for.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Longest answer of nothing but refusals: one byte for each blob of a request.
const REFUSALS_BYTES_MAX: usize = 64;

/// Our node and the other one, with the token that each gave for the other.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) asking: &'a Asking<'a>,
    pub(super) there: &'a Elsewhere,
    pub(super) here_token: &'a str,
    pub(super) there_token: &'a str,
}

impl Ends<'_> {
    async fn ask(
        &self,
        side: Side,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Response<Body>, CliError> {
        match side {
            Side::Here => self.asking.client.as_peer(method, path, self.here_token, body).await,
            Side::There => self.there.as_peer(method, path, self.there_token, body).await,
        }
    }

    /// Our own node may take its time: it is here, and whoever waits can end the command.
    async fn in_time<T>(
        &self,
        side: Side,
        time_max: Duration,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        match side {
            Side::Here => work.await,
            Side::There => self.there.in_time(time_max, work).await,
        }
    }

    async fn read(
        &self,
        side: Side,
        response: Response<Body>,
        bytes_max: usize,
    ) -> Result<Bytes, CliError> {
        match side {
            Side::Here => {
                let bytes = axum::body::to_bytes(response.into_body(), bytes_max).await;
                bytes.map_err(|error| lost(&error))
            }
            Side::There => self.there.read(response, bytes_max).await,
        }
    }

    /// Brings a batch of frames and gets one.
    pub(super) async fn bring(&self, side: Side, batch: &Batch) -> Result<Returned, CliError> {
        let brought = async {
            let batch = Body::from(batch.encode());
            let response = self.ask(side, Method::POST, FRAMES, batch).await?;
            self.read(side, response, BATCH_BYTES_MAX).await
        };
        let bytes = self.in_time(side, BATCH_TIMEOUT, brought).await?;
        Returned::decode(&bytes).map_err(|_| self.there.odd())
    }

    /// What an end wants of the other one, as the request that it makes.
    async fn wanted(&self, side: Side) -> Result<Option<Bytes>, CliError> {
        let asked = async {
            let response = self.ask(side, Method::POST, WANTED, Body::empty()).await?;
            if response.status() == StatusCode::NO_CONTENT {
                return Ok(None);
            }
            self.read(side, response, BLOBS_REQUEST_BYTES_MAX).await.map(Some)
        };
        self.in_time(side, BEGIN_TIMEOUT, asked).await
    }

    /// Brings the answer of the other end to one that asked for blobs, and counts its bytes.
    /// Nothing of it is in memory but what is on its way; who of the two is slower decides.
    async fn carry_answer(
        &self,
        to: Side,
        request: Bytes,
        carried: &watch::Sender<u64>,
    ) -> Result<(), CliError> {
        let from = to.other();
        let asked = self.ask(from, Method::POST, BLOBS, Body::from(request));
        let answer = self.in_time(from, BEGIN_TIMEOUT, asked).await?;
        let (counted, mut moves) = (carried.clone(), carried.subscribe());
        let pieces = answer.into_body().into_data_stream();
        let pieces = pieces.inspect_ok(move |piece| {
            if piece.len() > REFUSALS_BYTES_MAX {
                counted.send_modify(|bytes| *bytes += piece.len() as u64);
            }
        });
        let brought = self.ask(to, Method::PUT, BLOBS, Body::from_stream(pieces));
        let mut brought = std::pin::pin!(brought);
        loop {
            tokio::select! {
                brought = &mut brought => return brought.map(drop),
                _ = moves.changed() => {}
                // After the last piece, too: whoever got it makes it durable then.
                () = tokio::time::sleep(STALL_TIMEOUT) => return Err(self.there.stalled()),
            }
        }
    }
}

/// Carries blobs to whichever end wants some, for as long as there is a visit. Says what
/// went wrong, if something did.
pub(super) async fn carry_blobs(
    ends: Ends<'_>,
    mut wants: watch::Receiver<Option<Side>>,
    carried: watch::Sender<u64>,
) -> CliError {
    let mut failures = 0;
    loop {
        let Ok(wanting) = wants.wait_for(Option::is_some).await.map(|side| *side) else {
            return std::future::pending().await;
        };
        let Some(side) = wanting else { continue };
        match carry_one(ends, side, &carried).await {
            Ok(true) => failures = 0,
            // It has what it asked for, and says in the next round whether it wants more.
            Ok(false) => {
                if wants.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
            // Whoever has enough of an answer hangs up, and its node knows why. The other one
            // notices a moment later.
            Err(error) if failures + 1 < FAILURES_MAX => {
                tracing::debug!(?side, code = error.code, "an answer was not taken whole");
                failures += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(error) => return error,
        }
    }
}

/// Carries one answer to an end; says whether it wanted one.
async fn carry_one(
    ends: Ends<'_>,
    side: Side,
    carried: &watch::Sender<u64>,
) -> Result<bool, CliError> {
    let Some(request) = ends.wanted(side).await? else { return Ok(false) };
    ends.carry_answer(side, request, carried).await?;
    Ok(true)
}
