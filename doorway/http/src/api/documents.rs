use axum::{Json, extract::State, http::StatusCode};
use node_core::{
    Request,
    request::{
        Durability, Meta, PatchOp, SpaceInfo, Summary, WriteDocument, content_document,
        path_document,
    },
};
use node_model::{DocumentId, SpaceId, random_bytes};
use node_runtime::{
    OsEntropy,
    query::{Query, QueryPage},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{Answer, past};
use crate::{
    ask,
    check::check,
    config::App,
    extract::{JsonBody, Params, Search},
    problem::Problem,
};

/// Most documents in one answer; 5 MB of JSON.
const PAGE_MAX: usize = 10_000;

/// Most operations in one patch, as the sync engine has it.
const PATCH_OPS_MAX: usize = 10_000;

/// Bytes of an app's name.
const APP_BYTES_MAX: usize = 64;

/// The type of a document that nobody gave one.
const TYPE: &str = "json";

/// A line in a list of documents.
#[derive(Serialize, ToSchema)]
pub(crate) struct Line {
    doc: String,
    r#type: String,
    /// The app whose it is; `kith` if none said so.
    app: String,
    title: String,
    path: Option<String>,
    id: Option<String>,
    /// When it last changed, where that is known without loading it.
    updated_at: Option<String>,
}

impl From<Summary> for Line {
    fn from(summary: Summary) -> Self {
        Self {
            doc: summary.document.to_string(),
            r#type: summary.kind,
            app: summary.app,
            title: summary.title,
            path: summary.path,
            id: summary.content_id,
            updated_at: None,
        }
    }
}

/// Documents of a space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Lines {
    docs: Vec<Line>,
    /// Where the next answer goes on, as `after`; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<QueryPage> for Lines {
    fn from(page: QueryPage) -> Self {
        let docs = page.found.into_iter().map(Line::from).collect();
        Self { docs, next: page.next.map(|next| next.to_string()) }
    }
}

/// Which documents.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only of this type.
    r#type: Option<String>,
    /// Only of this app.
    app: Option<String>,
    /// At most so many, and at most 10,000.
    limit: Option<usize>,
    /// Only those after this document.
    after: Option<String>,
}

/// Which documents are there?
#[utoipa::path(get, path = "/api/v1/spaces/{space}/docs", params(Which), responses((status = 200, body = Lines, description = "By id")))]
pub(crate) async fn list(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(which): Search<Which>,
) -> Answer<Lines> {
    let space = ask::space(&app.handle, &space).await?.space;
    let after: Option<DocumentId> =
        which.after.as_deref().map(|after| super::parse("after", after)).transpose()?;
    let Which { r#type, app: of_app, limit, .. } = which;
    let query = Query { kind: r#type, app: of_app, conditions: vec![], after };
    let limit = limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let page = app.handle.query(space, &query, limit).await?;
    Ok(Json(page.into()))
}

/// A document to write.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewDocument {
    /// `json` unless said.
    r#type: Option<String>,
    /// The app whose it is (`kith` unless said), so that apps that share a space tell their documents apart: at most
    /// 64 of the letters a to z, digits, `-`, `_` and `.`.
    app: Option<String>,
    /// The id of its content; makes the document findable by it.
    id: Option<String>,
    /// A file path; makes the document findable by it.
    path: Option<String>,
    /// Stands in `value` as `title` if there is none.
    title: Option<String>,
    /// A JSON object.
    value: Map<String, Value>,
}

/// A document after a change.
#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    doc: String,
    heads: Vec<String>,
    /// `local`: on this device's disk.
    durability: &'static str,
}

impl From<(DocumentId, Vec<String>)> for Changed {
    fn from((document, heads): (DocumentId, Vec<String>)) -> Self {
        Self { doc: document.to_string(), heads, durability: "local" }
    }
}

/// Write a new document.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/docs", request_body = NewDocument, responses((status = 201, body = Changed, description = "Written")))]
pub(crate) async fn create(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(new): JsonBody<NewDocument>,
) -> Result<(StatusCode, Json<Changed>), Problem> {
    let space = ask::space(&app.handle, &space).await?.space;
    let document = new_id(space, &new);
    let is_named = new.id.is_some() || new.path.is_some();
    if is_named && ask::read_if_there(&app.handle, space, document).await?.is_some() {
        let detail = format!("this document exists already: {document}");
        let fix = "change it with PATCH, or take another id";
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", detail, fix));
    }
    let mut value = new.value;
    for (key, text) in [("id", new.id), ("title", new.title)] {
        if let Some(text) = text {
            value.entry(key).or_insert(Value::String(text));
        }
    }
    let kind = new.r#type.unwrap_or_else(|| TYPE.to_owned());
    let of_app = new.app.map(app_name).transpose()?;
    let meta = Meta { kind, app: of_app, path: new.path, source: None };
    let document = WriteDocument { document, meta, value: Value::Object(value) };
    let written = ask::write_document(&app.handle, space, document).await?;
    Ok((StatusCode::CREATED, Json(written.into())))
}

