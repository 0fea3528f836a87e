//! Shards hold what is in the set.

use std::collections::BTreeSet;

use super::{EntryStore, StoreError};
use crate::sketch::{Shard, Sketch};

/// The sketch of all ids, which shards hold as well, each its own.
pub(super) fn sketch_of<S: EntryStore>(store: &S) -> Result<Sketch, StoreError> {
    let mut ids = BTreeSet::new();
    for shard in Shard::all(3) {
        let held = store.ids_between(shard.first(), shard.last(), usize::MAX)?;
        assert_eq!(store.ids_between(shard.first(), shard.last(), 2)?, held[..held.len().min(2)]);
        ids.extend(held);
    }
    assert_eq!(ids.len() as u64, store.head().entries, "shards hold what is in the set");
    assert_eq!(store.sketch()?, ids.into_iter().collect());
    store.sketch()
}
