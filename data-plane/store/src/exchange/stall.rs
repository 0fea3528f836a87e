//! A stream that fails when nothing moves.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long a blob transfer may go without a single byte.
pub const STALL_MAX: Duration = Duration::from_secs(30);

/// A stream whose reads and writes fail when they wait too long without
/// progress. Time in which nobody reads or writes does not count.
pub(super) struct Watched<S> {
    stream: S,
    patience: Duration,
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, reading: None, writing: None }
    }
}

fn watch<T>(
    timer: &mut Option<Pin<Box<Sleep>>>,
    patience: Duration,
    cx: &mut Context<'_>,
    progress: Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    if progress.is_ready() {
        *timer = None;
        return progress;
    }
    let sleep = timer.get_or_insert_with(|| Box::pin(sleep(patience)));
    match sleep.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("nothing moved for {} seconds", patience.as_secs()),
        ))),
        Poll::Pending => Poll::Pending,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let this = &mut *self;
        watch(&mut this.reading, this.patience, cx, progress)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(cx, bytes);
        let this = &mut *self;
        watch(&mut this.writing, this.patience, cx, progress)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(cx);
        let this = &mut *self;
        watch(&mut this.writing, this.patience, cx, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_shutdown(cx);
        let this = &mut *self;
        watch(&mut this.writing, this.patience, cx, progress)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_silent_stream_fails() {
        let (near, _far) = tokio::io::duplex(16);
        let error = Watched::new(near, Duration::from_millis(10))
            .read_u8()
            .await
            .expect_err("nobody writes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
