//! A simulated disk, and the SQLite VFS that stores databases on it.
//!
//! Purpose: run the real SQLite over a disk that can lose power, lie, fill up, fail and rot, so
//! that one seed replays one history of damage. Each simulated node has its own [`SimDisk`]; a
//! database is opened on it by name, with `Connection::open_with_flags_and_vfs(path, flags,
//! disk.vfs_name())`.
//!
//! Invariants:
//! - What `xSync` acknowledged survives every power cut, unless a knob says that the drive lies.
//! - Nothing else does for certain: each sector of an unsynced write becomes old, new, torn or
//!   garbage, and a creation or deletion whose sync is missing happens or does not.
//! - A power cut ends a boot. Connections of an earlier boot get `SQLITE_IOERR` for every call,
//!   so a killed node cannot write any more; new ones see what the power cut left.
//! - Nothing reads the clock or the system's entropy. Each opened main database seeds SQLite's
//!   own generator, which is one for the process, from the disk: byte-for-byte replay therefore
//!   wants one simulation at a time per process (nextest gives each test its own).
//! - A registered VFS is never freed while SQLite might still point to it; see `vfs::berth`.
//!
//! Non-goals: shared memory (a WAL database needs `PRAGMA locking_mode=EXCLUSIVE`, set before
//! anything else), short reads, misdirected writes, and files that are not SQLite's.

mod crash;
mod faults;
mod file;
mod image;
mod state;
#[cfg(test)]
mod tests;
#[expect(unsafe_code, reason = "SQLite calls its VFS over raw pointers")]
mod vfs;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

pub use self::faults::{FaultCounts, Faults, Trigger};
pub use self::image::DiskImage;
use self::state::State;
use self::vfs::Berth;

/// A disk. Clones are handles to the same one.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
    name: &'static str,
}

/// What the handles and the open files of a disk share; the last of them drops it.
struct Shared {
    state: Mutex<State>,
}

impl SimDisk {
    /// An empty disk whose faults derive from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::from_image(DiskImage::default(), seed)
    }

    /// A disk with durable content: a restored backup or a cloned data directory.
    #[must_use]
    pub fn from_image(image: DiskImage, seed: u64) -> Self {
        let berth = Berth::claim();
        let name = berth.name();
        let shared = Arc::new(Shared { state: Mutex::new(State::new(image, seed, berth)) });
        shared.state().berth.mount(Arc::downgrade(&shared));
        Self { shared, name }
    }

    /// The VFS to open databases with. It stays the same over power cuts, no other disk that
    /// lives at the same time has it, and it is unregistered with the last handle.
    #[must_use]
    pub fn vfs_name(&self) -> &'static str {
        self.name
    }

    /// Cuts the power and starts the next boot.
    pub fn crash(&self) {
        self.state().crash();
    }

    /// Cuts the power inside the n-th write, sync, truncation or deletion from now on; 1 is the
    /// next. A power cut before that takes the order back.
    pub fn crash_at_operation(&self, n: u64) {
        let mut state = self.state();
        state.crash_at = Some(state.operations + n.max(1));
    }

    /// How many operations, as `crash_at_operation` counts them, the disk has seen.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How often the power was cut; a change means that every open connection is dead.
    #[must_use]
    pub fn boot(&self) -> u64 {
        self.state().boot
    }

    /// Sets all knobs.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// The knobs; a one-shot that has fired reads as `Never`.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.state().faults
    }

    /// What has struck so far.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        self.state().counts
    }

    /// Sets what SQLite's `CURRENT_TIMESTAMP` and the like read, in milliseconds since 1970.
    pub fn set_time(&self, unix_ms: i64) {
        self.state().unix_ms = unix_ms;
    }

    /// Flips one bit of one synced byte of a file and says which byte, or does nothing to a file
    /// without synced bytes.
    pub fn rot(&self, path: &str) -> Option<u64> {
        self.state().rot(path)
    }

    /// Removes a file durably, such as the `-wal` that somebody forgot to copy. An open handle
    /// keeps it alive until the handle is closed.
    pub fn remove(&self, path: &str) -> bool {
        self.state().remove(path)
    }

    /// What a program would read from a file now, synced or not.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.state().current(path).map(<[u8]>::to_vec)
    }

    /// What is durable now.
    #[must_use]
    pub fn snapshot(&self) -> DiskImage {
        self.state().image()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimDisk").field("vfs_name", &self.name).finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a panic inside the disk is a bug of the disk and ends the run")
    }
}

/// A number below the limit. The bias of the remainder is far below what a test could notice.
fn below(rng: &mut ChaCha8Rng, limit: usize) -> usize {
    (rng.next_u64() % limit as u64) as usize
}

/// Whether something with this probability in thousandths happens.
fn chance(rng: &mut ChaCha8Rng, per_mille: u16) -> bool {
    below(rng, 1000) < usize::from(per_mille)
}
