//! Frames on a stream: `length: u32, frame`, big-endian.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use data_plane_core::net::{Lane, NetEvent};
use data_plane_store::exchange::STALL_MAX;
use node_model::DeviceId;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter},
    sync::{
        Notify,
        mpsc::{self, error::TrySendError},
    },
    time::timeout,
};

use crate::gate::Gate;

/// Frames of one lane that wait for its stream: a head for each of many spaces.
pub(crate) const QUEUE_FRAMES_MAX: usize = 256;

/// Bytes of one lane that wait for its stream, unless it is a single frame: some
/// thirty pages of entries.
pub(crate) const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a reader holds back or a writer gathers, so that small frames do not
/// cost a system call each.
const BUFFER_BYTES: usize = 16 * 1024;

/// Memory set aside for a frame before its bytes arrive: a length costs its
/// sender nothing, so it must not cost us much.
const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// What is written at a time: a peer on a slow link shows progress long before
/// it has a large frame.
const PIECE_BYTES: usize = 64 * 1024;

/// Why a lane's stream ended, other than by its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("a frame of {length} bytes, more than the lane allows")]
    TooLong { length: u32 },
    #[error("a frame stopped in the middle")]
    Stalled,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads one frame; `None` at the stream's end.
pub(crate) async fn read_frame<R: AsyncRead + Unpin>(
    from: &mut R,
    bytes_max: usize,
) -> Result<Option<Bytes>, ReadError> {
    let mut length = [0; 4];
    if from.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..]).await?;
    let length = u32::from_be_bytes(length);
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    if wanted > bytes_max {
        return Err(ReadError::TooLong { length });
    }
    let mut frame = BytesMut::with_capacity(wanted.min(AHEAD_BYTES_MAX));
    while frame.len() < wanted {
        let missing = wanted - frame.len();
        if frame.capacity() == frame.len() {
            frame.reserve(missing.min(frame.len().max(AHEAD_BYTES_MAX)));
        }
        let mut part = (&mut *from).take(missing as u64);
        let read = timeout(STALL_MAX, part.read_buf(&mut frame));
        if read.await.map_err(|_| ReadError::Stalled)?? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(Some(frame.freeze()))
}

/// Where a lane's frames go.
pub(crate) struct Inbox {
    pub(crate) device: DeviceId,
    pub(crate) lane: Lane,
    pub(crate) gate: Arc<Gate>,
    pub(crate) events: mpsc::Sender<NetEvent>,
}

/// Reads frames until the stream ends. It waits while the node is busy, and so
/// makes the peer wait.
pub(crate) async fn read<R: AsyncRead + Unpin>(stream: R, inbox: Inbox) -> Result<(), ReadError> {
    let Inbox { device, lane, gate, events } = inbox;
    let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
    while let Some(frame) = read_frame(&mut stream, lane.frame_bytes_max()).await? {
        if lane == Lane::Pair {
            gate.note_pairing();
        }
        let Ok(permit) = events.reserve().await else {
            return Ok(());
        };
        if !gate.pass(|| permit.send(NetEvent::Frame { device, lane, frame })) {
            return Ok(());
        }
    }
    Ok(())
}

/// Where frames wait for a lane's stream.
#[derive(Debug)]
pub(crate) struct Queue {
    frames: mpsc::Sender<Bytes>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Pieces that a stream took, ever.
    taken: AtomicUsize,
    /// Frames that were put in, ever.
    queued: AtomicUsize,
    /// Frames that a stream took to their end, ever.
    written: AtomicUsize,
}

impl Queue {
    /// An empty queue and its other end.
    pub(crate) fn new() -> (Self, Backlog) {
        let (frames, waiting) = mpsc::channel(QUEUE_FRAMES_MAX);
        let counts = Arc::new(Counts::default());
        let backlog = Backlog { unsent: None, waiting, counts: Arc::clone(&counts), failures: 0 };
        (Self { frames, counts }, backlog)
    }

    /// Puts a frame in.
    ///
    /// # Errors
    /// Gives the frame back when the queue is full or has no other end.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), TrySendError<Bytes>> {
        let before = self.counts.waiting.load(Ordering::Relaxed);
        if before > 0 && before + frame.len() > QUEUE_BYTES_MAX {
            return Err(TrySendError::Full(frame));
        }
        let permit = match self.frames.try_reserve() {
            Ok(permit) => permit,
            Err(TrySendError::Full(())) => return Err(TrySendError::Full(frame)),
            Err(TrySendError::Closed(())) => return Err(TrySendError::Closed(frame)),
        };
        self.counts.waiting.fetch_add(frame.len(), Ordering::Relaxed);
        self.counts.queued.fetch_add(1, Ordering::Relaxed);
        permit.send(frame);
        Ok(())
    }

    /// Changes whenever the stream takes something.
    pub(crate) fn progress(&self) -> usize {
        self.counts.taken.load(Ordering::Relaxed)
    }

    /// How many frames were put in, ever.
    pub(crate) fn queued(&self) -> usize {
        self.counts.queued.load(Ordering::Relaxed)
    }

    /// How many frames the stream took to their end, ever.
    pub(crate) fn written(&self) -> usize {
        self.counts.written.load(Ordering::Relaxed)
    }
}

/// The other end of a [`Queue`].
#[derive(Debug)]
pub(crate) struct Backlog {
    /// The frame that a failed stream did not take.
    unsent: Option<Bytes>,
    waiting: mpsc::Receiver<Bytes>,
    counts: Arc<Counts>,
    /// Streams in a row that failed without taking all there was.
    pub(crate) failures: u32,
}

