//! Which entries a bundle of this run is known to have all changes of, so that nobody has to
//! look into them before they are deleted.
//!
//! Invariant: bounded; what is not remembered is looked into.

use std::collections::{BTreeMap, BTreeSet};

use node_model::EntryId;

/// Entries that are remembered: some megabytes.
const ENTRIES_MAX: usize = 65_536;

/// By the newest bundle that has their changes.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    by: BTreeMap<EntryId, BTreeSet<EntryId>>,
    count: usize,
}

impl Replaced {
    /// A bundle has all changes of these entries; and so those of what bundles among them had.
    pub(super) fn note(&mut self, bundle: EntryId, mut entries: BTreeSet<EntryId>) {
        for earlier in entries.clone() {
            if let Some(its) = self.by.remove(&earlier) {
                self.count -= its.len();
                entries.extend(its);
            }
        }
        if self.count + entries.len() <= ENTRIES_MAX {
            self.count += entries.len();
            self.by.insert(bundle, entries);
        }
    }

    /// Entries that one of the `kept` ones has all changes of.
    pub(super) fn by_any(&self, kept: &BTreeSet<EntryId>) -> BTreeSet<EntryId> {
        kept.iter().filter_map(|bundle| self.by.get(bundle)).flatten().copied().collect()
    }

    /// Entries that one of the `kept` ones replaced are deleted.
    pub(super) fn forget(&mut self, gone: &[EntryId], kept: &BTreeSet<EntryId>) {
        for bundle in kept {
            let Some(entries) = self.by.get_mut(bundle) else { continue };
            self.count -= gone.iter().filter(|entry| entries.remove(*entry)).count();
            if entries.is_empty() {
                self.by.remove(bundle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<EntryId> {
        let id = |number: u32| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            EntryId(id)
        };
        numbers.into_iter().map(id).collect()
    }

    fn id(number: u32) -> EntryId {
        ids([number]).pop_first().expect("one")
    }

    #[test]
    fn the_newest_bundle_has_what_those_before_it_had() {
        let mut replaced = Replaced::default();
        replaced.note(id(10), ids([1, 2]));
        replaced.note(id(20), ids([3, 10]));
        replaced.note(id(30), ids([4, 5]));
        assert_eq!(replaced.by_any(&ids([10])), ids([]), "that one may be gone");
        assert_eq!(replaced.by_any(&ids([20, 99])), ids([1, 2, 3, 10]));
        replaced.forget(&[id(1), id(10), id(4)], &ids([20]));
        assert_eq!(replaced.by_any(&ids([20, 30])), ids([2, 3, 4, 5]));
        replaced.forget(&[id(2), id(3), id(4), id(5)], &ids([20, 30]));
        assert_eq!((replaced.count, replaced.by.len()), (0, 0));
    }

    #[test]
    fn it_takes_no_room_without_end() {
        let mut replaced = Replaced::default();
        let all = ENTRIES_MAX as u32;
        replaced.note(id(u32::MAX), ids(0..all));
        replaced.note(id(u32::MAX - 1), ids([all, all + 1]));
        assert_eq!(replaced.by_any(&ids([u32::MAX - 1])), ids([]));
        // Nor is it stuck once it is full.
        replaced.forget(&[id(0), id(1)], &ids([u32::MAX]));
        replaced.note(id(u32::MAX - 1), ids([all, all + 1]));
        assert_eq!(replaced.by_any(&ids([u32::MAX - 1])), ids([all, all + 1]));
    }
}
