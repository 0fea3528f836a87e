//! Yamux with larger data frames than libp2p's own upgrade allows: 64 KiB
//! splits halve the cost of bulk transfer over TCP. And with a buffer below it: yamux writes
//! the head of a frame and its body apart, and each write is a record of TLS and a packet.

use std::{
    collections::VecDeque,
    convert::Infallible,
    iter,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, future, io::BufWriter, ready};
use libp2p::core::{
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
};
use tokio::time::{Sleep, sleep};
use yamux::{Connection, ConnectionError, Mode};

/// Payload of one data frame (measured: twice the throughput of 16 KiB).
const SPLIT_BYTES: usize = 64 * 1024;

/// Frames up to about this length are written at once. What is longer fills records anyway.
const BUFFER_BYTES: usize = 4 * 1024;

/// Streams of a connection in both directions: lanes, blob jobs and pings need
/// about 40.
const STREAMS_MAX: usize = 128;

/// What a peer may have in flight on one connection: the 256 KiB that yamux
/// grants each stream, and as much again for streams that are read quickly.
const WINDOW_BYTES_MAX: usize = 2 * STREAMS_MAX * 256 * 1024;

/// Streams that a peer opened and nobody has taken yet.
const WAITING_MAX: usize = 64;

/// How long a close may wait for the peer to take what was sent before: one
/// that has vanished never does.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// The upgrade of a connection to yamux.
#[derive(Clone, Debug)]
pub(crate) struct Upgrade(yamux::Config);

impl Upgrade {
    pub(crate) fn new() -> Self {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(STREAMS_MAX);
        config.set_max_connection_receive_window(Some(WINDOW_BYTES_MAX));
        config.set_split_send_size(SPLIT_BYTES);
        Self(config)
    }

    fn muxer<C: AsyncRead + AsyncWrite + Unpin>(self, socket: C, mode: Mode) -> Muxer<C> {
        Muxer {
            connection: Connection::new(
                BufWriter::with_capacity(BUFFER_BYTES, socket),
                self.0,
                mode,
            ),
            waiting: VecDeque::new(),
            taker: None,
            closing: None,
        }
    }
}

impl UpgradeInfo for Upgrade {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = future::Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        future::ok(self.muxer(socket, Mode::Server))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = future::Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        future::ok(self.muxer(socket, Mode::Client))
    }
}

/// A yamux connection. Yamux makes progress only while it is asked for inbound
/// streams, and libp2p asks for progress more often than for streams: what comes
/// in between waits in a bounded queue.
pub(crate) struct Muxer<C> {
    connection: Connection<BufWriter<C>>,
    waiting: VecDeque<yamux::Stream>,
    taker: Option<Waker>,
    closing: Option<Pin<Box<Sleep>>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<yamux::Stream, ConnectionError>> {
        let next = ready!(self.connection.poll_next_inbound(cx));
        Poll::Ready(next.unwrap_or(Err(ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = yamux::Stream;
    type Error = ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = self.poll_next(cx);
        if next.is_pending() {
            self.taker = Some(cx.waker().clone());
        }
        next
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.connection.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let closed = self.connection.poll_close(cx);
        if closed.is_ready() {
            return closed;
        }
        let closing = self.closing.get_or_insert_with(|| Box::pin(sleep(CLOSE_MAX)));
        closing.as_mut().poll(cx).map(Ok)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        let stream = ready!(self.poll_next(cx))?;
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(stream);
            if let Some(taker) = self.taker.take() {
                taker.wake();
            }
        } else {
            tracing::debug!("a peer opens streams faster than they are taken: one was reset");
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
