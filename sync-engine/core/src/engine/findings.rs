//! What keeps copies from being equal and documents from being whole, as facts for
//! whoever explains it to people.
//!
//! Invariant: looking changes nothing but what is cached.
//! Non-goals: words, and which of several reasons counts.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DeviceId, DocumentId, EntryId, SpaceId};

use super::{EngineError, SyncEngine, space::Space};
use crate::{
    document::{Document, Refusal},
    reconcile::{EntryProgress, Hindrance, PeerState, Session},
    store::{Batch, EntryStore, StoreError, StoreHead, Tip},
};

/// Entries that went between two copies since the connection began.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) pushed: u64,
    pub(super) pulled: u64,
    refused: RefusedEntries,
}

/// Entries of a peer that were left out since the connection began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedEntries {
    /// How many times; the same one as often as it was offered.
    pub count: u64,
    /// Why the last one was.
    pub last: Option<String>,
}

/// Where we stand with a peer over a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSync {
    /// How the copies compare.
    pub state: PeerState,
    /// Entries sent since the connection began.
    pub pushed: u64,
    /// Entries received since then.
    pub pulled: u64,
}

/// How far two copies of a space have read each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFacts {
    /// How they compare.
    pub state: PeerState,
    /// Whether the peer has said what its copy holds.
    pub has_spoken: bool,
    /// Places of the peer's copy that we have not looked at: at most so many entries, for
    /// some may be empty since.
    pub unread_here: u64,
    /// Entries of our copy that the peer has not said to have looked at, at most.
    pub unread_there: u64,
    /// How far the exchange that is running is.
    pub progress: Option<EntryProgress>,
    /// Whether entries of the peer's copy were refused and may be welcome later.
    pub has_refused: bool,
    /// Those of them that came since the connection began.
    pub refused: RefusedEntries,
    /// What keeps the peer from taking anything in, as it says.
    pub hindrance: Option<Hindrance>,
}

impl CopyFacts {
    fn equal() -> Self {
        Self {
            state: PeerState::Equal,
            has_spoken: true,
            unread_here: 0,
            unread_there: 0,
            progress: None,
            has_refused: false,
            refused: RefusedEntries::default(),
            hindrance: None,
        }
    }
}

/// What does not count in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentTrouble {
    /// Changes that were refused.
    pub refused: usize,
    /// One of them, and why.
    pub example: Option<(EntryId, Refusal)>,
    /// Changes that wait for others, which are not here.
    pub waiting: usize,
}

impl DocumentTrouble {
    fn of(document: &Document) -> Option<Self> {
        let refused = document.refused();
        let waiting = document.waiting_count();
        let is_well = document.is_removed() || (refused.is_empty() && waiting == 0);
        (!is_well).then(|| Self {
            refused: refused.len(),
            example: refused.iter().next().map(|(entry, refusal)| (*entry, *refusal)),
            waiting,
        })
    }
}

/// What is wrong with a space here.
#[derive(Default)]
pub(super) struct Health {
    pub(super) store_error: Option<StoreError>,
    documents: BTreeMap<DocumentId, DocumentTrouble>,
}

/// How many bytes of entries are kept at most of some spaces together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The spaces.
    pub spaces: BTreeSet<SpaceId>,
    /// The bytes.
    pub bytes: u64,
}

impl Health {
    /// Notes how it stands with a document; `None` is not here.
    pub(super) fn look_at(&mut self, id: DocumentId, document: Option<&Document>) {
        match document.and_then(DocumentTrouble::of) {
            Some(trouble) => self.documents.insert(id, trouble),
            None => self.documents.remove(&id),
        };
    }

    pub(super) fn forget_documents(&mut self) {
        self.documents.clear();
    }
}

impl Space {
    /// Appends to the store, and remembers why it could not.
    pub(super) fn append(
        &mut self,
        batches: &[Batch],
        room: u64,
    ) -> Result<Vec<EntryId>, StoreError> {
        let entries = batches.iter().flat_map(|batch| &batch.entries);
        let more: u64 = entries.map(|entry| entry.bytes().len() as u64).sum();
        let has_room = more <= room;
        let appended = if has_room { self.store.append(batches) } else { Err(StoreError::Quota) };
        self.health.store_error = appended.as_ref().err().cloned();
        self.is_unsettled = true;
        appended
    }
}

