//! Devices that synchronise through the HTTP doorway: their batches go into the loop, and
//! what the node has for them comes back.
//!
//! Invariant: of one device one batch is in memory at a time, however many connections it
//! opens.
//! Non-goals: who it is, which the doorway has checked, and what the frames say.

mod blobs;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use data_plane_core::visits::Refused;
pub use data_plane_core::{
    batch::{BATCH_BYTES_MAX, Batch, Frame, Returned, VisitId},
    net::Lane,
    pipe::{Pipe, Side},
    visitor::Broken,
};
use node_core::{Failure, FailureKind};
use node_model::{DeviceId, random_bytes};
use tokio::sync::oneshot;

pub use self::blobs::{BLOBS_REQUEST_BYTES_MAX, Provided, Providing};
pub(crate) use self::blobs::{Stay, Stays, VisitBlobs};
use crate::{
    driver::Call,
    entropy::OsEntropy,
    handle::{Handle, stopping},
};

/// What mends a visit that cannot go on.
const AGAIN: &str = "begin again: kith sync --doorway URL";

/// A name for a new visit.
#[must_use]
pub fn new_visit() -> VisitId {
    VisitId(random_bytes(&mut OsEntropy))
}

/// Lets one request of a device in at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turnstile {
    inside: Arc<Mutex<BTreeSet<DeviceId>>>,
}

impl Turnstile {
    fn pass(&self, device: DeviceId) -> Option<Passed> {
        let is_first = self.inside.lock().unwrap_or_else(PoisonError::into_inner).insert(device);
        is_first.then(|| Passed { turnstile: self.clone(), device })
    }
}

#[derive(Debug)]
struct Passed {
    turnstile: Turnstile,
    device: DeviceId,
}

impl Drop for Passed {
    fn drop(&mut self) {
        let inside = &self.turnstile.inside;
        inside.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.device);
    }
}

/// A device's turn to bring a batch.
pub struct Turn {
    node: Handle,
    passed: Passed,
}

impl Handle {
    /// Lets a device bring one batch. To be asked before its bytes are read.
    ///
    /// # Errors
    /// When another batch of it is under way.
    pub fn visit(&self, device: DeviceId) -> Result<Turn, Failure> {
        let passed = self.turnstile().pass(device).ok_or_else(|| refused(Refused::Busy))?;
        Ok(Turn { node: self.clone(), passed })
    }

    /// Has the batch of a device answered now, which waits for the node to have something to
    /// say: the device has. Says whether one waited.
    ///
    /// # Errors
    /// When the node is stopping.
    pub async fn hurry_visit(&self, device: DeviceId) -> Result<bool, Failure> {
        let (answer, answered) = oneshot::channel();
        self.call(Call::Hurry { device, answer }).await?;
        answered.await.map_err(|_| stopping())
    }
}

impl Turn {
    /// Hands the bytes of a [`Batch`] in; back come those of a [`Returned`], at once when the
    /// node has something for the device, else when the batch's wait is over.
    ///
    /// # Errors
    /// A [`Failure`]; the visit may be over.
    pub async fn exchange(self, body: &Bytes) -> Result<Vec<u8>, Failure> {
        let batch = Batch::decode(body).map_err(|error| {
            let fix = "docs/protocol/doorway-sync.md says what a batch is";
            Failure::new(FailureKind::Invalid, format!("the batch: {error}"), fix)
        })?;
        let (answer, answered) = oneshot::channel();
        let device = self.passed.device;
        self.node.call(Call::Visit { device, batch, answer }).await?;
        let returned = answered.await.map_err(|_| stopping())?;
        returned.map(|returned| returned.encode()).map_err(refused)
    }
}

fn refused(why: Refused) -> Failure {
    let (kind, fix) = match why {
        Refused::Over => (FailureKind::Conflict, AGAIN),
        Refused::Busy => (FailureKind::Conflict, "wait for its answer"),
        Refused::Full => (FailureKind::Unreachable, "try again in a minute"),
    };
    Failure::new(kind, why.to_string(), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_has_one_turn_at_a_time() {
        let turnstile = Turnstile::default();
        let (ada, ben) = (DeviceId([1; 32]), DeviceId([2; 32]));
        let first = turnstile.pass(ada).expect("nobody is inside");
        assert!(turnstile.pass(ada).is_none());
        assert!(turnstile.pass(ben).is_some());
        drop(first);
        assert!(turnstile.pass(ada).is_some());
    }
}
