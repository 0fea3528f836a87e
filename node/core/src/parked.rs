//! Requests that wait until what they look at is loaded.
//!
//! A large document is loaded by a worker, and a space is listed a few documents at a time,
//! so that one who asks for much keeps nobody else waiting.
//!
//! Invariants: a request that waits has changed nothing; it is answered once everything was
//! tried, whatever came of it.
//! Non-goal: what may be asked; a request is looked at when it is served.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use node_model::{DocumentId, Now, SpaceId};
use sync_engine_core::{EngineError, LoadedDocument, content_document, path_document};
use trust_core::Role;

use crate::{
    conflicts::{ConflictRequest, ConflictsOf},
    doctor::DoctorOf,
    effect::Effect,
    node::{Node, RequestId},
    request::Request,
};

/// Documents loaded by workers at a time: one that means harm may take what a node may use.
const LOADS_AT_ONCE: usize = 1;

/// Documents listed in one go: some milliseconds.
const LISTED_AT_ONCE: usize = 32;

/// Documents of one write that are looked for; more are new ones, as an import has them.
const WRITTEN_LOOKS_MAX: usize = 16;

/// A document of a space.
type Place = (SpaceId, DocumentId);

/// Requests that wait, and what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    requests: Vec<Waiting>,
    /// Spaces that are listed for peers who wait for what they choose, and what was tried there.
    choices: BTreeMap<SpaceId, BTreeSet<Place>>,
    /// What workers are loading.
    loading: BTreeSet<Place>,
    /// When to go on listing.
    pub(crate) due: Option<Duration>,
}

#[derive(Debug)]
struct Waiting {
    id: RequestId,
    request: Request,
    /// What was loaded for it, or could not be.
    tried: BTreeSet<Place>,
}

/// What has to be loaded before a request is served.
#[derive(Debug, Default)]
struct Looks {
    documents: BTreeSet<Place>,
    lists: BTreeSet<SpaceId>,
}

impl Node {
    /// Reads nothing of a document any more, and says why to whoever asks the doctor. For a
    /// node that reading it stopped; said as it is opened.
    pub fn leave_alone(&mut self, space: SpaceId, document: DocumentId) {
        self.sync.leave_alone(space, document);
    }

    /// Serves a request now, or when what it looks at is loaded.
    pub(crate) fn ask(&mut self, now: Now, id: RequestId, request: Request) {
        let waiting = Waiting { id, request, tried: BTreeSet::new() };
        self.go_on_with(now, waiting);
    }

    /// A worker has loaded a document, or could not.
    pub(crate) fn loaded(&mut self, now: Now, loaded: LoadedDocument) {
        let place = loaded.place();
        if let Err(error) = self.sync.take_loaded(loaded) {
            tracing::warn!(space = %place.0, document = %place.1, %error, "could not be loaded");
        }
        for waiting in &mut self.parked.requests {
            waiting.tried.insert(place);
        }
        for tried in self.parked.choices.values_mut() {
            tried.insert(place);
        }
        // Who waited for this one comes first: the next order may make the node forget it.
        self.try_parked(now);
        self.parked.loading.remove(&place);
        self.try_parked(now);
    }

    /// Goes on listing, if it is time.
    pub(crate) fn list_more(&mut self, now: Now) {
        if self.parked.due.is_some_and(|due| now.monotonic >= due) {
            self.parked.due = None;
            self.try_parked(now);
        }
    }

    fn try_parked(&mut self, now: Now) {
        for waiting in std::mem::take(&mut self.parked.requests) {
            self.go_on_with(now, waiting);
        }
        self.answer_choices(now);
    }

    /// Answers who waits for what a rule chooses, or goes on listing for it.
    pub(crate) fn answer_choices(&mut self, now: Now) {
        let owed = self.sync.owed_choices();
        self.parked.choices.retain(|space, _| owed.contains(space));
        for space in owed {
            let tried = self.parked.choices.entry(space).or_default().clone();
            let looks = Looks { lists: BTreeSet::from([space]), ..Looks::default() };
            if self.is_ready(now, looks, &tried).unwrap_or(true) {
                self.parked.choices.remove(&space);
                if let Err(error) = self.sync.answer_choices(space) {
                    tracing::warn!(%space, %error, "cannot choose documents");
                }
            }
        }
    }

    fn go_on_with(&mut self, now: Now, waiting: Waiting) {
        // What cannot even be looked for is told by whoever serves it.
        let looks = self.looks(&waiting.request);
        if looks.and_then(|it| self.is_ready(now, it, &waiting.tried)).unwrap_or(true) {
            self.serve(now, waiting.id, waiting.request);
        } else {
            self.parked.requests.push(waiting);
        }
    }

