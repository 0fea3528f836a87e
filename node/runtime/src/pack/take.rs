//! A pack into a space, as if its parts had come from a peer.
//!
//! Of a damaged pack everything before the damage is kept: each frame was authenticated by
//! itself, and each entry, attestation and blob is verified by itself. Unpacking again goes on.

use std::{collections::BTreeMap, path::PathBuf};

use data_plane_store::{BlobError, Ranges};
use node_core::{
    Failure, Request, Response,
    pack::{PackRequest, PackResponse},
};
use node_model::{
    BlobId, SpaceId,
    pack::{Frame, PIECE_BYTES_MAX},
};
use serde_bytes::ByteBuf;
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

use super::file::{PackReader, begin};
use crate::{
    handle::{Handle, Progress, ProgressSender, unexpected},
    seal_file::{blob_failure, stopped},
};

/// Frames that were read and wait: the largest has 12 MiB.
pub(super) const FRAMES_WAITING: usize = 2;

/// Blobs that are made durable together.
const BLOBS_A_SYNC: usize = 64;

/// Most refusals that are named one by one.
const REFUSED_MAX: usize = 1_000;

/// What came of unpacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpackReport {
    /// Of which space the pack is.
    pub space: SpaceId,
    /// Entries that are new here.
    pub entries_new: u64,
    /// Entries that were here before.
    pub entries_known: u64,
    /// Blobs that are new here.
    pub blobs_new: u64,
    /// Entries and blobs that were left out, and why: the first thousand. Without an id what
    /// is no entry.
    pub refused: Vec<(Option<String>, String)>,
}

impl Handle {
    /// Takes in a pack: what it holds is verified and decided upon like what a peer sends.
    ///
    /// # Errors
    /// [`Failure`]; what came before it in the pack is kept.
    pub async fn unpack(
        &self,
        path: PathBuf,
        progress: ProgressSender,
    ) -> Result<UnpackReport, Failure> {
        let begun = begin(path).await?;
        let (header, total) = (begun.header().clone(), begun.size());
        let space = header.space;
        let PackResponse::Key(key) = self.ask_pack(PackRequest::Open { header }).await? else {
            return Err(unexpected());
        };
        let (to, frames) = mpsc::channel(FRAMES_WAITING);
        let reading = tokio::task::spawn_blocking(move || {
            read_all(begun.open(&key), &to, |done| {
                progress.send_replace(Progress { done, total, unit: "bytes" });
            });
        });
        let report = UnpackReport {
            space,
            entries_new: 0,
            entries_known: 0,
            blobs_new: 0,
            refused: Vec::new(),
        };
        let mut taking = Taking {
            handle: self,
            frames,
            report,
            referenced: None,
            arrived: Vec::new(),
            is_inside: false,
        };
        let taken = taking.run().await;
        // Also after damage: what is whole stays.
        let kept = taking.keep().await;
        let Taking { report, frames, .. } = taking;
        drop(frames);
        reading.await.map_err(stopped)?;
        taken.and(kept).map_err(partly)?;
        Ok(report)
    }
}

/// Reads frames until the end, the first failure, or nobody waits for them.
fn read_all(mut pack: PackReader, to: &mpsc::Sender<Result<Frame, Failure>>, told: impl Fn(u64)) {
    while let Some(next) = pack.next_frame().transpose() {
        let is_over = next.is_err();
        told(pack.read());
        if to.blocking_send(next).is_err() || is_over {
            return;
        }
    }
}

fn partly(failure: Failure) -> Failure {
    Failure { state: "what came before it in the pack is kept".to_owned(), ..failure }
}

/// A pack that is being taken in.
struct Taking<'a> {
    handle: &'a Handle,
    frames: mpsc::Receiver<Result<Frame, Failure>>,
    report: UnpackReport,
    /// Blobs that entries here refer to, and whether they are here; once asked.
    referenced: Option<BTreeMap<BlobId, bool>>,
    /// Blobs that are not yet durable.
    arrived: Vec<BlobId>,
    is_inside: bool,
}

