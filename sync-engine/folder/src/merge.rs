//! A writer's many small files into a larger one, so that a stick does not fill with them.
//!
//! Invariant: an old file is removed only after the new one is durable; only a device's own
//! files are merged, and only its newest ones, so that the order of its log stays.

use std::fs;

use crate::{
    error::FolderError,
    file::{self, ENTRIES_PER_FILE_MAX, RECORDS_PER_FILE_MAX, Record},
    store::{FolderStore, StoredFile},
};

/// Small files that may stand beside each other before some of them are merged: that often a
/// file synchroniser carries what is new and nothing else.
const SMALL_FILES_MAX: usize = 16;

/// Largest merged file; it is built in memory. Half of it is never merged again.
const FILE_BYTES_FULL: u64 = 32 * 1024 * 1024;

/// How large a file is, in each of the ways that are bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) entries: usize,
    pub(crate) records: usize,
}

impl Size {
    fn of(stored: &StoredFile) -> Self {
        let ids = stored.read.head.records.iter().map(|record| match record {
            Record::Entries { ids, .. } | Record::Aside { ids } => file::split(ids).count(),
        });
        let records = stored.read.head.records.len();
        Self { bytes: stored.read.len, entries: ids.sum(), records }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            entries: self.entries + other.entries,
            records: self.records + other.records,
        }
    }

    fn is_possible(self) -> bool {
        self.bytes <= FILE_BYTES_FULL
            && self.entries <= ENTRIES_PER_FILE_MAX
            && self.records <= RECORDS_PER_FILE_MAX
    }

    fn is_full(self) -> bool {
        !self.plus(self).is_possible()
    }
}

/// How many of the newest files are to become one; 0 when there is nothing to do. A file is
/// merged with newer ones that together are at least half as large, so each entry is written
/// again some twenty times in its life at most, and seldom a large file.
pub(crate) fn due(oldest_first: &[Size]) -> usize {
    let small = oldest_first.iter().rev().take_while(|size| !size.is_full());
    if small.clone().count() <= SMALL_FILES_MAX {
        return 0;
    }
    let (mut count, mut sum) = (0, Size::default());
    for size in small {
        let is_welcome = count < 2 || size.bytes <= 2 * sum.bytes;
        if !is_welcome || !sum.plus(*size).is_possible() {
            break;
        }
        (count, sum) = (count + 1, sum.plus(*size));
    }
    count
}

impl FolderStore {
    /// Merges our own files when they are many. What does not work now is tried again after
    /// the next append; everything is there all the same.
    pub(crate) fn merge(&mut self) {
        let own: Vec<StoredFile> = self
            .files
            .iter()
            .filter(|file| file.read.head.writer == self.device)
            .cloned()
            .collect();
        let sizes: Vec<Size> = own.iter().map(Size::of).collect();
        let old = &own[own.len() - due(&sizes)..];
        if old.is_empty() || self.write_merged(old).is_err() {
            return;
        }
        for file in old {
            // One that cannot be removed costs room; the next opening sees it again.
            let _ = fs::remove_file(&file.path);
            self.files.retain(|kept| kept.path != file.path);
        }
        self.look_anew();
    }

    fn write_merged(&mut self, old: &[StoredFile]) -> Result<(), FolderError> {
        let (mut records, mut bodies) = (Vec::new(), Vec::new());
        for StoredFile { path, read } in old {
            let damaged = |_| FolderError::Damaged(path.clone());
            file::check(path, read).map_err(damaged)?;
            bodies.extend(file::bodies(path, read).map_err(damaged)?);
            read.head.records.iter().for_each(|record| add(&mut records, record));
        }
        self.write(self.epoch, records, &bodies)
    }
}

/// Adds a record behind the others; entries of one source in a row become one record.
fn add(records: &mut Vec<Record>, record: &Record) {
    if let (
        Some(Record::Entries { source, cursor, ids, lengths, bundles }),
        Record::Entries {
            source: from,
            cursor: newer,
            ids: more,
            lengths: longer,
            bundles: others,
        },
    ) = (records.last_mut(), record)
        && source == from
    {
        ids.extend_from_slice(more);
        lengths.extend_from_slice(longer);
        bundles.extend_from_slice(others);
        *cursor = newer.or(*cursor);
        return;
    }
    records.push(record.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(bytes: u64) -> Size {
        Size { bytes, entries: 1, records: 1 }
    }

    /// Files of a writer who appends `each`, one by one.
    fn after(each: impl Iterator<Item = u64>) -> (Vec<Size>, u64) {
        let (mut files, mut rewritten) = (Vec::new(), 0);
        for bytes in each {
            files.push(small(bytes));
            let old = files.split_off(files.len() - due(&files));
            if !old.is_empty() {
                let sum = old.into_iter().fold(Size::default(), Size::plus);
                rewritten += sum.bytes;
                files.push(Size { records: 1, ..sum });
            }
        }
        (files, rewritten)
    }

    #[test]
    fn ten_thousand_small_files_become_a_few() {
        let (files, rewritten) = after((0..10_000).map(|_| 1_000));
        assert!(files.len() <= SMALL_FILES_MAX, "{}", files.len());
        assert_eq!(files.iter().map(|size| size.bytes).sum::<u64>(), 10_000_000);
        assert!(rewritten <= 20 * 10_000_000, "{rewritten}");
        assert_eq!(due(&files), 0, "nothing is left to do");
    }

    #[test]
    fn files_of_any_sizes_stay_few_and_none_grows_beyond_its_bound() {
        let sizes = (0..5_000_u64).map(|at| (at * 7_919) % 3_000_000 + 1);
        let total: u64 = sizes.clone().sum();
        let (files, _) = after(sizes);
        // A full one may end the row of small ones before all of them fit into it.
        let full = usize::try_from(total / FILE_BYTES_FULL).expect("is small");
        assert!(files.len() <= SMALL_FILES_MAX + 4 * full, "{} of {full}", files.len());
        assert!(files.iter().all(|size| size.is_possible()));
        assert_eq!(files.iter().map(|size| size.bytes).sum::<u64>(), total);
    }

    #[test]
    fn a_few_files_and_full_ones_are_left_alone() {
        assert_eq!(due(&[]), 0);
        assert_eq!(due(&[small(10); SMALL_FILES_MAX]), 0);
        assert_eq!(due(&[small(FILE_BYTES_FULL); 100]), 0);
    }
}
