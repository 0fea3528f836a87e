//! Small things that are done to entries.

use node_model::{EntryId, limit::ENTRY_DEPS_MAX};

use super::{Document, Run, StoreError, VerifiedEntry};
use crate::store::stored;

pub(in crate::engine) fn all_stored(all: Vec<Vec<u8>>) -> Result<Vec<VerifiedEntry>, StoreError> {
    all.into_iter().map(stored).collect()
}

/// What entries say of the run: enough to tell it from the device's others.
pub(super) fn named_run(run: [u8; 16]) -> Run {
    let [a, b, c, d, e, f, g, h, ..] = run;
    Run([a, b, c, d, e, f, g, h])
}

/// The heads that an entry names: as many as it may. The change inside names all.
pub(super) fn named_heads(document: &mut Document) -> Vec<EntryId> {
    let mut heads = document.head_entries();
    heads.truncate(ENTRY_DEPS_MAX);
    heads
}
