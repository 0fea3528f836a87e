//! The folders that are kept up to date by themselves, and which ones are in use.
//!
//! Their list is a file, `<data-dir>/folders`: `magic ‖ format ‖ sealed(JSON)`, where the first
//! two are the associated data. Where a person keeps what is nobody's business.
//!
//! Invariant: what [`Handle::keep_folder`] and [`Handle::forget_folder`] answer is on the disk.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use node_core::{Failure, FailureKind};
use node_model::{SpaceId, seal::SealKey};
use serde_json::{Value, json};
use tokio::{
    sync::{self, OwnedMutexGuard, watch},
    task::JoinHandle,
};

use crate::{
    carrier::{self, Called, Carrier, CarrierStatus, PACE},
    clock::Clock,
    handle::{Handle, stopping},
};

/// The list's file in the data directory.
const LIST: &str = "folders";

const HEADER: &[u8; 12] = b"KITHKEEP\0\0\0\x01";

/// Most folders that are kept: each may have a thread or two that hang, of the five hundred that
/// there are for everything.
const FOLDERS_MAX: usize = 16;

/// Longest path, as long as the system's.
const PATH_BYTES_MAX: usize = 4_096;

/// Largest file: all folders with the longest paths, each byte escaped, and what stands around.
const FILE_BYTES_MAX: u64 = (FOLDERS_MAX * (6 * PATH_BYTES_MAX + 256)) as u64;

/// Less would only be wear: one's own changes go out sooner anyway.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// More is a folder that one may as well name when it is there.
const EVERY_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A folder that is kept up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFolder {
    /// Where.
    pub folder: PathBuf,
    /// The only space that goes there; `None` is all of ours.
    pub space: Option<SpaceId>,
    /// How often to look for what others put there.
    pub every: Duration,
    /// How it stands; waiting until [`Handle::begin_keeping`].
    pub status: CarrierStatus,
}

/// The folders of a node.
pub(crate) struct Folders {
    file: PathBuf,
    key: SealKey,
    clock: Clock,
    kept: sync::Mutex<Kept>,
    in_use: Mutex<BTreeMap<PathBuf, Arc<sync::Mutex<()>>>>,
}

struct Kept {
    folders: BTreeMap<PathBuf, Entry>,
    /// Whether there are to be tasks.
    is_keeping: bool,
}

struct Entry {
    space: Option<SpaceId>,
    every: Duration,
    status: watch::Receiver<CarrierStatus>,
    task: Option<Task>,
}

impl Entry {
    fn new(space: Option<SpaceId>, every: Duration) -> Self {
        Self { space, every, status: watch::channel(CarrierStatus::default()).1, task: None }
    }
}

/// A task that ends with whoever holds it.
struct Task(JoinHandle<()>);

impl Task {
    async fn end(mut self) {
        self.0.abort();
        // That it was ended is what comes back.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Folders {
    /// Reads which folders are kept. A list that cannot be read is as good as none: what it says
    /// can be said again.
    pub(crate) fn open(data_dir: &Path, key: SealKey, clock: Clock) -> Self {
        let file = data_dir.join(LIST);
        let folders = read(&file, &key).unwrap_or_else(|error| {
            tracing::error!(
                file = %file.display(), %error,
                "cannot tell which folders to keep up to date; say it again: kith sync --folder DIR --every TIME"
            );
            BTreeMap::new()
        });
        let kept = sync::Mutex::new(Kept { folders, is_keeping: false });
        Self { file, key, clock, kept, in_use: Mutex::new(BTreeMap::new()) }
    }

    /// Waits until nobody uses the folder, by the name that it was given.
    pub(super) async fn enter(&self, folder: &Path) -> OwnedMutexGuard<()> {
        let lock = {
            // Nobody panics halfway through a change of it.
            let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
            in_use.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(in_use.entry(folder.to_owned()).or_default())
        };
        lock.lock_owned().await
    }

    /// Ends all tasks, also those that hang.
    pub(crate) async fn stop(&self) {
        let mut kept = self.kept.lock().await;
        kept.is_keeping = false;
        for entry in kept.folders.values_mut() {
            if let Some(task) = entry.task.take() {
                task.end().await;
            }
        }
    }

    async fn write(&self, listed: Vec<Value>) -> Result<(), Failure> {
        let plain = Value::Array(listed).to_string();
        let sealed = self.key.seal_synthetic(HEADER, plain.as_bytes());
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &sealed)).await;
        written.map_err(|_| stopping())?.map_err(|error| {
            let full =
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            let kind = if full { FailureKind::DiskFull } else { FailureKind::Storage };
            let message = format!("the list of folders cannot be written: {error}");
            Failure::new(kind, message, "look at the disk of the data directory, then try again")
        })
    }
}

impl Handle {
    /// Keeps a folder up to date from now on, and after every start: as [`Handle::sync_folder`]
    /// does, of `space` or all. Of a folder that is kept already it changes how.
    ///
    /// # Errors
    /// [`Failure`]; then it is as it was.
    pub async fn keep_folder(
        &self,
        folder: PathBuf,
        space: Option<SpaceId>,
        every: Duration,
    ) -> Result<(), Failure> {
        let invalid = |message: String| {
            let fix = "kith sync --folder DIR --every 5m";
            Err(Failure::new(FailureKind::Invalid, message, fix))
        };
        if !(EVERY_MIN..=EVERY_MAX).contains(&every) {
            return invalid("a folder is looked at every second to every 30 days".to_owned());
        }
        let is_text = folder.to_str().is_some_and(|it| it.len() <= PATH_BYTES_MAX);
        if !is_text || !folder.is_absolute() {
            return invalid(format!("{} cannot be kept: its path", folder.display()));
        }
        let mut kept = self.folders().kept.lock().await;
        if kept.folders.len() >= FOLDERS_MAX && !kept.folders.contains_key(&folder) {
            let message = format!("{FOLDERS_MAX} folders are kept up to date; no more");
            let fix = "kith status, then: kith sync --folder DIR --stop";
            return Err(Failure::new(FailureKind::TooLarge, message, fix));
        }
        let others = kept.folders.iter().filter(|(other, _)| **other != folder);
        let listed = others.map(|(folder, it)| line(folder, it.space, it.every));
        let listed = listed.chain([line(&folder, space, every)]).collect();
        self.folders().write(listed).await?;
        let mut entry = Entry::new(space, every);
        if kept.is_keeping {
            self.begin_with(&folder, &mut entry);
        }
        // What it replaces ends with this.
        kept.folders.insert(folder, entry);
        Ok(())
    }