impl SyncEngine {
    /// Takes in no more of some spaces than that; of all others whatever comes. No space is in
    /// two of them. What is here stays.
    pub fn limit(&mut self, limits: Vec<Limit>) {
        self.limits = limits;
    }

    /// How many bytes of entries more a space may take in.
    pub(super) fn room_in(&self, space: SpaceId) -> u64 {
        let limit = self.limits.iter().find(|limit| limit.spaces.contains(&space));
        limit.map_or(u64::MAX, |limit| {
            let kept: u64 = limit.spaces.iter().map(|space| self.stored_bytes(*space)).sum();
            limit.bytes.saturating_sub(kept)
        })
    }

    /// The last entry of each author in a space.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn tips(&self, space: SpaceId) -> Result<BTreeMap<DeviceId, Tip>, EngineError> {
        Ok(self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store.tips()?)
    }

    /// How many entries of a space are set aside.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn aside_count(&self, space: SpaceId) -> Result<usize, EngineError> {
        Ok(self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store.aside()?.len())
    }

    /// Where we stand with a peer over a space.
    #[must_use]
    pub fn peer_sync(&self, space: SpaceId, peer: DeviceId) -> Option<PeerSync> {
        let session = self.sessions.get(&(space, peer))?;
        let state = session.state(self.spaces.get(&space)?.store.head());
        let traffic = self.traffic.get(&(space, peer));
        Some(PeerSync {
            state,
            pushed: traffic.map_or(0, |traffic| traffic.pushed),
            pulled: traffic.map_or(0, |traffic| traffic.pulled),
        })
    }

    /// How far the exchange of entries of a space is that is running with a peer.
    #[must_use]
    pub fn progress(&self, space: SpaceId, peer: DeviceId) -> Option<EntryProgress> {
        let (session, facts) = (self.sessions.get(&(space, peer))?, self.spaces.get(&space)?);
        session.progress(facts.store.as_ref()).unwrap_or_else(|error| {
            tracing::warn!(%space, %peer, %error, "could not look how far it is");
            None
        })
    }

    /// How far we and each of some peers have read each other's copy of a space; those
    /// without a session are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_facts(
        &self,
        space: SpaceId,
        peers: impl IntoIterator<Item = DeviceId>,
    ) -> Result<BTreeMap<DeviceId, CopyFacts>, StoreError> {
        let Some(facts) = self.spaces.get(&space) else { return Ok(BTreeMap::new()) };
        // Its digest is hashed each time that it is asked for.
        let whole = facts.store.head();
        let mut copies = BTreeMap::new();
        for peer in peers {
            if let Some(session) = self.sessions.get(&(space, peer)) {
                let traffic = self.traffic.get(&(space, peer));
                let refused = traffic.map(|traffic| traffic.refused.clone()).unwrap_or_default();
                let copy = copy_facts_of((peer, session), &*facts.store, whole, refused)?;
                let hindrance = self.hindrances.heard(space, peer);
                copies.insert(peer, CopyFacts { hindrance, ..copy });
            }
        }
        Ok(copies)
    }

    /// Why the last attempt to store something in a space failed; `None` once one
    /// succeeded.
    #[must_use]
    pub fn store_error(&self, space: SpaceId) -> Option<&StoreError> {
        self.spaces.get(&space)?.health.store_error.as_ref()
    }

    /// The documents of a space in which something does not count. Reads all that changed
    /// since it was last asked, as [`SyncEngine::documents`] does.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn document_troubles(
        &mut self,
        space: SpaceId,
    ) -> Result<&BTreeMap<DocumentId, DocumentTrouble>, EngineError> {
        let space = self.space_mut(space)?;
        space.index()?;
        Ok(&space.health.documents)
    }

    /// The same of the documents that were looked at, and of some more. Says whether these are
    /// all.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn known_troubles(
        &mut self,
        space: SpaceId,
        looks_max: usize,
    ) -> Result<(&BTreeMap<DocumentId, DocumentTrouble>, bool), EngineError> {
        let space = self.space_mut(space)?;
        let is_all = space.list_some(looks_max)?.waiting == 0;
        Ok((&space.health.documents, is_all))
    }

    pub(super) fn note_refused(&mut self, space: SpaceId, peer: DeviceId, why: String) {
        let refused = &mut self.traffic(space, peer).refused;
        refused.count += 1;
        refused.last = Some(why);
    }
}

