//! Blobs, both ways: one file each, in the form in which they travel, named by their hash. Any
//! device writes the same bytes, so it does not matter who did.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use data_plane_store::{BlobError, Ranges, transfer_bytes};
use node_core::{Failure, Request, Response};
use node_model::{BlobId, limit::BLOB_BYTES_MAX};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader},
};

use super::{Exchange, blocking, cannot_read, cannot_write, pulse::Pulse};
use crate::{handle::unexpected, seal_file::blob_failure};

/// Blobs that are made durable together.
const BLOBS_A_SYNC: usize = 64;

/// Bytes that are read or compared at once.
const PIECE_BYTES: usize = 256 * 1024;

/// The blobs of ours that may have to be written.
pub(super) struct Lacking(Vec<BlobId>);

impl Exchange<'_> {
    /// Takes in blobs that entries refer to and that are not here.
    pub(super) async fn take_blobs(&mut self) -> Result<Lacking, Failure> {
        let request = Request::Blobs { space: self.place.space() };
        let Response::Blobs(referenced) = self.handle.request(request).await? else {
            return Err(unexpected());
        };
        let found = self.blobs_there().await?;
        let (mut here, mut arrived) = (Vec::new(), Vec::new());
        for (blob, is_here) in referenced {
            if is_here {
                here.push(blob);
            } else if found.contains(&blob) && self.take_blob(blob).await? {
                arrived.push(blob);
            }
            if arrived.len() >= BLOBS_A_SYNC {
                self.keep(std::mem::take(&mut arrived)).await?;
            }
        }
        self.keep(arrived).await?;
        Ok(Lacking(here))
    }

    async fn blobs_there(&mut self) -> Result<BTreeSet<BlobId>, Failure> {
        let (folder, place) = (self.folder.clone(), self.place.clone());
        let (blobs, passed_over) = blocking(move || {
            let mut passed_over = Vec::new();
            let blobs = place.blobs(&mut passed_over);
            let blobs = blobs.map_err(|error| cannot_read(&folder, &error))?;
            Ok((blobs.into_iter().collect(), passed_over))
        })
        .await?;
        self.report.passed_over.extend(passed_over);
        Ok(blobs)
    }

    /// Returns whether the blob came in.
    async fn take_blob(&mut self, blob: BlobId) -> Result<bool, Failure> {
        let path = self.place.blob(blob);
        let file = match open_whole(&path).await {
            Ok(Some(file)) => file,
            Ok(None) => {
                self.pass_over(&path, "it is damaged, or only a part of it has arrived");
                return Ok(false);
            }
            Err(error) => {
                self.pass_over(&path, format!("it cannot be read: {error}"));
                return Ok(false);
            }
        };
        let mut file = Pulse::new(file, self.progress);
        match self.handle.blob_store().receive(blob, &Ranges::all(), &mut file).await {
            Ok(_) => Ok(true),
            Err(error @ (BlobError::Damaged | BlobError::TooLarge)) => {
                self.pass_over(&path, error);
                Ok(false)
            }
            Err(
                error @ (BlobError::NotHere
                | BlobError::NoRoom { .. }
                | BlobError::Newer { .. }
                | BlobError::Full
                | BlobError::Closed
                | BlobError::Io(_)),
            ) => Err(blob_failure(&error)),
        }
    }

    /// Makes blobs durable, tells the node, and counts them.
    async fn keep(&mut self, arrived: Vec<BlobId>) -> Result<(), Failure> {
        if arrived.is_empty() {
            return Ok(());
        }
        let synced = self.handle.blob_store().sync(&arrived).await;
        synced.map_err(|error| blob_failure(&error))?;
        let count = arrived.len() as u64;
        self.counts.blobs_pulled += count;
        self.advance(count);
        self.handle.tell_held(arrived).await
    }

    /// Writes the blobs that the folder lacks, or has only in part.
    pub(super) async fn write_blobs(&mut self, lacking: Lacking) -> Result<(), Failure> {
        for blob in lacking.0 {
            let size = self.handle.blob_store().size(blob).await;
            let Some(size) = size.map_err(|error| blob_failure(&error))? else { continue };
            if self.is_there(blob, size).await? {
                continue;
            }
            self.prepare().await?;
            self.write_blob(blob).await?;
            self.counts.blobs_pushed += 1;
            self.advance(1);
        }
        Ok(())
    }

    /// Whether the folder has the blob: by its length, and when all is compared, byte by byte.
    async fn is_there(&self, blob: BlobId, size: u64) -> Result<bool, Failure> {
        let path = self.place.blob(blob);
        let found = tokio::fs::symlink_metadata(&path).await;
        let is_long = found.is_ok_and(|it| it.is_file() && it.len() == transfer_bytes(size));
        if !is_long || !self.is_full {
            return Ok(is_long);
        }
        let Ok(file) = File::open(&path).await else { return Ok(false) };
        let (mut near, mut far) = tokio::io::duplex(PIECE_BYTES);
        let blobs = self.handle.blob_store().clone();
        let provide = async move { blobs.provide(blob, &Ranges::all(), &mut far).await };
        // Read to the end even when they differ: what is provided must go somewhere.
        let compare = async move {
            let mut file = BufReader::with_capacity(PIECE_BYTES, file);
            let (mut is_equal, mut ours) = (true, vec![0; PIECE_BYTES]);
            let mut theirs = vec![0; PIECE_BYTES];
            loop {
                let count = near.read(&mut ours).await?;
                if count == 0 {
                    return Ok::<bool, io::Error>(is_equal);
                }
                is_equal = is_equal
                    && file.read_exact(&mut theirs[..count]).await.is_ok()
                    && ours[..count] == theirs[..count];
            }
        };
        let (provided, is_equal) = tokio::join!(provide, compare);
        provided.map_err(|error| blob_failure(&error))?;
        Ok(is_equal.unwrap_or(false))
    }

    async fn write_blob(&self, blob: BlobId) -> Result<(), Failure> {
        let (folder, place, device) = (self.folder.clone(), self.place.clone(), self.device);
        let (part, file) = blocking({
            let (folder, place) = (folder.clone(), place.clone());
            move || {
                let failed = |error| cannot_write(&folder, &error);
                let part = place.part(device).map_err(failed)?;
                let file = part.as_file().try_clone().map_err(failed)?;
                Ok((part, file))
            }
        })
        .await?;
        let mut file = Pulse::new(File::from_std(file), self.progress);
        let blobs = self.handle.blob_store();
        let provided = blobs.provide(blob, &Ranges::all(), &mut file).await;
        let flushed = file.flush().await;
        match provided {
            // Reading takes no room: it is the folder's disk that is full.
            Err(BlobError::Full) => {
                return Err(cannot_write(&folder, &io::ErrorKind::StorageFull.into()));
            }
            Err(error) => return Err(blob_failure(&error)),
            Ok(_) => flushed.map_err(|error| cannot_write(&folder, &error))?,
        }
        let target: PathBuf = place.blob(blob);
        blocking(move || {
            let finished = place.finish(part, &target);
            finished.map_err(|error| cannot_write(&folder, &error))
        })
        .await
    }
}

/// Opens the file of a blob if it is as long as the size at its beginning says.
async fn open_whole(path: &Path) -> io::Result<Option<BufReader<File>>> {
    // Asked before it is opened: opening a pipe would wait for ever, a link would lead away.
    let found = tokio::fs::symlink_metadata(path).await?;
    if !found.is_file() || found.len() < 8 {
        return Ok(None);
    }
    let mut file = File::open(path).await?;
    let size = file.read_u64_le().await?;
    if size == 0 || size > BLOB_BYTES_MAX || transfer_bytes(size) != found.len() {
        return Ok(None);
    }
    file.rewind().await?;
    Ok(Some(BufReader::with_capacity(PIECE_BYTES, file)))
}