    fn is_ready(
        &mut self,
        now: Now,
        mut looks: Looks,
        tried: &BTreeSet<Place>,
    ) -> Result<bool, EngineError> {
        let mut is_listed = true;
        for space in looks.lists {
            let unlisted = self.sync.list_some(space, LISTED_AT_ONCE)?;
            let large = unlisted.large.iter().map(|document| (space, *document));
            let untried: Vec<_> = large.filter(|place| !tried.contains(place)).collect();
            // Those that were tried are left for whoever serves the request.
            if unlisted.waiting > unlisted.large.len() {
                is_listed = false;
                self.parked.due = Some(now.monotonic);
            }
            looks.documents.extend(untried);
        }
        let mut is_loaded = true;
        for place in looks.documents {
            is_loaded &= tried.contains(&place) || self.is_loaded(place)?;
            // The others have to wait whatever they are.
            if !is_loaded && self.parked.loading.len() >= LOADS_AT_ONCE {
                break;
            }
        }
        Ok(is_listed && is_loaded)
    }

    /// Whether a document need not be loaded by a worker; else has one load it.
    pub(crate) fn is_loaded(&mut self, place: Place) -> Result<bool, EngineError> {
        let (space, document) = place;
        if self.parked.loading.contains(&place) {
            return Ok(false);
        }
        if self.parked.loading.len() >= LOADS_AT_ONCE {
            return Ok(!self.sync.is_large(space, document)?);
        }
        let Some(order) = self.sync.order(space, document)? else { return Ok(true) };
        self.parked.loading.insert(place);
        self.effects.push_back(Effect::Load(order));
        Ok(false)
    }

    fn looks(&self, request: &Request) -> Result<Looks, EngineError> {
        let mut looks = Looks::default();
        match request {
            Request::SetValue { space, document, .. }
            | Request::Patch { space, document, .. }
            | Request::RemoveDocument { space, document }
            | Request::ReadDocument { space, document }
            | Request::LookAt { space, document } => {
                looks.documents.insert((*space, *document));
            }
            Request::Past(past) => {
                looks.documents.insert((past.space, past.document));
            }
            Request::Conflict(request) => looks.documents.extend(conflict_document(request)),
            Request::WriteDocuments { space, documents } => {
                let written = documents.iter().take(WRITTEN_LOOKS_MAX);
                looks.documents.extend(written.map(|write| (*space, write.document)));
            }
            Request::FindDocument { space, text, .. } => {
                let named = [content_document(*space, text), path_document(*space, text)];
                for document in text.parse().into_iter().chain(named) {
                    if self.sync.is_stored(*space, document)? {
                        looks.documents.insert((*space, document));
                    }
                }
                if looks.documents.is_empty() {
                    looks.lists.insert(*space);
                }
            }
            Request::Documents { space } | Request::Purge { space, .. } => {
                looks.lists.insert(*space);
            }
            Request::Doctor { of: DoctorOf::Space(space) | DoctorOf::Document(space, _) } => {
                looks.lists.insert(*space);
            }
            Request::Doctor { of: DoctorOf::Everything } => looks.lists.extend(self.trust.spaces()),
            Request::Status
            | Request::Identity
            | Request::IssueTicket { .. }
            | Request::Pair { .. }
            | Request::ConfirmPairing { .. }
            | Request::Pairings
            | Request::FoundSpace { .. }
            | Request::Spaces
            | Request::FindSpace { .. }
            | Request::Members { .. }
            | Request::Custody { .. }
            | Request::Search(_)
            | Request::Grant { .. }
            | Request::Revoke { .. }
            | Request::Keep { .. }
            | Request::FindAgent { .. }
            | Request::Relations
            | Request::Offer(_)
            | Request::Circle(_)
            | Request::Relate { .. }
            | Request::Part { .. }
            | Request::Vouch { .. }
            | Request::Devices
            | Request::DescribeDevice { .. }
            | Request::Clusters
            | Request::RevokeDevice { .. }
            | Request::Why { .. }
            | Request::Changes { .. }
            | Request::Arrivals { .. }
            | Request::Unwritten { .. }
            | Request::BlobSecret { .. }
            | Request::Blobs { .. }
            | Request::FindBlob { .. }
            | Request::Peers
            | Request::AddPeer { .. }
            | Request::RemovePeer { .. }
            | Request::Sync { .. }
            | Request::Pack(_)
            | Request::Doorway(_) => {}
        }
        looks.lists.retain(|space| self.need_role(*space, Role::Reader).is_ok());
        Ok(looks)
    }
}

fn conflict_document(request: &ConflictRequest) -> Option<Place> {
    match request {
        ConflictRequest::Settle { space, document, .. }
        | ConflictRequest::Escalate { space, document, .. }
        | ConflictRequest::Withdraw { space, document, .. }
        | ConflictRequest::TakeBack { space, document, .. }
        | ConflictRequest::List { space, of: ConflictsOf::Document(document) }
        | ConflictRequest::SettleAll { space, of: ConflictsOf::Document(document), .. } => {
            Some((*space, *document))
        }
        ConflictRequest::List { of: ConflictsOf::After(_), .. }
        | ConflictRequest::SettleAll { of: ConflictsOf::After(_), .. }
        | ConflictRequest::Tally { .. } => None,
    }
}
