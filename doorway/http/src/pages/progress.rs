//! How far a person is on a learning path. It is theirs: a document of their home
//! space, under the ids of the steps, so that it survives when steps move.

use std::collections::BTreeSet;

use node_core::{
    Failure, FailureKind,
    request::{Meta, WriteDocument, content_document},
};
use node_model::{DocumentId, SpaceId};
use serde_json::{Value, json};

use crate::{ask, config::App, path::LearningPath};

/// The type of the document.
const KIND: &str = "progress";

/// Begins the keys of steps. They lie at the root of the document: two devices
/// that begin the same path apart keep the marks of both.
const STEP: &str = "done:";

/// The steps that are done, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress(BTreeSet<String>);

impl Progress {
    fn of(value: &Value) -> Self {
        let marks = value.as_object().into_iter().flatten();
        let done = marks.filter(|(_, value)| **value == Value::Bool(true));
        Self(done.filter_map(|(key, _)| Some(key.strip_prefix(STEP)?.to_owned())).collect())
    }

    pub(crate) fn has(&self, step: &str) -> bool {
        self.0.contains(step)
    }

    /// How many of the path's steps are done.
    pub(crate) fn count(&self, path: &LearningPath) -> usize {
        path.steps.iter().filter(|step| self.has(&step.id)).count()
    }

    /// The first step that is not done.
    pub(crate) fn next(&self, path: &LearningPath) -> Option<usize> {
        path.steps.iter().position(|step| !self.has(&step.id))
    }
}

/// The progress on a path.
pub(crate) async fn read(app: &App, space: SpaceId, path: DocumentId) -> Result<Progress, Failure> {
    let Some(home) = home(app).await? else {
        return Ok(Progress::default());
    };
    let document = content_document(home, &name(space, path));
    let view = ask::read_if_there(&app.handle, home, document).await?;
    Ok(view.map(|view| Progress::of(&view.value)).unwrap_or_default())
}

/// Marks a step as done, or as not done.
pub(crate) async fn mark(
    app: &App,
    space: SpaceId,
    path: DocumentId,
    step: &str,
    is_done: bool,
) -> Result<(), Failure> {
    let home = home(app).await?.ok_or_else(no_home)?;
    let id = name(space, path);
    let document = content_document(home, &id);
    let place = (home, document);
    if ask::read_if_there(&app.handle, home, document).await?.is_none() {
        let value = json!({ "id": id, "path": path.to_string() });
        let meta = Meta { kind: KIND.to_owned(), app: None, path: None, source: None };
        let document = WriteDocument { document, meta, value };
        ask::write_document(&app.handle, home, document).await?;
    }
    let key = step.replace('~', "~0").replace('/', "~1");
    ask::set(&app.handle, place, format!("/{STEP}{key}"), is_done.into()).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_counts() {
        let progress =
            Progress::of(&json!({ "done:a": true, "done:b": false, "done:c": "true", "d": true }));
        assert!(progress.has("a") && !progress.has("b"));
        assert!(!progress.has("c") && !progress.has("d"));
        assert_eq!(Progress::of(&json!(["done:a"])), Progress::default());
        let path = LearningPath::read(&json!({ "steps": [{ "id": "a" }, { "id": "z" }] }));
        assert_eq!((progress.count(&path), progress.next(&path)), (1, Some(1)));
    }
}
