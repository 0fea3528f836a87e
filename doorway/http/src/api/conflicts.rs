use axum::{Json, extract::State};
use node_core::{
    Request,
    request::{
        AskedInfo, Author, Before, ConflictId, ConflictInfo, ConflictKind, ConflictPage,
        ConflictRequest, ConflictsOf, Keep, SettleReport, SideInfo,
    },
};
use node_model::{DocumentId, SpaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Answer, documents::Changed, parse};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params, Search},
    problem::Problem,
};

/// An answer ends once it has so many conflicts; more than anybody reads in one go.
const CONFLICTS_MAX: usize = 1_000;

/// An answer ends once its values have so many bytes of JSON: as much as the sync
/// engine tells of one document. With one more document it stays below 100 MB.
const VALUES_BYTES_MAX: usize = 40 * 1024 * 1024;

/// Somebody who wrote.
#[derive(Serialize, ToSchema)]
pub(crate) struct Writer {
    agent: String,
    name: String,
}

impl From<Author> for Writer {
    fn from(author: Author) -> Self {
        Self { agent: author.agent.to_string(), name: author.name }
    }
}

/// One of the things that were said.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConflictSide {
    /// `null` also for a deletion.
    value: Option<Value>,
    /// Whether it is a deletion.
    deleted: bool,
    /// Whether one of this person's own devices said it.
    mine: bool,
    /// Who said it; empty when it is too long ago to be told.
    by: Vec<Writer>,
    /// When it was last said, by its writer's clock, where that is known.
    at: Option<String>,
    /// Whether the document shows it.
    shown: bool,
}

impl ConflictSide {
    fn new(at: usize, side: SideInfo) -> Self {
        Self {
            deleted: side.value.is_none(),
            value: side.value,
            mine: side.is_mine,
            by: side.by.into_iter().map(Writer::from).collect(),
            at: side.at.map(|at| at.rfc3339()),
            shown: at == 0,
        }
    }
}

/// Somebody left a conflict to the admins of its space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    /// Why; may be empty.
    why: String,
    /// Who; empty when it is too long ago to be told.
    by: Vec<Writer>,
    /// Whether it was this person.
    mine: bool,
    /// When, by their clock, where that is known.
    at: Option<String>,
}

impl From<AskedInfo> for Asked {
    fn from(asked: AskedInfo) -> Self {
        let by = asked.by.into_iter().map(Writer::from).collect();
        let at = asked.at.map(|at| at.rfc3339());
        Self { why: asked.why, by, mine: asked.is_mine, at }
    }
}

/// What was there before.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConflictBefore {
    /// `value`, `nothing`, or `unknown`: too long ago, or too large.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

impl From<Before> for ConflictBefore {
    fn from(before: Before) -> Self {
        match before {
            Before::Value(value) => Self { state: "value", value: Some(value) },
            Before::Nothing => Self { state: "nothing", value: None },
            Before::Unknown => Self { state: "unknown", value: None },
        }
    }
}

/// What people said about one place without knowing of each other.
#[derive(Serialize, ToSchema)]
pub(crate) struct Conflict {
    space: String,
    doc: String,
    /// Its id; another one as soon as more is said.
    conflict: String,
    /// A JSON Pointer; the whole document is the empty string.
    place: String,
    /// `overwritten`, `deleted-and-changed` or `removed-document`.
    kind: &'static str,
    /// Of the document.
    title: String,
    /// At least two; the first is what the document shows.
    sides: Vec<ConflictSide>,
    before: ConflictBefore,
    /// Who left it to the space's admins, and was not answered. Nobody else settles it then.
    asked: Vec<Asked>,
}

impl From<ConflictInfo> for Conflict {
    fn from(info: ConflictInfo) -> Self {
        let sides = info.sides.into_iter().enumerate();
        Self {
            space: info.space.to_string(),
            doc: info.document.to_string(),
            conflict: info.conflict.to_string(),
            place: info.place,
            kind: word(info.kind),
            title: info.title,
            sides: sides.map(|(at, side)| ConflictSide::new(at, side)).collect(),
            before: info.before.into(),
            asked: info.asked.into_iter().map(Asked::from).collect(),
        }
    }
}

fn word(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::Overwritten => "overwritten",
        ConflictKind::DeletedAndChanged => "deleted-and-changed",
        ConflictKind::RemovedDocument => "removed-document",
    }
}

