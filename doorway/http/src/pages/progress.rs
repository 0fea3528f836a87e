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

/// The steps that are done, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress(BTreeSet<String>);

impl Progress {
    fn of(value: &Value) -> Self {
        let done = value.get("done").and_then(Value::as_object);
        let ids = done.into_iter().flatten().filter(|(_, value)| **value == Value::Bool(true));
        Self(ids.map(|(id, _)| id.clone()).collect())
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
    match ask::read_if_there(&app.handle, home, document).await? {
        None => {
            let value = json!({ "id": id, "path": path.to_string(), "done": {} });
            let meta = Meta { kind: KIND.to_owned(), path: None, source: None };
            let document = WriteDocument { document, meta, value };
            ask::write_document(&app.handle, home, document).await?;
        }
        Some(view) if !view.value.get("done").is_some_and(Value::is_object) => {
            ask::set(&app.handle, place, "/done".to_owned(), json!({})).await?;
        }
        Some(_) => {}
    }
    let key = step.replace('~', "~0").replace('/', "~1");
    ask::set(&app.handle, place, format!("/done/{key}"), is_done.into()).await?;
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
        let progress = Progress::of(&json!({ "done": { "a": true, "b": false, "c": "true" } }));
        assert!(progress.has("a") && !progress.has("b") && !progress.has("c"));
        assert_eq!(Progress::of(&json!({ "done": [true] })), Progress::default());
        let path = LearningPath::read(&json!({ "steps": [{ "id": "a" }, { "id": "z" }] }));
        assert_eq!((progress.count(&path), progress.next(&path)), (1, Some(1)));
    }
}
