//! What happens to machines and links in the time of trouble: planned ahead from the seed.

use std::{collections::BTreeSet, time::Duration};

use node_model::EntryId;

use crate::{
    disk::{DiskImage, Faults as DiskFaults, Trigger},
    fault::Fault,
    world::{Event, World},
};

/// Nothing reaches this many disk operations.
pub(crate) const NEVER: u64 = 1 << 60;

const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1_000;

/// Something that happens to a machine or a link.
#[derive(Debug)]
pub(crate) enum Trouble {
    Cut {
        one: usize,
        other: usize,
        is_one_way: bool,
        length: Duration,
    },
    PowerCut {
        machine: usize,
    },
    /// The power goes during one of the next disk operations.
    PowerCutSoon {
        machine: usize,
        operations: u64,
    },
    Restart {
        machine: usize,
    },
    DiskFull {
        machine: usize,
    },
    DiskHasRoom {
        machine: usize,
    },
    WriteError {
        machine: usize,
        after: u64,
    },
    SyncError {
        machine: usize,
        after: u64,
    },
    ClockJump {
        machine: usize,
    },
    /// A copy of the disk is kept, and later put back.
    Backup {
        machine: usize,
        length: Duration,
    },
    Restore {
        machine: usize,
    },
    /// A copy of the disk is made, and later runs in place of it.
    Copy {
        machine: usize,
        length: Duration,
    },
    RunCopy {
        machine: usize,
        length: Duration,
    },
    RunOriginal {
        machine: usize,
    },
}

impl World {
    /// Enters all troubles of the next `length` into the agenda.
    pub(crate) fn plan_trouble(&mut self, length: Duration) {
        if self.options.has_lying_drives {
            for machine in 0..self.machines.len() {
                self.change_disk(machine, |faults| faults.lost_sync = Trigger::PerMille(500));
            }
        }
        let planned = Fault::ALL.into_iter().filter(|fault| self.stage.faults.is_enabled(*fault));
        for fault in planned.collect::<Vec<_>>() {
            for _ in 0..1 + self.dice.below(4) {
                let Some(trouble) = self.draw_trouble(fault) else { break };
                let at = self.dice.between_ms(0..length.as_millis() as u64);
                self.stage.agenda.after(at, Event::Trouble(trouble));
            }
        }
    }

    fn draw_trouble(&mut self, fault: Fault) -> Option<Trouble> {
        let machine = self.dice.below(self.machines.len());
        let links: Vec<_> = self.network.links().collect();
        let (mut one, mut other) = self.dice.pick(&links).copied()?;
        if self.dice.chance(500) {
            (one, other) = (other, one);
        }
        let length = self.dice.between_ms(500..45_000);
        let after = self.dice.below(8) as u64;
        match fault {
            Fault::Partition => Some(Trouble::Cut { one, other, is_one_way: false, length }),
            Fault::OneWayCut => Some(Trouble::Cut { one, other, is_one_way: true, length }),
            Fault::PowerCut => Some(Trouble::PowerCut { machine }),
            Fault::PowerCutInOperation => {
                let operations = 1 + self.dice.below(60) as u64;
                Some(Trouble::PowerCutSoon { machine, operations })
            }
            Fault::Restart => Some(Trouble::Restart { machine }),
            Fault::DiskFull => Some(Trouble::DiskFull { machine }),
            Fault::WriteError => Some(Trouble::WriteError { machine, after }),
            Fault::SyncError => Some(Trouble::SyncError { machine, after }),
            Fault::ClockJump => Some(Trouble::ClockJump { machine }),
            Fault::RestoredBackup => {
                let is_replaceable = machine > 0 && self.joiner != Some(machine);
                is_replaceable.then_some(Trouble::Backup { machine, length })
            }
            Fault::ClonedDisk => {
                let is_replaceable = machine > 0 && self.joiner != Some(machine);
                is_replaceable.then_some(Trouble::Copy { machine, length })
            }
            // These strike by themselves.
            Fault::Delay
            | Fault::Drop
            | Fault::Duplicate
            | Fault::Reorder
            | Fault::Reset
            | Fault::HalfOpen
            | Fault::DialFailure
            | Fault::WrongSignature
            | Fault::WrongBody
            | Fault::ForeignEntry
            | Fault::PowerCutAtStart
            | Fault::Replay
            | Fault::Removal
            | Fault::ClockSkew => None,
        }
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        if !self.stage.faults.is_active() {
            return;
        }
        let text = format!("{trouble:?}");
        let now = self.now();
        self.stage.trace.note(now, 0, "trouble", text.as_bytes(), || text.clone());
        match trouble {
            Trouble::Cut { one, other, is_one_way, length } => {
                let fault = if is_one_way { Fault::OneWayCut } else { Fault::Partition };
                self.stage.faults.count(fault);
                self.network.cut(&mut self.stage, one, other, length);
                if !is_one_way {
                    self.network.cut(&mut self.stage, other, one, length);
                }
            }
            Trouble::PowerCut { machine } => {
                self.stage.faults.count(Fault::PowerCut);
                self.machines[machine].disk.crash();
                if self.machines[machine].process.is_some() {
                    self.end_process(machine, "power cut");
                }
            }
            Trouble::PowerCutSoon { machine, operations } => {
                if self.machines[machine].process.is_some() {
                    self.machines[machine].disk.crash_at_operation(operations);
                }
            }
            Trouble::Restart { machine } => {
                if self.machines[machine].process.is_some() {
                    self.stage.faults.count(Fault::Restart);
                    self.end_process(machine, "stop");
                }
            }
            Trouble::DiskFull { machine } => {
                let used = self.disk_bytes(machine);
                let room = self.dice.below(30_000) as u64;
                self.change_disk(machine, |f| f.capacity_bytes = Some(used + room));
                let length = self.dice.between_ms(1_000..30_000);
                let ends = Trouble::DiskHasRoom { machine };
                self.stage.agenda.after(length, Event::Trouble(ends));
            }
            Trouble::DiskHasRoom { machine } => {
                self.change_disk(machine, |faults| faults.capacity_bytes = None);
            }
            Trouble::WriteError { machine, after } => {
                self.change_disk(machine, |f| f.write_error = Trigger::Once { after });
            }
            Trouble::SyncError { machine, after } => {
                self.change_disk(machine, |f| f.sync_error = Trigger::Once { after });
            }
            Trouble::Backup { machine, length } => {
                self.machines[machine].backup = self.machines[machine].disk.snapshot();
                self.stage.agenda.after(length, Event::Trouble(Trouble::Restore { machine }));
            }
            Trouble::Restore { machine } => {
                self.stage.faults.count(Fault::RestoredBackup);
                let backup = self.machines[machine].backup.clone();
                self.put_in(machine, backup);
            }
            Trouble::Copy { machine, length } => {
                self.machines[machine].backup = self.machines[machine].disk.snapshot();
                let then = Trouble::RunCopy { machine, length: length / 2 };
                self.stage.agenda.after(length, Event::Trouble(then));
            }
            Trouble::RunCopy { machine, length } => {
                let this = &mut self.machines[machine];
                if this.original.is_none() {
                    this.original = Some(this.disk.snapshot());
                    let copy = this.backup.clone();
                    self.put_in(machine, copy);
                    let then = Trouble::RunOriginal { machine };
                    self.stage.agenda.after(length, Event::Trouble(then));
                }
            }
            Trouble::RunOriginal { machine } => {
                if let Some(original) = self.machines[machine].original.take() {
                    self.stage.faults.count(Fault::ClonedDisk);
                    self.put_in(machine, original);
                }
            }
            Trouble::ClockJump { machine } => {
                self.stage.faults.count(Fault::ClockJump);
                self.machines[machine].skew_ms = self.draw_skew();
            }
        }
    }

