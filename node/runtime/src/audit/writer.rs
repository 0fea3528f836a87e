//! The writer's thread: takes what has arrived, writes it in one go, and syncs the disk
//! when nothing more comes.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use node_model::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{
    budget::Budget,
    files::Files,
    record::{Record, dropped},
};
use crate::clock::Clock;

/// Records that are written at once: one call of the system for many.
const BATCH_MAX: usize = 256;

/// Long enough to gather what belongs together, short enough that a power cut takes little.
const CALM: Duration = Duration::from_secs(2);

/// What the writer is told.
pub(super) enum Message {
    /// Write this.
    Record(Timestamp, Box<Record>),
    /// Write what came before, and open the files for a reader.
    Open(oneshot::Sender<io::Result<Vec<File>>>),
    /// Write what came before, and end.
    Stop,
}

pub(super) struct Worker {
    files: Files,
    messages: mpsc::Receiver<Message>,
    /// Records that did not get into the channel.
    dropped: Arc<AtomicU64>,
    clock: Clock,
    strangers: Budget,
    /// Records that are missing and of which no line tells yet.
    missing: u64,
    lines: String,
    lines_count: u64,
    is_unsynced: bool,
    is_failing: bool,
}

impl Worker {
    pub(super) fn new(
        files: Files,
        messages: mpsc::Receiver<Message>,
        dropped: Arc<AtomicU64>,
        clock: Clock,
    ) -> Self {
        Self {
            files,
            messages,
            dropped,
            clock,
            strangers: Budget::full(clock.now().monotonic),
            missing: 0,
            lines: String::new(),
            lines_count: 0,
            is_unsynced: false,
            is_failing: false,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(message) = self.next().await {
            let mut goes_on = self.take(message);
            for _ in 1..BATCH_MAX {
                if !goes_on {
                    break;
                }
                match self.messages.try_recv() {
                    Ok(message) => goes_on = self.take(message),
                    Err(_) => break,
                }
            }
            self.write();
            if !goes_on {
                break;
            }
        }
        self.tell_missing();
        self.write();
        self.sync();
    }

    async fn next(&mut self) -> Option<Message> {
        if self.is_unsynced {
            match tokio::time::timeout(CALM, self.messages.recv()).await {
                Ok(message) => return message,
                Err(_) => self.sync(),
            }
        }
        self.messages.recv().await
    }

    /// Whether to go on.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Record(at, record) => self.record(at, &record),
            Message::Open(reader) => {
                self.tell_missing();
                self.write();
                // The reader may have gone.
                let _ = reader.send(self.files.to_read());
            }
            Message::Stop => return false,
        }
        true
    }

    fn record(&mut self, at: Timestamp, record: &Record) {
        if record.is_limited() && !self.strangers.takes(self.clock.now().monotonic) {
            self.missing += 1;
            return;
        }
        self.tell_missing();
        self.lines.push_str(&record.line(at));
        self.lines_count += 1;
    }

    /// A line of its own for each would let strangers fill the log with them: they are
    /// told of only before a record that counts, before somebody reads, and at the end.
    fn tell_missing(&mut self) {
        self.missing += self.dropped.swap(0, Ordering::Relaxed);
        if self.missing > 0 {
            self.lines.push_str(&dropped(self.clock.now().wall, self.missing));
            self.lines_count += self.missing;
            self.missing = 0;
        }
    }

    fn write(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        match self.files.append(self.lines.as_bytes()) {
            Ok(()) => {
                self.is_unsynced = true;
                self.is_failing = false;
            }
            Err(error) => {
                self.missing += self.lines_count;
                if !self.is_failing {
                    tracing::warn!(%error, "cannot write the audit log");
                }
                self.is_failing = true;
            }
        }
        self.lines.clear();
        self.lines_count = 0;
    }

    fn sync(&mut self) {
        if std::mem::take(&mut self.is_unsynced)
            && let Err(error) = self.files.sync()
        {
            tracing::warn!(%error, "cannot sync the audit log");
        }
    }
}
