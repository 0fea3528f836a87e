//! Spaces with a folder, both ways: on a stick, or in a folder that a file synchroniser keeps
//! equal in several places. Nobody has to be there at the same time.
//!
//! First everything that is new comes in, then everything that the folder lacks goes out; so a
//! folder that cannot be written to can still be read. Statements of trust travel as packs of
//! nothing else, entries in files of `sync-engine-folder`, blobs each in its own file.
//!
//! Invariants: what comes in is verified and decided upon like what a peer or a pack brings; one
//! synchronisation at a time uses a folder, and what hangs in the system counts as using it.
//! Non-goals: being told by the system of changes in the folder, and removing from it what is of
//! use to nobody any more.

mod blobs;
mod entries;
mod kept;
mod pulse;
mod statements;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use node_core::{
    Failure, FailureKind, Mend, Request, Response,
    pack::{PackRequest, PackResponse, Plan},
};
use node_model::{DeviceId, SpaceId};
use sync_engine_folder::{FolderError, PassedOver, SpacePlace, begin, is_ours, spaces};
use tokio::sync::OwnedMutexGuard;

pub use self::kept::KeptFolder;
#[cfg(test)]
pub(crate) use self::kept::carrier_of;
pub(crate) use self::kept::{Folders, seal_list_anew};
use crate::{
    handle::{Handle, Progress, ProgressSender, unexpected},
    seal_file::{read_failure, stopped},
};

/// Most refusals that are named one by one.
const REFUSED_MAX: usize = 1_000;

tokio::task_local! {
    /// That a folder is in use. Whatever goes on in it holds a part of this: who stops waiting for
    /// a disk that hangs does not let the next one in, and no second thread hangs with the first.
    static IN_USE: Arc<OwnedMutexGuard<()>>;
}

/// What came of synchronising with a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderReport {
    /// The folder.
    pub folder: PathBuf,
    /// Each space of ours.
    pub spaces: Vec<FolderSpace>,
    /// Entries that were left out, and why: the first thousand. Without an id what is no entry.
    pub refused: Vec<(Option<String>, String)>,
    /// What in the folder was not used; it is looked at again next time.
    pub passed_over: Vec<PassedOver>,
}

/// What came of it for one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderSpace {
    /// Which.
    pub space: SpaceId,
    /// Entries that the folder lacked.
    pub pushed: u64,
    /// Entries that were new here.
    pub pulled: u64,
    /// Blobs that the folder lacked.
    pub blobs_pushed: u64,
    /// Blobs that were new here.
    pub blobs_pulled: u64,
}

impl Handle {
    /// Brings spaces up to date with a folder and the folder with them: `space`, or all of
    /// which we are a member, also by what the folder brings. `is_full` reads everything that
    /// is there, and writes again what is damaged.
    ///
    /// # Errors
    /// [`Failure`]; what came in before it is kept, and what went out stays.
    pub async fn sync_folder(
        &self,
        folder: PathBuf,
        space: Option<SpaceId>,
        is_full: bool,
        progress: ProgressSender,
    ) -> Result<FolderReport, Failure> {
        let in_use = Arc::new(self.folders().enter(&folder).await);
        let work = self.sync_folder_alone(folder, space, is_full, progress);
        IN_USE.scope(in_use, Box::pin(work)).await
    }

    async fn sync_folder_alone(
        &self,
        folder: PathBuf,
        space: Option<SpaceId>,
        is_full: bool,
        progress: ProgressSender,
    ) -> Result<FolderReport, Failure> {
        let Response::Identity(identity) = self.request(Request::Identity).await? else {
            return Err(unexpected());
        };
        let candidates = match space {
            Some(space) => {
                look_at(folder.clone()).await?;
                vec![space]
            }
            None => {
                let mut all = self.spaces_of_ours().await?;
                all.extend(look_at(folder.clone()).await?);
                all.sort_unstable();
                all.dedup();
                all
            }
        };
        let mut report = FolderReport {
            folder: folder.clone(),
            spaces: Vec::new(),
            refused: Vec::new(),
            passed_over: Vec::new(),
        };
        let mut handled = 0;
        for candidate in candidates {
            let mut exchange = Exchange {
                handle: self,
                folder: folder.clone(),
                place: SpacePlace::new(&folder, candidate),
                device: identity.device,
                is_full,
                is_prepared: false,
                progress: &progress,
                handled,
                report: &mut report,
                counts: FolderSpace {
                    space: candidate,
                    pushed: 0,
                    pulled: 0,
                    blobs_pushed: 0,
                    blobs_pulled: 0,
                },
            };
            let is_ours = Box::pin(exchange.run(space.is_some())).await?;
            handled = exchange.handled;
            let counts = exchange.counts;
            if is_ours {
                report.spaces.push(counts);
            }
        }
        Ok(report)
    }

    async fn spaces_of_ours(&self) -> Result<Vec<SpaceId>, Failure> {
        let Response::Spaces(spaces) = self.request(Request::Spaces).await? else {
            return Err(unexpected());
        };
        let ours = spaces.into_iter().filter(|space| space.role.is_some());
        Ok(ours.map(|space| space.space).collect())
    }
}

