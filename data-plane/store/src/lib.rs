//! Content-addressed blobs on disk: small ones in one SQLite file, the others in
//! iroh-blobs' store, made durable.
//!
//! iroh-blobs acknowledges an import before its database commits and does not
//! sync data files. Here nothing counts as held until [`Blobs::sync`] has
//! returned for it.

mod error;
pub mod exchange;
mod large;
mod ranges;
mod small;
mod transfer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use iroh_blobs::{
    Hash,
    api::{Store, blobs::BlobStatus, proto::ExportRangesItem},
    store::fs::options::PathOptions,
};
use node_model::BlobId;

pub use error::BlobError;
use large::Large;
pub use ranges::Ranges;
use small::{SMALL_BYTES_MAX, Small};
pub use transfer::transfer_bytes;

/// How many blobs are imported or synced at the same time.
const CONCURRENT: usize = 32;

/// A store of blobs. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    large: Arc<Large>,
    small: Small,
}

impl Blobs {
    /// Opens or creates the store in `folder`.
    ///
    /// # Errors
    /// [`BlobError`] when the folder cannot be used or its database is damaged.
    pub async fn open(folder: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(folder)?;
        let large = Arc::new(Large::open(folder).await?);
        let small = Small::open(&folder.join("small.db"))?;
        Ok(Self { large, small })
    }

    /// Adds one blob; held only after [`Self::sync`].
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn add(&self, bytes: Bytes) -> Result<BlobId, BlobError> {
        if bytes.len() as u64 <= SMALL_BYTES_MAX {
            let blob = BlobId(*blake3::hash(&bytes).as_bytes());
            self.small.add(blob, bytes).await?;
            return Ok(blob);
        }
        let add = |store: Store| {
            let bytes = bytes.clone();
            async move { Ok(id(store.blobs().add_bytes(bytes).temp_tag().await?.hash())) }
        };
        self.large.with(add).await
    }

    /// Adds a blob that arrives in pieces, for those that are too large for
    /// memory; held only after [`Self::sync`].
    ///
    /// # Errors
    /// [`BlobError`], also when a piece is an error.
    pub async fn add_stream(
        &self,
        pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Result<BlobId, BlobError> {
        let opened = self.large.opened().await?;
        let tag = opened.store.blobs().add_stream(pieces).await.temp_tag().await;
        let added = tag.map(|tag| id(tag.hash())).map_err(BlobError::from);
        self.large.judged(&opened, added).await
    }

    /// Makes complete blobs durable: their data, their hash trees, and their records.
    ///
    /// # Errors
    /// [`BlobError`], also when one is not here, as after a commit that failed; then none of
    /// them may count as held.
    pub async fn sync(&self, blobs: &[BlobId]) -> Result<(), BlobError> {
        self.small.commit().await?;
        let large: Vec<BlobId> =
            blobs.iter().copied().filter(|blob| self.small.size(*blob).is_none()).collect();
        if large.is_empty() {
            return Ok(());
        }
        let paths = self.large.paths();
        let synced = stream::iter(large.clone()).map(|blob| sync_files(&paths, blob));
        synced.buffer_unordered(CONCURRENT).try_collect::<()>().await?;
        sync_path(paths.data_path.clone()).await?;
        // Every commit before this one has ended, or the database has.
        self.large.with(|store| async move { Ok(store.sync_db().await?) }).await?;
        let sizes = stream::iter(large).map(|blob| self.size(blob));
        let sizes: Vec<_> = sizes.buffer_unordered(CONCURRENT).try_collect().await?;
        if sizes.contains(&None) { Err(self.large.why_lost()) } else { Ok(()) }
    }

    /// The length in bytes of a complete blob; `None` when it is not here.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn size(&self, blob: BlobId) -> Result<Option<u64>, BlobError> {
        if let Some(size) = self.small.size(blob) {
            return Ok(Some(size));
        }
        match self.status(blob).await? {
            // The empty blob is "complete" everywhere; nothing sealed is empty.
            BlobStatus::Complete { size } => Ok((size > 0).then_some(size)),
            BlobStatus::Partial { .. } | BlobStatus::NotFound => Ok(None),
        }
    }

