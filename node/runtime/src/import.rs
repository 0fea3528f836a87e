//! A folder into a space.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use futures::{StreamExt, TryStreamExt, stream};
use node_core::{
    Failure, FailureKind, Request, Response,
    request::{Meta, WriteDocument, path_document},
};
use node_model::{DocumentId, SpaceId, seal::SealKey};
use serde_json::json;

use crate::{
    blobs::{CONCURRENT_FILES, StoredBlob},
    handle::{Handle, Progress, ProgressSender, Skipped, unexpected},
    import_file::{self, Form, Parsed},
    seal_file::{read_failure, stopped},
};

/// Type of a document that names an imported file.
pub(crate) const FILE: &str = "file";

/// Documents written in one transaction.
const BATCH_DOCUMENTS: usize = 256;

/// Bytes of documents written in one transaction.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Documents asked for in one request.
const NAMES_AT_ONCE: usize = 4_096;

/// Most files in one import.
const FILES_MAX: usize = 1_000_000;

/// Deepest folder.
const FOLDER_DEPTH_MAX: usize = 64;

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Documents written, those of files included.
    pub documents: u64,
    /// Files stored as blobs.
    pub blobs: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Files that were left as the space has them.
    pub known: u64,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// A file to import.
#[derive(Clone)]
struct Found {
    /// Where it is.
    place: PathBuf,
    /// What the space will call it: relative, with `/`.
    path: String,
    len: u64,
}

enum Read {
    Document { document: WriteDocument, bytes: u64 },
    File { document: WriteDocument, stored: StoredBlob },
    Skipped(Skipped),
}

impl Handle {
    /// Imports a file or folder; the same file again updates its document.
    ///
    /// # Errors
    /// [`Failure`]; what was imported before it stays, and importing again goes
    /// on from there.
    pub async fn import(
        &self,
        space: SpaceId,
        path: PathBuf,
        progress: ProgressSender,
    ) -> Result<ImportReport, Failure> {
        let (found, skipped) = find(path).await?;
        let report = ImportReport { skipped, ..ImportReport::default() };
        self.import_files(space, found, report, progress).await
    }

    /// Imports the files that the space never had, as a snapshot: what it has stays as it is,
    /// and what was removed from it stays removed.
    ///
    /// # Errors
    /// As [`Self::import`].
    pub async fn import_new(
        &self,
        space: SpaceId,
        path: PathBuf,
        progress: ProgressSender,
    ) -> Result<ImportReport, Failure> {
        let (found, skipped) = find(path).await?;
        let (total, mut new) = (found.len(), Vec::new());
        for some in found.chunks(NAMES_AT_ONCE) {
            let documents = some.iter().map(|file| path_document(space, &file.path)).collect();
            let unwritten = self.unwritten(space, documents).await?;
            let is_new = |file: &&Found| unwritten.contains(&path_document(space, &file.path));
            new.extend(some.iter().filter(is_new).cloned());
        }
        let known = (total - new.len()) as u64;
        let report = ImportReport { known, skipped, ..ImportReport::default() };
        self.import_files(space, new, report, progress).await
    }

    async fn unwritten(
        &self,
        space: SpaceId,
        documents: Vec<DocumentId>,
    ) -> Result<BTreeSet<DocumentId>, Failure> {
        let asked = self.request(Request::Unwritten { space, documents });
        let Response::Unwritten(documents) = asked.await? else {
            return Err(unexpected());
        };
        Ok(documents.into_iter().collect())
    }

