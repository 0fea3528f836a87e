//! Questions to the node, each with the one kind of answer that it can have.

macro_rules! answer {
    ($handle:expr, $request:expr, $pattern:pat => $value:expr) => {{
        let $pattern = $handle.request($request).await? else {
            return Err(unexpected());
        };
        Ok($value)
    }};
}

mod circles;
mod conflicts;

use node_core::{
    Failure, FailureKind, Request, Response,
    doctor::{DoctorOf, Findings},
    doorway::{DoorwayRequest, DoorwayResponse},
    request::{
        ClusterInfo, CustodyInfo, DeviceInfo, DocumentView, HistoryView, Identity, KeptBy,
        MemberInfo, OfferInfo, OfferRequest, Pairing, Party, PastRequest, PeerInfo, Reach,
        RelationInfo, SpaceInfo, Status, Summary, WhyInfo, WriteDocument,
    },
};
use node_model::{AgentId, DeviceId, DocumentId, SpaceId, challenge::Token};
use node_runtime::{
    Handle,
    audit::Searched,
    search::{Limit, SearchAnswer},
};
use serde_json::Value;

pub(crate) use self::circles::{circle, circles, found_circle, party};
pub(crate) use self::conflicts::{conflicts, settle_all, tally};
use crate::audit::{self, Thing};

/// A mistake of ours: the answer is not one that this question has.
pub(crate) fn unexpected() -> Failure {
    tracing::error!("the node answered another question");
    Failure::new(FailureKind::Storage, "the node gave an unexpected answer", "kith status")
}

pub(crate) async fn identity(node: &Handle) -> Result<Identity, Failure> {
    answer!(node, Request::Identity, Response::Identity(identity) => identity)
}

pub(crate) async fn status(node: &Handle) -> Result<Status, Failure> {
    answer!(node, Request::Status, Response::Status(status) => status)
}

pub(crate) async fn peers(node: &Handle) -> Result<Vec<PeerInfo>, Failure> {
    answer!(node, Request::Peers, Response::Peers(peers) => peers)
}

pub(crate) async fn pairings(node: &Handle) -> Result<Vec<Pairing>, Failure> {
    answer!(node, Request::Pairings, Response::Pairings(pairings) => pairings)
}

pub(crate) async fn spaces(node: &Handle) -> Result<Vec<SpaceInfo>, Failure> {
    answer!(node, Request::Spaces, Response::Spaces(spaces) => spaces)
}

pub(crate) async fn offers(node: &Handle) -> Result<Vec<OfferInfo>, Failure> {
    answer!(node, Request::Offer(OfferRequest::List), Response::Offers(offers) => offers)
}

/// Asks to be let in as a reader.
pub(crate) async fn follow(node: &Handle, text: String) -> Result<OfferInfo, Failure> {
    let request = Request::Offer(OfferRequest::Follow { text });
    let Response::Offers(offers) = node.request(request).await? else {
        return Err(unexpected());
    };
    let offer = offers.into_iter().next().ok_or_else(unexpected)?;
    audit::concerns(Thing::Space(offer.space));
    Ok(offer)
}

/// A space by id, beginning of an id, or name.
pub(crate) async fn space(node: &Handle, text: &str) -> Result<SpaceInfo, Failure> {
    found_space(node.request(Request::FindSpace { text: text.to_owned() }).await?)
}

/// Makes a space.
pub(crate) async fn found(
    node: &Handle,
    name: String,
    reach: Reach,
    has_open_history: bool,
) -> Result<SpaceInfo, Failure> {
    found_space(node.request(Request::FoundSpace { name, reach, has_open_history }).await?)
}

/// Keeps everything of a space on this device, or a part.
pub(crate) async fn keep(
    node: &Handle,
    space: SpaceId,
    part: Option<KeptBy>,
) -> Result<SpaceInfo, Failure> {
    found_space(node.request(Request::Keep { space, part }).await?)
}

fn found_space(answer: Response) -> Result<SpaceInfo, Failure> {
    let Response::Space(info) = answer else {
        return Err(unexpected());
    };
    audit::concerns(Thing::Space(info.space));
    Ok(info)
}

pub(crate) async fn members(node: &Handle, space: SpaceId) -> Result<Vec<MemberInfo>, Failure> {
    answer!(node, Request::Members { space }, Response::Members(members) => members)
}

