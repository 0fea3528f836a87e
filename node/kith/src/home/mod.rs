//! The data directory: who may use it now, and the keys in it.

mod files;
mod keyring;
mod keys;
mod lock;
mod unlock;

use std::path::{Path, PathBuf};

pub use keys::{KeySeal, load_or_create, random_keys, renew, write_standing};
pub use lock::{Holder, Lock, Taken, take};
pub use node_runtime::write_private;
pub use unlock::{Passphrase, find_passphrase};

use crate::error::CliError;

/// Version of the directory's layout.
const FORMAT: u32 = 1;

/// Paths in a data directory.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The directory that was asked for, or the platform's.
    ///
    /// # Errors
    /// When the platform has none.
    pub fn find(asked: Option<&Path>) -> Result<Self, CliError> {
        let root = match asked {
            Some(path) => path.to_owned(),
            None => directories::ProjectDirs::from("", "", "kith")
                .map(|folders| folders.data_dir().to_owned())
                .ok_or_else(|| {
                    CliError::usage("this system has no home directory", "kith --data-dir DIR …")
                })?,
        };
        Ok(Self { root })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a node lives here already.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.keys().exists()
    }

    /// The sealed keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join("identity").join("keys.json")
    }

    /// The bearer token of programs on this machine.
    #[must_use]
    pub fn local_token(&self) -> PathBuf {
        self.root.join("local-token")
    }

    /// The keys of programs, but for their secrets.
    #[must_use]
    pub fn program_keys(&self) -> PathBuf {
        self.root.join("program-keys.json")
    }

    /// Removes what a device knew before it became another person's: statements,
    /// spaces and blobs. Only after it was found to be empty of anything of value.
    ///
    /// # Errors
    /// [`CliError`] naming the directory.
    pub fn forget(&self) -> Result<(), CliError> {
        let gone = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| self.unusable(&error)),
        };
        // Who had a key to what was here before has none to what comes.
        for file in ["trust.db", "trust.db-wal", "trust.db-shm", "program-keys.json"] {
            gone(std::fs::remove_file(self.root.join(file)))?;
        }
        for folder in ["spaces", "blobs", "views"] {
            gone(std::fs::remove_dir_all(self.root.join(folder)))?;
        }
        Ok(())
    }

    /// Creates the directory, for its owner only, and refuses one of a newer
    /// version.
    ///
    /// # Errors
    /// [`CliError`] naming the directory.
    pub fn prepare(&self) -> Result<(), CliError> {
        files::create_private_folder(&self.root).map_err(|error| self.unusable(&error))?;
        let path = self.root.join("format");
        match std::fs::read(&path) {
            Ok(bytes) => match String::from_utf8_lossy(&bytes).trim().parse::<u32>() {
                Ok(found) if found > FORMAT => Err(CliError::machine(
                    format!(
                        "{} was written by a newer version of kith (format {found}, this one knows {FORMAT})",
                        self.root.display()
                    ),
                    "install the newest kith",
                )),
                Ok(_) => Ok(()),
                Err(_) => Err(CliError::machine(
                    format!("{} is damaged: it does not hold a version", path.display()),
                    "restore the data directory from a backup",
                )),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Nobody has the lock yet, and another process may be doing the same.
                let own = self.root.join(format!("format.{}", std::process::id()));
                write_private(&own, format!("{FORMAT}\n").as_bytes())
                    .and_then(|()| std::fs::rename(&own, &path))
                    .map_err(|error| self.unusable(&error))
            }
            Err(error) => Err(self.unusable(&error)),
        }
    }

    /// The error for a directory that cannot be read or written.
    pub fn unusable(&self, error: &std::io::Error) -> CliError {
        let message = format!("{} cannot be used: {error}", self.root.display());
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(error.kind(), StorageFull | QuotaExceeded) {
            let message = format!("{}: the disk is full", self.root.display());
            let kind = node_core::FailureKind::DiskFull;
            return node_core::Failure::new(kind, message, "free some space and try again").into();
        }
        CliError::machine(message, "look at the disk and its permissions, then try again")
    }
}
