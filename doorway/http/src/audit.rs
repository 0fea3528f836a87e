//! What the audit log is told about a request.
//!
//! The middleware knows the route, the guard by which right somebody came, and whoever
//! looks things up which things they are. They leave it in a note that goes with the
//! request's task. Only ids, numbers and words of this program fit into it: what stands in
//! the address is never taken over, for a document may be asked for by its path.
//!
//! Invariant: the record is written when the request ends, also when its sender hung up
//! before the answer.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use node_model::{AgentId, BlobId, DeviceId, DocumentId, SpaceId};
use node_runtime::audit::{About, By, Event, Outcome, Record, Searched, What};

use crate::{config::App, routes::table};

tokio::task_local! {
    static NOTE: Shared;
}

/// What became known about a request while it was answered.
#[derive(Clone, Copy, Debug, Default)]
struct Note {
    by: By,
    about: About,
    search: Option<Searched>,
    error: Option<&'static str>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Note>>);

impl Shared {
    fn open(&self) -> MutexGuard<'_, Note> {
        // Nobody panics halfway through a change of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By which right the request came in.
pub(crate) fn came_by(by: By) {
    note(|note| note.by = by);
}

/// By which right the request came in that is being answered.
pub(crate) fn right() -> By {
    NOTE.try_with(|note| note.open().by).unwrap_or_default()
}

/// Something that a request is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Thing {
    Space(SpaceId),
    Document(DocumentId),
    Blob(BlobId),
    Agent(AgentId),
    Device(DeviceId),
}

/// What the request is about. Of each kind the first that was found is what was asked
/// for; what is looked at on the way comes later.
pub(crate) fn concerns(thing: Thing) {
    note(|Note { about, .. }| match thing {
        Thing::Space(space) => about.space = about.space.or(Some(space)),
        Thing::Document(document) => about.document = about.document.or(Some(document)),
        Thing::Blob(blob) => about.blob = about.blob.or(Some(blob)),
        Thing::Agent(agent) => about.agent = about.agent.or(Some(agent)),
        Thing::Device(device) => about.device = about.device.or(Some(device)),
    });
}

/// What is told of a search.
pub(crate) fn searched(search: Searched) {
    note(|note| note.search = Some(search));
}

/// Why the answer is what it is: a stable code.
pub(crate) fn failed(code: &'static str) {
    note(|note| note.error = Some(code));
}

fn note(change: impl FnOnce(&mut Note)) {
    // Work that goes on after the answer has no note.
    let _ = NOTE.try_with(|note| change(&mut note.open()));
}

/// What the middleware knows.
#[derive(Clone)]
pub(crate) struct Watch {
    app: App,
    templates: Arc<BTreeSet<&'static str>>,
}

impl Watch {
    pub(crate) fn new(app: App) -> Self {
        let templates = table().iter().map(|route| route.path).collect();
        Self { app, templates: Arc::new(templates) }
    }
}

/// Around everything: notes what was asked and what came of it.
pub(crate) async fn watch(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let template = matched.and_then(|matched| watch.templates.get(matched.as_str()).copied());
    let audit = watch.app.handle.audit();
    let note = Shared::default();
    let mut watched = Watched {
        app: &watch.app,
        method: request.method().clone(),
        template,
        note: note.clone(),
        began: audit.now().monotonic,
        status: None,
    };
    let response = NOTE.scope(note, next.run(request)).await;
    watched.status = Some(response.status());
    response
}

/// A request under way.
struct Watched<'a> {
    app: &'a App,
    method: Method,
    template: Option<&'static str>,
    note: Shared,
    began: Duration,
    status: Option<StatusCode>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let audit = self.app.handle.audit();
        let duration = audit.now().monotonic.saturating_sub(self.began);
        if let Some(record) = self.record(duration) {
            audit.write(record);
        }
    }
}

impl Watched<'_> {
    fn record(&self, duration: Duration) -> Option<Record> {
        let Note { by, about, search, error } = *self.note.open();
        let (outcome, error) = match self.status {
            Some(status) => (outcome(status, self.template.is_some()), error),
            None => (Outcome::Failed, error.or(Some("unanswered"))),
        };
        let interest = Interest::of(&self.method, self.template.unwrap_or_default());
        let (event, is_kept) = match interest {
            // A page with an empty field searches for nothing.
            Interest::Search => (Event::Search, search.is_some() || outcome != Outcome::Allowed),
            Interest::Always => (Event::Access, true),
            Interest::Denials => (Event::Access, outcome == Outcome::Denied),
        };
        is_kept.then(|| Record {
            event,
            by,
            what: What::Route { method: word(&self.method), template: self.template },
            about,
            search,
            outcome,
            status: self.status.map(|status| status.as_u16()),
            error,
            times: 1,
            duration: Some(duration),
        })
    }
}

/// Which requests to a route are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interest {
    Search,
    Always,
    Denials,
}

impl Interest {
    fn of(method: &Method, template: &str) -> Self {
        let is_search = matches!(template, "/api/v1/search" | "/search");
        let is_content = template.contains("{doc}")
            || template.contains("{hash}")
            || template.ends_with("/conflicts");
        let is_entrance = template.starts_with("/enter");
        // A visit is many of them; that it may begin was noted when its token was given.
        let is_visit = matches!(template, "/api/v1/sync/frames" | "/api/v1/sync/nudge")
            || template.starts_with("/api/v1/sync/blobs");
        let is_change = !method.is_safe() && !template.is_empty() && !is_visit;
        if is_search {
            Self::Search
        } else if is_content || is_entrance || is_change {
            Self::Always
        } else {
            Self::Denials
        }
    }
}

/// What one may not see is answered as if it were not there, so that counts as denied,
/// too; but not that there is no such address.
fn outcome(status: StatusCode, is_route: bool) -> Outcome {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => {
            Outcome::Denied
        }
        StatusCode::NOT_FOUND if is_route => Outcome::Denied,
        status if status.is_client_error() || status.is_server_error() => Outcome::Failed,
        _ => Outcome::Allowed,
    }
}

/// A method by our own word: others are as long as their sender wishes.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_content_and_entrances_are_always_noted() {
        let always = [
            (Method::POST, "/api/v1/spaces"),
            (Method::DELETE, "/api/v1/devices/{device}"),
            (Method::GET, "/api/v1/spaces/{space}/docs/{doc}/history"),
            (Method::HEAD, "/api/v1/spaces/{space}/blobs/{hash}"),
            (Method::GET, "/api/v1/spaces/{space}/conflicts"),
            (Method::GET, "/s/{space}/p/{doc}/{step}"),
            (Method::GET, "/enter/{code}"),
        ];
        for (method, template) in always {
            assert_eq!(Interest::of(&method, template), Interest::Always, "{method} {template}");
        }
        for template in ["/health", "/assets/kith.css", "/api/v1/events", "/api/v1/log", "/", ""] {
            assert_eq!(Interest::of(&Method::GET, template), Interest::Denials, "{template}");
        }
        for template in ["", "/api/v1/sync/frames", "/api/v1/sync/blobs/wanted"] {
            assert_eq!(Interest::of(&Method::POST, template), Interest::Denials, "{template}");
        }
        assert_eq!(Interest::of(&Method::GET, "/search"), Interest::Search);
    }

    #[test]
    fn a_method_is_one_of_ours() {
        let made_up = Method::from_bytes(b"SECRETWORD").expect("a token");
        assert_eq!(word(&made_up), "OTHER");
        assert_eq!(word(&Method::PATCH), "PATCH");
    }
}