    async fn import_files(
        &self,
        space: SpaceId,
        found: Vec<Found>,
        mut report: ImportReport,
        progress: ProgressSender,
    ) -> Result<ImportReport, Failure> {
        let secret = self.write_secret(space).await?;
        let total = found.len() as u64;
        let mut batch = Batch::default();
        let read = stream::iter(found).map(|file| self.read_file(space, secret.clone(), file));
        let mut read = read.buffered(CONCURRENT_FILES);
        let mut done = 0;
        while let Some(file) = read.try_next().await? {
            done += 1;
            batch.push(file, &mut report);
            if batch.is_full() {
                self.write_batch(space, &mut batch, &mut report).await?;
                progress.send_replace(Progress { done, total, unit: "files" });
            }
        }
        self.write_batch(space, &mut batch, &mut report).await?;
        progress.send_replace(Progress { done, total, unit: "files" });
        Ok(report)
    }

    async fn read_file(
        &self,
        space: SpaceId,
        secret: SealKey,
        found: Found,
    ) -> Result<Read, Failure> {
        let parsed =
            tokio::task::spawn_blocking(move || parse(&found).map(|parsed| (found, parsed)));
        let (found, parsed) = match parsed.await.map_err(stopped)? {
            Ok(done) => done,
            Err(skipped) => return Ok(Read::Skipped(skipped)),
        };
        let document = path_document(space, &found.path);
        if let Some((Parsed { kind, value, source }, bytes)) = parsed {
            let meta = Meta { kind, app: None, path: Some(found.path), source };
            return Ok(Read::Document { document: WriteDocument { document, meta, value }, bytes });
        }
        let stored = match self.seal_path(secret, found.place).await {
            Ok(stored) => stored,
            Err(failure) if is_about_the_file(failure.kind) => {
                return Ok(Read::Skipped(Skipped { path: found.path, why: failure.message }));
            }
            Err(failure) => return Err(failure),
        };
        let meta = Meta { kind: FILE.to_owned(), app: None, path: Some(found.path), source: None };
        let value = json!({
            "title": stored.name, "name": stored.name, "blob": stored.blob.to_string(),
            "mime": stored.mime, "size": stored.size,
        });
        Ok(Read::File { document: WriteDocument { document, meta, value }, stored })
    }

    async fn write_batch(
        &self,
        space: SpaceId,
        batch: &mut Batch,
        report: &mut ImportReport,
    ) -> Result<(), Failure> {
        let Batch { documents, stored, .. } = std::mem::take(batch);
        if !stored.is_empty() {
            self.keep(&stored).await?;
        }
        if documents.is_empty() {
            return Ok(());
        }
        let write = Request::WriteDocuments { space, documents: documents.clone() };
        match self.request(write).await {
            // One was removed from the space, and keeps the others from being written with it.
            Err(failure) if failure.kind == FailureKind::NotFound => {
                self.write_each(space, documents, report).await
            }
            written => written.map(drop),
        }
    }

