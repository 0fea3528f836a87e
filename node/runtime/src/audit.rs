//! The audit log: who asked this node for what, and what came of it, one JSON object a
//! line in `<data-dir>/audit.jsonl` (`docs/protocol/audit-log.md`).
//!
//! Invariants: a record holds ids, numbers, names of programs' keys and words of this program,
//! so that no query, other name, secret or content can get into it; nobody who asks waits for it; whoever has no
//! right to anything cannot push out what it holds.
//! Non-goal: proof. Whoever owns the data directory can rewrite it.

mod budget;
mod files;
mod read;
mod record;
mod writer;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use node_core::{Failure, FailureKind};
use node_model::{Now, Timestamp};
use tokio::sync::{mpsc, oneshot};

pub use read::{Found, Wanted};
pub use record::{About, By, Event, Outcome, Record, Searched, What};

use crate::{clock::Clock, driver::STOP_MAX, handle::stopping};
use files::Files;
use writer::{Message, Worker};

/// Records that may wait for the disk: what a busy node does in a tenth of a second.
const MESSAGES_MAX: usize = 1_024;

/// The way into the log, and out of it. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    messages: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
    clock: Clock,
}

/// A writer's thread.
pub(crate) struct Running {
    messages: mpsc::Sender<Message>,
    has_ended: oneshot::Receiver<()>,
}

/// Starts the writer. It touches the folder once there is something to write.
pub(crate) fn start(folder: PathBuf, clock: Clock) -> std::io::Result<(AuditLog, Running)> {
    let (messages, received) = mpsc::channel(MESSAGES_MAX);
    let (ended, has_ended) = oneshot::channel();
    let dropped = Arc::new(AtomicU64::new(0));
    let log = AuditLog { messages: messages.clone(), dropped: Arc::clone(&dropped), clock };
    let worker = Worker::new(Files::new(folder, files::FILE_BYTES_MAX), received, dropped, clock);
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("kith-audit".to_owned()).spawn(move || {
        runtime.block_on(worker.run());
        // Whoever wanted to know may have gone.
        let _ = ended.send(());
    })?;
    Ok((log, Running { messages, has_ended }))
}

impl AuditLog {
    /// What the clocks say that records are stamped with.
    #[must_use]
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Takes a record; never waits. When too many wait already, it is only counted.
    pub fn write(&self, record: Record) {
        let message = Message::Record(self.clock.now().wall, Box::new(record));
        if self.messages.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The newest records, everything that was written before included.
    ///
    /// # Errors
    /// [`FailureKind::Storage`] when the files cannot be read, or that the node is stopping.
    pub async fn read(&self, wanted: Wanted) -> Result<Found, Failure> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(Message::Open(answer)).await.map_err(|_| stopping())?;
        let files = answered.await.map_err(|_| stopping())?.map_err(|error| unreadable(&error))?;
        let reading = tokio::task::spawn_blocking(move || read::newest(files, &wanted));
        reading.await.map_err(|_| stopping())?.map_err(|error| unreadable(&error))
    }

    /// When the last `hours` began.
    #[must_use]
    pub fn hours_ago(&self, hours: u32) -> Timestamp {
        let span = Duration::from_secs(u64::from(hours) * 3_600);
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.clock.now().wall.0.saturating_sub(span_ms))
    }
}

fn unreadable(error: &std::io::Error) -> Failure {
    let message = format!("the audit log cannot be read: {error}");
    let fix = "look at the disk and its permissions, then try again";
    Failure::new(FailureKind::Storage, message, fix)
}

impl Running {
    /// Writes what waits, and ends.
    pub(crate) async fn stop(self) {
        let stop = async {
            if self.messages.send(Message::Stop).await.is_ok() {
                // A thread that is gone has ended, too.
                let _ = self.has_ended.await;
            }
        };
        if tokio::time::timeout(STOP_MAX, stop).await.is_err() {
            tracing::warn!("the audit log was not closed in time");
        }
    }
}

#[cfg(test)]
mod tests;
