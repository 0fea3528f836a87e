//! One file: what the medium holds, what a reader sees, and the operations between the two.
//!
//! Invariant: `durable` with all of `pending` applied in order equals `current`.

use std::collections::BTreeMap;
use std::mem;

use super::state::Failure;

/// An operation since the last sync.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { size: usize },
}

impl Pending {
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write_at(content, *offset, bytes),
            Self::Truncate { size } => content.resize(*size, 0),
        }
    }
}

/// Writes, and fills a gap behind the present end with zeros.
pub(super) fn write_at(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset {
        content.resize(offset, 0);
    }
    let (inside, behind) = bytes.split_at(bytes.len().min(content.len() - offset));
    content[offset..offset + inside.len()].copy_from_slice(inside);
    content.extend_from_slice(behind);
}

/// SQLite's five lock levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lock {
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) durable: Vec<u8>,
    pub(super) current: Vec<u8>,
    pub(super) pending: Vec<Pending>,
    /// Locks above `None`, by handle.
    locks: BTreeMap<u64, Lock>,
    /// Handles; a file without name and handles is gone.
    pub(super) handles: u64,
    /// Whether the next sync makes the directory durable too.
    pub(super) syncs_directory: bool,
}

impl File {
    pub(super) fn with_durable(content: Vec<u8>) -> Self {
        Self { current: content.clone(), durable: content, ..Self::default() }
    }

    pub(super) fn created(syncs_directory: bool) -> Self {
        Self { syncs_directory, ..Self::default() }
    }

    /// Fills the buffer, with zeros behind the end; says how many bytes the file had.
    pub(super) fn read(&self, buffer: &mut [u8], offset: usize) -> usize {
        let available = self.current.len().saturating_sub(offset);
        let length = available.min(buffer.len());
        let (filled, missing) = buffer.split_at_mut(length);
        if length > 0 {
            filled.copy_from_slice(&self.current[offset..offset + length]);
        }
        missing.fill(0);
        length
    }

    pub(super) fn apply(&mut self, operation: Pending) {
        operation.apply(&mut self.current);
        self.pending.push(operation);
    }

    pub(super) fn sync(&mut self) {
        for operation in mem::take(&mut self.pending) {
            operation.apply(&mut self.durable);
        }
        debug_assert_eq!(self.durable.len(), self.current.len());
    }

    pub(super) fn lock(&mut self, handle: u64, wanted: Lock) -> Result<(), Failure> {
        let own = self.locks.get(&handle).copied().unwrap_or(Lock::None);
        if own >= wanted {
            return Ok(());
        }
        let highest = self.highest_lock_of_others(handle);
        let granted = match wanted {
            Lock::None => return Ok(()),
            Lock::Shared if highest < Lock::Pending => Lock::Shared,
            Lock::Reserved if highest < Lock::Reserved => Lock::Reserved,
            Lock::Pending | Lock::Exclusive if highest < Lock::Shared => wanted,
            // Readers may finish, none may begin.
            Lock::Pending | Lock::Exclusive if highest == Lock::Shared => Lock::Pending,
            Lock::Shared | Lock::Reserved | Lock::Pending | Lock::Exclusive => {
                return Err(Failure::Busy);
            }
        };
        self.locks.insert(handle, granted);
        if granted < wanted {
            return Err(Failure::Busy);
        }
        Ok(())
    }

    pub(super) fn unlock(&mut self, handle: u64, level: Lock) {
        if level == Lock::None {
            self.locks.remove(&handle);
        } else if let Some(own) = self.locks.get_mut(&handle) {
            *own = level.min(*own);
        }
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.locks.values().any(|lock| *lock >= Lock::Reserved)
    }

    fn highest_lock_of_others(&self, handle: u64) -> Lock {
        self.locks
            .iter()
            .filter(|(other, _)| **other != handle)
            .map(|(_, lock)| *lock)
            .max()
            .unwrap_or(Lock::None)
    }
}
