//! What a program is told when something did not work: RFC 9457.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use node_core::{Failure, FailureKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit;

/// A problem: what happened, what state it left, what mends it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// The stable code.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) detail: String,
    /// What state it left.
    pub(crate) state: String,
    /// What mends it.
    pub(crate) fix: String,
}

/// A problem as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct SentProblem {
    /// A stable name of its class, as a URI.
    r#type: String,
    /// The class in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: &'static str,
    /// What happened.
    detail: String,
    /// What state it left.
    state: String,
    /// What mends it.
    fix: String,
}

impl Problem {
    /// A problem that changed nothing.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let state = "nothing was changed".to_owned();
        Self { status, code, detail: detail.into(), state, fix: fix.into() }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        let fix = "look at /api/v1/openapi.json";
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail, fix)
    }

    pub(crate) fn not_found(detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail, fix)
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("the body is larger than {bytes_max} bytes");
        let fix = "put large content into a blob";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail, fix)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            FailureKind::Invalid => StatusCode::BAD_REQUEST,
            FailureKind::NotAllowed => StatusCode::FORBIDDEN,
            FailureKind::NotFound => StatusCode::NOT_FOUND,
            FailureKind::Conflict => StatusCode::CONFLICT,
            FailureKind::Unreachable => StatusCode::GATEWAY_TIMEOUT,
            FailureKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            FailureKind::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            FailureKind::Storage => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let state = failure.state;
        Self { state, ..Self::new(status, failure.kind.code(), failure.message, failure.fix) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail, state, fix } = self;
        audit::failed(code);
        let sent = SentProblem {
            r#type: format!("urn:kith:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            code,
            detail,
            state,
            fix,
        };
        let mut response = (status, Json(sent)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"kith\"");
            headers.insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}
