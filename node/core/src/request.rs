//! What people and programs ask of a node.

mod custody;
mod people;
mod response;
mod spaces;

use std::time::Duration;

use crate::{doctor::DoctorOf, doorway::DoorwayRequest, pack::PackRequest};
use node_model::{AgentId, BlobId, DeviceId, DocumentId, SpaceId, ticket::Ticket};
use serde_json::Value;

pub use sync_engine_core::{
    ArrivalKind, Changes, content_document,
    document::conflicts::{Before, ConflictId, ConflictKind},
    document::{At, ChangeName, Edit, EditKind, Meta, Summary, Told},
    json::{Pointer, pointer_to},
    patch::PatchOp,
    path_document,
    query::{BadCondition, CONDITIONS_MAX, Condition, Sums, Tallied, Tally},
};
pub use trust_core::{
    Description, DeviceClass, Journalled, Label, Layer, Nearness, Party, Reach, Role, Rule, Terms,
    explain::Explanation, history::AnomalyKind,
};

pub use self::custody::{CustodyInfo, HolderInfo, LocationInfo, SignedInfo};
pub use self::people::{
    ClusterDevice, ClusterInfo, DescriptionChange, DeviceInfo, Identity, MemberInfo, Pairing,
    PeerInfo, RelationInfo, VouchInfo, WhyInfo,
};
pub use self::response::{DocumentView, Response, Status};
pub use self::spaces::{KeptBy, PartInfo, SpaceInfo, SpaceStatus};
pub use crate::circles::{CircleInfo, CircleRequest};
pub use crate::conflicts::{
    AskedInfo, Author, ConflictInfo, ConflictPage, ConflictRequest, ConflictResponse,
    ConflictTally, ConflictsOf, Keep, KeepAll, LeftOpen, SettleReport, SideInfo,
};
pub use crate::offers::{OfferInfo, OfferRequest};
pub use crate::past::{ChangeInfo, HISTORY_MAX, HistoryView, PastOf, PastRequest};
pub use crate::receipts::Durability;
pub use crate::search::{FoundHit, PeerFound, SearchRequest};
pub use crate::state::{PeerSyncState, SpaceState};
pub use crate::sync_now::SyncReport;
pub use crate::views::{Arrivals, Arrived};
pub use crate::write::WriteDocument;
pub use crate::{collection::CollectionCounts, compaction::CompactionCounts};
pub use sync_engine_core::{reconcile::EntryProgress, rule::Rule as PartRule};