    /// Puts another disk in. What only the one before held is lost, and nobody can help it.
    fn put_in(&mut self, machine: usize, image: DiskImage) {
        if self.machines[machine].process.is_some() {
            self.end_process(machine, "another disk");
        }
        let seed = self.dice.number();
        self.machines[machine].replace_disk(image, seed);
        let lost = self.reference.held.remove(&(machine, self.space)).unwrap_or_default();
        self.reference.held.retain(|(number, _), _| *number != machine);
        // Whoever is removed gives nothing back.
        let staying = self.staying();
        let others = self.reference.held.iter().filter(|((number, _), _)| staying.contains(number));
        let held: BTreeSet<EntryId> = others.flat_map(|(_, ids)| ids).copied().collect();
        let lost = self.reference.with_covered(&lost.into_iter().collect());
        let held = self.reference.with_covered(&held);
        let lost: BTreeSet<EntryId> = lost.into_iter().filter(|id| !held.contains(id)).collect();
        self.reference.acknowledged.retain(|id, _| !lost.contains(id));
        self.reference.spread.retain(|id| held.contains(id));
    }

    /// Sets wall clocks wrong from the start.
    pub(crate) fn skew_clocks(&mut self) {
        for machine in 0..self.machines.len() {
            if self.stage.faults.is_enabled(Fault::ClockSkew) && self.dice.chance(500) {
                self.stage.faults.count(Fault::ClockSkew);
                self.machines[machine].skew_ms = self.draw_skew();
            }
        }
    }

    fn draw_skew(&mut self) -> i64 {
        self.dice.between_ms(0..20 * YEAR_MS as u64).as_millis() as i64 - 10 * YEAR_MS
    }

    /// Arms a power cut within the operations of opening a node's stores.
    pub(crate) fn maybe_cut_at_start(&mut self, machine: usize) {
        if self.stage.faults.is_enabled(Fault::PowerCutAtStart)
            && self.healed_at.is_none()
            && self.dice.chance(300)
        {
            let operations = 1 + self.dice.below(25) as u64;
            self.machines[machine].disk.crash_at_operation(operations);
        }
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn heal(&mut self) {
        self.healed_at = Some(self.now());
        self.stage.faults.end();
        self.network.heal();
        for machine in &self.machines {
            machine.disk.set_faults(DiskFaults::default());
            machine.disk.crash_at_operation(NEVER);
        }
    }

    fn change_disk(&mut self, machine: usize, change: impl FnOnce(&mut DiskFaults)) {
        let disk = &self.machines[machine].disk;
        let mut faults = disk.faults();
        change(&mut faults);
        disk.set_faults(faults);
    }

    fn disk_bytes(&self, machine: usize) -> u64 {
        let disk = &self.machines[machine].disk;
        let image = disk.snapshot();
        image.paths().map(|path| disk.read(path).map_or(0, |file| file.len() as u64)).sum()
    }
}
