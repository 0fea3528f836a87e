//! How many documents are not removed, whatever comes and goes.

use node_model::DocumentId;

use super::{append_all, bundle, entries_in, tombstone};
use crate::store::{EntryStore, StoreEpoch, StoreError};

/// Checks any store: what this appends is of authors and documents of its own.
pub(super) fn check<S: EntryStore>(
    mut store: S,
    reopen: &impl Fn(S) -> Result<S, StoreError>,
) -> Result<(), StoreError> {
    let before = store.document_count()?;
    // Four entries in each of 20 documents, of which the store has had at most two.
    let entries = entries_in(31, 80, 20);
    let all: Vec<_> = entries.iter().filter(|entry| entry.header().document.0[0] > 1).collect();
    append_all(&mut store, &all)?;
    assert_eq!(store.document_count()?, before + 18);
    let one = entries[2].header().document;
    let removal = tombstone(32, one);
    append_all(&mut store, &[&removal, &tombstone(33, one)])?;
    assert_eq!(store.document_count()?, before + 17, "it is removed once");
    let unknown = DocumentId([99; 16]);
    append_all(&mut store, &[&tombstone(34, unknown)])?;
    assert_eq!(store.document_count()?, before + 17, "what is only removed was never there");
    let mut store = reopen(store)?;
    assert_eq!(store.document_count()?, before + 17, "it is so after opening again");

    store.set_aside(&[removal.clone(), tombstone(33, one)], StoreEpoch([90; 16]))?;
    assert_eq!(store.document_count()?, before + 18, "who removed it had no right to");
    append_all(&mut store, &[&removal])?;
    assert_eq!(store.document_count()?, before + 17, "and has it again");
    let of_three: Vec<_> = entries.iter().skip(3).step_by(20).cloned().collect();
    append_all(&mut store, &[&bundle(31, 80, &of_three.iter().collect::<Vec<_>>())])?;
    assert_eq!(store.document_count()?, before + 17, "a bundle stands for what was there");

    store.purge(&[one, entries[4].header().document].into(), StoreEpoch([91; 16]))?;
    let store = reopen(store)?;
    assert_eq!(store.document_count()?, before + 16, "one was not counted");
    Ok(())
}
