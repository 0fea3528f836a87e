//! What goes wrong with a folder.

use std::{io, path::PathBuf};

use sync_engine_core::store::StoreError;

/// Why the folder could not do it. What was there before still is.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk did not.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// More at once than goes into a file; nothing of it was written.
    #[error("more entries at once than a file may hold")]
    TooLarge,
    /// A file is not what it was when the folder was looked through.
    #[error("{0} was changed, or is damaged")]
    Damaged(PathBuf),
}

impl From<FolderError> for StoreError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                Self::Full
            }
            FolderError::Damaged(path) => Self::Damaged(path.display().to_string()),
            error @ (FolderError::Io(_) | FolderError::TooLarge) => {
                Self::Storage(error.to_string())
            }
        }
    }
}
