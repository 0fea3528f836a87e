//! Whether a node serves others while it has much to do.

use futures::future::{Either, select};
use node_core::{Request, Response};
use node_model::{DocumentId, SpaceId};
use node_runtime::Started;
use serde_json::Value;

use crate::cost::{Meter, quantiles, rounded};

/// A document, as it is read.
///
/// # Panics
/// When it is not.
pub async fn read(node: &Started, (space, document): (SpaceId, DocumentId)) -> Value {
    let read = node.handle.request(Request::ReadDocument { space, document }).await;
    let Ok(Response::Document(view)) = read else { panic!("it is not read") };
    view.value
}

/// Does something, and reads a small document again and again until that is done. Adds how
/// long each of these reads took, in milliseconds.
///
/// # Panics
/// When the small document is not read.
pub async fn beside<T>(
    node: &Started,
    small: (SpaceId, DocumentId),
    times: &mut Vec<f64>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = Box::pin(work);
    loop {
        let meter = Meter::start_clock();
        match select(work, Box::pin(read(node, small))).await {
            Either::Left((done, pending)) => {
                pending.await;
                times.push(meter.seconds() * 1_000.0);
                return done;
            }
            Either::Right((_, going)) => {
                times.push(meter.seconds() * 1_000.0);
                work = going;
            }
        }
    }
}

/// These times in a line of output.
#[must_use]
pub fn summary(times: Vec<f64>) -> Value {
    let slowest = times.iter().copied().fold(0.0, f64::max);
    let mut summary = quantiles(times);
    summary["max_ms"] = rounded(slowest).into();
    summary
}