    /// Keeps a folder no more. What is in it stays.
    ///
    /// # Errors
    /// [`FailureKind::NotFound`] when it is not kept; or the disk's.
    pub async fn forget_folder(&self, folder: &Path) -> Result<(), Failure> {
        let mut kept = self.folders().kept.lock().await;
        if !kept.folders.contains_key(folder) {
            let message = format!("{} is not kept up to date", folder.display());
            return Err(Failure::new(FailureKind::NotFound, message, "kith status"));
        }
        let others = kept.folders.iter().filter(|(other, _)| *other != folder);
        let listed = others.map(|(folder, it)| line(folder, it.space, it.every)).collect();
        self.folders().write(listed).await?;
        kept.folders.remove(folder);
        Ok(())
    }

    /// The folders that are kept, and how it stands with each.
    pub async fn kept_folders(&self) -> Vec<KeptFolder> {
        let kept = self.folders().kept.lock().await;
        let told = kept.folders.iter().map(|(folder, entry)| KeptFolder {
            folder: folder.clone(),
            space: entry.space,
            every: entry.every,
            status: entry.status.borrow().clone(),
        });
        told.collect()
    }

    /// From now on, until it is stopped, the node synchronises with the folders that it was told to
    /// keep. Without this, as in a process that does one thing and ends, they are only listed.
    pub async fn begin_keeping(&self) {
        let mut kept = self.folders().kept.lock().await;
        kept.is_keeping = true;
        for (folder, entry) in &mut kept.folders {
            self.begin_with(folder, entry);
        }
    }

    fn begin_with(&self, folder: &Path, entry: &mut Entry) {
        let (status, shown) = watch::channel(CarrierStatus::default());
        let carrier = carrier_of(folder.to_owned(), entry.space, entry.every);
        let pace = (self.folders().clock, PACE);
        let task = tokio::spawn(carrier::run(carrier, self.downgrade(), pace, status));
        (entry.status, entry.task) = (shown, Some(Task(task)));
    }
}

/// The adapter for a folder.
pub(crate) fn carrier_of(folder: PathBuf, space: Option<SpaceId>, every: Duration) -> Carrier {
    let call = move |node: Handle, progress| -> carrier::Call {
        let folder = folder.clone();
        Box::pin(async move {
            let report = node.sync_folder(folder, space, false, progress).await?;
            Ok(Called { left_out: report.refused.len() + report.passed_over.len() })
        })
    };
    Carrier { every, call: Box::new(call) }
}

fn line(folder: &Path, space: Option<SpaceId>, every: Duration) -> Value {
    let space = space.map(|space| space.to_string());
    json!({ "folder": folder, "space": space, "every_seconds": every.as_secs() })
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is damaged")
}

/// What a list says; `None` where there is none.
fn open(file: &Path, key: &SealKey) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match std::fs::File::open(file) {
        Ok(file) => file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let sealed = bytes.strip_prefix(HEADER).ok_or_else(damaged)?;
    key.open(HEADER, sealed).map(Some).map_err(|_| damaged())
}

/// Seals the list to another key. One that does not open is as good as none, or was sealed
/// anew before.
pub(crate) fn seal_list_anew(data_dir: &Path, old: &SealKey, new: &SealKey) -> io::Result<()> {
    let file = data_dir.join(LIST);
    match open(&file, old) {
        Ok(Some(plain)) => write(&file, &new.seal_synthetic(HEADER, &plain)),
        Ok(None) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(()),
        Err(error) => Err(error),
    }
}

fn read(file: &Path, key: &SealKey) -> io::Result<BTreeMap<PathBuf, Entry>> {
    let Some(plain) = open(file, key)? else { return Ok(BTreeMap::new()) };
    let lines: Vec<Value> = serde_json::from_slice(&plain).map_err(|_| damaged())?;
    lines.iter().map(|line| entry(line).ok_or_else(damaged)).collect()
}

fn entry(line: &Value) -> Option<(PathBuf, Entry)> {
    let folder = PathBuf::from(line.get("folder")?.as_str()?);
    let space = match line.get("space")? {
        Value::Null => None,
        space @ (Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => Some(space.as_str()?.parse().ok()?),
    };
    let every = Duration::from_secs(line.get("every_seconds")?.as_u64()?);
    Some((folder, Entry::new(space, every)))
}

/// Replaces the file, so that after a crash either the old or the new one is there.
fn write(file: &Path, sealed: &[u8]) -> io::Result<()> {
    let above = file.parent().unwrap_or(Path::new("."));
    // A temporary file is for its owner only.
    let mut part = tempfile::NamedTempFile::new_in(above)?;
    part.write_all(HEADER)?;
    part.write_all(sealed)?;
    part.as_file().sync_all()?;
    part.persist(file)?;
    std::fs::File::open(above)?.sync_all()
}
