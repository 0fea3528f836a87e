//! The one table of routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    handler::Handler,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use node_runtime::Handle;

use crate::{
    access::{
        self,
        Audience::{self, Anyone, Guests, Peers, People, Programs, Socket, Visitors},
        Guard,
    },
    api::{
        blobs, changes, circles, conflicts, custody, devices, doctor, documents, doorway, events,
        folder, keep, keys, log, node, offers, packs, pairing, past, people, purge, query, search,
        spaces, transfer, visit,
    },
    audit::{self, Watch},
    config::{Access, App, DoorwayConfig},
    extract::FORM_BYTES_MAX,
    pages,
    problem::Problem,
};

/// One route: what it is, whom it is for, and who answers.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) audience: Audience,
    answer: MethodRouter<App>,
}

fn route<H, T>(method: Method, path: &'static str, audience: Audience, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("the table has usual methods");
    Route { method, path, audience, answer: on(filter, handler) }
}

const GET: Method = Method::GET;
const HEAD: Method = Method::HEAD;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// All routes.
pub(crate) fn table() -> Vec<Route> {
    [of_node(), of_spaces(), for_people()].into_iter().flatten().collect()
}

/// The node, its peers and its people.
#[rustfmt::skip] // It is a table.
fn of_node() -> Vec<Route> {
    vec![
        route(GET,    "/health",                                Anyone,   node::health),
        route(GET,    "/ready",                                 Anyone,   node::ready),
        route(GET,    "/version",                               Anyone,   node::version),
        route(GET,    "/api/v1/openapi.json",                   Programs, node::description),
        route(GET,    "/api/v1/status",                         Programs, node::status),
        route(GET,    "/api/v1/doctor",                         Programs, doctor::examine),
        route(GET,    "/api/v1/info",                           Programs, node::info),
        route(GET,    "/api/v1/peers",                          Programs, node::peers),
        route(POST,   "/api/v1/peers",                          Programs, node::add_peer),
        route(DELETE, "/api/v1/peers/{peer}",                   Programs, node::remove_peer),
        route(POST,   "/api/v1/tickets",                        Programs, pairing::issue),
        route(GET,    "/api/v1/pairings",                       Programs, pairing::list),
        route(POST,   "/api/v1/pair",                           Programs, pairing::accept),
        route(POST,   "/api/v1/pair/{peer}",                    Programs, pairing::confirm),
        route(POST,   "/api/v1/sync",                           Programs, pairing::sync),
        route(POST,   "/api/v1/sync/frames",                    Guests,   visit::exchange),
        route(POST,   "/api/v1/sync/nudge",                     Guests,   visit::nudge),
        route(POST,   "/api/v1/sync/blobs",                     Peers,    visit::provide),
        route(PUT,    "/api/v1/sync/blobs",                     Peers,    visit::bring),
        route(POST,   "/api/v1/sync/blobs/wanted",              Peers,    visit::wanted),
        route(POST,   "/api/v1/sync/proof",                     Guests,   visit::prove),
        route(GET,    "/api/v1/events",                         Programs, events::follow),

        route(POST,   "/api/v1/challenges",                     Anyone,   doorway::challenge),
        route(POST,   "/api/v1/challenges/answer",              Socket,   doorway::answer),
        route(POST,   "/api/v1/tokens",                         Anyone,   doorway::token),
        route(GET,    "/api/v1/doorway/keys",                   Programs, keys::list),
        route(POST,   "/api/v1/doorway/keys",                   Programs, keys::add),
        route(DELETE, "/api/v1/doorway/keys/{key}",             Programs, keys::revoke),
        route(POST,   "/api/v1/doorway/keys/{key}/allow",       Programs, keys::allow),
        route(POST,   "/api/v1/doorway/keys/{key}/deny",        Programs, keys::deny),

        route(GET,    "/api/v1/relations",                      Programs, people::relations),
        route(POST,   "/api/v1/relations",                      Programs, people::relate),
        route(DELETE, "/api/v1/relations/{agent}",              Programs, people::part),
        route(POST,   "/api/v1/relations/{agent}/vouches",      Programs, people::vouch),
        route(GET,    "/api/v1/custody",                        Programs, custody::list),
        route(GET,    "/api/v1/devices",                        Programs, devices::list),
        route(PATCH,  "/api/v1/devices/{device}",               Programs, devices::describe),
        route(DELETE, "/api/v1/devices/{device}",               Programs, devices::revoke),
        route(GET,    "/api/v1/clusters",                       Programs, devices::clusters),
        route(GET,    "/api/v1/why/{id}",                       Programs, people::why),
        route(GET,    "/api/v1/log",                            Programs, log::read),

        route(GET,    "/api/v1/search",                         Programs, search::search),
    ]
}

