use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use node_runtime::audit::By;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{PageError, layout};
use crate::{
    access::session_cookie,
    audit,
    config::{App, is_same},
    extract::{FormBody, Params},
};

/// The page for a browser that the node does not know.
pub(crate) fn sign_in(note: Option<&str>) -> (StatusCode, Markup) {
    audit::failed("not-signed-in");
    let content = html! {
        h1 { "This is a private door" }
        @if let Some(note) = note { p.note role="alert" { (note) } }
        p.lead { "This node belongs to somebody. If that is you, there are two ways in." }
        h2 { "Open the link" }
        p { "When you started the node with " code { "kith up" } ", it printed a link. Open that link in this browser." }
        h2 { "Or paste the token" }
        p { "It is in the file " code { "local-token" } " in Kith's data folder. Do not give it to anybody." }
        form method="post" action="/enter" {
            label for="token" { "Token" }
            input id="token" name="token" type="password" autocomplete="off" required;
            button type="submit" { "Come in" }
        }
    };
    (StatusCode::UNAUTHORIZED, layout::page("Come in", &[], &content))
}

/// Come in by the link that `kith up` printed.
#[utoipa::path(get, path = "/enter/{code}", responses((status = 303, description = "To /, with a session")))]
pub(crate) async fn by_code(
    State(app): State<App>,
    Params(code): Params<String>,
    headers: HeaderMap,
) -> Response {
    if is_same(&app.config.entry_code, &code) {
        audit::came_by(By::EntryCode);
        return welcome(&app, &headers);
    }
    sign_in(Some("This link is from an earlier start of the node. Take the newest one."))
        .into_response()
}

/// The token of this node.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Offered {
    token: String,
}

/// Come in with the token.
#[utoipa::path(post, path = "/enter",
    request_body(content = Offered, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "To /, with a session")))]
pub(crate) async fn by_token(
    State(app): State<App>,
    headers: HeaderMap,
    FormBody(offered): FormBody<Offered>,
) -> Result<Response, PageError> {
    if app.config.token.is(offered.token.trim()) {
        audit::came_by(By::LocalToken);
        return Ok(welcome(&app, &headers));
    }
    Ok(sign_in(Some("That is not this node's token.")).into_response())
}

fn welcome(app: &App, headers: &HeaderMap) -> Response {
    let cookie = session_cookie(headers, &app.config.session);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}