fn copy_facts_of(
    (peer, session): (DeviceId, &Session),
    store: &dyn EntryStore,
    whole: StoreHead,
    refused: RefusedEntries,
) -> Result<CopyFacts, StoreError> {
    let (own, state, theirs) = (session.own(whole), session.state(whole), session.theirs());
    if state == PeerState::Equal {
        return Ok(CopyFacts::equal());
    }
    let cursor = store.cursor(peer)?;
    let cursor = cursor.filter(|it| theirs.is_none_or(|theirs| theirs.store == it.epoch));
    let read_here = cursor.map_or(0, |cursor| cursor.after);
    let seen = theirs.and_then(|theirs| theirs.seen).filter(|(epoch, _)| *epoch == own.epoch);
    let read_there = seen.map_or(0, |(_, place)| place);
    Ok(CopyFacts {
        state,
        has_spoken: theirs.is_some(),
        unread_here: theirs.map_or(0, |theirs| theirs.arrivals.saturating_sub(read_here)),
        unread_there: own.arrivals.saturating_sub(read_there).min(own.entries),
        progress: session.progress(store)?,
        has_refused: cursor.is_some_and(|cursor| cursor.has_refused),
        refused,
        hindrance: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        document::Meta,
        engine::testing::{DOCUMENT, Node, SPACE, key_of},
        store::{MemoryStore, StoreEpoch},
    };

    const OTHER: SpaceId = SpaceId([8; 32]);

    /// Somebody founds many spaces so that each of them has room once more.
    #[test]
    fn what_is_kept_of_several_spaces_stays_below_one_limit_though_all_grow_at_once() {
        let mut ada = Node::new(1, &[]);
        let epoch = node_model::Epoch::FIRST;
        let store = MemoryStore::new(StoreEpoch([9; 16]));
        ada.engine.open_space(OTHER, Box::new(store)).expect("memory");
        ada.engine.use_epoch(OTHER, epoch, key_of(epoch));
        ada.engine.write_with(OTHER, Some((epoch, key_of(epoch))));
        ada.begin();
        let one = ada.engine.stored_bytes(SPACE);
        let spaces = BTreeSet::from([SPACE, OTHER]);
        ada.engine.limit(vec![Limit { spaces, bytes: 2 * one }]);
        let Node { engine, signer, entropy } = &mut ada;
        let now = node_model::Timestamp(5_000);
        let mut write = |engine: &mut SyncEngine, space, id: u8| {
            let writer = &mut crate::Writer { signer, entropy, now };
            let meta = Meta { kind: "note".into(), ..Meta::default() };
            let id = DocumentId([id; 16]);
            engine.write_document(writer, space, id, &meta, &json!({"list": []})).expect("small");
        };
        write(engine, SPACE, 11);
        write(engine, OTHER, 12);
        let flushed = engine.flush();
        let results = [SPACE, OTHER].map(|space| flushed.result(space).err());
        let refused = match results {
            [Some(StoreError::Quota), None] => SPACE,
            [None, Some(StoreError::Quota)] => OTHER,
            both => panic!("one of them has room: {both:?}"),
        };
        assert_eq!(engine.store_error(refused), Some(&StoreError::Quota));
        assert!(engine.stored_bytes(SPACE) + engine.stored_bytes(OTHER) <= 2 * one);
        assert!(engine.document(SPACE, DOCUMENT).is_ok(), "what was here stays");
        engine.limit(vec![]);
        write(engine, refused, 13);
        assert_eq!(engine.flush().result(refused), Ok(()));
    }
}
