use axum::{Json, extract::State};
use node_runtime::audit::{Event, Found, Wanted};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use crate::{config::App, extract::Search, problem::Problem};

/// A day, unless said.
const HOURS_USUAL: u32 = 24;

/// A hundred years: longer than any log.
const HOURS_MAX: u32 = 876_600;

/// Which records.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those of the last so many hours, 24 unless said.
    hours: Option<u32>,
    /// Only `search`, `access` or `dropped`.
    event: Option<String>,
}

/// Something that was asked of this node.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct LogRecord {
    /// When, in RFC 3339.
    at: String,
    /// `search`, `access`, or `dropped`: so many records are missing here.
    event: String,
    /// By which right: `local-socket`, `local-token`, `session`, `entry-code`,
    /// `key:` and the name of a program's key, `device:` and a node's id, or `nobody`.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Whose node it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_agent: Option<String>,
    /// Method and route, or what a node asked for in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Of a search: how long it was, in Unicode code points.
    #[serde(skip_serializing_if = "Option::is_none")]
    query_characters: Option<u64>,
    /// Of a search: how much was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<u64>,
    /// `allowed`, `denied` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u64>,
    /// A stable code of what was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// How often, when more than once at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    /// How long until the answer began.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// How many records are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

/// Records.
#[derive(Serialize, ToSchema)]
pub(crate) struct Log {
    /// As they were written, the newest last; at most 10,000.
    records: Vec<LogRecord>,
    /// Whether older ones were left out.
    truncated: bool,
    /// Lines of the log that cannot be read.
    passed_over: usize,
}

impl From<Found> for Log {
    fn from(found: Found) -> Self {
        let all = found.records.len();
        let read = |record| serde_json::from_value(Value::Object(record)).ok();
        let records: Vec<LogRecord> = found.records.into_iter().filter_map(read).collect();
        let passed_over = found.passed_over + (all - records.len());
        Self { records, truncated: found.is_truncated, passed_over }
    }
}

/// Who asked this node for what, and what came of it?
#[utoipa::path(get, path = "/api/v1/log", params(Which), responses((status = 200, body = Log, description = "Searches, changes, reads of documents and files, and denials")))]
pub(crate) async fn read(State(app): State<App>, Search(which): Search<Which>) -> Answer<Log> {
    let hours = which.hours.unwrap_or(HOURS_USUAL);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Problem::invalid(format!("hours: 1 to {HOURS_MAX}, not {hours}")));
    }
    let event = which.event.as_deref().map(event).transpose()?;
    let audit = app.handle.audit();
    let found = audit.read(Wanted { since: audit.hours_ago(hours), event }).await?;
    Ok(Json(found.into()))
}

fn event(word: &str) -> Result<Event, Problem> {
    let found = Event::ALL.iter().find(|event| event.word() == word);
    found.copied().ok_or_else(|| Problem::invalid("event: search, access or dropped"))
}