pub(crate) async fn custody(
    node: &Handle,
    space: Option<SpaceId>,
) -> Result<Vec<CustodyInfo>, Failure> {
    answer!(node, Request::Custody { space }, Response::Custody(custody) => custody)
}

/// An agent by id, by a device's id, or by name.
pub(crate) async fn agent(node: &Handle, text: &str) -> Result<AgentId, Failure> {
    let request = Request::FindAgent { text: text.to_owned() };
    let Response::Agent(agent) = node.request(request).await? else {
        return Err(unexpected());
    };
    audit::concerns(Thing::Agent(agent));
    Ok(agent)
}

/// The printed form of whom a statement is about.
pub(crate) fn printed(party: Party) -> String {
    match party {
        Party::Agent(agent) => agent.to_string(),
        Party::Group(space) => space.to_string(),
    }
}

pub(crate) async fn relations(node: &Handle) -> Result<Vec<RelationInfo>, Failure> {
    answer!(node, Request::Relations, Response::Relations(relations) => relations)
}

pub(crate) async fn devices(node: &Handle) -> Result<Vec<DeviceInfo>, Failure> {
    answer!(node, Request::Devices, Response::Devices(devices) => devices)
}

pub(crate) async fn clusters(node: &Handle) -> Result<Vec<ClusterInfo>, Failure> {
    answer!(node, Request::Clusters, Response::Clusters(clusters) => clusters)
}

/// The decisions about a thing, and whether the journal is whole.
pub(crate) async fn why(node: &Handle, text: &str) -> Result<(Vec<WhyInfo>, bool), Failure> {
    let request = Request::Why { text: text.to_owned() };
    answer!(node, request, Response::Why { decisions, is_whole } => (decisions, is_whole))
}

/// About devices that come to this doorway, or from here to another one.
pub(crate) async fn doorway(
    node: &Handle,
    request: DoorwayRequest,
) -> Result<DoorwayResponse, Failure> {
    answer!(node, Request::Doorway(request), Response::Doorway(response) => response)
}

/// Whom a token that a device got for a proof lets in now.
pub(crate) async fn token_holder(node: &Handle, token: Token) -> Result<Option<DeviceId>, Failure> {
    holder(doorway(node, DoorwayRequest::Check { token }).await?)
}

pub(crate) async fn token_peer(node: &Handle, token: Token) -> Result<Option<DeviceId>, Failure> {
    holder(doorway(node, DoorwayRequest::CheckPeer { token }).await?)
}

pub(crate) async fn token_visitor(
    node: &Handle,
    token: Token,
) -> Result<Option<DeviceId>, Failure> {
    holder(doorway(node, DoorwayRequest::CheckVisitor { token }).await?)
}

fn holder(answer: DoorwayResponse) -> Result<Option<DeviceId>, Failure> {
    let DoorwayResponse::Holder(holder) = answer else { return Err(unexpected()) };
    Ok(holder)
}

pub(crate) async fn documents(node: &Handle, space: SpaceId) -> Result<Vec<Summary>, Failure> {
    answer!(node, Request::Documents { space }, Response::Documents(documents) => documents)
}

/// A document by id, beginning of an id, content id or path.
pub(crate) async fn find(node: &Handle, space: SpaceId, text: &str) -> Result<DocumentId, Failure> {
    find_document(node, space, text, false).await
}

/// A document by its name, in a space or in the first one that has it.
pub(crate) async fn find_somewhere(
    node: &Handle,
    in_space: Option<&str>,
    text: &str,
) -> Result<(SpaceId, DocumentId), Failure> {
    if let Some(name) = in_space {
        let space = space(node, name).await?.space;
        return Ok((space, find(node, space, text).await?));
    }
    for info in spaces(node).await? {
        match find(node, info.space, text).await {
            Ok(document) => return Ok((info.space, document)),
            // Who keeps a space sealed finds nothing in it.
            Err(failure) => match failure.kind {
                FailureKind::NotFound | FailureKind::NotAllowed => {}
                FailureKind::Invalid
                | FailureKind::Conflict
                | FailureKind::Unreachable
                | FailureKind::TooLarge
                | FailureKind::DiskFull
                | FailureKind::Storage => return Err(failure),
            },
        }
    }
    let message = format!("there is no space or document {text:?} here");
    Err(Failure::new(FailureKind::NotFound, message, "kith space list, or: kith doc list SPACE"))
}

