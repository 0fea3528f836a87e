//! `kith sync --doorway`: carries frames between our node and a doorway.
//!
//! Invariant: each node has proven to the other one, with its key, who it is before a frame
//! is carried; both see the other as a peer that is connected, and decide themselves.
//! Non-goal: reading frames.

use std::cell::Cell;

use node_core::{Failure, FailureKind, Mend};
use node_model::DeviceId;
use node_runtime::visit::{Batch, Broken, Pipe, Returned, Side, new_visit};
use serde_json::{Value, json};

use super::{
    Asking, node,
    token::{Entered, enter},
};
use crate::{
    args::Sync,
    client::OWN_HOST,
    elsewhere::Elsewhere,
    error::CliError,
    show::{note, number, text},
};

/// Rounds after the report in which the last words are carried, such as receipts. Without an
/// end, somebody who writes all the time would be waited for.
const LAST_ROUNDS_MAX: u32 = 50;

pub(super) async fn sync(asking: &Asking<'_>, url: &str, args: &Sync) -> Result<(), CliError> {
    let there = Elsewhere::at(url)?;
    let Entered { token, node, .. } = enter(asking, &there).await?;
    if args.peer.as_ref().is_some_and(|peer| *peer != node.to_string()) {
        let message = format!("that is the doorway of {node}");
        return Err(Failure::new(FailureKind::NotFound, message, "look at the address").into());
    }
    let token_here = let_in(asking, &there, &token, node).await?;
    let mut carrier = Carrier {
        asking,
        there: &there,
        tokens: (token_here, token),
        pipe: Pipe::new(new_visit(), new_visit()),
    };
    let report = carrier.synchronise(node, args.full).await;
    carrier.end().await;
    node::show_synced(asking, &report?)?;
    if !asking.is_json {
        tell_missing(asking).await?;
    }
    Ok(())
}

async fn tell_missing(asking: &Asking<'_>) -> Result<(), CliError> {
    let status = asking.client.get("/api/v1/status").await?;
    let missing = status.get("storage").map_or(0, |storage| number(storage, "blobs_missing"));
    if missing > 0 {
        note(&format!("{missing} files are still to come: by a connection, or kith sync --folder"));
    }
    Ok(())
}

/// Lets the other node prove to ours who it is; ours gives a token for it. Whoever else
/// listens there learns nothing of our spaces.
async fn let_in(
    asking: &Asking<'_>,
    there: &Elsewhere,
    token: &str,
    node: DeviceId,
) -> Result<String, CliError> {
    let asked = asking.client.post("/api/v1/challenges", json!({"device": node})).await?;
    let challenge = text(&asked, "challenge");
    let to_sign = json!({"challenge": challenge, "host": OWN_HOST});
    let signed = there.post("/api/v1/sync/proof", Some(token), &to_sign).await?;
    let signature = text(&signed, "signature");
    let proof = json!({"device": node, "challenge": challenge, "signature": signature});
    let given = asking.client.post("/api/v1/tokens", proof).await.map_err(|error| {
        tracing::debug!(%node, code = error.code, "no token for the other side");
        let message = format!(
            "what answers at {} did not prove that it is {node}: look at the address, and at the \
             tunnel",
            there.host()
        );
        CliError::from(Failure::refused(message, &Mend::Devices))
    })?;
    Ok(text(&given, "token").to_owned())
}

struct Carrier<'a> {
    asking: &'a Asking<'a>,
    there: &'a Elsewhere,
    /// Of our node for the other one, and of the other one for ours.
    tokens: (String, String),
    pipe: Pipe,
}

impl Carrier<'_> {
    /// Connects the two, and carries until our node says how it stands.
    async fn synchronise(&mut self, node: DeviceId, is_full: bool) -> Result<Value, CliError> {
        self.round().await?;
        let body = json!({"peer": node, "full": is_full});
        let (client, is_done) = (self.asking.client, Cell::new(false));
        let ask = async {
            let report = client.post("/api/v1/sync", body).await;
            is_done.set(true);
            report
        };
        let carry = async {
            let mut rounds_left = LAST_ROUNDS_MAX;
            while rounds_left > 0 {
                self.round().await?;
                if is_done.get() {
                    rounds_left = if self.pipe.is_quiet() { 0 } else { rounds_left - 1 };
                }
            }
            Ok(())
        };
        let (report, ()) = tokio::try_join!(ask, carry)?;
        Ok(report)
    }

    async fn round(&mut self) -> Result<(), CliError> {
        self.turn(Side::There).await?;
        self.turn(Side::Here).await
    }

    async fn turn(&mut self, side: Side) -> Result<(), CliError> {
        let batch = self.pipe.next(side);
        let returned = self.bring(side, &batch).await?;
        self.pipe.returned(side, returned).map_err(|broken| match broken {
            Broken::OutOfOrder | Broken::Overflow => self.there.odd(),
        })
    }

    async fn bring(&self, side: Side, batch: &Batch) -> Result<Returned, CliError> {
        let batch = batch.encode();
        let bytes = match side {
            Side::Here => self.asking.client.bring(&self.tokens.0, batch).await?,
            Side::There => self.there.bring(&self.tokens.1, batch).await?,
        };
        Returned::decode(&bytes).map_err(|_| self.there.odd())
    }

    /// Says goodbye to both; who does not hear it notices after a while.
    async fn end(&mut self) {
        for side in [Side::Here, Side::There] {
            let last = self.pipe.last(side);
            if let Err(error) = self.bring(side, &last).await {
                tracing::debug!(?side, code = error.code, "the visit ended before its end");
            }
        }
    }
}