/// Spaces and what is in them.
#[rustfmt::skip]
fn of_spaces() -> Vec<Route> {
    vec![
        route(GET,    "/api/v1/spaces",                         Programs, spaces::list),
        route(POST,   "/api/v1/spaces",                         Programs, spaces::found),
        route(GET,    "/api/v1/circles",                        Programs, circles::list),
        route(POST,   "/api/v1/circles",                        Programs, circles::found),
        route(POST,   "/api/v1/circles/{circle}/members",       Programs, circles::add),
        route(DELETE, "/api/v1/circles/{circle}/members/{agent}", Programs, circles::remove),
        route(GET,    "/api/v1/offers",                         Programs, offers::list),
        route(POST,   "/api/v1/offers/{space}",                 Programs, offers::follow),
        route(GET,    "/api/v1/spaces/{space}",                 Programs, spaces::show),
        route(GET,    "/api/v1/spaces/{space}/members",         Programs, spaces::members),
        route(POST,   "/api/v1/spaces/{space}/members",         Programs, spaces::grant),
        route(DELETE, "/api/v1/spaces/{space}",                 Programs, spaces::leave),
        route(DELETE, "/api/v1/spaces/{space}/members/{agent}", Programs, spaces::revoke),
        route(PUT,    "/api/v1/spaces/{space}/keep",            Programs, keep::choose),
        route(GET,    "/api/v1/spaces/{space}/changes",         Programs, changes::since),
        route(GET,    "/api/v1/spaces/{space}/arrivals",        Programs, changes::arrivals),
        route(POST,   "/api/v1/spaces/{space}/query",           Programs, query::query),
        route(POST,   "/api/v1/spaces/{space}/tally",           Programs, query::tally),
        route(GET,    "/api/v1/spaces/{space}/docs",            Programs, documents::list),
        route(POST,   "/api/v1/spaces/{space}/docs",            Programs, documents::create),
        route(GET,    "/api/v1/spaces/{space}/docs/{doc}",      Programs, documents::read),
        route(PATCH,  "/api/v1/spaces/{space}/docs/{doc}",      Programs, documents::patch),
        route(DELETE, "/api/v1/spaces/{space}/docs/{doc}",      Programs, documents::remove),
        route(PUT,    "/api/v1/spaces/{space}/docs/{doc}/value", Programs, documents::set),
        route(GET,    "/api/v1/spaces/{space}/docs/{doc}/history", Programs, past::history),
        route(POST,   "/api/v1/spaces/{space}/docs/{doc}/restore", Programs, past::restore),
        route(GET,    "/api/v1/spaces/{space}/docs/{doc}/conflicts", Programs, conflicts::of_document),
        route(POST,   "/api/v1/spaces/{space}/docs/{doc}/conflicts", Programs, conflicts::settle_document),
        route(POST,   "/api/v1/spaces/{space}/docs/{doc}/conflicts/{conflict}", Programs, conflicts::settle),
        route(POST,   "/api/v1/spaces/{space}/docs/{doc}/conflicts/{conflict}/escalation", Programs, conflicts::escalate),
        route(DELETE, "/api/v1/spaces/{space}/docs/{doc}/conflicts/{conflict}/escalation", Programs, conflicts::withdraw),
        route(GET,    "/api/v1/spaces/{space}/conflicts",       Programs, conflicts::of_space),
        route(POST,   "/api/v1/spaces/{space}/conflicts",       Programs, conflicts::settle_space),
        route(POST,   "/api/v1/spaces/{space}/purge",           Programs, purge::purge),
        route(GET,    "/api/v1/spaces/{space}/blobs",           Programs, blobs::list),
        route(POST,   "/api/v1/spaces/{space}/blobs",           Programs, blobs::put),
        route(PUT,    "/api/v1/spaces/{space}/blobs",           Programs, blobs::put_again),
        route(GET,    "/api/v1/spaces/{space}/blobs/{hash}",    Programs, blobs::get),
        route(HEAD,   "/api/v1/spaces/{space}/blobs/{hash}",    Programs, blobs::head),
        route(POST,   "/api/v1/spaces/{space}/import",          Socket,   transfer::import),
        route(POST,   "/api/v1/spaces/{space}/export",          Socket,   transfer::export),
        route(POST,   "/api/v1/spaces/{space}/pack",            Socket,   packs::pack),
        route(POST,   "/api/v1/unpack",                         Socket,   packs::unpack),
        route(POST,   "/api/v1/sync/folder",                    Socket,   folder::sync),
        route(POST,   "/api/v1/folders",                        Socket,   folder::keep),
        route(DELETE, "/api/v1/folders",                        Socket,   folder::forget),
    ]
}

