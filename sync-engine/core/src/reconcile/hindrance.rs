//! What keeps a side from taking anything in.

use crate::store::StoreError;

/// Why a side takes in nothing of a space at the moment, as it tells its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Its disk is full.
    DiskFull,
    /// It keeps as much for the founder of the space as was agreed.
    Quota,
    /// Its disk or its database fails, or something that a newer version says.
    StorageFailed,
}

impl Hindrance {
    /// Its number on the way; never given to another one.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::DiskFull => 1,
            Self::Quota => 2,
            Self::StorageFailed => 3,
        }
    }

    /// What a number says.
    #[must_use]
    pub const fn of(number: u8) -> Self {
        match number {
            1 => Self::DiskFull,
            2 => Self::Quota,
            _ => Self::StorageFailed,
        }
    }
}

impl From<&StoreError> for Hindrance {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Full => Self::DiskFull,
            StoreError::Quota => Self::Quota,
            StoreError::Newer { .. }
            | StoreError::Older { .. }
            | StoreError::Damaged(_)
            | StoreError::Storage(_) => Self::StorageFailed,
        }
    }
}
