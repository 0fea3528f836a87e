//! What is in a space, by the names that documents use for each other.

use std::collections::BTreeMap;

use node_core::{Failure, request::Summary};
use node_model::{BlobId, DocumentId, SpaceId};
use serde_json::Value;

use crate::{ask, config::App, links};

/// The type of the document that lists files without a document of their own.
const FILES: &str = "files";

/// Types that Kith keeps for itself.
const HIDDEN: &[&str] = &[FILES, "progress"];

/// The documents of a space.
pub(crate) struct Shelf {
    pub(crate) space: SpaceId,
    pub(crate) documents: Vec<Summary>,
    by_path: BTreeMap<String, usize>,
    by_content_id: BTreeMap<String, usize>,
    files: Option<DocumentId>,
}

/// Where a link leads.
pub(crate) struct Target {
    pub(crate) address: String,
    /// What it is, where it is a file.
    pub(crate) mime: Option<String>,
    pub(crate) title: String,
}

impl Shelf {
    pub(crate) async fn of(app: &App, space: SpaceId) -> Result<Self, Failure> {
        let mut documents = ask::documents(&app.handle, space).await?;
        let files = documents.iter().find(|it| it.kind == FILES).map(|it| it.document);
        documents.retain(|it| !HIDDEN.contains(&it.kind.as_str()));
        let numbered = || documents.iter().enumerate();
        let by_path = numbered().filter_map(|(at, it)| Some((it.path.clone()?, at))).collect();
        let by_content_id =
            numbered().filter_map(|(at, it)| Some((it.content_id.clone()?, at))).collect();
        Ok(Self { space, documents, by_path, by_content_id, files })
    }

    /// What somebody calls by content id or path.
    pub(crate) fn find(&self, name: &str) -> Option<&Summary> {
        let at = self.by_content_id.get(name).or_else(|| self.by_path.get(name))?;
        self.documents.get(*at)
    }

    /// Where a link of the document at `base` leads; `None` where there is
    /// nothing, or nothing yet.
    pub(crate) async fn target(
        &self,
        app: &App,
        base: Option<&str>,
        link: &str,
    ) -> Result<Option<Target>, Failure> {
        let Some(path) = links::resolve(base, link) else {
            return Ok(None);
        };
        let Some(at) = self.by_path.get(&path) else {
            return Ok(None);
        };
        let Some(found) = self.documents.get(*at) else {
            return Ok(None);
        };
        let title = found.title.clone();
        if found.kind == "file"
            && let Some(view) = ask::read_if_there(&app.handle, self.space, found.document).await?
            && let Some(file) = File::of(&view.value)
        {
            let address = links::blob(self.space, file.blob, &file.name);
            return Ok(Some(Target { address, mime: Some(file.mime), title }));
        }
        let address = links::document(self.space, found.document);
        Ok(Some(Target { address, mime: None, title }))
    }

    /// Files that have no document of their own.
    pub(crate) async fn loose_files(&self, app: &App) -> Result<Vec<File>, Failure> {
        let Some(document) = self.files else {
            return Ok(vec![]);
        };
        let view = ask::read_if_there(&app.handle, self.space, document).await?;
        let listed = view.as_ref().and_then(|view| view.value.as_object());
        Ok(listed.into_iter().flatten().filter_map(|(_, file)| File::of(file)).collect())
    }
}

/// The file that a document stands for.
pub(crate) struct File {
    pub(crate) blob: BlobId,
    pub(crate) name: String,
    pub(crate) mime: String,
    pub(crate) size: Option<u64>,
}

impl File {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let blob = text("blob")?.parse().ok()?;
        let name = text("name").or_else(|| text("title")).unwrap_or("file");
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned();
        let mime = text("mime").unwrap_or("application/octet-stream").to_owned();
        Some(Self { blob, name, mime, size: value.get("size").and_then(Value::as_u64) })
    }
}
