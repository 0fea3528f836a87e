//! Files of a space: sealed on the way in, opened on the way out.

use std::{collections::BTreeMap, fs::File, io, ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use data_plane_store::Blobs;
use futures::{Stream, StreamExt, stream};
use node_core::{
    Failure, FailureKind, Mend, Request, Response,
    request::{Meta, WriteDocument, content_document},
};
use node_model::{BlobId, SpaceId, limit::NAME_BYTES_MAX, seal::SealKey};
use serde_json::{Map, Value, json};
use sync_engine_core::blob::{BlobCipher, CHUNK_BYTES, HEADER_BYTES};

use crate::{
    handle::{Handle, unexpected},
    seal_file::{self, Source, Spool, blob_failure, read_failure},
};

/// The content id of the document that lists a space's files.
const FILES: &str = "files";

/// Its type.
const FILES_KIND: &str = "files";

/// Chunks read from the store at once.
const READ_CHUNKS: u64 = 16;

/// Files sealed at the same time.
pub(crate) const CONCURRENT_FILES: usize = 4;

/// A file that was put into a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its id: the hash of the sealed bytes.
    pub blob: BlobId,
    /// Length of the plain bytes.
    pub size: u64,
    /// What it is.
    pub mime: String,
    /// What people call it.
    pub name: Option<String>,
}

/// A file of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its id.
    pub blob: BlobId,
    /// What people call it, where somebody said so.
    pub name: Option<String>,
    /// What it is.
    pub mime: String,
    /// Length of the plain bytes, where known.
    pub size: Option<u64>,
    /// Whether its bytes are on this device.
    pub is_here: bool,
}

/// Reads a blob's plain bytes.
pub struct BlobReader {
    blobs: Blobs,
    blob: BlobId,
    cipher: Arc<BlobCipher>,
}

impl BlobReader {
    /// Length of the plain bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.cipher.info().plain_bytes
    }

    /// Reads a part; what lies beyond the end is left out.
    pub fn read(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
        let end = range.end.min(self.size());
        let chunk = CHUNK_BYTES as u64;
        let first = range.start / chunk;
        let count = if range.start < end { end.div_ceil(chunk) - first } else { 0 };
        let groups = (0..count.div_ceil(READ_CHUNKS)).map(move |group| {
            let from = first + group * READ_CHUNKS;
            from..(from + READ_CHUNKS).min(first + count)
        });
        let reader = Arc::new(self);
        stream::iter(groups).then(move |group| {
            let reader = reader.clone();
            let range = range.start..end;
            async move { reader.read_chunks(group, range).await }
        })
    }

    async fn read_chunks(&self, chunks: Range<u64>, range: Range<u64>) -> Result<Bytes, Failure> {
        let (start, _) = self.cipher.place(chunks.start);
        let (last, last_len) = self.cipher.place(chunks.end - 1);
        let len = usize::try_from(last - start).unwrap_or(usize::MAX) + last_len;
        let sealed = self.blobs.read(self.blob, start, len).await;
        let sealed = sealed.map_err(|error| blob_failure(&error))?;
        let cipher = self.cipher.clone();
        let opened =
            tokio::task::spawn_blocking(move || open_chunks(&cipher, &sealed, chunks, range));
        opened.await.map_err(|_| damaged())?
    }
}

fn open_chunks(
    cipher: &BlobCipher,
    sealed: &[u8],
    chunks: Range<u64>,
    range: Range<u64>,
) -> Result<Bytes, Failure> {
    let mut plain = Vec::with_capacity(sealed.len());
    let (base, _) = cipher.place(chunks.start);
    let plain_start = chunks.start * CHUNK_BYTES as u64;
    for index in chunks {
        let (offset, len) = cipher.place(index);
        let at = usize::try_from(offset - base).map_err(|_| damaged())?;
        let mut chunk = sealed.get(at..at + len).ok_or_else(damaged)?.to_vec();
        cipher.open_chunk(index, &mut chunk).map_err(|_| damaged())?;
        plain.extend_from_slice(&chunk);
    }
    let plain = Bytes::from(plain);
    let within = |place: u64| {
        usize::try_from(place.saturating_sub(plain_start)).unwrap_or(usize::MAX).min(plain.len())
    };
    Ok(plain.slice(within(range.start)..within(range.end)))
}

