//! What is left of a request's body when it is answered early, as a refusal is.
//!
//! A server that closes while the other side still sends makes that one see a broken
//! connection instead of the answer. So the rest is read and thrown away, for a moment.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::poll_fn;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{runtime::Handle, time::timeout};

/// Most that is thrown away: as much as is on its way before the answer arrives.
const REST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long the other side may take to notice that there is an answer.
const REST_TIMEOUT: Duration = Duration::from_secs(2);

/// A body that is read to its end, within bounds, also when nobody wants it any more.
pub(crate) struct Drained<B: Body<Data = Bytes> + Send + Unpin + 'static>(Option<B>);

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drained<B> {
    pub(crate) fn new(body: B) -> Self {
        Self(Some(body))
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Body for Drained<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for Drained<B> {
    fn drop(&mut self) {
        let rest = self.0.take().filter(|body| !body.is_end_stream());
        // Without a runtime the connection is gone, too.
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(timeout(REST_TIMEOUT, throw_away(rest)));
        }
    }
}

async fn throw_away<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut bytes = 0;
    while bytes <= REST_BYTES_MAX {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(Ok(frame)) = frame else { return };
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    type Sent = Result<Frame<Bytes>, std::convert::Infallible>;

    fn body() -> (mpsc::Sender<Sent>, Drained<StreamBody<ReceiverStream<Sent>>>) {
        let (sender, frames) = mpsc::channel(1);
        (sender, Drained::new(StreamBody::new(ReceiverStream::new(frames))))
    }

    fn some(len: usize) -> Sent {
        Ok(Frame::data(Bytes::from(vec![7; len])))
    }

    #[tokio::test]
    async fn what_nobody_reads_is_taken_all_the_same() {
        let (sender, mut body) = body();
        sender.send(some(10)).await.expect("it is read");
        let first = body.frame().await.expect("there is one").expect("it cannot fail");
        assert_eq!(first.data_ref().map(Bytes::len), Some(10));
        drop(body);
        for _ in 0..100 {
            sender.send(some(1_000)).await.expect("it is thrown away");
        }
    }

    #[tokio::test]
    async fn but_not_without_end() {
        let (sender, body) = body();
        drop(body);
        let mut taken = 0;
        while sender.send(some(1024 * 1024)).await.is_ok() {
            taken += 1;
        }
        assert!((9..=11).contains(&taken), "{taken} MiB");
    }
}
