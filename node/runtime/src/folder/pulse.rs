use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::handle::ProgressSender;

/// Bytes that pass, each time with a sign of life: a large file on a slow disk is no file that hangs.
pub(super) struct Pulse<'a, T> {
    inner: T,
    progress: &'a ProgressSender,
}

impl<'a, T> Pulse<'a, T> {
    pub(super) fn new(inner: T, progress: &'a ProgressSender) -> Self {
        Self { inner, progress }
    }

    fn beat<U>(&self, polled: Poll<U>) -> Poll<U> {
        if polled.is_ready() {
            self.progress.send_modify(|_| {});
        }
        polled
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Pulse<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.beat(polled)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Pulse<'_, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.beat(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
