//! What handlers take from a request; whatever cannot be read is a [`Problem`].

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Largest JSON body; an imported page is a hundredth of it.
pub(crate) const JSON_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Most values in a JSON body, twice as many as a document takes at once: the smallest have two
/// bytes there, and many times as much in memory.
const JSON_VALUES_MAX: usize = 1 << 19;

/// Largest form; a ticket is 2 KiB.
pub(crate) const FORM_BYTES_MAX: usize = 64 * 1024;

/// Parts of the path.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(value)| Self(value)).map_err(|error| Problem::invalid(error.body_text()))
    }
}

/// What stands behind the question mark.
pub(crate) struct Search<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Search<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(value)| Self(value)).map_err(|error| Problem::invalid(error.body_text()))
    }
}

/// A JSON body of at most so many bytes. None at all is `{}`.
pub(crate) struct JsonBody<T, const BYTES_MAX: usize = JSON_BYTES_MAX>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned, const BYTES_MAX: usize> FromRequest<S>
    for JsonBody<T, BYTES_MAX>
{
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = body(request, BYTES_MAX).await?;
        if bytes.is_empty() {
            return read_json(b"{}");
        }
        // Not only tidy: a website cannot send this type without being asked.
        if !is_json {
            let detail = "the body must be JSON, with Content-Type: application/json";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "not-json", detail, "set Content-Type"));
        }
        read_json(&bytes)
    }
}

fn read_json<T: DeserializeOwned, const BYTES_MAX: usize>(
    bytes: &[u8],
) -> Result<JsonBody<T, BYTES_MAX>, Problem> {
    if values_at_most(bytes) > JSON_VALUES_MAX {
        let detail = format!("the body has more than {JSON_VALUES_MAX} values");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(Problem::new(status, "too-large", detail, "send it in parts"));
    }
    let read = serde_json::from_slice(bytes);
    read.map(JsonBody).map_err(|error| Problem::invalid(format!("the body: {error}")))
}

/// How many values there are in a JSON text, at most: what begins a list or a map, and what
/// follows a comma, outside of strings.
fn values_at_most(json: &[u8]) -> usize {
    let (mut count, mut is_string, mut is_escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            b',' | b'[' | b'{' if !is_string => count += 1,
            _ => {}
        }
    }
    count
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// A form of a page.
pub(crate) struct FormBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for FormBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, whole) = request.into_parts();
        let headers = parts.headers.clone();
        let bytes = bounded(&headers, whole, FORM_BYTES_MAX).await?;
        let request = Request::from_parts(parts, Body::from(bytes));
        let read = axum::Form::<T>::from_request(request, state).await;
        read.map(|axum::Form(value)| Self(value))
            .map_err(|error| Problem::invalid(error.body_text()))
    }
}

async fn body(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    bounded(&parts.headers, body, bytes_max).await
}

/// Reads a body; what announces itself as too large is refused unread.
pub(crate) async fn bounded(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(Problem::too_large(bytes_max));
    }
    to_bytes(body, bytes_max).await.map_err(|_| Problem::too_large(bytes_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings_and_never_too_few() {
        let counts = [
            ("1", 1),
            (r#"["a", 2, {"b": null}]"#, 5),
            (r#"{"a,b,[": ",,,,"}"#, 2),
            (r#"["\",[", "\\", 1]"#, 4),
            ("", 1),
        ];
        for (json, count) in counts {
            assert_eq!(values_at_most(json.as_bytes()), count, "{json}");
        }
    }
}