/// Pages, and what they consist of.
#[rustfmt::skip]
fn for_people() -> Vec<Route> {
    vec![
        route(GET,    "/assets/kith.css",                       Anyone,   pages::layout::stylesheet),
        route(GET,    "/assets/kith.svg",                       Anyone,   pages::layout::icon),
        route(GET,    "/app",                                   Visitors, pages::web::redirect),
        route(GET,    "/app/",                                  Visitors, pages::web::index),
        route(GET,    "/app/{*file}",                           Anyone,   pages::web::part),
        route(GET,    "/enter/{code}",                          Visitors, pages::enter::by_code),
        route(POST,   "/enter",                                 Visitors, pages::enter::by_token),
        route(GET,    "/",                                      People,   pages::home::show),
        route(POST,   "/offers/{space}",                        People,   pages::home::follow),
        route(POST,   "/people/{agent}/keep",                   People,   pages::keeping::choose),
        route(GET,    "/search",                                People,   pages::search::show),
        route(GET,    "/doctor",                                People,   pages::doctor::show),
        route(GET,    "/s/{space}",                             People,   pages::space::show),
        route(GET,    "/s/{space}/",                            People,   pages::space::redirect),
        route(POST,   "/s/{space}/keep",                        People,   pages::part::choose),
        route(GET,    "/s/{space}/conflicts",                   People,   pages::conflicts::show),
        route(GET,    "/s/{space}/conflicts/all",               People,   pages::settle::confirm),
        route(POST,   "/s/{space}/conflicts/all",               People,   pages::settle::all),
        route(GET,    "/s/{space}/d/{doc}",                     People,   pages::document::show),
        route(POST,   "/s/{space}/d/{doc}/conflicts",           People,   pages::settle::one),
        route(POST,   "/s/{space}/d/{doc}/conflicts/undo",      People,   pages::settle::undo),
        route(POST,   "/s/{space}/d/{doc}/conflicts/ask",       People,   pages::settle::leave),
        route(GET,    "/s/{space}/p/{doc}/{step}",              People,   pages::step::show),
        route(POST,   "/s/{space}/p/{doc}/{step}",              People,   pages::step::mark),
        route(GET,    "/s/{space}/b/{hash}/{name}",             People,   pages::files::serve),
    ]
}

/// The doorway of a node.
pub fn router(handle: Handle, access: Access, config: Arc<DoorwayConfig>) -> Router {
    let app = App { handle, config, access, rates: Arc::default() };
    let mut router = Router::new();
    for Route { path, audience, answer, .. } in table() {
        let guard = Guard { app: app.clone(), audience, command: command(path) };
        let answer = answer.layer(from_fn_with_state(guard, access::guard));
        router = router.route(path, answer);
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), access::front_door))
        .layer(from_fn_with_state(Watch::new(app.clone()), audit::watch))
        .with_state(app)
}

/// The command that uses a route, where only a command does.
fn command(path: &str) -> &'static str {
    match path {
        "/api/v1/challenges/answer" => "kith token --help",
        "/api/v1/spaces/{space}/import" => "kith import --help",
        "/api/v1/spaces/{space}/export" => "kith export --help",
        "/api/v1/spaces/{space}/pack" => "kith pack --help",
        "/api/v1/unpack" => "kith unpack --help",
        "/api/v1/sync/folder" => "kith sync --help",
        _ => "kith --help",
    }
}

async fn not_found(headers: HeaderMap, request: Request) -> Response {
    let problem = Problem::not_found("there is nothing at this address", "start at /");
    let is_for_people = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"))
        && !request.uri().path().starts_with("/api/");
    if is_for_people { pages::PageError(problem).into_response() } else { problem.into_response() }
}

async fn wrong_method() -> Problem {
    let detail = "this address has no such method";
    let fix = "look at /api/v1/openapi.json";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail, fix)
}
