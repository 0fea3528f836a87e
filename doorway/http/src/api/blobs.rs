use std::io;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::TryStreamExt;
use node_model::{BlobId, SpaceId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Answer, parse};
use crate::{
    ask,
    audit::{self, Thing},
    config::App,
    extract::{Params, Search},
    links,
    problem::Problem,
    range::{self, Part},
};

/// What a file is that nobody said anything about.
const UNKNOWN: &str = "application/octet-stream";

/// No part of it may run, load or send anything, even when opened by itself.
const BLOB_POLICY: &str = "sandbox; default-src 'none'";

/// The name is the content, so it never changes.
const FOREVER: &str = "private, max-age=31536000, immutable";

/// A file.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stored {
    blob: String,
    size: u64,
    mime: String,
    name: Option<String>,
}

/// How the file is called.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// What people call it.
    name: Option<String>,
}

/// Put a file.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/blobs", params(Named),
    request_body(content = Vec<u8>, content_type = "*/*", description = "The bytes; their Content-Type is kept"),
    responses((status = 201, body = Stored, description = "Durable here")))]
pub(crate) async fn put(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(named): Search<Named>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Stored>), Problem> {
    let space = ask::space(&app.handle, &space).await?.space;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mime = kind.map(ToOwned::to_owned).or_else(|| guess(named.name.as_deref()?));
    let bytes = body.into_data_stream().map_err(io::Error::other);
    let stored = app.handle.put_blob(space, bytes, named.name, mime).await?;
    audit::concerns(Thing::Blob(stored.blob));
    let stored = Stored {
        blob: stored.blob.to_string(),
        size: stored.size,
        mime: stored.mime,
        name: stored.name,
    };
    Ok((StatusCode::CREATED, Json(stored)))
}

/// Put a file, as with POST.
#[utoipa::path(put, path = "/api/v1/spaces/{space}/blobs", params(Named),
    request_body(content = Vec<u8>, content_type = "*/*", description = "The bytes; their Content-Type is kept"),
    responses((status = 201, body = Stored, description = "Durable here")))]
pub(crate) async fn put_again(
    state: State<App>,
    params: Params<String>,
    search: Search<Named>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Stored>), Problem> {
    put(state, params, search, headers, body).await
}

/// What a file of this name usually is.
pub(crate) fn guess(name: &str) -> Option<String> {
    mime_guess::from_path(name).first_raw().map(ToOwned::to_owned)
}

/// A file of a space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed {
    blob: String,
    name: Option<String>,
    mime: String,
    size: Option<u64>,
    /// Whether its bytes are on this device.
    here: bool,
}

/// Files of a space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Files {
    blobs: Vec<Listed>,
}

/// Which files are there?
#[utoipa::path(get, path = "/api/v1/spaces/{space}/blobs", responses((status = 200, body = Files, description = "Files")))]
pub(crate) async fn list(State(app): State<App>, Params(space): Params<String>) -> Answer<Files> {
    let space = ask::space(&app.handle, &space).await?.space;
    let files = app.handle.files(space).await?.into_iter().map(|file| Listed {
        blob: file.blob.to_string(),
        name: file.name,
        mime: file.mime,
        size: file.size,
        here: file.is_here,
    });
    Ok(Json(Files { blobs: files.collect() }))
}

/// Get a file, or one range of it.
#[utoipa::path(get, path = "/api/v1/spaces/{space}/blobs/{hash}",
    responses((status = 200, body = Vec<u8>, content_type = "*/*", description = "The bytes"),
        (status = 206, description = "The range"), (status = 304, description = "You have it"),
        (status = 416, description = "There is no such range")))]
pub(crate) async fn get(
    State(app): State<App>,
    Params((space, hash)): Params<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let space = ask::space(&app.handle, &space).await?.space;
    let blob = parse("blob", &hash)?;
    let named = look_up(&app, space, blob).await?;
    serve(&app, (space, blob), named, &headers).await
}

/// Is a file here, and how large is it?
#[utoipa::path(head, path = "/api/v1/spaces/{space}/blobs/{hash}",
    responses((status = 200, description = "Its length, type and ETag")))]
pub(crate) async fn head(
    state: State<App>,
    params: Params<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let response = get(state, params, headers).await?;
    Ok(response.map(|_| Body::empty()))
}

/// What a file is called, and what it is.
pub(crate) type NameAndMime = (Option<String>, String);

