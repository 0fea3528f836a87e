//! What a node wants done by whoever runs it.

use std::collections::BTreeSet;

use data_plane_core::net::NetCommand;
use node_model::{AgentId, DeviceId, DocumentId, SpaceId};
use sync_engine_core::{BundleOrder, JobId, LoadOrder};

use crate::{denied::Denied, failure::Failure, node::RequestId, request::Response};

/// What a node wants done.
#[derive(Debug)]
pub enum Effect {
    /// For the network.
    Net(NetCommand),
    /// Verify entries on a worker.
    Verify {
        /// Which batch.
        job: JobId,
        /// Their bytes.
        entries: Vec<Vec<u8>>,
    },
    /// Load a document on a worker, and bring it as [`Input::Loaded`](crate::Input::Loaded).
    Load(LoadOrder),
    /// Make a bundle on a worker, and bring it as [`Input::Bundled`](crate::Input::Bundled).
    Bundle(Box<BundleOrder>),
    /// Answer a request.
    Reply(RequestId, Result<Response, Failure>),
    /// Tell whoever listens that documents changed.
    Changed {
        /// The space.
        space: SpaceId,
        /// The documents.
        documents: BTreeSet<DocumentId>,
    },
    /// Tell whoever derives something from documents that keys came, so that more of
    /// a space can be read.
    Unlocked {
        /// The space.
        space: SpaceId,
    },
    /// Tell whoever derives something from documents that some were purged: what it keeps of
    /// them goes now.
    Purged {
        /// The space.
        space: SpaceId,
    },
    /// Show the short code of a pairing with a ticket of ours.
    PairingCode {
        /// Who came.
        device: DeviceId,
        /// The code.
        code: String,
    },
    /// A pairing is done.
    Paired {
        /// Who came.
        device: DeviceId,
        /// What they want to be called.
        name: String,
    },
    /// Look for words in some spaces, and answer with
    /// [`SearchRequest::Answer`](crate::search::SearchRequest::Answer).
    Search {
        /// Who asks.
        device: DeviceId,
        /// Whose device it is.
        agent: Option<AgentId>,
        /// Which question of theirs.
        question: u64,
        /// The words.
        text: String,
        /// In which spaces.
        spaces: BTreeSet<SpaceId>,
        /// How many results at most.
        limit: u8,
    },
    /// A peer did not get what it asked for.
    Denied(Denied),
}
