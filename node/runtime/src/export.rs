//! A space into a folder: the same files, byte for byte, at the same paths.

use std::{
    fs,
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use futures::TryStreamExt;
use node_core::{
    Failure, FailureKind, Request, Response,
    request::{DocumentView, Summary},
};
use node_model::{BlobId, SpaceId};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::{
    handle::{Handle, Progress, ProgressSender, Skipped, unexpected},
    import::FILE,
    seal_file::{read_failure, stopped},
};

/// Longest path, in bytes, that we write: what Linux and macOS allow, less the
/// room that the target folder needs.
const PATH_BYTES_MAX: usize = 1_024;

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

impl Handle {
    /// Writes all documents and files of a space below `folder`.
    ///
    /// # Errors
    /// [`Failure`]; what was written before it stays.
    pub async fn export(
        &self,
        space: SpaceId,
        folder: PathBuf,
        progress: ProgressSender,
    ) -> Result<ExportReport, Failure> {
        let Response::Documents(documents) = self.request(Request::Documents { space }).await?
        else {
            return Err(Failure::no_such_space());
        };
        fs::create_dir_all(&folder).map_err(|error| write_failure(&error))?;
        let total = documents.len() as u64;
        let mut report = ExportReport::default();
        for (done, summary) in documents.into_iter().enumerate() {
            let path = summary.path.clone().unwrap_or_else(|| format!("{}.json", summary.document));
            match self.export_document(space, &summary, &folder, &path).await {
                Ok(bytes) => {
                    report.files += 1;
                    report.bytes += bytes;
                }
                Err(failure) if failure.kind == FailureKind::DiskFull => return Err(failure),
                Err(failure) => report.skipped.push(Skipped { path, why: failure.message }),
            }
            progress.send_replace(Progress { done: done as u64 + 1, total, unit: "files" });
        }
        Ok(report)
    }

    async fn export_document(
        &self,
        space: SpaceId,
        summary: &Summary,
        folder: &Path,
        path: &str,
    ) -> Result<u64, Failure> {
        let read = Request::ReadDocument { space, document: summary.document };
        let Response::Document(view) = self.request(read).await? else {
            return Err(unexpected());
        };
        let target = target(folder, path)?;
        let blob = view.value.get("blob").and_then(Value::as_str).and_then(|id| id.parse().ok());
        if let Some(blob) = blob.filter(|_| summary.kind == FILE) {
            return self.export_blob(space, blob, target).await;
        }
        let bytes = bytes_of(view);
        let written = tokio::task::spawn_blocking(move || {
            let mut file = create(&target)?;
            file.write_all(&bytes)?;
            finish(file, &target)?;
            Ok(bytes.len() as u64)
        });
        written.await.map_err(stopped)?.map_err(|error| write_failure(&error))
    }

    async fn export_blob(
        &self,
        space: SpaceId,
        blob: BlobId,
        target: PathBuf,
    ) -> Result<u64, Failure> {
        let reader = self.open_blob(space, blob).await?;
        let size = reader.size();
        let mut file = create(&target).map_err(|error| write_failure(&error))?;
        let mut pieces = std::pin::pin!(reader.read(0..size));
        while let Some(piece) = pieces.try_next().await? {
            let written = tokio::task::spawn_blocking(move || {
                file.write_all(&piece)?;
                Ok::<_, io::Error>(file)
            });
            file = written.await.map_err(stopped)?.map_err(|error| write_failure(&error))?;
        }
        finish(file, &target).map_err(|error| write_failure(&error))?;
        Ok(size)
    }
}

/// The bytes of a document's file: those that were imported if the document
/// still says the same, else what it says now.
fn bytes_of(view: DocumentView) -> Vec<u8> {
    let DocumentView { meta, value, .. } = view;
    if let Some(source) = meta.source
        && serde_json::from_slice::<Value>(&source).is_ok_and(|read| read == value)
    {
        return source;
    }
    let is_text = value.get("content_format").is_some_and(Value::is_string)
        && meta.path.as_deref().is_some_and(|path| !path.ends_with(".json"));
    match value.get("content").and_then(Value::as_str).filter(|_| is_text) {
        Some(text) => text.as_bytes().to_vec(),
        None => format!("{value:#}\n").into_bytes(),
    }
}

/// Where a path of a space goes. It came from somebody else's machine: it must
/// not leave `folder`, by name or through a link.
fn target(folder: &Path, path: &str) -> Result<PathBuf, Failure> {
    let refused = |why: &str| {
        Failure::new(
            FailureKind::Invalid,
            format!("a file may not be called that: {why}"),
            "kith doc list SPACE",
        )
    };
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        return Err(refused("too long, or nothing"));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(refused("it holds characters that no file name has"));
    }
    let mut target = folder.to_owned();
    let relative = Path::new(path);
    for component in relative.components() {
        match component {
            Component::Normal(name) => target.push(name),
            Component::CurDir
            | Component::ParentDir
            | Component::RootDir
            | Component::Prefix(_) => {
                return Err(refused("it leads out of the folder"));
            }
        }
        if target.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(refused("it leads through a link"));
        }
    }
    Ok(target)
}

/// The unfinished file, in the folder of its target under a name that no file has.
pub(crate) fn create(target: &Path) -> io::Result<NamedTempFile> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kith-part-");
    // What other programs give to a new file; a temporary one would stay private.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Nobody sees a half-written file under its own name.
pub(crate) fn finish(file: NamedTempFile, target: &Path) -> io::Result<()> {
    file.persist(target)?;
    Ok(())
}

pub(crate) fn write_failure(error: &io::Error) -> Failure {
    let mut failure = read_failure(error);
    failure.message = format!("could not write it: {error}");
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_within_the_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in ["", "../x", "/etc/passwd", "a/../../x", "a\\b", "a\nb", "./../x"] {
            assert!(target(folder.path(), path).is_err(), "{path:?}");
        }
        let good = target(folder.path(), "a/b c/ü.md").expect("is a name");
        assert!(good.starts_with(folder.path()));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_the_folder_are_not_followed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let outside = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::symlink(outside.path(), folder.path().join("a")).expect("links");
        assert!(target(folder.path(), "a/b").is_err());
    }
}
