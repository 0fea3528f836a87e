//! What a node answers.

use node_model::{AgentId, BlobId, DeviceId, DocumentId, seal::SealKey, ticket::Ticket};
use serde_json::Value;

use super::{
    AnomalyKind, Arrivals, Changes, CircleInfo, ClusterInfo, CollectionCounts, CompactionCounts,
    ConflictResponse, CustodyInfo, DeviceInfo, Durability, HistoryView, Identity, Layer,
    MemberInfo, Meta, OfferInfo, Pairing, PeerFound, PeerInfo, RelationInfo, SpaceInfo,
    SpaceStatus, Summary, SyncReport, WhyInfo,
};
#[cfg(doc)]
use super::{CircleRequest, PastOf, Request, SearchRequest};
use crate::{doctor::Findings, doorway::DoorwayResponse, pack::PackResponse};

/// An answer.
#[derive(Clone, Debug)]
pub enum Response {
    /// Done.
    Done,
    /// To [`Request::Identity`].
    Identity(Identity),
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::IssueTicket`].
    Ticket(Ticket),
    /// To [`Request::Pair`].
    PairingCode {
        /// Whose ticket it is.
        device: DeviceId,
        /// Six digits.
        code: String,
    },
    /// To [`Request::ConfirmPairing`].
    Paired {
        /// The other device.
        device: DeviceId,
        /// Whose it is.
        agent: AgentId,
        /// What they want to be called.
        name: String,
        /// How close.
        layer: Layer,
    },
    /// To [`Request::ConfirmPairing`] for a device that shall become the inviter's.
    Linked {
        /// Whose device it is now.
        agent: AgentId,
        /// The attestations that link it and the agent's other devices, for the key
        /// file.
        links: Vec<Vec<u8>>,
        /// The device that linked it.
        device: DeviceId,
        /// Where that one may be found.
        addresses: Vec<String>,
    },
    /// To [`Request::Pairings`].
    Pairings(Vec<Pairing>),
    /// To [`Request::FoundSpace`], [`Request::FindSpace`] and [`Request::Keep`].
    Space(SpaceInfo),
    /// To [`Request::Spaces`].
    Spaces(Vec<SpaceInfo>),
    /// To [`Request::Offer`].
    Offers(Vec<OfferInfo>),
    /// To [`CircleRequest::List`].
    Circles(Vec<CircleInfo>),
    /// To [`Request::Members`].
    Members(Vec<MemberInfo>),
    /// To [`Request::Custody`].
    Custody(Vec<CustodyInfo>),
    /// To [`Request::FindAgent`].
    Agent(AgentId),
    /// To [`Request::Relations`].
    Relations(Vec<RelationInfo>),
    /// To [`SearchRequest::Ask`]: everybody who was asked.
    PeersFound(Vec<PeerFound>),
    /// To [`Request::Devices`].
    Devices(Vec<DeviceInfo>),
    /// To [`Request::Clusters`].
    Clusters(Vec<ClusterInfo>),
    /// To [`Request::Why`].
    Why {
        /// The decisions: those written down, then those of now.
        decisions: Vec<WhyInfo>,
        /// Whether the journal is as it was written.
        is_whole: bool,
    },
    /// To [`Request::Doctor`].
    Findings(Findings),
    /// To everything that writes documents: each with its heads, durable here.
    Written(Vec<(DocumentId, Vec<String>)>),
    /// To [`Request::ReadDocument`].
    Document(DocumentView),
    /// To [`Request::FindDocument`].
    Found(DocumentId),
    /// To [`Request::Purge`].
    Purged(Vec<DocumentId>),
    /// To [`Request::Conflict`].
    Conflict(ConflictResponse),
    /// To [`PastOf::History`].
    History(HistoryView),
    /// To [`Request::Documents`].
    Documents(Vec<Summary>),
    /// To [`Request::Changes`]; `None` where we cannot read the space.
    Changes(Option<Changes>),
    /// To [`Request::Arrivals`]; `None` where we cannot read the space.
    Arrivals(Option<Arrivals>),
    /// To [`Request::Unwritten`], in the same order.
    Unwritten(Vec<DocumentId>),
    /// To [`Request::LookAt`]; `None` where there is nothing, or nothing any more.
    Looked(Option<Box<(Summary, DocumentView)>>),
    /// To [`Request::BlobSecret`].
    BlobSecret(SealKey),
    /// To [`Request::Blobs`] and [`Request::FindBlob`]: each blob, and whether it is here.
    Blobs(Vec<(BlobId, bool)>),
    /// To [`Request::Peers`].
    Peers(Vec<PeerInfo>),
    /// To [`Request::Sync`].
    Synced(SyncReport),
    /// To [`Request::Pack`].
    Pack(PackResponse),
    /// To [`Request::Doorway`].
    Doorway(DoorwayResponse),
}

/// Everything at a glance.
#[derive(Clone, Debug)]
pub struct Status {
    /// Who and where.
    pub identity: Identity,
    /// Other nodes.
    pub peers: Vec<PeerInfo>,
    /// Spaces.
    pub spaces: Vec<SpaceStatus>,
    /// Blobs that are wanted and not here yet.
    pub blobs_wanted: usize,
    /// Attestations known.
    pub attestations: usize,
    /// Histories that contradict themselves: what is wrong, and with whose device.
    pub anomalies: Vec<(AnomalyKind, DeviceId)>,
    /// What was bundled since the node started.
    pub compaction: CompactionCounts,
    /// What was deleted of what bundles stand for, since the node started.
    pub collection: CollectionCounts,
}

/// A document with its state.
#[derive(Clone, Debug)]
pub struct DocumentView {
    /// Which.
    pub document: DocumentId,
    /// Automerge heads.
    pub heads: Vec<String>,
    /// What Kith notes about it.
    pub meta: Meta,
    /// What it holds.
    pub value: Value,
    /// How well all of it is kept, where that was asked.
    pub durability: Option<Durability>,
    /// How many entries of it were refused: what they say is missing here. Zero for earlier
    /// states.
    pub refused: usize,
}

impl DocumentView {
    /// What people call it, as lists have it.
    #[must_use]
    pub fn title(&self) -> &str {
        let root =
            |key: &str| self.value.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
        let file_name = || self.meta.path.as_deref().and_then(|path| path.rsplit('/').next());
        root("title").or_else(|| root("name")).or_else(file_name).unwrap_or("Untitled")
    }
}