/// A request.
#[derive(Clone, Debug)]
pub enum Request {
    /// Who and where this node is. → [`Response::Identity`]
    Identity,
    /// Everything at a glance. → [`Response::Status`]
    Status,
    /// Makes a one-time ticket. → [`Response::Ticket`]
    IssueTicket {
        /// What it grants beside a relationship.
        grant: Option<(SpaceId, Role)>,
        /// Whether it makes the device one of our own instead.
        is_for_own_device: bool,
        /// How long it is good.
        lifetime: Duration,
    },
    /// Accepts a ticket; answers as soon as there is a code to compare.
    /// → [`Response::PairingCode`]
    Pair {
        /// The ticket.
        ticket: Ticket,
        /// Whether this device shall become one of the inviter's; then
        /// [`Request::ConfirmPairing`] is answered by [`Response::Linked`].
        is_link: bool,
    },
    /// Says whether the other side shows the same code.
    /// → [`Response::Paired`]
    ConfirmPairing {
        /// Whose ticket it was.
        device: DeviceId,
        /// Whether the codes are equal.
        is_same: bool,
    },
    /// Pairings with tickets of this node, newest last. → [`Response::Pairings`]
    Pairings,
    /// Founds a space. → [`Response::Space`]
    FoundSpace {
        /// Its name.
        name: String,
        /// How far it may travel.
        reach: Reach,
        /// Whether new members read what was written before them.
        has_open_history: bool,
    },
    /// Spaces of which we are a member. → [`Response::Spaces`]
    Spaces,
    /// About spaces that reach us. → [`Response::Offers`]
    Offer(OfferRequest),
    /// About circles.
    Circle(CircleRequest),
    /// One space, by id, unique beginning of an id, or name. → [`Response::Space`]
    FindSpace {
        /// What it is called.
        text: String,
    },
    /// Members of a space. → [`Response::Members`]
    Members {
        /// The space.
        space: SpaceId,
    },
    /// Who holds a space, or each that we may hold. → [`Response::Custody`]
    Custody {
        /// The space; `None` is all.
        space: Option<SpaceId>,
    },
    /// Admits an agent to a space, or all who may read another space (a group).
    /// → [`Response::Done`]
    Grant {
        /// The space.
        space: SpaceId,
        /// Whom.
        party: Party,
        /// As what.
        role: Role,
    },
    /// Removes an agent or a group from a space; oneself is to leave.
    /// → [`Response::Done`]
    Revoke {
        /// The space.
        space: SpaceId,
        /// Whom.
        party: Party,
    },
    /// Keeps some documents of a space, and what is written here; or everything again. What
    /// is here stays. → [`Response::Space`]
    Keep {
        /// The space.
        space: SpaceId,
        /// What to keep; `None` is everything.
        part: Option<KeptBy>,
    },
    /// An agent, by id, by a device's id or by name. → [`Response::Agent`]
    FindAgent {
        /// What it is called.
        text: String,
    },
    /// Everybody whom we are related to, or who says so. → [`Response::Relations`]
    Relations,
    /// Attests our side of a relationship. → [`Response::Done`]
    Relate {
        /// With whom.
        agent: AgentId,
        /// What it consists of.
        terms: Terms,
        /// After which time it ends by itself.
        lifetime: Option<Duration>,
    },
    /// Ends a relationship. → [`Response::Done`]
    Part {
        /// With whom.
        agent: AgentId,
    },
    /// Stands for something about somebody. → [`Response::Done`]
    Vouch {
        /// About whom.
        agent: AgentId,
        /// What.
        text: String,
    },
    /// Our own devices. → [`Response::Devices`]
    Devices,
    /// Says what one of our devices is, and where. → [`Response::Done`]
    DescribeDevice {
        /// Which.
        device: DeviceId,
        /// What becomes another.
        change: DescriptionChange,
    },
    /// Who is in which place. → [`Response::Clusters`]
    Clusters,
    /// Takes back one of our devices. → [`Response::Done`]
    RevokeDevice {
        /// Which.
        device: DeviceId,
    },
    /// About words that are looked for at others, or by them.
    Search(SearchRequest),
    /// The decisions about a document, file, space, node or person.
    /// → [`Response::Why`]
    Why {
        /// What it is called.
        text: String,
    },
    /// Why things are not in sync. → [`Response::Findings`]
    Doctor {
        /// Which things.
        of: DoctorOf,
    },
    /// Writes new documents, or brings existing ones to a new state, in one
    /// transaction. → [`Response::Written`]
    WriteDocuments {
        /// The space.
        space: SpaceId,
        /// The documents.
        documents: Vec<WriteDocument>,
    },
    /// Sets one value. → [`Response::Written`]
    SetValue {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
        /// JSON Pointer or key.
        path: String,
        /// The value.
        value: Value,
    },
    /// Applies a JSON Patch. → [`Response::Written`]
    Patch {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
        /// The operations.
        operations: Vec<PatchOp>,
    },
    /// Removes a document. → [`Response::Written`]
    RemoveDocument {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
    },
    /// Has documents purged for good, at every node that keeps the space. → [`Response::Purged`]
    Purge {
        /// The space.
        space: SpaceId,
        /// What they are called: ids, content ids or paths, at most 1,000.
        names: Vec<String>,
    },
    /// Reads a document. → [`Response::Document`]
    ReadDocument {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
    },
    /// Finds a document by id, unique beginning of an id, content id or path.
    /// → [`Response::Found`]
    FindDocument {
        /// The space.
        space: SpaceId,
        /// What it is called.
        text: String,
        /// Whether it may have been removed.
        includes_removed: bool,
    },
    /// About conflicts. → [`Response::Conflict`], or [`Response::Written`] for a decision.
    Conflict(ConflictRequest),
    /// About what a document was.
    Past(PastRequest),
    /// All documents of a space. → [`Response::Documents`]
    Documents {
        /// The space.
        space: SpaceId,
    },
    /// What has changed in a space, for whoever derives something from it.
    /// → [`Response::Changes`]
    Changes {
        /// The space.
        space: SpaceId,
        /// The [`Changes::stamp`] up to which everything was seen; `None` is nothing.
        since: Option<Vec<u8>>,
    },
    /// What arrived in a space, entry by entry. → [`Response::Arrivals`]
    Arrivals {
        /// The space.
        space: SpaceId,
        /// The [`Arrivals::stamp`] up to which everything was seen; `None` is nothing.
        since: Option<Vec<u8>>,
    },
    /// Which of these documents were never written. → [`Response::Unwritten`]
    Unwritten {
        /// The space.
        space: SpaceId,
        /// The documents.
        documents: Vec<DocumentId>,
    },
    /// Reads a document for something that is derived from it: without keeping it
    /// loaded. → [`Response::Looked`]
    LookAt {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
    },
    /// The secret below which a space's blobs are sealed; never leaves the
    /// process. → [`Response::BlobSecret`]
    BlobSecret {
        /// The space.
        space: SpaceId,
        /// Whether it is wanted to write.
        is_write: bool,
    },
    /// Blobs that a space refers to. → [`Response::Blobs`]
    Blobs {
        /// The space.
        space: SpaceId,
    },
    /// One blob, if the space refers to it. → [`Response::Blobs`]
    FindBlob {
        /// The space.
        space: SpaceId,
        /// The blob.
        blob: BlobId,
    },
    /// Other nodes that we know. → [`Response::Peers`]
    Peers,
    /// Remembers where a peer may be found, and dials it. → [`Response::Done`]
    AddPeer {
        /// The peer.
        device: DeviceId,
        /// Multiaddrs.
        addresses: Vec<String>,
    },
    /// Forgets where a peer may be found. → [`Response::Done`]
    RemovePeer {
        /// The peer.
        device: DeviceId,
    },
    /// Synchronises now; answers when nothing more comes. → [`Response::Synced`]
    Sync {
        /// With whom; `None` is everybody.
        device: Option<DeviceId>,
        /// Whether to compare everything instead of trusting cursors.
        is_full: bool,
    },
    /// About packs. → [`Response::Pack`]
    Pack(PackRequest),
    /// About devices at the doorway. → [`Response::Doorway`]
    Doorway(DoorwayRequest),
}
