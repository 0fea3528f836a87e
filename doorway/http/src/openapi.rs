//! The description of the interface: what the handlers say, and from the table of
//! routes who may use them.

use serde_json::Value;
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, HttpMethod, Ref, Required, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
    },
};

use crate::{
    access::Audience,
    api::{
        blobs, changes, circles, conflicts, custody, devices, doctor, documents, doorway, events,
        folder, keep, keys, log, node, offers, packs, pairing, past, people, purge, query, search,
        spaces, transfer, visit,
    },
    pages,
    problem::SentProblem,
    routes::{Route, table},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kith",
        description = "A node's doorway. Errors are `application/problem+json` with a stable `code`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(SentProblem)),
    paths(
        node::health,
        node::ready,
        node::version,
        node::description,
        node::status,
        doctor::examine,
        node::info,
        node::peers,
        node::add_peer,
        node::remove_peer,
        pairing::issue,
        pairing::list,
        pairing::accept,
        pairing::confirm,
        pairing::sync,
        visit::exchange,
        visit::nudge,
        visit::provide,
        visit::bring,
        visit::wanted,
        visit::prove,
        events::follow,
        doorway::challenge,
        doorway::token,
        doorway::answer,
        keys::list,
        keys::add,
        keys::revoke,
        keys::allow,
        keys::deny,
        spaces::list,
        spaces::found,
        circles::list,
        circles::found,
        circles::add,
        circles::remove,
        offers::list,
        offers::follow,
        spaces::show,
        spaces::members,
        spaces::grant,
        spaces::revoke,
        spaces::leave,
        keep::choose,
        custody::list,
        people::relations,
        people::relate,
        people::part,
        people::vouch,
        devices::list,
        devices::describe,
        devices::revoke,
        devices::clusters,
        people::why,
        log::read,
        search::search,
        query::query,
        query::tally,
        changes::since,
        changes::arrivals,
        documents::list,
        documents::create,
        documents::read,
        documents::patch,
        documents::remove,
        documents::set,
        past::history,
        past::restore,
        conflicts::of_document,
        conflicts::settle,
        conflicts::escalate,
        conflicts::withdraw,
        conflicts::of_space,
        conflicts::settle_space,
        conflicts::settle_document,
        purge::purge,
        blobs::list,
        blobs::put,
        blobs::put_again,
        blobs::get,
        blobs::head,
        transfer::import,
        transfer::export,
        packs::pack,
        packs::unpack,
        folder::sync,
        folder::keep,
        folder::forget,
        pages::layout::stylesheet,
        pages::layout::icon,
        pages::web::redirect,
        pages::web::index,
        pages::web::part,
        pages::enter::by_code,
        pages::enter::by_token,
        pages::home::show,
        pages::home::follow,
        pages::keeping::choose,
        pages::search::show,
        pages::doctor::show,
        pages::conflicts::show,
        pages::settle::confirm,
        pages::settle::all,
        pages::settle::one,
        pages::settle::undo,
        pages::settle::leave,
        pages::space::show,
        pages::space::redirect,
        pages::part::choose,
        pages::document::show,
        pages::step::show,
        pages::step::mark,
        pages::files::serve,
    )
)]
struct Description;

/// The OpenAPI 3.1 description of everything that a doorway answers.
#[must_use]
pub fn openapi() -> Value {
    let mut description = Description::openapi();
    if let Some(components) = &mut description.components {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "The text of the file local-token, or what POST /api/v1/tokens answered",
            ))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let peer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("What POST /api/v1/tokens answered to a device of a peer"))
            .build();
        components.add_security_scheme("peer", SecurityScheme::Http(peer));
        let cookie = ApiKeyValue::with_description("kith_PORT", "Set by /enter");
        let key = ApiKeyValue::with_description(
            "X-API-Key",
            "What `kith doorway keys add` printed; good for what the key's rules name",
        );
        components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
    for route in table() {
        let path = description.paths.paths.get_mut(route.path);
        let operation = path.and_then(|path| match http_method(&route)? {
            HttpMethod::Get => path.get.as_mut(),
            HttpMethod::Head => path.head.as_mut(),
            HttpMethod::Post => path.post.as_mut(),
            HttpMethod::Put => path.put.as_mut(),
            HttpMethod::Patch => path.patch.as_mut(),
            HttpMethod::Delete => path.delete.as_mut(),
            HttpMethod::Options | HttpMethod::Trace => None,
        });
        if let Some(operation) = operation {
            complete(operation, &route);
        }
    }
    serde_json::to_value(description).expect("a description is JSON")
}

fn http_method(route: &Route) -> Option<HttpMethod> {
    match route.method.as_str() {
        "GET" => Some(HttpMethod::Get),
        "HEAD" => Some(HttpMethod::Head),
        "POST" => Some(HttpMethod::Post),
        "PUT" => Some(HttpMethod::Put),
        "PATCH" => Some(HttpMethod::Patch),
        "DELETE" => Some(HttpMethod::Delete),
        _ => None,
    }
}

/// Adds what the table knows: parameters of the path, who may, and what comes
/// when it does not work.
fn complete(operation: &mut Operation, route: &Route) {
    let name = format!("{} {}", route.method, route.path).to_ascii_lowercase();
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let slash = if route.path.ends_with('/') { "_slash" } else { "" };
    operation.operation_id = Some(words.join("_") + slash);
    let parameters = operation.parameters.get_or_insert_default();
    for part in route.path.split('/') {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            continue;
        };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(meaning(name)))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        parameters.push(parameter.build().into());
    }
    let needs = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    operation.security = match route.audience {
        Audience::Anyone | Audience::Visitors => Some(vec![]),
        Audience::Programs => Some(vec![needs("token"), needs("key"), needs("session")]),
        Audience::People => Some(vec![needs("token"), needs("session")]),
        Audience::Socket => Some(vec![needs("token")]),
        Audience::Peers | Audience::Guests => Some(vec![needs("peer")]),
    };
    if route.audience == Audience::Socket {
        let note = "Only over the node's own socket.".to_owned();
        operation.description = Some(note);
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new()
        .description("A problem")
        .content("application/problem+json", problem)
        .build();
    operation.responses.responses.insert("default".to_owned(), response.into());
}

fn meaning(parameter: &str) -> &'static str {
    match parameter {
        "space" => "A space: its id, a unique beginning of it, or its name",
        "doc" => "A document: its id, a unique beginning of it, its content id or its path",
        "conflict" => "A conflict's id",
        "hash" => "A blob's hash",
        "peer" | "device" => "A node's id",
        "key" => "A key's name",
        "step" => "A step's place in its path, from 0",
        "code" => "The code that `kith up` printed",
        _ => "What it is saved as",
    }
}
