use axum::{Json, extract::State};
use node_core::{
    Request,
    request::{
        At, ChangeInfo, ChangeName, DocumentView, Edit, EditKind, HISTORY_MAX, PastOf, PastRequest,
    },
};
use node_model::{DocumentId, SpaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Answer, conflicts::Writer, documents::Changed, parse};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params, Search},
    problem::Problem,
};

/// Changes in an answer, unless said.
const LIMIT: usize = 50;

/// Which part of a history.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// At most so many, and at most 200; 50 unless said.
    limit: Option<usize>,
    /// Only those that come after this change in the list, as `next` has it.
    before: Option<String>,
}

/// One thing that a change did.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangeEdit {
    /// `add`, `remove`, `replace`, or `increment` of a counter.
    op: &'static str,
    /// A JSON Pointer; indexes count with the edits before done.
    path: String,
    /// What was there; absent where nothing was, or where it is large.
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Value>,
    /// What is there now; absent where nothing is, or where it is large.
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Value>,
    /// How much was added to a counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<i64>,
    /// Whether a value was shortened or left out.
    cut: bool,
}

impl From<Edit> for ChangeEdit {
    fn from(edit: Edit) -> Self {
        let (op, by) = match edit.kind {
            EditKind::Add => ("add", None),
            EditKind::Remove => ("remove", None),
            EditKind::Replace => ("replace", None),
            EditKind::Increment(by) => ("increment", Some(by)),
        };
        Self { op, by, path: edit.path, old: edit.old, new: edit.new, cut: edit.is_cut }
    }
}

/// One change of a document.
#[derive(Serialize, ToSchema)]
pub(crate) struct Change {
    entry: String,
    /// Its hash; four digits of it or more name it.
    change: String,
    /// By the writer's clock; some changes carry no time.
    at: Option<String>,
    operations: usize,
    /// The device that signed it.
    device: String,
    device_name: Option<String>,
    /// Whose device it is, where that is known.
    by: Option<Writer>,
    /// What it did, one after the other.
    edits: Vec<ChangeEdit>,
    /// Whether `edits` are all; if not, compare what it held `at` this change and the one
    /// before.
    complete: bool,
}

impl From<ChangeInfo> for Change {
    fn from(info: ChangeInfo) -> Self {
        let item = info.item;
        Self {
            entry: item.entry.to_string(),
            change: item.change,
            at: item.at.map(|at| at.rfc3339()),
            operations: item.operations,
            device: info.device.to_string(),
            device_name: info.device_name,
            by: info.author.map(Writer::from),
            edits: item.told.edits.into_iter().map(ChangeEdit::from).collect(),
            complete: item.told.is_whole,
        }
    }
}

/// The changes of a document.
#[derive(Serialize, ToSchema)]
pub(crate) struct Changes {
    doc: String,
    history: Vec<Change>,
    /// How many changes there are in all.
    total: usize,
    /// Where the next answer goes on, as `before`; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How did a document come about? It may have been removed.
#[utoipa::path(get, path = "/api/v1/spaces/{space}/docs/{doc}/history", params(Part), responses((status = 200, body = Changes, description = "Newest first")))]
pub(crate) async fn history(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    Search(part): Search<Part>,
) -> Answer<Changes> {
    let before = part.before.as_deref().map(|before| parse::<ChangeName>("before", before));
    let limit = part.limit.unwrap_or(LIMIT).clamp(1, HISTORY_MAX);
    let of = PastOf::History { before: before.transpose()?, limit };
    let (space, document) = find(&app, &space, &doc).await?;
    let view = ask::history(&app.handle, PastRequest { space, document, of }).await?;
    let history: Vec<Change> = view.changes.into_iter().map(Change::from).collect();
    let next = history.last().filter(|_| view.is_more).map(|last| last.change.clone());
    Ok(Json(Changes { doc: document.to_string(), history, total: view.total, next }))
}

/// What a document held at a moment.
pub(crate) async fn value(
    app: &App,
    (space, doc): (&str, &str),
    at: &str,
) -> Result<DocumentView, Problem> {
    let of = PastOf::Value(moment(at)?);
    let (space, document) = find(app, space, doc).await?;
    Ok(ask::past(&app.handle, PastRequest { space, document, of }).await?)
}

/// What a document is to become again.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Restored {
    /// A change, by its hash or four digits of it at least, or a time such as
    /// `2026-11-21T14:00:00Z`.
    at: String,
}

/// Make a document what it was, by one more change.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/docs/{doc}/restore", request_body = Restored, responses((status = 200, body = Changed, description = "It reads as it did then; nothing of its history is gone")))]
pub(crate) async fn restore(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    JsonBody(restored): JsonBody<Restored>,
) -> Answer<Changed> {
    let of = PastOf::Restore(moment(&restored.at)?);
    let (space, document) = find(&app, &space, &doc).await?;
    let request = Request::Past(PastRequest { space, document, of });
    Ok(Json(ask::write(&app.handle, request).await?.into()))
}

fn moment(at: &str) -> Result<At, Problem> {
    at.parse().map_err(|error| {
        let fix = "kith doc history SPACE DOC";
        Problem { fix: fix.to_owned(), ..Problem::invalid(format!("at: {error}")) }
    })
}

async fn find(app: &App, space: &str, doc: &str) -> Result<(SpaceId, DocumentId), Problem> {
    let space = ask::space(&app.handle, space).await?.space;
    Ok((space, ask::find_or_removed(&app.handle, space, doc).await?))
}
