//! For whatever is derived from documents and kept elsewhere, such as an index:
//! what has changed since, and a look that leaves no trace.

use std::collections::BTreeSet;

use node_model::{DocumentId, EntryId, SpaceId};

use super::{
    EngineError, SyncEngine,
    space::{Space, all_stored},
};
use crate::{
    document::Document,
    store::{StoreEpoch, StoreError},
};

/// Entries looked at in one go, without their bytes: a millisecond, and a request of a page
/// of documents.
const ENTRIES_AT_ONCE: usize = 512;

/// What has changed in a space that we can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Names the state that whoever looks at `documents` now has seen: 64 bytes.
    pub stamp: Vec<u8>,
    /// The documents that changed, removed ones among them.
    pub documents: Vec<DocumentId>,
    /// Whether these are all that there are, because the older state is not one
    /// that this store went through.
    pub is_all: bool,
    /// Whether there are more changes after the stamp.
    pub is_more: bool,
}

/// How far a store was read, and with how many keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    epoch: StoreEpoch,
    /// Everything up to this place was seen.
    place: u64,
    /// The entry at this place: a store that was set back has another one there.
    last: EntryId,
    keys: u64,
}

impl Stamp {
    fn to_bytes(self) -> Vec<u8> {
        let (place, keys) = (self.place.to_be_bytes(), self.keys.to_be_bytes());
        [&self.epoch.0[..], &place, &self.last.0, &keys].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (epoch, rest) = bytes.split_first_chunk::<16>()?;
        let (place, rest) = rest.split_first_chunk::<8>()?;
        let (last, rest) = rest.split_first_chunk::<32>()?;
        let keys = rest.try_into().ok()?;
        Some(Self {
            epoch: StoreEpoch(*epoch),
            place: u64::from_be_bytes(*place),
            last: EntryId(*last),
            keys: u64::from_be_bytes(keys),
        })
    }

    /// The stamp at a place of the space's store; `None` where there is none.
    fn at(space: &Space, place: u64) -> Result<Option<Self>, StoreError> {
        let head = space.store.head();
        let last = match place.checked_sub(1) {
            None => Some(EntryId([0; 32])),
            Some(before) => space.store.ids(before, 1)?.first().map(|(_, id)| *id),
        };
        let keys = space.keys_count();
        Ok(last.filter(|_| place <= head.arrivals).map(|last| Self {
            epoch: head.epoch,
            place,
            last,
            keys,
        }))
    }
}

impl Stamp {
    /// The stamp that somebody kept, if the space's store went through that state.
    pub(super) fn known(space: &Space, kept: Option<&[u8]>) -> Result<Option<Self>, StoreError> {
        match kept.and_then(Self::from_bytes) {
            Some(kept) => Ok(Self::at(space, kept.place)?.filter(|found| *found == kept)),
            None => Ok(None),
        }
    }

    /// Up to where everything was seen.
    pub(super) fn place(self) -> u64 {
        self.place
    }

    /// What somebody keeps who has seen everything up to a place.
    pub(super) fn bytes_at(space: &Space, place: u64) -> Result<Vec<u8>, StoreError> {
        Ok(Self::at(space, place)?.map(Self::to_bytes).unwrap_or_default())
    }
}

impl SyncEngine {
    /// What changed in a space since the state of `since`, an older
    /// [`Changes::stamp`]; `None` while we cannot read the space.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn changes_since(
        &self,
        space: SpaceId,
        since: Option<&[u8]>,
    ) -> Result<Option<Changes>, EngineError> {
        let space = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        if !space.is_readable() {
            return Ok(None);
        }
        let known = Stamp::known(space, since)?;
        let end = space.store.head().arrivals;
        let (documents, place) = match known {
            Some(known) => arrived(space, known.place)?,
            None => (space.store.documents()?, end),
        };
        let stamp = Stamp::bytes_at(space, place)?;
        Ok(Some(Changes { stamp, documents, is_all: known.is_none(), is_more: place < end }))
    }

    /// Looks at a document without keeping it loaded; one that is removed is
    /// [`DocumentError::Removed`](crate::document::DocumentError::Removed).
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn look_at<T>(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        look: impl FnOnce(&mut Document) -> T,
    ) -> Result<T, EngineError> {
        self.space_mut(space)?.look_at(document, look)
    }
}

impl SyncEngine {
    /// Those of these documents of which nothing was ever written here, in the same order: one
    /// that is removed was written.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn unwritten(
        &self,
        space: SpaceId,
        mut documents: Vec<DocumentId>,
    ) -> Result<Vec<DocumentId>, EngineError> {
        let space = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        let known = documents.iter().map(|id| Ok(!space.store.document_ids(*id)?.is_empty()));
        let mut known = known.collect::<Result<Vec<_>, StoreError>>()?.into_iter();
        documents.retain(|_| known.next() == Some(false));
        Ok(documents)
    }

    /// How many entries of what is kept of a space arrived up to a place and are in its set.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn entries_up_to(&self, space: SpaceId, place: u64) -> Result<u64, EngineError> {
        let facts = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        let head = facts.kept_head();
        if place == 0 || place >= head.arrivals {
            return Ok(if place == 0 { 0 } else { head.entries });
        }
        let after = facts.store.places(place, usize::MAX)?.into_iter();
        let after = after.filter(|(.., document)| facts.keeps(*document)).count() as u64;
        Ok(head.entries.saturating_sub(after))
    }

    /// Whether a document refers to files.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn refers_to_files(
        &self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<bool, EngineError> {
        let space = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        let entries = all_stored(space.store.document(document)?)?;
        Ok(entries.iter().any(|entry| !entry.header().blobs.is_empty()))
    }

    /// Whether an entry of a document arrived after a place; `true` when so much did that
    /// looking would take long.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn has_newer(
        &self,
        space: SpaceId,
        document: DocumentId,
        place: u64,
    ) -> Result<bool, EngineError> {
        let space = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        let (newer, last) = arrived(space, place)?;
        let is_all = last >= space.store.head().arrivals || newer.is_empty();
        Ok(!is_all || newer.binary_search(&document).is_ok())
    }
}

/// Documents of the entries after a place, and the place of the last one.
fn arrived(space: &Space, after: u64) -> Result<(Vec<DocumentId>, u64), StoreError> {
    let page = space.store.places(after, ENTRIES_AT_ONCE)?;
    let place = page.last().map_or(after, |(place, ..)| *place);
    let documents: BTreeSet<DocumentId> = page.into_iter().map(|(.., document)| document).collect();
    Ok((documents.into_iter().collect(), place))
}
