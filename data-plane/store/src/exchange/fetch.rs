//! The requester's side of the blob protocol: one job on one stream, or question by question
//! where these and their answers travel apart.

use std::{collections::BTreeSet, io, pin::pin};

use data_plane_core::net::NetEvent;
use node_model::{BlobId, DeviceId};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::mpsc,
};

use super::{
    stall::{STALL_MAX, Watched},
    wire::{FOLLOWS, REFUSED, REQUEST_BLOBS_MAX, Wanted, encode_request},
};
use crate::{BlobError, Blobs};

/// Requests that are written before their answers are read: the provider never
/// waits for us, and a lost connection costs little.
const AHEAD_MAX: usize = 2;

/// Small blobs come many to a read.
const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes received before they are made durable, beyond which a batch is split.
const UNSYNCED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why a job ended early. What was reported before stays; verified parts stay.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody listens to what comes.
    #[error("the node is stopping")]
    Stopping,
    /// The request could not be written.
    #[error("asking {device} failed: {error}")]
    Ask {
        /// Who was asked.
        device: DeviceId,
        /// Why.
        error: io::Error,
    },
    /// The stream ended too early.
    #[error("the answer of {device} broke off: {error}")]
    Answer {
        /// Who was asked.
        device: DeviceId,
        /// Why.
        error: io::Error,
    },
    /// The answer breaks the format.
    #[error("{device} answered with {byte}, which means nothing")]
    Nonsense {
        /// Who was asked.
        device: DeviceId,
        /// What came where a blob should begin.
        byte: u8,
    },
    /// A blob did not come as it should.
    #[error("blob {blob} from {device}: {error}")]
    Blob {
        /// Which.
        blob: BlobId,
        /// Who was asked.
        device: DeviceId,
        /// Why.
        error: BlobError,
    },
    /// The disk failed.
    #[error("storing blobs: {0}")]
    Store(#[from] BlobError),
}

/// Blobs to fetch from one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Names it in events.
    pub id: u64,
    /// Which.
    pub list: Vec<BlobId>,
    /// How many bytes of them at most: one that does not fit ends the job.
    pub bytes_max: u64,
}

/// A job and what it needs.
pub struct Fetch {
    /// What.
    pub job: Job,
    /// From whom.
    pub device: DeviceId,
    /// Where it is kept.
    pub blobs: Blobs,
    /// Where it is told what came.
    pub events: mpsc::Sender<NetEvent>,
}

/// One request, and what needed none.
pub struct Question {
    here: Vec<BlobId>,
    wanted: Vec<Wanted>,
}

impl Question {
    /// What is missing of some blobs: of the first ones, as many as one request asks for.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn of(blobs: &Blobs, list: &[BlobId]) -> Result<Self, BlobError> {
        let mut question = Self { here: Vec::new(), wanted: Vec::new() };
        for blob in list.iter().take(REQUEST_BLOBS_MAX) {
            let ranges = blobs.missing(*blob).await?;
            if ranges.is_empty() {
                question.here.push(*blob);
            } else {
                question.wanted.push(Wanted { blob: *blob, ranges });
            }
        }
        Ok(question)
    }

    /// How many blobs it is about, those that are here included.
    #[must_use]
    pub fn blobs(&self) -> usize {
        self.here.len() + self.wanted.len()
    }

    /// The request's bytes; none when nothing is missing.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        if self.wanted.is_empty() { Vec::new() } else { encode_request(&self.wanted) }
    }
}

/// Runs a job to its end.
///
/// # Errors
/// [`FetchError`].
pub async fn run<S>(stream: S, fetch: Fetch) -> Result<(), FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (reader, writer) = tokio::io::split(Watched::new(stream, STALL_MAX));
    let reader = BufReader::with_capacity(BUFFER_BYTES, reader);
    let (asked, questions) = mpsc::channel(AHEAD_MAX);
    let mut asking = pin!(fetch.ask(writer, asked));
    let mut receiving = pin!(fetch.receive(reader, questions));
    // Asking and receiving take turns: the provider may be waiting for us to
    // read while we write. What was asked for is received even if asking fails.
    tokio::select! {
        received = &mut receiving => received,
        asked = &mut asking => receiving.await.and(asked),
    }
}

