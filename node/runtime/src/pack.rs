//! A space into a pack: one sealed file that any member can carry to any other.
//!
//! Invariant: a file under the pack's name is whole and synced to the disk. Memory does not
//! grow with blobs: they pass through in pieces.

pub(crate) mod file;
mod take;

use std::path::PathBuf;

use data_plane_store::Ranges;
use node_core::{
    Failure, FailureKind, Request, Response,
    pack::{PackRequest, PackResponse, Plan},
};
use node_model::{
    BlobId, SpaceId,
    pack::{ATTESTATIONS_PER_FRAME_MAX, Frame, PIECE_BYTES_MAX},
};
use serde_bytes::ByteBuf;
use tokio::io::AsyncReadExt;

pub use self::take::UnpackReport;
use self::{
    file::{Covered, PackWriter, begin},
    take::FRAMES_WAITING,
};
use crate::{
    handle::{Handle, Progress, ProgressSender, unexpected},
    seal_file::blob_failure,
};

/// What came of packing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackReport {
    /// The pack.
    pub file: PathBuf,
    /// Of which space.
    pub space: SpaceId,
    /// Entries in it.
    pub entries: u64,
    /// Blobs in it.
    pub blobs: u64,
    /// Attestations in it.
    pub attestations: u64,
    /// Its length.
    pub bytes: u64,
}

impl Handle {
    /// Writes all of a space that another member needs, and all blobs of it that are here,
    /// to `target`; without what `since`, an earlier pack of the space, and those that it
    /// builds on hold.
    ///
    /// # Errors
    /// [`Failure`]; then there is no new file.
    pub async fn pack(
        &self,
        space: SpaceId,
        target: PathBuf,
        since: Option<PathBuf>,
        progress: ProgressSender,
    ) -> Result<PackReport, Failure> {
        let mut covered = match since {
            Some(since) => self.covered_by(space, since).await?,
            None => Covered::default(),
        };
        let PackResponse::Plan(plan) = self.ask_pack(PackRequest::Seal { space }).await? else {
            return Err(unexpected());
        };
        // Before the entries are read, so that each blob has one that refers to it.
        let blobs = self.blobs_to_pack(space, &covered).await?;
        let mut total = plan.entry_bytes;
        for blob in &blobs {
            let size = self.blob_store().size(*blob).await;
            total += size.map_err(|error| blob_failure(&error))?.unwrap_or_default();
        }
        let out = PackWriter::create(target.clone(), plan.header.encode(), &plan.key).await?;
        let mut making = Making { handle: self, out, progress, total };
        let attestations = making.attestations(&plan, &mut covered).await?;
        let entries = making.entries(space, &plan, &mut covered).await?;
        covered.blobs.extend(blobs.iter().map(|blob| blob.0));
        for frame in covered.frames() {
            making.write(frame).await?;
        }
        for blob in &blobs {
            making.blob(*blob).await?;
        }
        let blobs = blobs.len() as u64;
        making.write(Frame::End { attestations, entries, blobs }).await?;
        let bytes = making.out.finish().await?;
        Ok(PackReport { file: target, space, entries, blobs, attestations, bytes })
    }

    async fn blobs_to_pack(
        &self,
        space: SpaceId,
        covered: &Covered,
    ) -> Result<Vec<BlobId>, Failure> {
        let Response::Blobs(blobs) = self.request(Request::Blobs { space }).await? else {
            return Err(unexpected());
        };
        let lacking = blobs
            .into_iter()
            .filter(|(blob, is_here)| *is_here && !covered.blobs.contains(&blob.0));
        Ok(lacking.map(|(blob, _)| blob).collect())
    }

    /// What an earlier pack of the same space and those before it hold.
    async fn covered_by(&self, space: SpaceId, since: PathBuf) -> Result<Covered, Failure> {
        let begun = begin(since).await?;
        if begun.header().space != space {
            let message = "the earlier pack is of another space";
            return Err(Failure::new(FailureKind::Invalid, message, "kith pack SPACE FILE"));
        }
        let PackResponse::Key(key) =
            self.ask_pack(PackRequest::Open { header: begun.header().clone() }).await?
        else {
            return Err(unexpected());
        };
        let read = tokio::task::spawn_blocking(move || Covered::read(begun.open(&key)));
        read.await.map_err(crate::seal_file::stopped)?
    }

    pub(crate) async fn ask_pack(&self, request: PackRequest) -> Result<PackResponse, Failure> {
        let Response::Pack(response) = self.request(Request::Pack(request)).await? else {
            return Err(unexpected());
        };
        Ok(response)
    }
}

/// A pack that is being made.
struct Making<'a> {
    handle: &'a Handle,
    out: PackWriter,
    progress: ProgressSender,
    total: u64,
}

impl Making<'_> {
    async fn write(&mut self, frame: Frame) -> Result<(), Failure> {
        self.out.write(frame).await?;
        let done = self.out.written().min(self.total);
        self.progress.send_replace(Progress { done, total: self.total, unit: "bytes" });
        Ok(())
    }

    async fn attestations(&mut self, plan: &Plan, covered: &mut Covered) -> Result<u64, Failure> {
        let new = plan.attestations.iter().filter(|(id, _)| covered.attestations.insert(*id));
        let new: Vec<_> = new.map(|(_, bytes)| ByteBuf::from(bytes.as_slice())).collect();
        for some in new.chunks(ATTESTATIONS_PER_FRAME_MAX) {
            self.write(Frame::Attestations { attestations: some.to_vec() }).await?;
        }
        Ok(new.len() as u64)
    }

    async fn entries(
        &mut self,
        space: SpaceId,
        plan: &Plan,
        covered: &mut Covered,
    ) -> Result<u64, Failure> {
        let (mut after, mut count) = (0, 0);
        while after < plan.upto {
            let request = PackRequest::Entries { space, store: plan.store, after };
            let PackResponse::Entries(page) = self.handle.ask_pack(request).await? else {
                return Err(unexpected());
            };
            let Some((last, ..)) = page.last() else { break };
            after = *last;
            let new = page.into_iter().filter(|(_, id, _)| covered.entries.insert(id.0));
            let entries: Vec<_> = new.map(|(_, _, bytes)| ByteBuf::from(bytes)).collect();
            if !entries.is_empty() {
                count += entries.len() as u64;
                self.write(Frame::Entries { entries }).await?;
            }
        }
        Ok(count)
    }

    async fn blob(&mut self, blob: BlobId) -> Result<(), Failure> {
        self.write(Frame::Blob { blob }).await?;
        let (mut near, mut far) = tokio::io::duplex(FRAMES_WAITING * PIECE_BYTES_MAX);
        let blobs = self.handle.blob_store().clone();
        let provide = async move { blobs.provide(blob, &Ranges::all(), &mut far).await };
        let write = async {
            loop {
                let mut piece = Vec::with_capacity(PIECE_BYTES_MAX);
                let mut part = (&mut near).take(PIECE_BYTES_MAX as u64);
                let read = part.read_to_end(&mut piece).await;
                if read.map_err(|error| crate::seal_file::read_failure(&error))? == 0 {
                    drop(near);
                    return Ok::<(), Failure>(());
                }
                self.write(Frame::Piece { bytes: piece.into() }).await?;
            }
        };
        let (provided, written) = tokio::join!(provide, write);
        written?;
        provided.map(|_| ()).map_err(|error| blob_failure(&error))
    }
}

#[cfg(test)]
pub(crate) mod tests;
