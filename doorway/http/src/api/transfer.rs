//! Folders in and out, with their progress as lines of JSON.

use std::{convert::Infallible, future::Future, path::PathBuf, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use node_core::Failure;
use node_runtime::{ExportReport, ImportReport, Progress, ProgressSender, Skipped};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use utoipa::ToSchema;

use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
    problem::Problem,
};

/// Lines that wait for a reader.
const LINES_MAX: usize = 16;

/// Ten lines a second are as smooth as a progress bar needs.
const LINE_INTERVAL: Duration = Duration::from_millis(100);

/// A folder or file of this device.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Folder {
    /// Absolute.
    path: String,
}

/// What to import.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Source {
    /// Absolute.
    path: String,
    /// Whether to import only what the space never had: what it has is not updated, and what
    /// was removed from it does not come back.
    #[serde(default)]
    new_only: bool,
}

/// A path of this device, from whoever may name one.
pub(crate) fn absolute(path: String) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(path);
    let is_absolute = path.is_absolute();
    if is_absolute { Ok(path) } else { Err(Problem::invalid("the path must be absolute")) }
}

/// Import a folder or a file.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/import", request_body = Source,
    responses((status = 200, body = String, content_type = "application/x-ndjson",
        description = "Lines {\"progress\":{done,total,unit}}, then {\"result\":{…}} or {\"error\":{…}}")))]
pub(crate) async fn import(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(source): JsonBody<Source>,
) -> Result<Response, Problem> {
    let space = ask::space(&app.handle, &space).await?.space;
    let path = absolute(source.path)?;
    Ok(lines(move |progress| async move {
        let report = if source.new_only {
            app.handle.import_new(space, path, progress).await?
        } else {
            app.handle.import(space, path, progress).await?
        };
        Ok(imported(report))
    }))
}

/// Export a space into a folder.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/export", request_body = Folder,
    responses((status = 200, body = String, content_type = "application/x-ndjson",
        description = "Lines {\"progress\":{done,total,unit}}, then {\"result\":{…}} or {\"error\":{…}}")))]
pub(crate) async fn export(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(folder): JsonBody<Folder>,
) -> Result<Response, Problem> {
    let space = ask::space(&app.handle, &space).await?.space;
    let path = absolute(folder.path)?;
    Ok(lines(|progress| async move {
        let report = app.handle.export(space, path, progress).await?;
        Ok(exported(report))
    }))
}

fn imported(report: ImportReport) -> Value {
    json!({
        "documents": report.documents,
        "blobs": report.blobs,
        "bytes": report.bytes,
        "known": report.known,
        "skipped": skipped(report.skipped),
    })
}

fn exported(report: ExportReport) -> Value {
    json!({ "files": report.files, "bytes": report.bytes, "skipped": skipped(report.skipped) })
}

fn skipped(skipped: Vec<Skipped>) -> Vec<Value> {
    skipped.into_iter().map(|it| json!({ "path": it.path, "why": it.why })).collect()
}

/// Does the work while telling how far it is. If nobody listens any more, the
/// work is dropped; it can be begun again.
pub(crate) fn lines<W, F>(work: W) -> Response
where
    W: FnOnce(ProgressSender) -> F,
    F: Future<Output = Result<Value, Failure>> + Send + 'static,
{
    let (progress, watched) = watch::channel(Progress::default());
    let (to, lines) = mpsc::channel(LINES_MAX);
    let work = work(progress);
    tokio::spawn(async move {
        let last = tokio::select! {
            result = work => last_line(result),
            () = tell(watched, &to) => return,
        };
        let _ = to.send(last).await;
    });
    let body = ReceiverStream::new(lines).map(|line: Value| {
        let line = format!("{line}\n");
        Ok::<_, Infallible>(Bytes::from(line))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response()
}

/// Ends when nobody listens.
async fn tell(mut watched: watch::Receiver<Progress>, to: &mpsc::Sender<Value>) {
    loop {
        let is_changed = tokio::select! {
            () = to.closed() => return,
            changed = watched.changed() => changed.is_ok(),
        };
        if !is_changed {
            // The work is done with its progress, but not yet with itself.
            return to.closed().await;
        }
        let Progress { done, total, unit } = *watched.borrow_and_update();
        let line = json!({ "progress": { "done": done, "total": total, "unit": unit } });
        if to.send(line).await.is_err() {
            return;
        }
        sleep(LINE_INTERVAL).await;
    }
}

fn last_line(result: Result<Value, Failure>) -> Value {
    match result {
        Ok(result) => json!({ "result": result }),
        Err(Failure { kind, message, state, fix }) => json!({
            "error": { "code": kind.code(), "message": message, "state": state, "fix": fix },
        }),
    }
}
