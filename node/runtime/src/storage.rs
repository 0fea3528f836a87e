//! The stores of spaces: one folder and one SQLite file each.

use std::path::{Path, PathBuf};

use node_core::{Failure, FailureKind, SpaceStorage};
use node_model::{SpaceId, random_bytes};
use sync_engine_core::store::{EntryStore, StoreEpoch, StoreError};
use sync_engine_sqlite::{OpenOptions, Repaired, SqliteStore};

use crate::entropy::OsEntropy;

/// The folder of all spaces, below the data directory.
pub(crate) const SPACES: &str = "spaces";

/// `<data-dir>/spaces`.
pub(crate) struct SpacesFolder {
    folder: PathBuf,
}

impl SpacesFolder {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl SpaceStorage for SpacesFolder {
    fn open(
        &mut self,
        space: SpaceId,
        epoch_if_new: StoreEpoch,
    ) -> Result<Box<dyn EntryStore>, StoreError> {
        let path = entries_file(&self.folder, space);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).map_err(|error| {
            if error.kind() == std::io::ErrorKind::StorageFull {
                StoreError::Full
            } else {
                StoreError::Storage(format!("{}: {error}", folder.display()))
            }
        })?;
        let opened = SqliteStore::open(&path, OpenOptions { vfs: None, epoch_if_new });
        let store = opened.map_err(|error| match error {
            // Whoever mends it has to know where it is.
            StoreError::Damaged(why) => StoreError::Damaged(format!("{}: {why}", path.display())),
            StoreError::Storage(why) => StoreError::Storage(format!("{}: {why}", path.display())),
            StoreError::Full
            | StoreError::Quota
            | StoreError::Newer { .. }
            | StoreError::Older { .. } => error,
        })?;
        Ok(Box::new(store))
    }
}

/// Makes the database of a space anew from the entries in it that can be read and verify; the
/// old file stays beside it. Only while no node runs there.
///
/// # Errors
/// [`Failure`]; nothing was changed.
pub fn repair(data_dir: &Path, space: SpaceId) -> Result<Repaired, Failure> {
    let path = entries_file(&data_dir.join(SPACES), space);
    if !path.exists() {
        return Err(Failure::no_such_space());
    }
    let epoch = StoreEpoch(random_bytes(&mut OsEntropy));
    sync_engine_sqlite::repair(&path, epoch).map_err(|error| match error {
        StoreError::Damaged(why) => {
            let message = format!("nothing can be read of {}: {why}", path.display());
            let fix = "restore it from a backup, or move it away: others bring what they have";
            Failure::new(FailureKind::Storage, message, fix)
        }
        StoreError::Full
        | StoreError::Quota
        | StoreError::Newer { .. }
        | StoreError::Older { .. }
        | StoreError::Storage(_) => error.into(),
    })
}

/// The store of a space below the folder of all of them.
fn entries_file(folder: &Path, space: SpaceId) -> PathBuf {
    folder.join(space.to_string()).join("entries.db")
}