impl Handle {
    /// Puts a file into a space; returns when it is durable here.
    ///
    /// # Errors
    /// [`Failure`]; then nothing refers to it.
    pub async fn put_blob<S>(
        &self,
        space: SpaceId,
        mut body: S,
        name: Option<String>,
        mime: Option<String>,
    ) -> Result<StoredBlob, Failure>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let secret = self.write_secret(space).await?;
        let mut spool = Spool::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| read_failure(&error))?;
            let folder = self.spool().to_owned();
            let written = tokio::task::spawn_blocking(move || {
                spool.write(&piece, &folder)?;
                Ok::<_, io::Error>(spool)
            });
            let written = written.await.map_err(seal_file::stopped)?;
            spool = written.map_err(|error| read_failure(&error))?;
        }
        let source = spool.finish(self.spool()).map_err(|error| read_failure(&error))?;
        let stored = self.seal(secret, source, name, mime).await?;
        self.keep(std::slice::from_ref(&stored)).await?;
        self.list_file(space, &stored).await?;
        Ok(stored)
    }

    pub(crate) async fn seal_path(
        &self,
        secret: SealKey,
        path: PathBuf,
    ) -> Result<StoredBlob, Failure> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let opened = File::open(&path).map_err(|error| read_failure(&error))?;
        self.seal(secret, opened, name, None).await
    }

    async fn seal(
        &self,
        secret: SealKey,
        source: impl Source,
        name: Option<String>,
        mime: Option<String>,
    ) -> Result<StoredBlob, Failure> {
        let (blob, size) = seal_file::store(self.blob_store(), secret, source).await?;
        let name = name.map(|name| shortened(&name));
        let mime =
            mime.filter(|mime| is_telling(mime)).unwrap_or_else(|| guess_mime(name.as_deref()));
        Ok(StoredBlob { blob, size, mime, name })
    }

    /// Makes blobs durable and tells the node that they are here.
    pub(crate) async fn keep(&self, stored: &[StoredBlob]) -> Result<(), Failure> {
        let blobs: Vec<BlobId> = stored.iter().map(|stored| stored.blob).collect();
        let synced = self.blob_store().sync(&blobs).await;
        synced.map_err(|error| blob_failure(&error))?;
        self.tell_held(blobs).await
    }

    /// Notes a file in the space's list, so that it travels and has a name.
    async fn list_file(&self, space: SpaceId, stored: &StoredBlob) -> Result<(), Failure> {
        let document = content_document(space, FILES);
        let StoredBlob { blob, size, mime, name } = stored;
        let file = json!({"blob": blob.to_string(), "size": size, "mime": mime, "name": name});
        let mut list = self.files_document(space).await?;
        list.insert(blob.to_string(), file);
        let meta = Meta { kind: FILES_KIND.to_owned(), ..Meta::default() };
        let documents = vec![WriteDocument { document, meta, value: Value::Object(list) }];
        self.request(Request::WriteDocuments { space, documents }).await?;
        Ok(())
    }

    async fn files_document(&self, space: SpaceId) -> Result<Map<String, Value>, Failure> {
        let document = content_document(space, FILES);
        match self.request(Request::ReadDocument { space, document }).await {
            Ok(Response::Document(view)) => match view.value {
                Value::Object(map) => Ok(map),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => Ok(Map::new()),
            },
            Ok(_) => Err(unexpected()),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(Map::new()),
            Err(failure) => Err(failure),
        }
    }

    /// The secret for sealing into a space.
    pub(crate) async fn write_secret(&self, space: SpaceId) -> Result<SealKey, Failure> {
        self.secret(space, true).await
    }

    async fn secret(&self, space: SpaceId, is_write: bool) -> Result<SealKey, Failure> {
        let Response::BlobSecret(secret) =
            self.request(Request::BlobSecret { space, is_write }).await?
        else {
            return Err(unexpected());
        };
        Ok(secret)
    }

    /// All files of a space, by id.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn files(&self, space: SpaceId) -> Result<Vec<FileEntry>, Failure> {
        let Response::Blobs(blobs) = self.request(Request::Blobs { space }).await? else {
            return Err(Failure::no_such_space());
        };
        let listed = self.files_document(space).await?;
        let mut files: BTreeMap<BlobId, FileEntry> = BTreeMap::new();
        for (blob, is_here) in blobs {
            let noted = listed.get(&blob.to_string());
            let text = |key: &str| noted.and_then(|file| file.get(key)?.as_str());
            let name = text("name").map(ToOwned::to_owned);
            let mime = text("mime").map_or_else(|| guess_mime(name.as_deref()), ToOwned::to_owned);
            let size = noted.and_then(|file| file.get("size")?.as_u64());
            files.insert(blob, FileEntry { blob, name, mime, size, is_here });
        }
        self.name_imported(space, &mut files).await?;
        Ok(files.into_values().collect())
    }

    /// Names of files that came with a folder: each has a document of its own.
    async fn name_imported(
        &self,
        space: SpaceId,
        files: &mut BTreeMap<BlobId, FileEntry>,
    ) -> Result<(), Failure> {
        if files.values().all(|file| file.name.is_some()) {
            return Ok(());
        }
        let Response::Documents(documents) = self.request(Request::Documents { space }).await?
        else {
            return Err(Failure::no_such_space());
        };
        for summary in documents.into_iter().filter(|summary| summary.kind == crate::import::FILE) {
            let read = Request::ReadDocument { space, document: summary.document };
            let Ok(Response::Document(view)) = self.request(read).await else {
                continue;
            };
            let text = |key: &str| view.value.get(key).and_then(Value::as_str);
            let blob = text("blob").and_then(|text| text.parse().ok());
            if let Some(file) = blob.and_then(|blob: BlobId| files.get_mut(&blob)) {
                file.name = file.name.take().or_else(|| text("name").map(ToOwned::to_owned));
                file.mime = text("mime").map_or_else(|| file.mime.clone(), ToOwned::to_owned);
                file.size = view.value.get("size").and_then(Value::as_u64).or(file.size);
            }
        }
        Ok(())
    }

    /// Opens a file of a space.
    ///
    /// # Errors
    /// [`FailureKind::NotFound`] when the space does not refer to it or its
    /// bytes are not here.
    pub async fn open_blob(&self, space: SpaceId, blob: BlobId) -> Result<BlobReader, Failure> {
        let secret = self.secret(space, false).await?;
        let found = self.request(Request::FindBlob { space, blob }).await?;
        let Response::Blobs(found) = found else {
            return Err(unexpected());
        };
        match found.first() {
            Some((_, true)) => {}
            Some((_, false)) => {
                let message = "this file has not arrived on this device yet";
                return Err(Failure::new(FailureKind::NotFound, message, "kith sync"));
            }
            None => {
                let message = "there is no such file in this space";
                return Err(Failure::new(FailureKind::NotFound, message, "kith blob list SPACE"));
            }
        }
        let blobs = self.blob_store().clone();
        let header = blobs.read(blob, 0, HEADER_BYTES).await.map_err(|e| blob_failure(&e))?;
        let cipher = BlobCipher::open(&secret, &header).map_err(|error| {
            let message = format!("{error}; its key may not have arrived yet");
            Failure::refused(message, &Mend::Synchronise)
        })?;
        Ok(BlobReader { blobs, blob, cipher: Arc::new(cipher) })
    }
}

fn damaged() -> Failure {
    blob_failure(&data_plane_store::BlobError::Damaged)
}

pub(crate) fn guess_mime(name: Option<&str>) -> String {
    mime_guess::from_path(name.unwrap_or_default()).first_or_octet_stream().to_string()
}

/// A media type that says more than the name of a file does.
fn is_telling(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text != "application/octet-stream"
        && text.contains('/')
        && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn shortened(name: &str) -> String {
    let end = name.floor_char_boundary(NAME_BYTES_MAX);
    name[..end].to_owned()
}
