//! The stores of spaces: one folder and one SQLite file each.

use std::path::PathBuf;

use node_core::SpaceStorage;
use node_model::SpaceId;
use sync_engine_core::store::{EntryStore, StoreEpoch, StoreError};
use sync_engine_sqlite::{OpenOptions, SqliteStore};

/// `<data-dir>/spaces/<id>/entries.db`.
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
        let folder = self.folder.join(space.to_string());
        std::fs::create_dir_all(&folder).map_err(|error| {
            if error.kind() == std::io::ErrorKind::StorageFull {
                StoreError::Full
            } else {
                StoreError::Storage(format!("{}: {error}", folder.display()))
            }
        })?;
        let path = folder.join("entries.db");
        let store = SqliteStore::open(&path, OpenOptions { vfs: None, epoch_if_new })?;
        Ok(Box::new(store))
    }
}
