//! The accept loop: bounded connections, a bounded wait for headers, an orderly
//! end.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response, serve::Listener};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tower::ServiceExt;

use crate::drain::Drained;

/// A browser opens six connections to a host, a program a few; beyond this
/// somebody holds them open on purpose.
const CONNECTIONS_MAX: usize = 256;

/// Long enough for a busy browser, short enough that idle connections do not
/// fill the house.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Browsers send about 20.
const HEADERS_MAX: usize = 64;

/// Request line and headers together; the longest path that we make is 4 KiB.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What a download in progress is given at the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves over TCP until `stop` is done.
pub async fn serve_tcp(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) {
    serve(listener, router, stop).await;
}

/// Serves over a Unix socket until `stop` is done.
pub async fn serve_unix(
    listener: UnixListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) {
    serve(listener, router, stop).await;
}

async fn serve<L: Listener>(
    mut listener: L,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let builder = builder();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, (io, _)) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        let router = router.clone();
        let service = tower::service_fn(move |request: hyper::Request<Incoming>| {
            answer(router.clone(), request)
        });
        let service = TowerToHyperService::new(service);
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(io), service));
        connections.spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if timeout(STOP_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::info!(open = connections.len(), "connections were cut");
    }
    connections.shutdown().await;
}

async fn answer(router: Router, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
    let request: Request = request.map(|body| Body::new(Drained::new(body)));
    router.oneshot(request).await
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
}
