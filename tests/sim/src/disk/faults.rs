//! Which faults a disk injects, and how many it has injected.

use rand_chacha::ChaCha8Rng;

use super::chance;

/// When a fault strikes among the operations that it can strike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trigger {
    /// No operation fails, and no randomness is drawn.
    #[default]
    Never,
    /// Each operation fails with this probability in thousandths.
    PerMille(u16),
    /// One operation fails, after this many that do not; then `Never`.
    Once {
        /// How many operations pass before the one that fails.
        after: u64,
    },
}

impl Trigger {
    pub(super) fn fires(&mut self, rng: &mut ChaCha8Rng) -> bool {
        match self {
            Self::Never => false,
            Self::PerMille(rate) => chance(rng, *rate),
            Self::Once { after: 0 } => {
                *self = Self::Never;
                true
            }
            Self::Once { after } => {
                *after -= 1;
                false
            }
        }
    }
}

/// The knobs. The default injects nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// `xSync` fails with `SQLITE_IOERR_FSYNC`; what was pending stays pending.
    pub sync_error: Trigger,
    /// `xWrite` fails with `SQLITE_IOERR_WRITE` and writes nothing.
    pub write_error: Trigger,
    /// `xSync`, or the directory sync of a deletion, reports success and does nothing: a lying
    /// drive. No store survives it; it exists to see that the simulator notices.
    pub lost_sync: Trigger,
    /// Writes that would make all files together larger fail with `SQLITE_FULL`.
    pub capacity_bytes: Option<u64>,
}

/// How often each fault struck. A run fails if a class that it enabled stays at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Power cuts.
    pub crashes: u64,
    /// Files that lost all pending operations in a power cut, at once and cleanly.
    pub files_rolled_back: u64,
    /// Files of which every pending operation reached the medium before a power cut.
    pub files_written_back: u64,
    /// Sectors that kept their old content though a write was pending.
    pub lost_writes: u64,
    /// Sectors with the beginning of a pending write and the old rest.
    pub torn_sectors: u64,
    /// Sectors in which the bytes being written became random.
    pub garbage_sectors: u64,
    /// Pending truncations that a power cut undid.
    pub lost_truncates: u64,
    /// Created files that a power cut removed.
    pub lost_creates: u64,
    /// Deleted files that a power cut brought back.
    pub lost_deletes: u64,
    /// See [`Faults::sync_error`].
    pub sync_errors: u64,
    /// See [`Faults::write_error`].
    pub write_errors: u64,
    /// See [`Faults::lost_sync`].
    pub lost_syncs: u64,
    /// See [`Faults::capacity_bytes`].
    pub disk_full: u64,
    /// See `SimDisk::rot`.
    pub bit_flips: u64,
    /// See `SimDisk::remove`.
    pub removed_files: u64,
}

impl FaultCounts {
    /// Every class with its name, for a report or the check that none stayed at zero.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 15] {
        [
            ("crashes", self.crashes),
            ("files_rolled_back", self.files_rolled_back),
            ("files_written_back", self.files_written_back),
            ("lost_writes", self.lost_writes),
            ("torn_sectors", self.torn_sectors),
            ("garbage_sectors", self.garbage_sectors),
            ("lost_truncates", self.lost_truncates),
            ("lost_creates", self.lost_creates),
            ("lost_deletes", self.lost_deletes),
            ("sync_errors", self.sync_errors),
            ("write_errors", self.write_errors),
            ("lost_syncs", self.lost_syncs),
            ("disk_full", self.disk_full),
            ("bit_flips", self.bit_flips),
            ("removed_files", self.removed_files),
        ]
    }

    /// Adds the counts of another disk, for totals over a run.
    pub fn add(&mut self, other: &Self) {
        self.crashes += other.crashes;
        self.files_rolled_back += other.files_rolled_back;
        self.files_written_back += other.files_written_back;
        self.lost_writes += other.lost_writes;
        self.torn_sectors += other.torn_sectors;
        self.garbage_sectors += other.garbage_sectors;
        self.lost_truncates += other.lost_truncates;
        self.lost_creates += other.lost_creates;
        self.lost_deletes += other.lost_deletes;
        self.sync_errors += other.sync_errors;
        self.write_errors += other.write_errors;
        self.lost_syncs += other.lost_syncs;
        self.disk_full += other.disk_full;
        self.bit_flips += other.bit_flips;
        self.removed_files += other.removed_files;
    }
}
