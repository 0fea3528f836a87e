//! Blobs of devices that synchronise through the HTTP doorway: what the node wants of them it
//! asks as one request, and takes the answer; what they want it provides. Requests and answers
//! are those of `/kith/blob/1`, each in a body of its own.
//!
//! Invariants: blobs go only while the device visits, and the node decides about each; of one
//! device one body comes and one goes at a time.
//! Non-goals: what is wanted, and of whom.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use data_plane_core::{
    net::NetEvent,
    visits::{Errand, Refused},
};
use data_plane_store::exchange::{
    REQUEST_BYTES_MAX,
    fetch::{Fetch, FetchError, Job, Question},
    provide::{self, Provide, Questions},
};
use futures::Stream;
use node_core::{Failure, FailureKind};
use node_model::{BlobId, DeviceId};
use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    sync::{mpsc, oneshot, watch},
};

use super::{Passed, Turnstile, refused};
use crate::{
    driver::Call,
    handle::{Handle, stopping},
};

/// Largest body with a request: the request, and its length before it.
pub const BLOBS_REQUEST_BYTES_MAX: usize = 4 + REQUEST_BYTES_MAX;

/// Bytes of an answer that wait for the visitor to read on.
const AHEAD_BYTES: usize = 256 * 1024;

/// Tells when a visit is over: its other end is gone then.
pub(crate) type Stay = watch::Receiver<()>;

/// What blobs of visits need.
pub(crate) struct VisitBlobs {
    questions: Questions,
    events: mpsc::Sender<NetEvent>,
    asked: Mutex<BTreeMap<DeviceId, Asked>>,
    /// The last errand of each device that has ended. The node may not have heard of it yet.
    ended: Mutex<BTreeMap<DeviceId, u64>>,
    coming: Turnstile,
    going: Turnstile,
}

/// An errand that is under way.
struct Asked {
    fetch: Fetch,
    /// Blobs that no question was about yet.
    left: Vec<BlobId>,
    room: u64,
    /// What the visitor is fetching the answer to.
    question: Option<Question>,
}

impl VisitBlobs {
    /// `events` is where the node hears of what came.
    pub(crate) fn new(events: mpsc::Sender<NetEvent>, questions: Questions) -> Self {
        let (coming, going) = (Turnstile::default(), Turnstile::default());
        let (asked, ended) = (Mutex::default(), Mutex::default());
        Self { questions, events, asked, ended, coming, going }
    }

    fn take(&self, device: DeviceId) -> Option<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&device)
    }

    fn put(&self, device: DeviceId, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(device, asked);
    }

    fn has_ended(&self, device: DeviceId, job: u64) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get(&device) == Some(&job)
    }

    async fn end(&self, device: DeviceId, job: u64, error: Option<FetchError>) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(device, job);
        let error = error.map(|error| error.to_string());
        // A node that is gone wants nothing.
        let _ = self.events.send(NetEvent::FetchEnded { job, error }).await;
    }
}

impl Asked {
    /// The next request; `None` when everything was asked for.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        while !self.left.is_empty() {
            let question = Question::of(&self.fetch.blobs, &self.left).await?;
            let request = question.request();
            if !request.is_empty() {
                self.question = Some(question);
                return Ok(Some(request));
            }
            // All of these came in another way meanwhile.
            self.left.drain(..question.blobs());
            self.fetch.take_answer(tokio::io::empty(), question, &mut self.room).await?;
        }
        Ok(None)
    }
}

/// An errand that somebody goes on with: whoever hangs up meanwhile has as much room left as
/// there is.
struct UnderWay<'a> {
    visits: &'a VisitBlobs,
    device: DeviceId,
    asked: Option<Asked>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.visits.put(self.device, asked);
        }
    }
}

/// A device's turn to ask for blobs.
pub struct Providing {
    node: Handle,
    passed: Passed,
}

impl Providing {
    /// Provides what the visitor asks for, as far as it may have it. An answer that ends early
    /// is of no use beyond what the other side could verify.
    ///
    /// # Errors
    /// When the device does not visit.
    pub async fn answer(self, request: Bytes) -> Result<Provided, Failure> {
        let Self { node, passed } = self;
        let device = passed.device;
        let mut stay = node.stay_of(device).await?;
        let (near, far) = tokio::io::duplex(AHEAD_BYTES);
        let (answer, mut ask) = tokio::io::split(near);
        let questions = node.visit_blobs().questions.clone();
        let provide = Provide { device, blobs: node.blob_store().clone(), questions };
        tokio::spawn(async move {
            let _passed = passed;
            let provided = async {
                // Its half of the stream goes with it: who hangs up is noticed by the other one.
                let asked = async move {
                    ask.write_all(&request).await?;
                    ask.shutdown().await
                };
                let (asked, provided) = tokio::join!(asked, provide::run(far, provide));
                asked.map_err(provide::ProvideError::from).and(provided)
            };
            tokio::select! {
                ended = provided => if let Err(error) = ended {
                    tracing::debug!(%device, %error, "an answer with blobs ended early");
                },
                _ = stay.changed() => {}
            }
        });
        Ok(Box::pin(tokio_util::io::ReaderStream::with_capacity(answer, AHEAD_BYTES)))
    }
}

