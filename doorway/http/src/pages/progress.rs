//! The progress of a person on a learning path. It is theirs: a document of their home
//! space, under the ids of the steps, so that it survives when steps move.

use std::collections::BTreeSet;

use node_core::{
    Failure, FailureKind, Request,
    request::{Meta, PatchOp, WriteDocument, content_document},
};
use node_model::{DocumentId, SpaceId};
use serde_json::json;

use crate::{
    ask,
    config::App,
    gates::{self, Gates},
    path::LearningPath,
    progress::Progress,
};

/// The type of the document.
const KIND: &str = "progress";

/// Paths whose progress is searched for what another one asks for.
const PATHS_MAX: usize = 100;

/// The progress on a path.
pub(crate) async fn read(app: &App, space: SpaceId, path: DocumentId) -> Result<Progress, Failure> {
    let Some(home) = home(app).await? else {
        return Ok(Progress::default());
    };
    let document = content_document(home, &name(space, path));
    let view = ask::read_if_there(&app.handle, home, document).await?;
    Ok(view.map(|view| Progress::of(&view.value)).unwrap_or_default())
}

/// What the steps of a path wait for.
pub(crate) async fn gates(
    app: &App,
    path: &LearningPath,
    progress: &Progress,
) -> Result<Gates, Failure> {
    let mut earned = gates::earned(path, progress);
    if gates::lacks(path, &earned) {
        earned.extend(earned_anywhere(app).await?);
    }
    Ok(Gates::of(path, progress, &earned))
}

/// What was written down as earned, on whatever path.
async fn earned_anywhere(app: &App) -> Result<BTreeSet<String>, Failure> {
    let mut earned = BTreeSet::new();
    let Some(home) = home(app).await? else {
        return Ok(earned);
    };
    let listed = ask::documents(&app.handle, home).await?;
    for summary in listed.into_iter().filter(|it| it.kind == KIND).take(PATHS_MAX) {
        if let Some(view) = ask::read_if_there(&app.handle, home, summary.document).await? {
            earned.extend(Progress::of(&view.value).earned);
        }
    }
    Ok(earned)
}

/// Changes the progress on a path.
pub(crate) async fn change(
    app: &App,
    space: SpaceId,
    path: DocumentId,
    operations: Vec<PatchOp>,
) -> Result<(), Failure> {
    if operations.is_empty() {
        return Ok(());
    }
    let home = home(app).await?.ok_or_else(no_home)?;
    let id = name(space, path);
    let document = content_document(home, &id);
    if ask::read_if_there(&app.handle, home, document).await?.is_none() {
        let value = json!({ "id": id, "path": path.to_string() });
        let meta = Meta { kind: KIND.to_owned(), app: None, path: None, source: None };
        let document = WriteDocument { document, meta, value };
        ask::write_document(&app.handle, home, document).await?;
    }
    ask::write(&app.handle, Request::Patch { space: home, document, operations }).await?;
    Ok(())
}

fn name(space: SpaceId, path: DocumentId) -> String {
    format!("progress:{space}:{path}")
}

async fn home(app: &App) -> Result<Option<SpaceId>, Failure> {
    let spaces = ask::spaces(&app.handle).await?;
    Ok(spaces.into_iter().find(|space| space.is_home).map(|space| space.space))
}

fn no_home() -> Failure {
    let message = "this node has no space of your own to keep progress in";
    Failure::new(FailureKind::NotFound, message, "restart the node: kith up")
}