    async fn write_each(
        &self,
        space: SpaceId,
        documents: Vec<WriteDocument>,
        report: &mut ImportReport,
    ) -> Result<(), Failure> {
        for document in documents {
            let is_file = document.meta.kind == FILE;
            let path = document.meta.path.clone().unwrap_or_default();
            let write = Request::WriteDocuments { space, documents: vec![document] };
            match self.request(write).await {
                Ok(_) => {}
                Err(failure) if failure.kind == FailureKind::NotFound => {
                    // Or is the whole space gone?
                    self.unwritten(space, vec![]).await?;
                    report.documents -= 1;
                    report.blobs -= u64::from(is_file);
                    let why = "it was removed from the space, and stays so".to_owned();
                    report.skipped.push(Skipped { path, why });
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}

fn is_about_the_file(kind: FailureKind) -> bool {
    match kind {
        FailureKind::NotFound | FailureKind::NotAllowed | FailureKind::TooLarge => true,
        FailureKind::Invalid
        | FailureKind::Conflict
        | FailureKind::Unreachable
        | FailureKind::DiskFull
        | FailureKind::Storage => false,
    }
}

#[derive(Default)]
struct Batch {
    documents: Vec<WriteDocument>,
    stored: Vec<StoredBlob>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, read: Read, report: &mut ImportReport) {
        match read {
            Read::Document { document, bytes } => {
                report.bytes += bytes;
                self.bytes += usize::try_from(bytes).unwrap_or(usize::MAX);
                report.documents += 1;
                self.documents.push(document);
            }
            Read::File { document, stored } => {
                report.bytes += stored.size;
                report.blobs += 1;
                report.documents += 1;
                self.documents.push(document);
                self.stored.push(stored);
            }
            Read::Skipped(skipped) => report.skipped.push(skipped),
        }
    }

    fn is_full(&self) -> bool {
        self.documents.len() >= BATCH_DOCUMENTS || self.bytes >= BATCH_BYTES
    }
}

/// Reads and parses; `Ok(None)` means that it becomes a blob.
fn parse(found: &Found) -> Result<Option<(Parsed, u64)>, Skipped> {
    let form = import_file::form(&found.path, found.len);
    if form == Form::Blob {
        return Ok(None);
    }
    let bytes = read_text(&found.place)
        .map_err(|error| skipped(&found.path, format!("could not be read: {error}")))?;
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let len = bytes.len() as u64;
    Ok(import_file::parse(form, &found.path, bytes).map(|parsed| (parsed, len)))
}

/// A file's bytes, unless it has grown beyond what a document holds.
fn read_text(place: &Path) -> io::Result<Option<Vec<u8>>> {
    use io::Read as _;
    let max = import_file::TEXT_BYTES_MAX;
    let mut bytes = Vec::new();
    std::fs::File::open(place)?.take(max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max).then_some(bytes))
}

async fn find(path: PathBuf) -> Result<(Vec<Found>, Vec<Skipped>), Failure> {
    tokio::task::spawn_blocking(move || walk(&path)).await.map_err(stopped)?
}

/// All files below `root`, sorted, and what cannot be imported.
fn walk(root: &Path) -> Result<(Vec<Found>, Vec<Skipped>), Failure> {
    let metadata = std::fs::metadata(root).map_err(|error| read_failure(&error))?;
    let base = if metadata.is_dir() { root } else { root.parent().unwrap_or(Path::new("")) };
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    // The root may itself be a link: the person named it.
    let entries = walkdir::WalkDir::new(root)
        .follow_root_links(true)
        .max_depth(FOLDER_DEPTH_MAX)
        .sort_by_file_name();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).display().to_string();
                left_out.push(skipped(&path, format!("could not be read: {error}")));
                continue;
            }
        };
        let shown = entry.path().display().to_string();
        let kind = entry.file_type();
        if kind.is_dir() {
            if entry.depth() == FOLDER_DEPTH_MAX {
                left_out.push(skipped(&shown, "folders are nested too deeply".to_owned()));
            }
            continue;
        }
        let is_root = entry.depth() == 0;
        if !kind.is_file() && !is_root {
            let why = if kind.is_symlink() { "a link, not a file" } else { "not a regular file" };
            left_out.push(skipped(&shown, why.to_owned()));
            continue;
        }
        if found.len() == FILES_MAX {
            let message = format!("more than {FILES_MAX} files");
            return Err(Failure::new(FailureKind::TooLarge, message, "import it folder by folder"));
        }
        match (space_path(base, entry.path()), entry.metadata()) {
            (Some(path), Ok(metadata)) => {
                found.push(Found { place: entry.into_path(), path, len: metadata.len() });
            }
            (None, _) => left_out.push(skipped(&shown, "its name is not text".to_owned())),
            (_, Err(error)) => left_out.push(skipped(&shown, error.to_string())),
        }
    }
    Ok((found, left_out))
}

/// The path below `base`, with `/`; `None` when it is not Unicode, or holds what
/// no other system could write.
fn space_path(base: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(base).ok()?.to_str()?;
    let path = relative.replace(std::path::MAIN_SEPARATOR, "/");
    (!path.chars().any(char::is_control)).then_some(path)
}

fn skipped(path: &str, why: String) -> Skipped {
    Skipped { path: path.to_owned(), why }
}
