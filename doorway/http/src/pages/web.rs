//! The files of the web app, which is a node of its own in the visitor's browser: from a folder
//! that whoever runs the node names.
//!
//! Invariant: only files below that folder, of the kinds that the app consists of.
//! Non-goal: what the app does; it comes to the doorway like every other visitor.

use std::{path::Path, time::UNIX_EPOCH};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use tokio_util::io::ReaderStream;

use super::PageError;
use crate::{config::App, extract::Params, problem::Problem};

/// Scripts and the module are its own, and it speaks with this doorway only.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// The page that the app begins with.
pub const WEB_APP_INDEX: &str = "index.html";

/// What it consists of.
const KINDS: &[(&str, &str)] = &[
    (".html", "text/html; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".webmanifest", "application/manifest+json"),
    (".wasm", "application/wasm"),
];

/// To the app.
#[utoipa::path(get, path = "/app", responses((status = 308, description = "To /app/")))]
pub(crate) async fn redirect() -> Redirect {
    Redirect::permanent("/app/")
}

/// The app.
#[utoipa::path(get, path = "/app/", responses((status = 200, body = String, content_type = "text/html", description = "The page"), (status = 404, description = "This node has none")))]
pub(crate) async fn index(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    Ok(file(&app, WEB_APP_INDEX, &headers).await?)
}

/// What it consists of.
#[utoipa::path(get, path = "/app/{*file}", responses((status = 200, body = Vec<u8>, content_type = "*/*", description = "The file"), (status = 304, description = "You have it"), (status = 404, description = "There is none")))]
pub(crate) async fn part(
    State(app): State<App>,
    Params(name): Params<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    file(&app, &name, &headers).await
}

async fn file(app: &App, name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let folder = app.config.web.as_deref().ok_or_else(|| {
        let detail = "this node has no web app";
        Problem::not_found(detail, "kith up --web FOLDER")
    })?;
    let kind = kind(name).ok_or_else(nothing)?;
    let (file, tag) = open(folder, name).await.ok_or_else(nothing)?;
    let common = [(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY), (header::ETAG, tag.clone())];
    if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, common, [(header::CACHE_CONTROL, "no-cache")])
            .into_response());
    }
    let own = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    Ok((common, own, Body::from_stream(ReaderStream::new(file))).into_response())
}

fn nothing() -> Problem {
    Problem::not_found("the web app has no such file", "start at /app/")
}

/// What a file is, by its name; `None` for a name that none of the app has.
fn kind(name: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let mut parts = name.split('/');
    let is_below = parts.all(|part| part.bytes().all(is_plain) && !part.starts_with('.'));
    let kind = KINDS.iter().find(|(end, _)| name.ends_with(end));
    kind.filter(|_| is_below).map(|(_, mime)| *mime)
}

/// A file with what changes when it does.
async fn open(folder: &Path, name: &str) -> Option<(tokio::fs::File, HeaderValue)> {
    let file = tokio::fs::File::open(folder.join(name)).await.ok()?;
    let metadata = file.metadata().await.ok().filter(std::fs::Metadata::is_file)?;
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let tag = format!("\"{:x}-{:x}\"", metadata.len(), since.as_nanos());
    Some((file, HeaderValue::try_from(tag).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_files_of_an_app_are_any() {
        for good in ["index.html", "kith.wasm", "service-worker.js", "screens/a_b.css"] {
            assert!(kind(good).is_some(), "{good}");
        }
        let above = ["../x.html", "a/../../x.html", "/x.html/..", "a/.b.js", ".html", "a/.html"];
        for bad in ["", "..html", "a\\b.js", "x", "x.txt", "ü.js"].into_iter().chain(above) {
            assert!(kind(bad).is_none(), "{bad}");
        }
    }
}