/// The answer to a request.
pub type Provided = std::pin::Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

impl Handle {
    /// The request that the node has for a visitor, if it wants blobs of it. The same again
    /// until its answer has come.
    ///
    /// # Errors
    /// When the device does not visit, or brings an answer at this moment.
    pub async fn wanted_of(&self, device: DeviceId) -> Result<Option<Vec<u8>>, Failure> {
        let visits = self.visit_blobs();
        let _passed = visits.coming.pass(device).ok_or_else(|| refused(Refused::Busy))?;
        let Some(Errand { job, blobs, bytes_max }) = self.errand_of(device).await? else {
            return Ok(None);
        };
        let asked = visits.take(device).filter(|asked| asked.fetch.job.id == job);
        let mut under_way = UnderWay { visits, device, asked };
        let asked = under_way.asked.get_or_insert_with(|| Asked {
            left: blobs.clone(),
            room: bytes_max,
            question: None,
            fetch: Fetch {
                job: Job { id: job, list: blobs, bytes_max },
                device,
                blobs: self.blob_store().clone(),
                events: visits.events.clone(),
            },
        });
        let error = match asked.next().await {
            Ok(Some(request)) => return Ok(Some(request)),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        under_way.asked = None;
        visits.end(device, job, error).await;
        Ok(None)
    }

    /// Takes the answer to what [`Self::wanted_of`] asked for. What is wrong with it the node is
    /// told, as of a connection.
    ///
    /// # Errors
    /// When nothing was asked for, or the visit ends meanwhile. Verified parts stay.
    pub async fn take_blobs(
        &self,
        device: DeviceId,
        body: impl AsyncRead + Unpin + Send,
    ) -> Result<(), Failure> {
        let visits = self.visit_blobs();
        let _passed = visits.coming.pass(device).ok_or_else(|| refused(Refused::Busy))?;
        let mut stay = self.stay_of(device).await?;
        let errand = self.errand_of(device).await?.ok_or_else(nothing_asked)?;
        let asked = visits.take(device).filter(|asked| asked.fetch.job.id == errand.job);
        let mut under_way = UnderWay { visits, device, asked };
        let asked = under_way.asked.as_mut().ok_or_else(nothing_asked)?;
        let question = asked.question.take().ok_or_else(nothing_asked)?;
        let count = question.blobs();
        let taken = tokio::select! {
            taken = asked.fetch.take_answer(body, question, &mut asked.room) => taken,
            _ = stay.changed() => return Err(refused(Refused::Over)),
        };
        let end = match taken {
            Ok(true) if asked.left.len() > count => {
                asked.left.drain(..count);
                return Ok(());
            }
            Ok(true | false) => None,
            Err(error) => Some(error),
        };
        under_way.asked = None;
        visits.end(device, errand.job, end).await;
        Ok(())
    }

    /// What the node wants of a visitor, and was not brought yet.
    async fn errand_of(&self, device: DeviceId) -> Result<Option<Errand>, Failure> {
        let (answer, answered) = oneshot::channel();
        self.call(Call::Errand { device, answer }).await?;
        let errand = answered.await.map_err(|_| stopping())?;
        let errand = errand.ok_or_else(|| refused(Refused::Over))?;
        Ok(errand.filter(|errand| !self.visit_blobs().has_ended(device, errand.job)))
    }

    /// Lets a visitor ask for blobs. To be asked before the bytes of its request are read.
    ///
    /// # Errors
    /// When it is being answered already.
    pub fn provide_blobs(&self, device: DeviceId) -> Result<Providing, Failure> {
        let passed = self.visit_blobs().going.pass(device).ok_or_else(|| refused(Refused::Busy))?;
        Ok(Providing { node: self.clone(), passed })
    }

    /// Ends with the visit of a device.
    async fn stay_of(&self, device: DeviceId) -> Result<Stay, Failure> {
        let (answer, answered) = oneshot::channel();
        self.call(Call::Stay { device, answer }).await?;
        answered.await.map_err(|_| stopping())?.ok_or_else(|| refused(Refused::Over))
    }
}

fn nothing_asked() -> Failure {
    let fix = "POST /api/v1/sync/blobs/wanted says what is";
    Failure::new(FailureKind::Conflict, "no blobs are asked for at this moment", fix)
}

/// Who visits, for whoever has to end with the visit.
#[derive(Default)]
pub(crate) struct Stays {
    open: BTreeMap<DeviceId, watch::Sender<()>>,
}

impl Stays {
    /// Ends with the visit of a device that is here.
    pub(crate) fn of(&mut self, device: DeviceId) -> Stay {
        self.open.entry(device).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// The visit of a device is over.
    pub(crate) fn end(&mut self, device: DeviceId) {
        self.open.remove(&device);
    }
}
