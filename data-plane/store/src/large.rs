//! Blobs that are not small: iroh-blobs' store, opened again when its database has ended.
//!
//! The task that owns the database ends with the first commit that fails, as on a full disk
//! (iroh-blobs, `store/fs/meta.rs`), also after it acknowledged what it was about to commit.
//! From then on every request fails until the store is opened anew.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use iroh_blobs::{
    api::Store,
    store::fs::{
        FsStore,
        options::{InlineOptions, Options, PathOptions},
    },
};
use tokio::sync::RwLock;

use crate::BlobError;

/// Hash trees up to this many bytes live in iroh-blobs' database. Data does not:
/// what would be worth it is a small blob.
const TREE_INLINE_BYTES_MAX: u64 = 16 * 1024;

/// A disk with less left than this many bytes is full: what failed may have given back its own.
const FULL_BELOW_BYTES: u64 = 16 * 1024 * 1024;

/// iroh-blobs' store of a folder.
pub(crate) struct Large {
    folder: PathBuf,
    state: RwLock<State>,
    /// Whether the disk was full since the store was opened.
    was_full: AtomicBool,
}

enum State {
    Open { store: Store, opened: u64 },
    Ended { opened: u64 },
    Closed,
}

/// A store, and how many were opened up to it.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    opened: u64,
}

impl Large {
    pub(crate) async fn open(folder: &Path) -> Result<Self, BlobError> {
        // What was never acknowledged is of no use to anybody after a crash.
        remove_leftovers(&PathOptions::new(folder).temp_path);
        let state = State::Open { store: load(folder).await?, opened: 1 };
        let (state, was_full) = (RwLock::new(state), AtomicBool::new(false));
        Ok(Self { folder: folder.to_owned(), state, was_full })
    }

    /// Where the files are.
    pub(crate) fn paths(&self) -> PathOptions {
        PathOptions::new(&self.folder)
    }

    /// The store, opened again if its database has ended.
    pub(crate) async fn opened(&self) -> Result<Opened, BlobError> {
        if let State::Open { store, opened } = &*self.state.read().await {
            return Ok(Opened { store: store.clone(), opened: *opened });
        }
        let mut state = self.state.write().await;
        let (store, opened) = match &*state {
            State::Open { store, opened } => (store.clone(), *opened),
            State::Ended { opened } => (load(&self.folder).await?, opened + 1),
            State::Closed => return Err(BlobError::Closed),
        };
        *state = State::Open { store: store.clone(), opened };
        self.was_full.store(false, Ordering::Relaxed);
        Ok(Opened { store, opened })
    }

    /// Does `work`, a second time when the database ended under the first.
    pub(crate) async fn with<T, F>(&self, work: impl Fn(Store) -> F) -> Result<T, BlobError>
    where
        F: Future<Output = Result<T, BlobError>>,
    {
        let opened = self.opened().await?;
        match work(opened.store.clone()).await {
            Err(_) if self.has_ended(&opened).await => {
                let opened = self.opened().await?;
                let done = work(opened.store.clone()).await;
                self.judged(&opened, done).await
            }
            done => self.judged(&opened, done).await,
        }
    }

    /// An outcome of work with `opened`, with its reason when that was a full disk.
    pub(crate) async fn judged<T>(
        &self,
        opened: &Opened,
        done: Result<T, BlobError>,
    ) -> Result<T, BlobError> {
        match done {
            Err(BlobError::Full) => {
                self.was_full.store(true, Ordering::Relaxed);
                Err(BlobError::Full)
            }
            Err(error) if self.has_ended(opened).await => {
                Err(if self.is_full() { BlobError::Full } else { error })
            }
            done => done,
        }
    }

    /// Why a blob that was added is not here.
    pub(crate) fn why_lost(&self) -> BlobError {
        if self.is_full() { BlobError::Full } else { BlobError::NotHere }
    }

    pub(crate) async fn close(&self) {
        let before = std::mem::replace(&mut *self.state.write().await, State::Closed);
        if let State::Open { store, .. } = before
            && let Err(error) = store.shutdown().await
        {
            tracing::warn!(%error, "the blob store did not close");
        }
    }

    /// Whether the database ended after `opened` was opened; then the next use opens another.
    async fn has_ended(&self, opened: &Opened) -> bool {
        // A database that lives answers this, whatever else failed.
        if opened.store.sync_db().await.is_ok() {
            return false;
        }
        let mut state = self.state.write().await;
        if let State::Open { opened: now, .. } = &*state
            && *now == opened.opened
        {
            tracing::warn!("the database of the blob store has ended; it is opened again");
            *state = State::Ended { opened: opened.opened };
        }
        true
    }

    fn is_full(&self) -> bool {
        let left = rustix::fs::statvfs(&self.folder);
        self.was_full.load(Ordering::Relaxed)
            || left.is_ok_and(|left| left.f_bavail.saturating_mul(left.f_frsize) < FULL_BELOW_BYTES)
    }
}

async fn load(folder: &Path) -> Result<Store, BlobError> {
    let mut options = Options::new(folder);
    options.inline =
        InlineOptions { max_data_inlined: 0, max_outboard_inlined: TREE_INLINE_BYTES_MAX };
    let store = FsStore::load_with_opts(folder.join("blobs.db"), options).await;
    Ok(store.map_err(|error| BlobError::from_chain(&error))?.into())
}

/// Leftovers are harmless; a folder that is not there has none.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::debug!(%error, "could not remove a leftover");
        }
    }
}