/// Writes frames until their sender is gone, and then waits until the peer has
/// read them: closing a connection may lose what is under way. On failure what
/// is left comes back.
pub(crate) async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    mut backlog: Backlog,
    room: Arc<Notify>,
) -> Result<(), (Backlog, io::Error)> {
    let mut stream = BufWriter::with_capacity(BUFFER_BYTES, stream);
    loop {
        match write_next(&mut stream, &mut backlog, &room).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                backlog.failures += 1;
                return Err((backlog, error));
            }
        }
    }
}

async fn write_next<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufWriter<S>,
    backlog: &mut Backlog,
    room: &Notify,
) -> io::Result<bool> {
    if backlog.unsent.is_none() {
        backlog.unsent = match backlog.waiting.try_recv() {
            Ok(frame) => Some(frame),
            Err(_) => {
                stream.flush().await?;
                backlog.failures = 0;
                backlog.waiting.recv().await
            }
        };
        let taken = backlog.unsent.as_ref().map_or(0, Bytes::len);
        backlog.counts.waiting.fetch_sub(taken, Ordering::Relaxed);
        room.notify_one();
    }
    let Some(frame) = &backlog.unsent else {
        stream.shutdown().await?;
        // The reader closes its side, or breaks it, when it has read the end.
        let _ = stream.get_mut().read(&mut [0]).await;
        return Ok(false);
    };
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    for piece in frame.chunks(PIECE_BYTES) {
        stream.write_all(piece).await?;
        backlog.counts.taken.fetch_add(1, Ordering::Relaxed);
    }
    backlog.counts.written.fetch_add(1, Ordering::Relaxed);
    backlog.unsent = None;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([1; 32]);

    fn inbox(lane: Lane) -> (Inbox, Arc<Gate>, mpsc::Receiver<NetEvent>) {
        let (events, received) = mpsc::channel(1);
        let gate = Arc::new(Gate::open());
        (Inbox { device: DEVICE, lane, gate: Arc::clone(&gate), events }, gate, received)
    }

    #[tokio::test]
    async fn frames_arrive_in_order_and_the_stream_closes() {
        let (near, far) = tokio::io::duplex(64);
        let (queue, backlog) = Queue::new();
        let writer = tokio::spawn(write(near, backlog, Arc::default()));
        let (inbox, gate, mut received) = inbox(Lane::Pair);
        let reader = tokio::spawn(read(far, inbox));
        let frames: Vec<Bytes> = (0..200_usize).map(|n| vec![7; n].into()).collect();
        let expected = frames.clone();
        for frame in frames {
            queue.push(frame).expect("room for all");
        }
        drop(queue);
        for frame in expected {
            let event = received.recv().await;
            assert_eq!(event, Some(NetEvent::Frame { device: DEVICE, lane: Lane::Pair, frame }));
        }
        writer.await.expect("no panic").expect("written");
        reader.await.expect("no panic").expect("read to the end");
        assert!(gate.has_paired());
    }

    #[tokio::test]
    async fn a_frame_beyond_the_cap_ends_the_stream() {
        let (mut near, far) = tokio::io::duplex(64);
        let (inbox, _, mut received) = inbox(Lane::Pair);
        let reader = tokio::spawn(read(far, inbox));
        near.write_all(&u32::MAX.to_be_bytes()).await.expect("room");
        let error = reader.await.expect("no panic").expect_err("too long");
        assert!(matches!(error, ReadError::TooLong { length: u32::MAX }));
        assert_eq!(near.read(&mut [0]).await.expect("closed"), 0);
        assert_eq!(received.recv().await, None);
    }

    #[tokio::test]
    async fn a_length_alone_allocates_little() {
        let (mut near, mut far) = tokio::io::duplex(1 << 17);
        near.write_all(&(8_u32 << 20).to_be_bytes()).await.expect("room");
        near.write_all(&[0; 100]).await.expect("room");
        drop(near);
        let error = read_frame(&mut far, 12 << 20).await.expect_err("it ends early");
        assert!(matches!(error, ReadError::Io(_)));
    }

    #[tokio::test]
    async fn nothing_passes_a_closed_gate() {
        let (mut near, far) = tokio::io::duplex(64);
        let (inbox, gate, mut received) = inbox(Lane::Sync);
        gate.close();
        near.write_all(&[0, 0, 0, 1, 9]).await.expect("room");
        read(far, inbox).await.expect("it ends quietly");
        assert_eq!(received.recv().await, None);
    }

    #[tokio::test]
    async fn a_broken_stream_gives_the_frames_back() {
        let (near, far) = tokio::io::duplex(8);
        drop(far);
        let (queue, backlog) = Queue::new();
        queue.push(Bytes::from_static(&[1; 20_000])).expect("room");
        queue.push(Bytes::from_static(&[2; 3])).expect("room");
        let (mut backlog, _) =
            write(near, backlog, Arc::default()).await.expect_err("nobody listens");
        assert_eq!(backlog.unsent.expect("the first").len(), 20_000);
        assert_eq!(backlog.waiting.recv().await.expect("the second").len(), 3);
        assert_eq!(backlog.failures, 1);
    }

    #[test]
    fn a_queue_is_bounded_in_bytes_and_frames() {
        let (queue, mut backlog) = Queue::new();
        let large = Bytes::from(vec![0; QUEUE_BYTES_MAX + 1]);
        queue.push(large.clone()).expect("one frame always fits");
        assert_eq!(queue.push(large.clone()), Err(TrySendError::Full(large)));
        backlog.counts.waiting.store(0, Ordering::Relaxed);
        for _ in 1..QUEUE_FRAMES_MAX {
            queue.push(Bytes::new()).expect("room");
        }
        let refused = queue.push(Bytes::new());
        assert_eq!(refused, Err(TrySendError::Full(Bytes::new())));
        backlog.waiting.close();
        assert!(matches!(queue.push(Bytes::new()), Err(TrySendError::Closed(_))));
    }
}
