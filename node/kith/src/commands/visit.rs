//! `kith sync --doorway`: carries frames and blobs between our node and a doorway.
//!
//! Invariant: each node has proven to the other one, with its key, who it is before a frame
//! is carried; both see the other as a peer that is connected, and decide themselves.
//! Non-goal: reading what is carried.

mod ends;

use std::cell::Cell;

use node_core::{Failure, FailureKind, Mend};
use node_model::DeviceId;
use node_runtime::visit::{Broken, Pipe, Side, new_visit};
use serde_json::{Value, json};
use tokio::sync::watch;

use self::ends::{Ends, carry_blobs};

use super::{
    Asking, node,
    token::{Entered, enter},
};
use crate::{args::Sync, client::OWN_HOST, elsewhere::Elsewhere, error::CliError, show::text};

/// Rounds after the report, and after the last blob, in which the last words are carried, such
/// as receipts. Without an end, somebody who writes all the time would be waited for.
const LAST_ROUNDS_MAX: u32 = 50;

pub(super) async fn sync(asking: &Asking<'_>, url: &str, args: &Sync) -> Result<(), CliError> {
    let there = Elsewhere::at(url)?;
    let Entered { token, node, .. } = enter(asking, &there).await?;
    if args.peer.as_ref().is_some_and(|peer| *peer != node.to_string()) {
        let message = format!("that is the doorway of {node}");
        return Err(Failure::new(FailureKind::NotFound, message, "look at the address").into());
    }
    let token_here = let_in(asking, &there, &token, node).await?;
    let ends = Ends { asking, there: &there, here_token: &token_here, there_token: &token };
    let mut carrier = Carrier {
        ends,
        pipe: Pipe::new(new_visit(), new_visit()),
        carried: watch::Sender::new(0),
        wants: watch::Sender::new(None),
    };
    let report = node::with_bar(asking, Box::pin(carrier.synchronise(node, args.full))).await;
    carrier.end().await;
    node::show_synced(asking, &report?)
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

/// Carries between the two.
struct Carrier<'a> {
    ends: Ends<'a>,
    pipe: Pipe,
    /// Bytes of blobs that were carried.
    carried: watch::Sender<u64>,
    /// Which end wants blobs, as both said last.
    wants: watch::Sender<Option<Side>>,
}

impl Carrier<'_> {
    /// Connects the two, and carries until our node says how it stands.
    async fn synchronise(&mut self, node: DeviceId, is_full: bool) -> Result<Value, CliError> {
        self.round().await?;
        let body = json!({"peer": node, "full": is_full});
        let (ends, is_done) = (self.ends, Cell::new(false));
        let (wants, carried) = (self.wants.subscribe(), self.carried.clone());
        let ask = async {
            let report = ends.asking.client.post("/api/v1/sync", body).await;
            is_done.set(true);
            report
        };
        let carry = async {
            let (mut rounds_left, mut before) = (LAST_ROUNDS_MAX, 0);
            while rounds_left > 0 {
                self.round().await?;
                let carried = *self.carried.borrow();
                let is_quiet = self.pipe.is_quiet() && self.wants.borrow().is_none();
                rounds_left = match is_done.get() {
                    true if carried != before => LAST_ROUNDS_MAX,
                    true if is_quiet => 0,
                    true => rounds_left - 1,
                    false => rounds_left,
                };
                before = carried;
            }
            Ok(())
        };
        tokio::select! {
            carried = async { tokio::try_join!(ask, carry) } => carried.map(|(report, ())| report),
            failed = carry_blobs(ends, wants, carried) => Err(failed),
        }
    }

    async fn round(&mut self) -> Result<(), CliError> {
        self.turn(Side::There).await?;
        self.turn(Side::Here).await?;
        let wanting = [Side::Here, Side::There].into_iter().find(|it| self.pipe.wants_blobs(*it));
        self.wants.send_replace(wanting);
        Ok(())
    }

    async fn turn(&mut self, side: Side) -> Result<(), CliError> {
        let batch = self.pipe.next(side);
        let returned = self.ends.bring(side, &batch).await?;
        self.pipe.returned(side, returned).map_err(|broken| match broken {
            Broken::OutOfOrder | Broken::Overflow => self.ends.there.odd(),
        })
    }

    /// Says goodbye to both; who does not hear it notices after a while.
    async fn end(&mut self) {
        for side in [Side::Here, Side::There] {
            let last = self.pipe.last(side);
            if let Err(error) = self.ends.bring(side, &last).await {
                tracing::debug!(?side, code = error.code, "the visit ended before its end");
            }
        }
    }
}