fn values_bytes(info: &ConflictInfo) -> usize {
    let values = info.sides.iter().filter_map(|side| side.value.as_ref());
    let before = match &info.before {
        Before::Value(value) => Some(value),
        Before::Nothing | Before::Unknown => None,
    };
    values.chain(before).map(|value| value.to_string().len()).sum()
}

/// Conflicts.
#[derive(Serialize, ToSchema)]
pub(crate) struct Conflicts {
    conflicts: Vec<Conflict>,
    /// Whether these are all of the documents that were looked through; a very long
    /// history or very large values are not told to the end.
    complete: bool,
    /// Where the next answer goes on, as `after`; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<ConflictPage> for Conflicts {
    fn from(page: ConflictPage) -> Self {
        Self {
            conflicts: page.items.into_iter().map(Conflict::from).collect(),
            complete: page.is_complete,
            next: page.next.map(|next| next.to_string()),
        }
    }
}

/// Which conflicts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those of documents after this one.
    after: Option<String>,
}

/// What in a space waits for a person?
#[utoipa::path(get, path = "/api/v1/spaces/{space}/conflicts", params(Which), responses((status = 200, body = Conflicts, description = "By document, then by place; also of removed documents")))]
pub(crate) async fn of_space(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(which): Search<Which>,
) -> Answer<Conflicts> {
    let space = ask::space(&app.handle, &space).await?.space;
    let after = which.after.as_deref().map(|after| parse("after", after)).transpose()?;
    let mut found = ConflictPage { items: vec![], is_complete: true, next: after };
    let mut bytes = 0_usize;
    loop {
        let page = ask::conflicts(&app.handle, space, ConflictsOf::After(found.next)).await?;
        bytes = bytes.saturating_add(page.items.iter().map(values_bytes).sum());
        found.items.extend(page.items);
        found.is_complete &= page.is_complete;
        found.next = page.next;
        let is_enough = found.items.len() >= CONFLICTS_MAX || bytes >= VALUES_BYTES_MAX;
        if is_enough || found.next.is_none() {
            return Ok(Json(found.into()));
        }
    }
}

/// What in a document waits for a person?
#[utoipa::path(get, path = "/api/v1/spaces/{space}/docs/{doc}/conflicts", responses((status = 200, body = Conflicts, description = "By place; also of a removed document")))]
pub(crate) async fn of_document(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
) -> Answer<Conflicts> {
    let space = ask::space(&app.handle, &space).await?.space;
    let document = ask::find_or_removed(&app.handle, space, &doc).await?;
    let page = ask::conflicts(&app.handle, space, ConflictsOf::Document(document)).await?;
    Ok(Json(page.into()))
}

/// What is to stay.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Decision {
    keep: Kept,
}

/// `shown`, `mine`, `theirs`, `both` (beside each other), `undo` (what was there
/// before), or a side by its place in the list.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Kept {
    Side(usize),
    Word(String),
}

/// Settle a conflict.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/docs/{doc}/conflicts/{conflict}", request_body = Decision, responses((status = 200, body = Changed, description = "Settled; `doc` is another one when a removed document was restored")))]
pub(crate) async fn settle(
    State(app): State<App>,
    Params((space, doc, conflict)): Params<(String, String, String)>,
    JsonBody(decision): JsonBody<Decision>,
) -> Answer<Changed> {
    let keep = match decision.keep {
        Kept::Side(at) => Keep::Side(at),
        Kept::Word(word) => parse("keep", &word)?,
    };
    let (space, document, conflict) = named(&app, (&space, &doc, &conflict)).await?;
    let request = ConflictRequest::Settle { space, document, conflict, keep };
    Ok(Json(ask::write(&app.handle, Request::Conflict(request)).await?.into()))
}

async fn named(
    app: &App,
    (space, doc, conflict): (&str, &str, &str),
) -> Result<(SpaceId, DocumentId, ConflictId), Problem> {
    let space = ask::space(&app.handle, space).await?.space;
    let document = ask::find_or_removed(&app.handle, space, doc).await?;
    let conflict = conflict.parse().map_err(|error| {
        Problem::not_found(format!("{conflict:?} is {error}"), "kith conflicts show SPACE DOC")
    })?;
    Ok((space, document, conflict))
}

