//! One process at a time uses a data directory.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::Home;
use crate::error::CliError;

/// How long a command waits for another one to finish.
const WAIT: Duration = Duration::from_secs(30);

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Longest path of a Unix socket, less its final zero; macOS allows 104.
const SOCKET_PATH_MAX: usize = 100;

/// Who holds the lock, as it says itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// What it was started as.
    pub command: String,
    /// Where it answers, if it does.
    pub socket: Option<PathBuf>,
}

/// The lock, held until dropped.
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Says where this process answers.
    ///
    /// # Errors
    /// The system's.
    pub fn announce(&self, socket: &Path) -> io::Result<()> {
        note(&self.file, &self.path, Some(socket.to_owned()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The note would mislead whoever comes next; the lock goes by itself.
        let _ = self.file.set_len(0);
    }
}

/// What came of asking for the lock.
pub enum Taken {
    /// It is ours.
    Lock(Lock),
    /// A node runs here and answers at this socket.
    Running(Holder, PathBuf),
}

/// Takes the lock of a home, or finds the node that runs there.
///
/// # Errors
/// After 30 seconds, with the name of the holder.
pub async fn take(home: &Home) -> Result<Taken, CliError> {
    let path = home.root().join("node.lock");
    let open = || {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)
    };
    let file = open().map_err(|error| home.unusable(&error))?;
    let looks = WAIT.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        match file.try_lock() {
            Ok(()) => {
                note(&file, &path, None).map_err(|error| home.unusable(&error))?;
                return Ok(Taken::Lock(Lock { file, path }));
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(home.unusable(&error)),
        }
        let holder = read_holder(&path);
        if let Some(socket) = holder.socket.clone()
            && is_answering(&socket).await
        {
            return Ok(Taken::Running(holder, socket));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let Holder { pid, command, .. } = read_holder(&path);
    let who =
        if pid == 0 { "another process".to_owned() } else { format!("{command} (process {pid})") };
    let message = format!("{} is in use by {who}", home.root().display());
    let failure = node_core::Failure::new(
        node_core::FailureKind::Unreachable,
        message,
        "wait for it to finish, or stop it, then try again",
    );
    Err(failure.into())
}

fn note(file: &File, path: &Path, socket: Option<PathBuf>) -> io::Result<()> {
    let command = std::env::args().take(2).collect::<Vec<_>>().join(" ");
    let holder = Holder { pid: std::process::id(), command, socket };
    let text = serde_json::to_vec(&holder).map_err(io::Error::other)?;
    file.set_len(0)?;
    fs::write(path, text)
}

fn read_holder(path: &Path) -> Holder {
    // Read while it is being written it may be anything; look again later.
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

async fn is_answering(socket: &Path) -> bool {
    tokio::net::UnixStream::connect(socket).await.is_ok()
}

impl Home {
    /// Where the node's socket goes: into the data directory, or where paths
    /// are short when that one is too long for a socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        let path = self.root().join("node.sock");
        let path = std::path::absolute(&path).unwrap_or(path);
        if path.as_os_str().len() <= SOCKET_PATH_MAX {
            return path;
        }
        let name = &blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex()[..16];
        let base = directories::BaseDirs::new();
        let folder = base.as_ref().and_then(|folders| folders.runtime_dir()).map(Path::to_owned);
        folder.unwrap_or_else(std::env::temp_dir).join(format!("kith-{name}.sock"))
    }
}
