use std::{error::Error, io};

use iroh_blobs::api::{ExportBaoError, RequestError};

/// How a full disk reads where its kind was lost on the way.
const FULL: [&str; 4] =
    ["No space left on device", "StorageFull", "Disk quota exceeded", "QuotaExceeded"];

/// Why a blob could not be read, stored or provided.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It is not here, or not completely.
    #[error("this blob is not here")]
    NotHere,
    /// It is not what its id says, or what the range says.
    #[error("this blob is damaged or not what was asked for")]
    Damaged,
    /// It claims to be larger than any blob may be.
    #[error("larger than a blob may be")]
    TooLarge,
    /// It is larger than there is room for.
    #[error("its {bytes} bytes are more than there is room for")]
    NoRoom {
        /// Its length.
        bytes: u64,
    },
    /// The store was made by a newer version.
    #[error("the blob store has format {found}, this version reads up to {known}; update kith")]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format that we read.
        known: u32,
    },
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The store is closing.
    #[error("the blob store is closing")]
    Closed,
    /// The disk, or a connection that a blob came from or went to.
    #[error("{0}")]
    Io(String),
}

impl BlobError {
    /// From an error whose cause may be a disk that is full.
    pub(crate) fn from_chain(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<io::Error>()
                && is_full(io)
            {
                return Self::Full;
            }
            cause = error.source();
        }
        // iroh-blobs and redb hide some causes from `source`, and show them here only.
        let (text, debug) = (format!("{error:#}"), format!("{error:?}"));
        if FULL.iter().any(|sign| text.contains(sign) || debug.contains(sign)) {
            Self::Full
        } else {
            Self::Io(text)
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::from_chain(&error) }
    }
}

impl From<RequestError> for BlobError {
    fn from(error: RequestError) -> Self {
        Self::from_chain(&error)
    }
}

impl From<ExportBaoError> for BlobError {
    fn from(error: ExportBaoError) -> Self {
        Self::from_chain(&error)
    }
}
