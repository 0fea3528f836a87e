//! Files that only what was set aside refers to.

use node_model::BlobId;

use crate::{
    entry::VerifiedEntry,
    store::{Batch, EntryStore, StoreEpoch, StoreError},
};

/// Takes a store in which all entries of one author refer to one blob, and those of another
/// one to another.
pub(super) fn check_blobs<S: EntryStore>(
    mut store: S,
    ours: &[VerifiedEntry],
    reopen: &impl Fn(S) -> Result<S, StoreError>,
) -> Result<S, StoreError> {
    let [own, other] = [BlobId([1; 32]), BlobId([2; 32])];
    let (first, rest) = (&ours[..1], &ours[1..]);
    store.set_aside(rest, StoreEpoch([79; 16]))?;
    assert_eq!(store.blobs()?, [own, other], "one that counts refers to it");
    store.set_aside(first, StoreEpoch([80; 16]))?;
    let mut store = reopen(store)?;
    assert_eq!(store.blobs()?, [other], "nobody would give it for what does not count");
    let back = Batch { entries: ours.to_vec(), source: None, cursor: None };
    store.append(&[back])?;
    assert_eq!(store.blobs()?, [own, other]);
    Ok(store)
}
