//! A way between two nodes that takes time: bytes that come in on loopback go on after a
//! delay, in their order.
//!
//! It stands for a long way, or for one over a relay: what comes later waits for what came
//! before. Nothing is lost, and there is no limit to how much a second it carries.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use node_runtime::Started;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

/// Bytes that are read at once.
const PIECE_BYTES_MAX: usize = 16 * 1_024;

/// Pieces under way in one direction: 64 MiB, more than the nodes here send in the delays
/// here, so that the way is only long and not narrow.
const PIECES_MAX: usize = 4_096;

/// How often the end of something is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A way to a node. It ends when this is dropped.
pub struct Path {
    /// Where to dial it: a multiaddr.
    pub address: String,
    delay: watch::Sender<Option<Duration>>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    connections: AtomicU64,
}

struct Piece {
    due: Instant,
    bytes: Vec<u8>,
}

impl Path {
    /// A way to `host`, which listens on TCP, with so long a delay in each direction.
    ///
    /// # Panics
    /// When it does not listen there, or nobody may listen on loopback.
    pub async fn to(host: &Started, delay: Duration) -> Self {
        let target = tcp_address(host);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (delay, delays) = watch::channel(Some(delay));
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(serve(listener, target, delays, Arc::clone(&counts)));
        Self { address: format!("/ip4/127.0.0.1/tcp/{port}"), delay, counts, task }
    }

    /// Lets nothing through from now on. What is under way arrives.
    pub fn hold(&self) {
        self.delay.send_replace(None);
    }

    /// Lets everything through, with so long a delay in each direction.
    pub fn release(&self, delay: Duration) {
        self.delay.send_replace(Some(delay));
    }

    /// Bytes that went through, both ways: the payload of TCP.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Connections that were made through it.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Waits until there were more connections than `before`.
    pub async fn dialled(&self, before: u64) {
        while self.connections() <= before {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn tcp_address(host: &Started) -> SocketAddr {
    let port = host.listening.iter().find_map(|address| {
        let (_, rest) = address.split_once("/tcp/")?;
        rest.split('/').next()?.parse().ok()
    });
    (Ipv4Addr::LOCALHOST, port.expect("the host listens on TCP")).into()
}

async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    delays: watch::Receiver<Option<Duration>>,
    counts: Arc<Counts>,
) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let Ok(far) = TcpStream::connect(target).await else { continue };
        counts.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(carry(near, far, delays.clone(), Arc::clone(&counts)));
    }
}

async fn carry(
    near: TcpStream,
    far: TcpStream,
    delays: watch::Receiver<Option<Duration>>,
    counts: Arc<Counts>,
) {
    for stream in [&near, &far] {
        stream.set_nodelay(true).expect("a connection of our own");
    }
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let (there, to_there) = mpsc::channel(PIECES_MAX);
    let (back, to_back) = mpsc::channel(PIECES_MAX);
    tokio::join!(
        take(near_read, there, delays.clone(), &counts),
        give(far_write, to_there),
        take(far_read, back, delays, &counts),
        give(near_write, to_back),
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
async fn take(
    mut from: OwnedReadHalf,
    to: mpsc::Sender<Piece>,
    mut delays: watch::Receiver<Option<Duration>>,
    counts: &Counts,
) {
    let mut buffer = vec![0; PIECE_BYTES_MAX];
    // A side that breaks off is gone, as one that closes.
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let Ok(delay) = delays.wait_for(Option::is_some).await.map(|delay| *delay) else { return };
        counts.bytes.fetch_add(count as u64, Ordering::Relaxed);
        let due = Instant::now() + delay.unwrap_or_default();
        if to.send(Piece { due, bytes: buffer[..count].to_vec() }).await.is_err() {
            return;
        }
    }
}

async fn give(mut to: OwnedWriteHalf, mut from: mpsc::Receiver<Piece>) {
    while let Some(Piece { due, bytes }) = from.recv().await {
        tokio::time::sleep_until(due).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