impl Fetch {
    async fn ask<W: AsyncWrite + Unpin>(
        &self,
        mut to: W,
        asked: mpsc::Sender<Question>,
    ) -> Result<(), FetchError> {
        let failed = |error| FetchError::Ask { device: self.device, error };
        let list: BTreeSet<BlobId> = self.job.list.iter().copied().collect();
        let list: Vec<BlobId> = list.into_iter().collect();
        for blobs in list.chunks(REQUEST_BLOBS_MAX) {
            let question = Question::of(&self.blobs, blobs).await?;
            let request = question.request();
            if !request.is_empty() {
                to.write_all(&request).await.map_err(failed)?;
                to.flush().await.map_err(failed)?;
            }
            if asked.send(question).await.is_err() {
                return Ok(());
            }
        }
        to.shutdown().await.map_err(failed)
    }

    async fn receive<R: AsyncRead + Unpin + Send>(
        &self,
        mut from: R,
        mut questions: mpsc::Receiver<Question>,
    ) -> Result<(), FetchError> {
        let mut room = self.job.bytes_max;
        while let Some(question) = questions.recv().await {
            if !self.receive_answer(&mut from, question, &mut room).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The same for an answer that comes on a stream of its own. Says whether there is room for
    /// more.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn take_answer<R: AsyncRead + Unpin + Send>(
        &self,
        from: R,
        question: Question,
        room: &mut u64,
    ) -> Result<bool, FetchError> {
        let from = Watched::new(from, STALL_MAX);
        let mut from = BufReader::with_capacity(BUFFER_BYTES, from);
        self.receive_answer(&mut from, question, room).await
    }

    async fn receive_answer<R: AsyncRead + Unpin + Send>(
        &self,
        from: &mut R,
        Question { here, wanted }: Question,
        room: &mut u64,
    ) -> Result<bool, FetchError> {
        let mut unsynced = here;
        let received = self.receive_batch(from, &wanted, &mut unsynced, room).await;
        self.settle(&mut unsynced).await?;
        if let Some((blob, bytes)) = received? {
            // What follows on the stream would have to be read to be left out.
            self.tell(NetEvent::NoRoom { job: self.job.id, blob, bytes }).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes what of an answer there is room for; says for which one there was none, and its
    /// length.
    async fn receive_batch<R: AsyncRead + Unpin + Send>(
        &self,
        from: &mut R,
        wanted: &[Wanted],
        unsynced: &mut Vec<BlobId>,
        room: &mut u64,
    ) -> Result<Option<(BlobId, u64)>, FetchError> {
        let device = self.device;
        let mut unsynced_bytes = 0;
        for Wanted { blob, ranges } in wanted {
            let answer = from.read_u8().await;
            match answer.map_err(|error| FetchError::Answer { device, error })? {
                REFUSED => {
                    self.tell(NetEvent::BlobRefused { job: self.job.id, blob: *blob }).await?
                }
                FOLLOWS => {
                    let size = match self.blobs.receive_within(*room, *blob, ranges, from).await {
                        Ok(size) => size,
                        Err(BlobError::NoRoom { bytes }) => return Ok(Some((*blob, bytes))),
                        Err(error) => return Err(FetchError::Blob { blob: *blob, device, error }),
                    };
                    *room = room.saturating_sub(size);
                    unsynced_bytes += size;
                    unsynced.push(*blob);
                }
                byte => return Err(FetchError::Nonsense { device, byte }),
            }
            if unsynced_bytes >= UNSYNCED_BYTES_MAX {
                self.settle(unsynced).await?;
                unsynced_bytes = 0;
            }
        }
        Ok(None)
    }

    /// Makes blobs durable, then reports those that are complete. One that was
    /// here before is synced too: the job that brought it may have been cut off.
    async fn settle(&self, unsynced: &mut Vec<BlobId>) -> Result<(), FetchError> {
        if unsynced.is_empty() {
            return Ok(());
        }
        self.blobs.sync(unsynced).await?;
        for blob in unsynced.drain(..) {
            if let Some(bytes) = self.blobs.size(blob).await? {
                self.tell(NetEvent::BlobFetched { job: self.job.id, blob, bytes }).await?;
            }
        }
        Ok(())
    }

    async fn tell(&self, event: NetEvent) -> Result<(), FetchError> {
        self.events.send(event).await.map_err(|_| FetchError::Stopping)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::DuplexStream;

    use super::*;

    const DEVICE: DeviceId = DeviceId([1; 32]);

    /// Fetches one blob from a provider that answers with `answer`.
    async fn fetch_from(answer: Vec<u8>, blob: BlobId) -> (FetchError, Blobs) {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(folder.path()).await.expect("a store");
        let (events, _received) = mpsc::channel(8);
        let job = Job { id: 1, list: vec![blob], bytes_max: u64::MAX };
        let fetch = Fetch { job, device: DEVICE, blobs: blobs.clone(), events };
        let (near, far) = tokio::io::duplex(1 << 20);
        let fetched = tokio::spawn(run(near, fetch));
        provide(far, answer).await;
        (fetched.await.expect("no panic").expect_err("a bad provider"), blobs)
    }

    async fn provide(mut far: DuplexStream, answer: Vec<u8>) {
        let length = far.read_u32().await.expect("a request");
        let mut request = vec![0; usize::try_from(length).expect("small")];
        far.read_exact(&mut request).await.expect("a request");
        // The requester may hang up before all is written.
        let _ = far.write_all(&answer).await;
        let _ = far.shutdown().await;
    }

    async fn encoded(content: &[u8]) -> (BlobId, Vec<u8>) {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(folder.path()).await.expect("a store");
        let blob = blobs.add(Bytes::copy_from_slice(content)).await.expect("stored");
        let mut bytes = vec![FOLLOWS];
        blobs.sync(&[blob]).await.expect("synced");
        let ranges = crate::Ranges::all();
        blobs.provide(blob, &ranges, &mut bytes).await.expect("it is here");
        (blob, bytes)
    }

    #[tokio::test]
    async fn changed_bytes_end_the_job_and_name_the_provider() {
        for content in [&[7; 50_000][..], &[7; 500_000]] {
            let (blob, mut answer) = encoded(content).await;
            let last = answer.len() - 1;
            answer[last] ^= 1;
            let (error, blobs) = fetch_from(answer, blob).await;
            let is_named = matches!(error, FetchError::Blob { error: BlobError::Damaged, .. });
            assert!(is_named, "{error}");
            assert!(error.to_string().contains(&DEVICE.to_string()));
            assert_eq!(blobs.size(blob).await.expect("the store works"), None);
        }
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_told_and_not_read() {
        for content in [&[7; 50_000][..], &[7; 500_000]] {
            let (blob, answer) = encoded(content).await;
            let folder = tempfile::tempdir().expect("a folder");
            let blobs = Blobs::open(folder.path()).await.expect("a store");
            let (events, mut told) = mpsc::channel(8);
            let bytes = content.len() as u64;
            let job = Job { id: 1, list: vec![blob], bytes_max: bytes - 1 };
            let fetch = Fetch { job, device: DEVICE, blobs: blobs.clone(), events };
            let (near, far) = tokio::io::duplex(1 << 20);
            let fetched = tokio::spawn(run(near, fetch));
            provide(far, answer).await;
            fetched.await.expect("no panic").expect("the job has ended");
            assert_eq!(told.recv().await, Some(NetEvent::NoRoom { job: 1, blob, bytes }));
            assert_eq!(blobs.missing(blob).await.expect("asks"), crate::Ranges::all());
        }
    }

    #[tokio::test]
    async fn a_short_answer_ends_the_job() {
        for content in [&[7; 50_000][..], &[7; 500_000]] {
            let (blob, mut answer) = encoded(content).await;
            answer.truncate(20_000);
            let (error, _) = fetch_from(answer, blob).await;
            assert!(matches!(error, FetchError::Blob { .. }), "{error}");
        }
        let (error, _) = fetch_from(Vec::new(), BlobId([3; 32])).await;
        assert!(matches!(error, FetchError::Answer { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_meaningless_answer_ends_the_job() {
        let (error, _) = fetch_from(vec![2], BlobId([3; 32])).await;
        assert!(matches!(error, FetchError::Nonsense { byte: 2, .. }), "{error}");
    }
}
