use axum::{extract::State, http::HeaderMap, response::Response};

use super::PageError;
use crate::{
    api::{blobs, parse},
    ask,
    config::App,
    extract::Params,
};

/// A file.
#[utoipa::path(get, path = "/s/{space}/b/{hash}/{name}",
    responses((status = 200, body = Vec<u8>, content_type = "*/*", description = "The bytes"),
        (status = 206, description = "The range"), (status = 304, description = "You have it"),
        (status = 416, description = "There is no such range")))]
pub(crate) async fn serve(
    State(app): State<App>,
    Params((space, hash, name)): Params<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let space = ask::space(&app.handle, &space).await?.space;
    let blob = parse("file", &hash)?;
    // Whatever the name claims, nothing in a file can run; so the address may say
    // it, and a page with 100 pictures does not look 100 times at all files.
    let named = match blobs::guess(&name) {
        Some(mime) => (Some(name), mime),
        None => blobs::look_up(&app, space, blob).await?,
    };
    Ok(blobs::serve(&app, (space, blob), named, &headers).await?)
}