/// A conflict that others shall decide.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Escalation {
    /// Why, in at most 1,000 bytes; everybody in the space can read it.
    #[serde(default)]
    why: String,
}

/// Leave a conflict to the admins of the space.
///
/// Until one of them decides, or who asked takes it back, nobody else settles it.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/docs/{doc}/conflicts/{conflict}/escalation", request_body = Escalation, responses((status = 200, body = Changed, description = "The admins see it among the conflicts")))]
pub(crate) async fn escalate(
    State(app): State<App>,
    Params((space, doc, conflict)): Params<(String, String, String)>,
    JsonBody(Escalation { why }): JsonBody<Escalation>,
) -> Answer<Changed> {
    let (space, document, conflict) = named(&app, (&space, &doc, &conflict)).await?;
    let request = ConflictRequest::Escalate { space, document, conflict, why };
    Ok(Json(ask::write(&app.handle, Request::Conflict(request)).await?.into()))
}

/// Take back that a conflict was left to the admins: who asked may, and an admin.
#[utoipa::path(delete, path = "/api/v1/spaces/{space}/docs/{doc}/conflicts/{conflict}/escalation", responses((status = 200, body = Changed, description = "Whoever may write settles it again")))]
pub(crate) async fn withdraw(
    State(app): State<App>,
    Params((space, doc, conflict)): Params<(String, String, String)>,
) -> Answer<Changed> {
    let (space, document, conflict) = named(&app, (&space, &doc, &conflict)).await?;
    let request = ConflictRequest::Withdraw { space, document, conflict };
    Ok(Json(ask::write(&app.handle, Request::Conflict(request)).await?.into()))
}

/// Whose side is to stay.
#[derive(Deserialize, ToSchema)]
pub(crate) struct DecisionForAll {
    /// `mine` or `theirs`.
    keep: String,
    /// Only in documents after this one.
    after: Option<String>,
}

/// A conflict that was not settled with the others.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeftOpen {
    doc: String,
    conflict: String,
    /// A JSON Pointer.
    place: String,
    why: String,
}

/// What became of all conflicts.
#[derive(Serialize, ToSchema)]
pub(crate) struct AllSettled {
    /// How many were settled.
    settled: usize,
    /// How many were not, because it is not clear what the side wants.
    left_open: usize,
    /// Those of them, at most 1,000.
    left: Vec<LeftOpen>,
    /// Whether these were all conflicts of the documents that were looked through.
    complete: bool,
    /// Where the next request goes on, as `after`; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<(SettleReport, usize)> for AllSettled {
    fn from((report, left_open): (SettleReport, usize)) -> Self {
        let left = report.left.into_iter().map(|it| LeftOpen {
            doc: it.document.to_string(),
            conflict: it.conflict.to_string(),
            place: it.place,
            why: it.why,
        });
        Self {
            settled: report.settled,
            left_open,
            left: left.collect(),
            complete: report.is_complete,
            next: report.next.map(|next| next.to_string()),
        }
    }
}

/// Settle all conflicts of a space in favour of one side.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/conflicts", request_body = DecisionForAll, responses((status = 200, body = AllSettled, description = "Document by document, each in one change; what is not clear stays open")))]
pub(crate) async fn settle_space(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(decision): JsonBody<DecisionForAll>,
) -> Answer<AllSettled> {
    let keep = parse("keep", &decision.keep)?;
    let after = decision.after.as_deref().map(|after| parse("after", after)).transpose()?;
    let space = ask::space(&app.handle, &space).await?.space;
    let of = (space, ConflictsOf::After(after));
    Ok(Json(ask::settle_all(&app.handle, of, keep, CONFLICTS_MAX).await?.into()))
}

/// Settle all conflicts of a document in favour of one side.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/docs/{doc}/conflicts", request_body = DecisionForAll, responses((status = 200, body = AllSettled, description = "In one change; what is not clear stays open")))]
pub(crate) async fn settle_document(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    JsonBody(decision): JsonBody<DecisionForAll>,
) -> Answer<AllSettled> {
    let keep = parse("keep", &decision.keep)?;
    let space = ask::space(&app.handle, &space).await?.space;
    let document = ask::find_or_removed(&app.handle, space, &doc).await?;
    let of = (space, ConflictsOf::Document(document));
    Ok(Json(ask::settle_all(&app.handle, of, keep, CONFLICTS_MAX).await?.into()))
}