impl Taking<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        let mut next = self.frames.recv().await;
        while let Some(frame) = next {
            next = match frame? {
                Frame::Attestations { attestations } => {
                    self.ask(PackRequest::TakeAttestations { attestations }).await?;
                    self.frames.recv().await
                }
                Frame::Entries { entries } => {
                    self.entries(entries).await?;
                    self.frames.recv().await
                }
                Frame::Blob { blob } => self.blob(blob).await?,
                Frame::Covered { .. } | Frame::Piece { .. } | Frame::End { .. } => {
                    self.enter().await?;
                    self.frames.recv().await
                }
            };
        }
        Ok(())
    }

    async fn ask(&self, request: PackRequest) -> Result<PackResponse, Failure> {
        self.handle.ask_pack(request).await
    }

    /// Attestations come first: they may be what makes us a member.
    async fn enter(&mut self) -> Result<(), Failure> {
        if !self.is_inside {
            self.ask(PackRequest::Enter { space: self.report.space }).await?;
            self.is_inside = true;
        }
        Ok(())
    }

    async fn entries(&mut self, entries: Vec<ByteBuf>) -> Result<(), Failure> {
        self.enter().await?;
        let entries = entries.into_iter().map(ByteBuf::into_vec).collect();
        let request = PackRequest::TakeEntries { space: self.report.space, entries };
        let PackResponse::Taken(taken) = self.ask(request).await? else {
            return Err(unexpected());
        };
        self.report.entries_new += taken.new;
        self.report.entries_known += taken.known;
        for (id, why) in taken.refused {
            self.refuse(id.map(|id| id.to_string()), why);
        }
        Ok(())
    }

    fn refuse(&mut self, id: Option<String>, why: String) {
        if self.report.refused.len() < REFUSED_MAX {
            self.report.refused.push((id, why));
        }
    }

    /// Takes in a blob; returns the first frame behind its pieces.
    async fn blob(&mut self, blob: BlobId) -> Result<Option<Result<Frame, Failure>>, Failure> {
        self.enter().await?;
        match self.referenced().await?.get(&blob) {
            Some(true) => return Ok(self.pass_over(None).await),
            Some(false) => {}
            None => {
                self.refuse(Some(blob.to_string()), "no entry here refers to it".to_owned());
                return Ok(self.pass_over(None).await);
            }
        }
        let (near, mut far) = tokio::io::duplex(FRAMES_WAITING * PIECE_BYTES_MAX);
        let blobs = self.handle.blob_store().clone();
        let receive = async move { blobs.receive(blob, &Ranges::all(), &mut far).await };
        let (received, next) = tokio::join!(receive, self.pass_over(Some(near)));
        match received {
            Ok(_) => {
                self.arrived.push(blob);
                if self.arrived.len() >= BLOBS_A_SYNC {
                    self.keep().await?;
                }
            }
            // The pack is cut off: that is what is to be said.
            Err(_) if matches!(next, Some(Err(_))) => {}
            Err(error @ (BlobError::Damaged | BlobError::TooLarge)) => {
                self.refuse(Some(blob.to_string()), error.to_string());
            }
            Err(
                error @ (BlobError::NotHere
                | BlobError::NoRoom { .. }
                | BlobError::Newer { .. }
                | BlobError::Full
                | BlobError::Closed
                | BlobError::Io(_)),
            ) => return Err(blob_failure(&error)),
        }
        Ok(next)
    }

    /// Hands over the pieces of a blob; returns the first frame behind them.
    async fn pass_over(&mut self, to: Option<DuplexStream>) -> Option<Result<Frame, Failure>> {
        let mut to = to;
        loop {
            match self.frames.recv().await {
                Some(Ok(Frame::Piece { bytes })) => {
                    if let Some(stream) = &mut to
                        && stream.write_all(&bytes).await.is_err()
                    {
                        // The store wants no more of it, and says why.
                        to = None;
                    }
                }
                other => return other,
            }
        }
    }

    async fn referenced(&mut self) -> Result<&BTreeMap<BlobId, bool>, Failure> {
        if self.referenced.is_none() {
            let request = Request::Blobs { space: self.report.space };
            let Response::Blobs(blobs) = self.handle.request(request).await? else {
                return Err(unexpected());
            };
            self.referenced = Some(blobs.into_iter().collect());
        }
        Ok(self.referenced.get_or_insert_default())
    }

    /// Makes blobs durable, tells the node, and counts them.
    async fn keep(&mut self) -> Result<(), Failure> {
        let arrived = std::mem::take(&mut self.arrived);
        if arrived.is_empty() {
            return Ok(());
        }
        let synced = self.handle.blob_store().sync(&arrived).await;
        synced.map_err(|error| blob_failure(&error))?;
        self.report.blobs_new += arrived.len() as u64;
        self.handle.tell_held(arrived).await
    }
}