    async fn status(&self, blob: BlobId) -> Result<BlobStatus, BlobError> {
        let status = |store: Store| async move {
            let status = store.blobs().status(hash(blob)).await;
            status.map_err(|error| BlobError::from_chain(&error))
        };
        self.large.with(status).await
    }

    /// Reads a part of a blob, all of it in memory.
    ///
    /// # Errors
    /// [`BlobError::NotHere`], or [`BlobError::Damaged`] when the range is not
    /// within the blob.
    pub async fn read(&self, blob: BlobId, start: u64, len: usize) -> Result<Vec<u8>, BlobError> {
        if self.small.size(blob).is_some() {
            let bytes = self.small.read(blob).await?;
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let part = bytes.get(start..start.saturating_add(len));
            return part.map(<[u8]>::to_vec).ok_or(BlobError::NotHere);
        }
        self.large.with(|store| read_part(store, blob, start, len)).await
    }

    /// All complete blobs, with their lengths in bytes.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn list(&self) -> Result<BTreeMap<BlobId, u64>, BlobError> {
        let hashes = |store: Store| async move {
            let hashes = store.blobs().list().hashes().await?;
            // A database that has ended lists nothing, without an error.
            store.sync_db().await?;
            Ok(hashes)
        };
        let known = self.large.with(hashes).await?;
        let held = stream::iter(known).map(|hash| async move {
            let blob = id(hash);
            Ok::<_, BlobError>(self.size(blob).await?.map(|size| (blob, size)))
        });
        let large =
            held.buffer_unordered(CONCURRENT).try_filter_map(|blob| async move { Ok(blob) });
        let mut all: BTreeMap<BlobId, u64> = large.try_collect().await?;
        all.extend(self.small.list());
        Ok(all)
    }

    /// Commits and closes the store.
    pub async fn close(&self) {
        self.large.close().await;
    }
}

async fn read_part(
    store: Store,
    blob: BlobId,
    start: u64,
    len: usize,
) -> Result<Vec<u8>, BlobError> {
    let end = start.saturating_add(len as u64);
    let items = store.blobs().export_ranges(hash(blob), start..end).stream();
    let mut items = std::pin::pin!(items);
    let mut bytes = Vec::with_capacity(len);
    while let Some(item) = items.next().await {
        match item {
            ExportRangesItem::Size(_) => {}
            ExportRangesItem::Data(leaf) => {
                // Leaves are whole chunk groups: cut what was not asked for.
                let skip = start.saturating_sub(leaf.offset);
                let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(leaf.data.len());
                let take = (leaf.data.len() - skip).min(len - bytes.len());
                bytes.extend_from_slice(&leaf.data[skip..skip + take]);
            }
            ExportRangesItem::Error(error) => return Err(BlobError::from_chain(&error)),
        }
    }
    if bytes.len() == len { Ok(bytes) } else { Err(BlobError::NotHere) }
}

/// Syncs what a blob has of files; a file that is not there lives in the database.
async fn sync_files(paths: &PathOptions, blob: BlobId) -> Result<(), BlobError> {
    let hash = hash(blob);
    sync_path(paths.data_path(&hash)).await?;
    sync_path(paths.outboard_path(&hash)).await
}

/// Syncs a file or folder; one that is not there lives in the database.
async fn sync_path(path: PathBuf) -> Result<(), BlobError> {
    let synced = tokio::task::spawn_blocking(move || match std::fs::File::open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    });
    synced.await.map_err(|_| BlobError::Closed)??;
    Ok(())
}

fn hash(blob: BlobId) -> Hash {
    Hash::from_bytes(blob.0)
}

fn id(hash: Hash) -> BlobId {
    BlobId(*hash.as_bytes())
}

#[cfg(test)]
mod tests;