fn app_name(name: String) -> Result<String, Problem> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if (1..=APP_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(name);
    }
    Err(Problem::invalid("an app is called by 1 to 64 of the letters a to z, digits, -, _ and ."))
}

fn new_id(space: SpaceId, new: &NewDocument) -> DocumentId {
    match (&new.id, &new.path) {
        (Some(id), _) => content_document(space, id),
        (None, Some(path)) => path_document(space, path),
        (None, None) => DocumentId(random_bytes(&mut OsEntropy)),
    }
}

/// Which part of a document.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Where {
    /// A JSON Pointer, or a key of the root.
    path: Option<String>,
    /// As it was then: after a change, by its hash or four digits of it at least, or at a
    /// time such as `2026-11-21T14:00:00Z`. So may a removed document be read.
    at: Option<String>,
}

/// A document with its state.
#[derive(Serialize, ToSchema)]
pub(crate) struct Document {
    doc: String,
    heads: Vec<String>,
    r#type: String,
    /// The app whose it is; `kith` if none said so.
    app: String,
    title: String,
    path: Option<String>,
    /// All of it, or what is at the given path.
    value: Value,
    /// What in a content item or a learning path is not as its schema has it, in sentences.
    /// Absent where all of it is. It is kept and passed on as it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation: Vec<String>,
    /// How many entries of it could not be read here, so that something is missing; absent where
    /// none. The doctor says why.
    #[serde(skip_serializing_if = "is_none")]
    refused: usize,
    /// `local`: on this device's disk. `safe`: others signed that they hold it, too, in two
    /// places at least.
    durability: &'static str,
}

/// What does a document hold?
#[utoipa::path(get, path = "/api/v1/spaces/{space}/docs/{doc}", params(Where), responses((status = 200, body = Document, description = "The document")))]
pub(crate) async fn read(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    Search(part): Search<Where>,
) -> Answer<Document> {
    let view = match &part.at {
        None => ask::read_by_name(&app.handle, &space, &doc).await?.1,
        Some(at) => past::value(&app, (&space, &doc), at).await?,
    };
    let title = view.title().to_owned();
    let validation = check(&view.meta.kind, &view.value);
    let value = match part.path.as_deref() {
        None | Some("") => view.value,
        Some(path) => at(&view.value, path).ok_or_else(|| {
            Problem::not_found(format!("there is nothing at {path}"), "kith doc get SPACE DOC")
        })?,
    };
    let meta = view.meta;
    let app = meta.namespace().to_owned();
    Ok(Json(Document {
        doc: view.document.to_string(),
        heads: view.heads,
        r#type: meta.kind,
        app,
        title,
        path: meta.path,
        value,
        validation,
        refused: view.refused,
        durability: view.durability.unwrap_or(Durability::Local).word(),
    }))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

fn at(value: &Value, path: &str) -> Option<Value> {
    let found = if path.starts_with('/') { value.pointer(path) } else { value.get(path) };
    found.cloned()
}

/// Change a document by a JSON Patch.
#[utoipa::path(patch, path = "/api/v1/spaces/{space}/docs/{doc}",
    request_body(content = Vec<Value>, content_type = "application/json-patch+json", description = "RFC 6902: at most 10,000 operations that write at most 262,144 values and 10 MiB, and look at four times as much"),
    responses((status = 200, body = Changed, description = "One change, with all operations or none")))]
pub(crate) async fn patch(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    JsonBody(operations): JsonBody<Vec<PatchOp>>,
) -> Answer<Changed> {
    if operations.len() > PATCH_OPS_MAX {
        let detail = format!("a patch has at most {PATCH_OPS_MAX} operations");
        return Err(Problem::invalid(detail));
    }
    let (space, document) = find(&app, &space, &doc).await?;
    let space = space.space;
    let request = Request::Patch { space, document, operations };
    Ok(Json(ask::write(&app.handle, request).await?.into()))
}

/// A value to set.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewValue {
    /// A JSON Pointer, or a key of the root.
    path: String,
    value: Value,
}

/// Set one value.
#[utoipa::path(put, path = "/api/v1/spaces/{space}/docs/{doc}/value", request_body = NewValue, responses((status = 200, body = Changed, description = "Set")))]
pub(crate) async fn set(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    JsonBody(new): JsonBody<NewValue>,
) -> Answer<Changed> {
    let (space, document) = find(&app, &space, &doc).await?;
    let place = (space.space, document);
    Ok(Json(ask::set(&app.handle, place, new.path, new.value).await?.into()))
}

/// Remove a document.
#[utoipa::path(delete, path = "/api/v1/spaces/{space}/docs/{doc}", responses((status = 200, body = Changed, description = "Removed")))]
pub(crate) async fn remove(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
) -> Answer<Changed> {
    let (space, document) = find(&app, &space, &doc).await?;
    let request = Request::RemoveDocument { space: space.space, document };
    Ok(Json(ask::write(&app.handle, request).await?.into()))
}

async fn find(app: &App, space: &str, doc: &str) -> Result<(SpaceInfo, DocumentId), Problem> {
    let space = ask::space(&app.handle, space).await?;
    let document = ask::find(&app.handle, space.space, doc).await?;
    Ok((space, document))
}
