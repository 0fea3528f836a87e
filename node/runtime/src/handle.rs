use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use data_plane_store::Blobs;
use node_core::{Failure, FailureKind, Request, Response};
use node_model::{BlobId, DeviceId, DocumentId, SpaceId};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    audit::AuditLog,
    clock::Clock,
    driver::Call,
    folder::Folders,
    seal_file::blob_failure,
    search::Desk,
    visit::{Turnstile, VisitBlobs},
};

/// How far long work has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// Of how much; 0 while nobody knows.
    pub total: u64,
    /// What is counted.
    pub unit: &'static str,
}

/// Where long work tells how far it has come.
pub type ProgressSender = watch::Sender<Progress>;

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What happens in a node, for whoever listens.
#[derive(Clone, Debug)]
pub enum NodeEvent {
    /// Documents changed.
    Changed {
        /// The space.
        space: SpaceId,
        /// The documents.
        documents: Vec<DocumentId>,
    },
    /// Somebody came with a ticket of ours; both sides show this code.
    PairingCode {
        /// Who.
        device: DeviceId,
        /// The code.
        code: String,
    },
    /// A pairing is done.
    Paired {
        /// Who.
        device: DeviceId,
        /// What they want to be called.
        name: String,
    },
}

/// Talks to a running node. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// What all handles of a node share.
pub(crate) struct Shared {
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) events: broadcast::Sender<NodeEvent>,
    pub(crate) blobs: Blobs,
    pub(crate) spool: std::path::PathBuf,
    pub(crate) search: Desk,
    pub(crate) audit: AuditLog,
    pub(crate) folders: Folders,
    pub(crate) turnstile: Turnstile,
    pub(crate) visit_blobs: VisitBlobs,
    pub(crate) clock: Clock,
}

/// For whoever must not keep a node alive.
#[derive(Clone)]
pub(crate) struct WeakHandle {
    shared: Weak<Shared>,
}

impl WeakHandle {
    pub(crate) fn upgrade(&self) -> Option<Handle> {
        self.shared.upgrade().map(|shared| Handle { shared })
    }
}

impl Handle {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn downgrade(&self) -> WeakHandle {
        WeakHandle { shared: Arc::downgrade(&self.shared) }
    }

    /// Monotonic time.
    pub(crate) fn now(&self) -> Duration {
        self.shared.clock.now().monotonic
    }

    /// Asks the node for something.
    ///
    /// # Errors
    /// The node's [`Failure`], or that it is stopping.
    pub async fn request(&self, request: Request) -> Result<Response, Failure> {
        let (answer, answered) = oneshot::channel();
        self.call(Call::Request { request: Box::new(request), answer }).await?;
        answered.await.map_err(|_| stopping())?
    }

    /// The version of this program.
    #[must_use]
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// What happens from now on; a listener that is too slow misses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<NodeEvent> {
        self.shared.events.subscribe()
    }

    /// Where it is noted who asked for what.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.shared.audit
    }

    pub(crate) async fn tell_held(&self, blobs: Vec<BlobId>) -> Result<(), Failure> {
        let mut held = Vec::with_capacity(blobs.len());
        for blob in blobs {
            if let Some(bytes) =
                self.shared.blobs.size(blob).await.map_err(|error| blob_failure(&error))?
            {
                held.push((blob, bytes));
            }
        }
        self.call(Call::BlobsHeld(held)).await
    }

    pub(crate) fn blob_store(&self) -> &Blobs {
        &self.shared.blobs
    }

    /// Where sealed bytes wait while they are being taken in.
    pub(crate) fn spool(&self) -> &std::path::Path {
        &self.shared.spool
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.shared.folders
    }

    pub(crate) fn search_desk(&self) -> &Desk {
        &self.shared.search
    }

    #[cfg(test)]
    pub(crate) fn weak_calls(&self) -> mpsc::WeakSender<Call> {
        self.shared.calls.downgrade()
    }

    pub(crate) fn turnstile(&self) -> &Turnstile {
        &self.shared.turnstile
    }

    pub(crate) fn visit_blobs(&self) -> &VisitBlobs {
        &self.shared.visit_blobs
    }

    pub(crate) async fn call(&self, call: Call) -> Result<(), Failure> {
        self.shared.calls.send(call).await.map_err(|_| stopping())
    }
}

pub(crate) fn stopping() -> Failure {
    Failure::new(FailureKind::Unreachable, "the node is stopping", "kith up")
}

/// The answer is of a kind that the request cannot have: a mistake of ours.
pub(crate) fn unexpected() -> Failure {
    Failure::new(FailureKind::Storage, "the node gave an unexpected answer", "kith status")
}
