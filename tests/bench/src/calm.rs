//! What a node looks like once it has nothing to do, and nodes that another process made.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use node_core::{Request, Response, request::Status};
use node_model::SpaceId;
use node_runtime::Started;
use tempfile::TempDir;

use crate::{
    cost::cpu_seconds,
    pair::{self, Secrets},
};

/// So long nothing changes in a node that has nothing to do: longer than the ten seconds
/// after which it looks for what bundles stand for.
const CALM: Duration = Duration::from_secs(12);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Who does nothing for so long has done what was due: longer than the calm after which a
/// document is indexed.
const IDLE: Duration = Duration::from_secs(3);

/// The processor time of that: the ticks of timers.
const IDLE_CPU_SECONDS: f64 = 0.03;

/// The numbers of a node.
///
/// # Panics
/// When it does not answer.
pub async fn status(node: &Started) -> Status {
    let Ok(Response::Status(status)) = node.handle.request(Request::Status).await else {
        panic!("no status");
    };
    status
}

/// Waits until a node neither bundles nor deletes what bundles stand for.
///
/// # Panics
/// When it does not answer.
pub async fn calm(node: &Started) {
    let mut last = None;
    let mut looks = 0;
    while looks * LOOK_EVERY < CALM {
        tokio::time::sleep(LOOK_EVERY).await;
        let status = status(node).await;
        let counts = &status.compaction;
        let now = Some((counts.bundles, counts.waiting, status.collection.entries));
        looks = if now == last { looks + 1 } else { 0 };
        last = now;
    }
}

/// Waits until this process has next to nothing to do: no index is made, nothing is told to
/// anybody. What begins then is measured alone.
pub async fn idle() {
    let mut before = cpu_seconds();
    loop {
        tokio::time::sleep(IDLE).await;
        let now = cpu_seconds();
        if now - before <= IDLE_CPU_SECONDS {
            return;
        }
        before = now;
    }
}

/// Bytes of all files below a folder.
#[must_use]
pub fn folder_bytes(folder: &Path) -> u64 {
    bytes_where(folder, |_| true)
}

/// Bytes of the files below a folder whose names are such. What goes away meanwhile counts
/// nothing.
#[must_use]
pub fn bytes_where(folder: &Path, is_such: fn(&str) -> bool) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_where(&entry.path(), is_such),
            Ok(metadata) if is_such(&entry.file_name().to_string_lossy()) => metadata.len(),
            Ok(_) | Err(_) => 0,
        })
        .sum()
}

/// A data directory with the keys of its node and the space to look at, beside each other
/// in one folder.
pub struct Prepared {
    folder: TempDir,
    secrets: Secrets,
    /// The space.
    pub space: SpaceId,
}

impl Prepared {
    /// One that another process makes: this program with these arguments and `--prepare`
    /// with the folder. What that process needed of memory is not this one's.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn by(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(arguments).arg("--prepare").arg(folder.path());
        assert!(command.status().is_ok_and(|it| it.success()), "the other process says why");
        let keys = fs::read(folder.path().join("keys")).expect("it was made");
        let secrets = Secrets::read(&keys).expect("it was written here");
        let space = fs::read_to_string(folder.path().join("space")).expect("it was made");
        Self { folder, secrets, space: space.parse().expect("it was written here") }
    }

    /// Writes down, in a folder that another process asked for, what it needs.
    ///
    /// # Errors
    /// The system's.
    pub fn save(folder: &Path, secrets: &Secrets, space: SpaceId) -> io::Result<()> {
        fs::write(folder.join("keys"), secrets.bytes())?;
        fs::write(folder.join("space"), space.to_string())
    }

    /// Where the node keeps everything.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.folder.path())
    }

    /// Starts the node.
    pub async fn start(&self) -> Started {
        pair::node("ada", &self.data_dir(), &self.secrets).await
    }
}

/// The data directory in a folder that another process asked for.
#[must_use]
pub fn data_dir(folder: &Path) -> PathBuf {
    folder.join("node")
}
