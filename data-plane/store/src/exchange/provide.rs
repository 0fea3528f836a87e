//! The provider's side of the blob protocol: one stream of requests.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use data_plane_core::net::NetEvent;
use node_model::{BlobId, DeviceId};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    stall::{STALL_MAX, Watched},
    wire::{BadRequest, FOLLOWS, REFUSED, REQUEST_BYTES_MAX, Wanted, decode_request},
};
use crate::{BlobError, Blobs};

/// How long the node may take to say who may have what.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Small blobs go many to a write.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why providing ended early.
#[derive(Debug, thiserror::Error)]
pub enum ProvideError {
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] io::Error),
    /// A request beyond its bound.
    #[error("a request of {length} bytes")]
    TooLong {
        /// How long it says it is.
        length: usize,
    },
    /// A request that breaks the format.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// The node is busy or stopping.
    #[error("the node did not say in time what may be provided")]
    NoAnswer,
    /// The disk failed.
    #[error("reading blobs: {0}")]
    Store(#[from] BlobError),
}

/// The first number of [`Questions::apart`].
pub const APART: u64 = 1 << 63;

#[derive(Default)]
struct Open {
    next_request: u64,
    answers: BTreeMap<u64, (DeviceId, oneshot::Sender<Vec<bool>>)>,
}

/// Questions to the node about who may have what.
#[derive(Clone)]
pub struct Questions {
    events: mpsc::Sender<NetEvent>,
    open: Arc<Mutex<Open>>,
}

impl Questions {
    /// Questions that go to the node as events.
    #[must_use]
    pub fn new(events: mpsc::Sender<NetEvent>) -> Self {
        Self { events, open: Arc::default() }
    }

    /// The same with numbers from [`APART`] on, for whoever asks beside another one.
    #[must_use]
    pub fn apart(events: mpsc::Sender<NetEvent>) -> Self {
        let open = Open { next_request: APART, answers: BTreeMap::new() };
        Self { events, open: Arc::new(Mutex::new(open)) }
    }

    /// Takes the node's answer. Nobody may be waiting for it any more.
    pub fn answer(&self, request: u64, allowed: Vec<bool>) {
        let asker = self.lock().answers.remove(&request);
        if let Some((_, asker)) = asker {
            // The stream may have ended meanwhile.
            let _ = asker.send(allowed);
        }
    }

    /// Ends the questions about a device: an answer that comes now is too late.
    pub fn forget(&self, device: DeviceId) {
        self.lock().answers.retain(|_, (asked_for, _)| *asked_for != device);
    }

    async fn ask(&self, device: DeviceId, blobs: Vec<BlobId>) -> Option<Vec<bool>> {
        let (asker, answer) = oneshot::channel();
        let request = {
            let mut open = self.lock();
            open.next_request += 1;
            let request = open.next_request;
            open.answers.insert(request, (device, asker));
            request
        };
        let _forget = Forget { questions: self, request };
        let asked = async {
            self.events.send(NetEvent::BlobsRequested { request, device, blobs }).await.ok()?;
            answer.await.ok()
        };
        timeout(ANSWER_MAX, asked).await.ok()?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a question when its asker ends, however it ends.
struct Forget<'a> {
    questions: &'a Questions,
    request: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.questions.lock().answers.remove(&self.request);
    }
}

/// Who is served, and from what.
pub struct Provide {
    /// Who asks.
    pub device: DeviceId,
    /// What there is.
    pub blobs: Blobs,
    /// Who decides.
    pub questions: Questions,
}

/// Serves requests until the requester closes its side.
///
/// # Errors
/// [`ProvideError`].
pub async fn run<S>(stream: S, provide: Provide) -> Result<(), ProvideError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut reader, writer) = tokio::io::split(Watched::new(stream, STALL_MAX));
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, writer);
    while let Some(wanted) = read_request(&mut reader).await? {
        provide.serve(&wanted, &mut writer).await?;
        writer.flush().await?;
    }
    writer.shutdown().await?;
    Ok(())
}

async fn read_request<R: AsyncRead + Unpin>(
    from: &mut R,
) -> Result<Option<Vec<Wanted>>, ProvideError> {
    let mut length = [0; 4];
    if from.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..]).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > REQUEST_BYTES_MAX {
        return Err(ProvideError::TooLong { length });
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(Some(decode_request(&body)?))
}

impl Provide {
    async fn serve<W: AsyncWrite + Unpin + Send>(
        &self,
        wanted: &[Wanted],
        to: &mut W,
    ) -> Result<(), ProvideError> {
        let blobs = wanted.iter().map(|wanted| wanted.blob).collect();
        let allowed = self.questions.ask(self.device, blobs).await;
        let allowed = allowed.ok_or(ProvideError::NoAnswer)?;
        for (index, Wanted { blob, ranges }) in wanted.iter().enumerate() {
            // Looked up in either case: the answer's timing shall not tell what
            // is here.
            let is_here = self.blobs.size(*blob).await?.is_some();
            let is_allowed = allowed.get(index).copied().unwrap_or(false);
            if is_here && is_allowed {
                to.write_u8(FOLLOWS).await?;
                self.blobs.provide(*blob, ranges, to).await?;
            } else {
                to.write_u8(REFUSED).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends bytes to a provider, and returns how it ends.
    async fn provide(request: &[u8]) -> Result<(), ProvideError> {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(folder.path()).await.expect("a store");
        let (events, received) = mpsc::channel(1);
        drop(received);
        let questions = Questions::new(events);
        let provide = Provide { device: DeviceId([1; 32]), blobs, questions: questions.clone() };
        let (mut near, far) = tokio::io::duplex(1 << 10);
        near.write_all(request).await.expect("room");
        near.shutdown().await.expect("open");
        let ended = run(far, provide).await;
        assert!(questions.lock().answers.is_empty());
        ended
    }

    #[tokio::test]
    async fn broken_requests_end_the_stream() {
        provide(&[]).await.expect("nothing was asked");
        let error = provide(&u32::MAX.to_be_bytes()).await.expect_err("too long");
        assert!(matches!(error, ProvideError::TooLong { .. }), "{error}");
        let error = provide(&[0, 0, 0, 2, 0, 0]).await.expect_err("no blobs");
        assert!(matches!(error, ProvideError::BadRequest(BadRequest::Count(0))), "{error}");
        let error = provide(&[0, 0, 0, 9, 0]).await.expect_err("it ends early");
        assert!(matches!(error, ProvideError::Stream(_)), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_provided_without_an_answer_of_the_node() {
        let body = [&[0, 1][..], &[5; 32], &[0, 1], &[0; 8]].concat();
        let length = u32::try_from(body.len()).expect("small").to_be_bytes();
        let error = provide(&[&length[..], &body].concat()).await.expect_err("nobody answers");
        assert!(matches!(error, ProvideError::NoAnswer), "{error}");
    }
}