/// What the space says about a file; costs a look at all its files.
pub(crate) async fn look_up(
    app: &App,
    space: SpaceId,
    blob: BlobId,
) -> Result<NameAndMime, Problem> {
    let files = app.handle.files(space).await?;
    let file = files.into_iter().find(|file| file.blob == blob);
    Ok(file.map_or((None, UNKNOWN.to_owned()), |file| (file.name, file.mime)))
}

/// Answers with a file's bytes, in a way that they cannot do anything.
pub(crate) async fn serve(
    app: &App,
    (space, blob): (SpaceId, BlobId),
    (name, mime): NameAndMime,
    asked: &HeaderMap,
) -> Result<Response, Problem> {
    audit::concerns(Thing::Blob(blob));
    let tag = format!("\"{blob}\"");
    let reader = app.handle.open_blob(space, blob).await?;
    if names(asked, &header::IF_NONE_MATCH, &tag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        label(response.headers_mut(), &tag);
        return Ok(response);
    }
    let size = reader.size();
    let is_range_meant =
        !asked.contains_key(header::IF_RANGE) || names(asked, &header::IF_RANGE, &tag);
    let wanted = asked.get(header::RANGE).filter(|_| is_range_meant);
    let part = range::parse(wanted.and_then(|value| value.to_str().ok()), size);
    let (status, range) = match part {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Some(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    };
    let body = if range.is_empty() {
        Body::empty()
    } else {
        Body::from_stream(reader.read(range.clone()))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    label(headers, &tag);
    insert(headers, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    match status {
        StatusCode::PARTIAL_CONTENT => {
            let place = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            insert(headers, header::CONTENT_RANGE, &place);
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            insert(headers, header::CONTENT_RANGE, &format!("bytes */{size}"));
        }
        _ => {}
    }
    describe(headers, name.as_deref(), &mime);
    Ok(response)
}

fn label(headers: &mut HeaderMap, tag: &str) {
    insert(headers, header::ETAG, tag);
    insert(headers, header::CACHE_CONTROL, FOREVER);
    insert(headers, header::ACCEPT_RANGES, "bytes");
    insert(headers, header::CONTENT_SECURITY_POLICY, BLOB_POLICY);
}

/// Says what it is, and whether a browser shows it or saves it.
fn describe(headers: &mut HeaderMap, name: Option<&str>, mime: &str) {
    let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let shown = Shown::of(&essence);
    let kind = match shown {
        Shown::Text => "text/plain; charset=utf-8",
        Shown::Media => &essence,
        // A browser that ignores the disposition still has nothing to run.
        Shown::Not => UNKNOWN,
    };
    insert(headers, header::CONTENT_TYPE, kind);
    let how = match shown {
        Shown::Text | Shown::Media => "inline",
        Shown::Not => "attachment",
    };
    let name = name.and_then(|name| name.rsplit(['/', '\\']).next()).unwrap_or("file");
    let disposition = format!("{how}; filename*=UTF-8''{}", links::encode(name));
    insert(headers, header::CONTENT_DISPOSITION, &disposition);
}

/// Whether a browser may show something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Media,
    Text,
    Not,
}

impl Shown {
    fn of(mime: &str) -> Self {
        match mime {
            "text/plain" => Self::Text,
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/avif"
            | "image/svg+xml" | "application/pdf" => Self::Media,
            mime if mime.starts_with("audio/") || mime.starts_with("video/") => Self::Media,
            _ => Self::Not,
        }
    }
}

fn names(headers: &HeaderMap, header: &HeaderName, tag: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|offered| offered == "*" || offered.strip_prefix("W/").unwrap_or(offered) == tag)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_run_is_shown() {
        for mime in ["image/png", "image/svg+xml", "audio/ogg", "video/mp4", "application/pdf"] {
            assert_eq!(Shown::of(mime), Shown::Media, "{mime}");
        }
        for mime in
            ["text/html", "application/xhtml+xml", "text/xml", "image/x-odd", "", "text/css"]
        {
            assert_eq!(Shown::of(mime), Shown::Not, "{mime}");
        }
        let mut headers = HeaderMap::new();
        describe(&mut headers, Some("../a\"\r\nb.html"), "text/html; charset=x");
        assert_eq!(headers[header::CONTENT_TYPE], UNKNOWN);
        assert_eq!(
            headers[header::CONTENT_DISPOSITION],
            "attachment; filename*=UTF-8''a%22%0D%0Ab.html"
        );
    }
}