/// Why things are not in sync.
pub(crate) async fn doctor(node: &Handle, of: DoctorOf) -> Result<Findings, Failure> {
    answer!(node, Request::Doctor { of }, Response::Findings(findings) => findings)
}

/// Like [`find()`], but the document may have been removed.
pub(crate) async fn find_or_removed(
    node: &Handle,
    space: SpaceId,
    text: &str,
) -> Result<DocumentId, Failure> {
    find_document(node, space, text, true).await
}

async fn find_document(
    node: &Handle,
    space: SpaceId,
    text: &str,
    includes_removed: bool,
) -> Result<DocumentId, Failure> {
    let request = Request::FindDocument { space, text: text.to_owned(), includes_removed };
    let Response::Found(document) = node.request(request).await? else {
        return Err(unexpected());
    };
    audit::concerns(Thing::Document(document));
    Ok(document)
}

pub(crate) async fn read(
    node: &Handle,
    space: SpaceId,
    document: DocumentId,
) -> Result<DocumentView, Failure> {
    let request = Request::ReadDocument { space, document };
    answer!(node, request, Response::Document(view) => view)
}

/// Like [`read()`], but nothing there is `None`.
pub(crate) async fn read_if_there(
    node: &Handle,
    space: SpaceId,
    document: DocumentId,
) -> Result<Option<DocumentView>, Failure> {
    match read(node, space, document).await {
        Ok(view) => Ok(Some(view)),
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A space and a document in it, by what they are called.
pub(crate) async fn read_by_name(
    node: &Handle,
    space: &str,
    document: &str,
) -> Result<(SpaceInfo, DocumentView), Failure> {
    let space = self::space(node, space).await?;
    let document = find(node, space.space, document).await?;
    Ok((space.clone(), read(node, space.space, document).await?))
}

pub(crate) async fn history(node: &Handle, request: PastRequest) -> Result<HistoryView, Failure> {
    answer!(node, Request::Past(request), Response::History(history) => history)
}

/// What a document held.
pub(crate) async fn past(node: &Handle, request: PastRequest) -> Result<DocumentView, Failure> {
    answer!(node, Request::Past(request), Response::Document(view) => view)
}

/// Words in all documents, or in those of a space by what it is called; also in those of
/// connected people, if that is wished.
pub(crate) async fn search(
    node: &Handle,
    text: &str,
    (space, with_peers): (Option<&str>, bool),
    limit: Limit,
) -> Result<SearchAnswer, Failure> {
    let characters = text.chars().count();
    audit::searched(Searched { characters, results: None });
    let only = match space {
        Some(space) => Some(self::space(node, space).await?.space),
        None => None,
    };
    let found = if with_peers {
        node.search_with_peers(text, (only, limit), audit::right()).await?
    } else {
        node.search(text, only, limit).await?
    };
    audit::searched(Searched { characters, results: Some(found.hits.len()) });
    Ok(found)
}

/// Changes one document.
pub(crate) async fn write(
    node: &Handle,
    request: Request,
) -> Result<(DocumentId, Vec<String>), Failure> {
    let Response::Written(written) = node.request(request).await? else {
        return Err(unexpected());
    };
    let written = written.into_iter().next().ok_or_else(unexpected)?;
    audit::concerns(Thing::Document(written.0));
    Ok(written)
}

pub(crate) async fn write_document(
    node: &Handle,
    space: SpaceId,
    document: WriteDocument,
) -> Result<(DocumentId, Vec<String>), Failure> {
    write(node, Request::WriteDocuments { space, documents: vec![document] }).await
}

pub(crate) async fn set(
    node: &Handle,
    (space, document): (SpaceId, DocumentId),
    path: String,
    value: Value,
) -> Result<(DocumentId, Vec<String>), Failure> {
    write(node, Request::SetValue { space, document, path, value }).await
}

/// Does something that has no answer but that it is done.
pub(crate) async fn done(node: &Handle, request: Request) -> Result<(), Failure> {
    answer!(node, request, Response::Done => ())
}