/// Looks whether the folder is there and could be one of ours; returns the spaces in it.
async fn look_at(folder: PathBuf) -> Result<Vec<SpaceId>, Failure> {
    blocking(move || {
        match folder.metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let message = format!("{} is a file, not a folder", folder.display());
                let fix = "name a folder: kith sync --folder DIR";
                return Err(Failure::new(FailureKind::Invalid, message, fix));
            }
            Err(error) => return Err(cannot_read(&folder, &error)),
        }
        let unreadable = |error| cannot_read(&folder, &error);
        if !is_ours(&folder).map_err(unreadable)? {
            let inside = folder.join("kith");
            let message = format!("{} is not a folder that kith wrote", inside.display());
            let fix = "name another folder, or a new one inside: kith sync --folder DIR/NAME";
            return Err(Failure::new(FailureKind::Invalid, message, fix));
        }
        if folder.join("kith").exists() { spaces(&folder).map_err(unreadable) } else { Ok(vec![]) }
    })
    .await
}

/// One space that is being brought up to date.
struct Exchange<'a> {
    handle: &'a Handle,
    folder: PathBuf,
    place: SpacePlace,
    device: DeviceId,
    is_full: bool,
    is_prepared: bool,
    progress: &'a ProgressSender,
    /// Entries and blobs so far, for the progress.
    handled: u64,
    report: &'a mut FolderReport,
    counts: FolderSpace,
}

impl Exchange<'_> {
    /// Returns whether the space is one of ours.
    async fn run(&mut self, is_named: bool) -> Result<bool, Failure> {
        let space = self.place.space();
        let found = self.take_statements().await?;
        match self.handle.ask_pack(PackRequest::Enter { space }).await {
            Ok(_) => {}
            // Another circle of people may use the same folder.
            Err(failure) if failure.kind == FailureKind::NotAllowed && !is_named => {
                return Ok(false);
            }
            Err(failure) => return Err(failure),
        }
        let entries = self.take_entries().await?;
        let blobs = self.take_blobs().await?;
        let sent = self.send(found, entries, blobs).await;
        sent.map_err(|failure| Failure {
            state: "what was new in the folder is here".to_owned(),
            ..failure
        })?;
        Ok(true)
    }

    async fn send(
        &mut self,
        found: statements::Found,
        entries: entries::Lacking,
        blobs: blobs::Lacking,
    ) -> Result<(), Failure> {
        self.write_statements(found).await?;
        self.write_entries(entries).await?;
        self.write_blobs(blobs).await
    }

    async fn plan(&self) -> Result<Plan, Failure> {
        let request = PackRequest::Seal { space: self.place.space() };
        let PackResponse::Plan(plan) = self.handle.ask_pack(request).await? else {
            return Err(unexpected());
        };
        Ok(plan)
    }

    /// Makes our own folder, before something is written into it.
    async fn prepare(&mut self) -> Result<(), Failure> {
        if std::mem::replace(&mut self.is_prepared, true) {
            return Ok(());
        }
        let (folder, place, device) = (self.folder.clone(), self.place.clone(), self.device);
        blocking(move || {
            let prepared = begin(&folder).and_then(|()| place.prepare(device));
            prepared.map_err(|error| cannot_write(&folder, &error))
        })
        .await
    }

    fn pass_over(&mut self, path: &Path, why: impl std::fmt::Display) {
        self.place.pass_over(&mut self.report.passed_over, path, why);
    }

    fn advance(&mut self, count: u64) {
        self.handled += count;
        let progress = Progress { done: self.handled, total: 0, unit: "entries" };
        self.progress.send_replace(progress);
    }
}

/// Disk work, off the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let in_use = IN_USE.try_with(Arc::clone).ok();
    let work = move || {
        let done = work();
        drop(in_use);
        done
    };
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

fn cannot_read(folder: &Path, error: &io::Error) -> Failure {
    let shown = folder.display();
    let Failure { kind, .. } = read_failure(error);
    if kind == FailureKind::NotFound {
        let message = format!("there is no folder {shown}");
        let fix = format!("plug in the disk that holds it, or make it: mkdir {shown}");
        return Failure::new(kind, message, fix);
    }
    let message = format!("cannot read the folder {shown}: {error}");
    Failure::new(kind, message, "look at the disk and its permissions, then try again")
}

fn cannot_write(folder: &Path, error: &io::Error) -> Failure {
    let shown = folder.display();
    let found = read_failure(error).kind;
    let is_protected = error.kind() == io::ErrorKind::ReadOnlyFilesystem;
    if is_protected || found == FailureKind::NotAllowed {
        let message = format!(
            "cannot write into the folder {shown}: {error}; its disk may be write-protected"
        );
        // What else is in the folder is none of our business.
        let ours = Some(folder.join("kith")).filter(|ours| ours.exists());
        let path = ours.unwrap_or_else(|| folder.to_owned());
        return Failure::refused(message, &Mend::MakeWritable { path });
    }
    let (message, fix) = if found == FailureKind::DiskFull {
        let message = format!("the disk of the folder {shown} is full");
        (message, "free some space there, then run the same command again: it goes on from there")
    } else if found == FailureKind::NotFound {
        let message = format!("the folder {shown} went away");
        (message, "plug in the disk that holds it, then run the same command again")
    } else {
        let message = format!("cannot write into the folder {shown}: {error}");
        (message, "look at the disk and its permissions, then try again")
    };
    Failure::new(found, message, fix)
}

fn folder_failure(folder: &Path, error: FolderError, is_write: bool) -> Failure {
    match error {
        FolderError::Io(error) if is_write => cannot_write(folder, &error),
        FolderError::Io(error) => cannot_read(folder, &error),
        error @ (FolderError::TooLarge | FolderError::Damaged(_)) => {
            let fix = "run the same command again; with --full if it says the same";
            Failure::new(FailureKind::Storage, error.to_string(), fix)
        }
    }
}

#[cfg(test)]
mod tests;
