//! Classes of faults: which ones a seed has, how often each strikes, how often each has struck.

use std::collections::{BTreeMap, BTreeSet};

use crate::{dice::Dice, disk::FaultCounts};

/// A class of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A frame, and all after it on its lane, comes seconds late.
    Delay,
    /// A frame of the sync lane is lost, and its connection goes on.
    Drop,
    /// A frame of the sync lane comes twice.
    Duplicate,
    /// A frame of the sync lane is overtaken by later ones.
    Reorder,
    /// A connection breaks, with all that is under way on it.
    Reset,
    /// A connection breaks, and one end does not notice for a while.
    HalfOpen,
    /// A dial fails though it could succeed.
    DialFailure,
    /// Two machines cannot reach each other for a while.
    Partition,
    /// One machine's frames do not reach another for a while.
    OneWayCut,
    /// An entry under way gets a wrong signature.
    WrongSignature,
    /// An entry under way gets another body.
    WrongBody,
    /// An entry under way is replaced by a well-signed one of a stranger.
    ForeignEntry,
    /// The power goes.
    PowerCut,
    /// The power goes in the middle of a disk operation.
    PowerCutInOperation,
    /// The power goes while a node opens its stores.
    PowerCutAtStart,
    /// A node stops in good order and starts again.
    Restart,
    /// A disk is full for a while.
    DiskFull,
    /// A write to a disk fails.
    WriteError,
    /// A sync of a disk fails.
    SyncError,
    /// A disk is replaced by an older copy of itself, as one restores a backup.
    RestoredBackup,
    /// A copy of a disk runs in place of the disk for a while, and then the disk again: one device
    /// in two places.
    ClonedDisk,
    /// Frames of the past arrive again, from who sent them.
    Replay,
    /// Somebody is removed from the space, or leaves it.
    Removal,
    /// A wall clock is wrong by years.
    ClockSkew,
    /// A wall clock jumps.
    ClockJump,
}

impl Fault {
    pub(crate) const ALL: [Self; 25] = [
        Self::Delay,
        Self::Drop,
        Self::Duplicate,
        Self::Reorder,
        Self::Reset,
        Self::HalfOpen,
        Self::DialFailure,
        Self::Partition,
        Self::OneWayCut,
        Self::WrongSignature,
        Self::WrongBody,
        Self::ForeignEntry,
        Self::PowerCut,
        Self::PowerCutInOperation,
        Self::PowerCutAtStart,
        Self::Restart,
        Self::DiskFull,
        Self::WriteError,
        Self::SyncError,
        Self::RestoredBackup,
        Self::ClonedDisk,
        Self::Replay,
        Self::Removal,
        Self::ClockSkew,
        Self::ClockJump,
    ];

    /// How often it strikes where it could, in thousandths.
    fn per_mille(self) -> u32 {
        match self {
            Self::Delay | Self::Drop | Self::Duplicate | Self::Reorder => 60,
            Self::WrongSignature | Self::WrongBody | Self::ForeignEntry => 100,
            Self::Reset => 10,
            Self::DialFailure | Self::Replay => 200,
            Self::HalfOpen | Self::ClockSkew => 500,
            // `trouble.rs` plans these ahead.
            Self::Partition
            | Self::OneWayCut
            | Self::PowerCut
            | Self::PowerCutInOperation
            | Self::PowerCutAtStart
            | Self::Restart
            | Self::DiskFull
            | Self::WriteError
            | Self::SyncError
            | Self::RestoredBackup
            | Self::ClonedDisk
            | Self::Removal
            | Self::ClockJump => 1000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Reset => "reset",
            Self::HalfOpen => "half_open",
            Self::DialFailure => "dial_failure",
            Self::Partition => "partition",
            Self::OneWayCut => "one_way_cut",
            Self::WrongSignature => "wrong_signature",
            Self::WrongBody => "wrong_body",
            Self::ForeignEntry => "foreign_entry",
            Self::PowerCut => "power_cut",
            Self::PowerCutInOperation => "power_cut_in_operation",
            Self::PowerCutAtStart => "power_cut_at_start",
            Self::Restart => "restart",
            Self::DiskFull => "disk_full",
            Self::WriteError => "write_error",
            Self::SyncError => "sync_error",
            Self::RestoredBackup => "restored_backup",
            Self::ClonedDisk => "cloned_disk",
            Self::Replay => "replay",
            Self::Removal => "removal",
            Self::ClockSkew => "clock_skew",
            Self::ClockJump => "clock_jump",
        }
    }
}

/// The faults of one world.
pub(crate) struct Faults {
    enabled: BTreeSet<Fault>,
    is_active: bool,
    dice: Dice,
    counts: BTreeMap<Fault, u64>,
}

impl Faults {
    /// A random half of the classes; none at all in one seed of sixteen.
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "faults");
        let is_calm = dice.below(16) == 0;
        let enabled = Fault::ALL.into_iter().filter(|_| dice.chance(500) && !is_calm).collect();
        Self { enabled, is_active: false, dice, counts: BTreeMap::new() }
    }

    pub(crate) fn begin(&mut self) {
        self.is_active = true;
    }

    pub(crate) fn end(&mut self) {
        self.is_active = false;
    }

    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }

    pub(crate) fn is_enabled(&self, fault: Fault) -> bool {
        self.enabled.contains(&fault)
    }

    /// Whether the fault may strike at all now.
    pub(crate) fn could(&self, fault: Fault) -> bool {
        self.is_active && self.enabled.contains(&fault)
    }

    /// Whether the fault strikes here; counts it.
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.could(fault) && self.dice.chance(fault.per_mille());
        if strikes {
            self.count(fault);
        }
        strikes
    }

    pub(crate) fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault).or_default() += 1;
    }

    /// What has struck, with what the disks did by themselves.
    pub(crate) fn counts<'a>(&self, disks: impl Iterator<Item = FaultCounts> + 'a) -> Counts {
        let mut total = FaultCounts::default();
        disks.for_each(|disk| total.add(&disk));
        let mut counts = Counts::default();
        for fault in Fault::ALL {
            let by_disk = match fault {
                Fault::DiskFull => Some(total.disk_full),
                Fault::WriteError => Some(total.write_errors),
                Fault::SyncError => Some(total.sync_errors),
                Fault::Delay
                | Fault::Drop
                | Fault::Duplicate
                | Fault::Reorder
                | Fault::Reset
                | Fault::HalfOpen
                | Fault::DialFailure
                | Fault::Partition
                | Fault::OneWayCut
                | Fault::WrongSignature
                | Fault::WrongBody
                | Fault::ForeignEntry
                | Fault::PowerCut
                | Fault::PowerCutInOperation
                | Fault::PowerCutAtStart
                | Fault::Restart
                | Fault::RestoredBackup
                | Fault::ClonedDisk
                | Fault::Replay
                | Fault::Removal
                | Fault::ClockSkew
                | Fault::ClockJump => None,
            };
            let count =
                by_disk.unwrap_or_else(|| self.counts.get(&fault).copied().unwrap_or_default());
            counts.0.insert(fault.name(), count);
        }
        // The damage that a power cut does to what was not synced.
        for (name, count) in &total.named()[1..9] {
            counts.0.insert(name, *count);
        }
        counts
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.enabled.iter().map(|fault| fault.name()).collect();
        write!(f, "faults: {}", names.join(" "))
    }
}

/// How often each class of faults has struck.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// Classes that never struck.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name)
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, count)) in self.0.iter().enumerate() {
            write!(f, "{}{name} {count}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
