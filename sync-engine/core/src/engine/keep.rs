//! What this node keeps of a space: everything, or some documents.
//!
//! Invariants: what was written here is kept, so that it always goes out; nothing that is
//! here goes because less is kept.
//! Non-goals: which types or folders documents are of, and who chose them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use node_model::{DeviceId, DocumentId, EntryId, SpaceId};

use super::{SyncEngine, space::Space};
use crate::{
    entry::{EntryKind, VerifiedEntry},
    part::{Part, Selection, SetChange},
    reconcile::{Message, Session},
    store::{Batch, StoreError, StoreHead},
};

/// Entries looked at in one go, to find those that were written here.
const ENTRIES_AT_ONCE: usize = 512;

/// Bytes of them; one entry may be larger.
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

/// What is kept when it is not everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptPart {
    /// Documents that were chosen or written here.
    pub documents: u64,
    /// How many of them are here.
    pub here: u64,
}

/// What two copies were when both sides said that they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EqualPart {
    /// Our head of what was compared.
    pub head: StoreHead,
    /// Whether that is all that we keep.
    pub is_all_of_ours: bool,
    /// Whether that is all that the peer keeps.
    pub is_all_of_theirs: bool,
    /// Whether it has not changed here since.
    pub is_still: bool,
}

impl Space {
    /// Which documents are kept; `None` is all.
    pub(super) fn kept(&self) -> Option<&Arc<Selection>> {
        self.kept.as_ref().map(Part::selection)
    }

    pub(super) fn keeps(&self, document: DocumentId) -> bool {
        self.kept().is_none_or(|kept| kept.contains(document))
    }

    /// The head of what is kept.
    pub(super) fn kept_head(&self) -> StoreHead {
        let whole = self.store.head();
        self.kept.as_ref().map_or(whole, |part| part.head(whole.epoch))
    }

    /// Keeps these documents from now on; too many of them are all.
    fn keep_only(&mut self, documents: BTreeSet<DocumentId>) -> Result<(), StoreError> {
        let count = documents.len();
        let Some(selection) = Selection::new(documents).map(Arc::new) else {
            tracing::warn!(space = %self.id, count, "too many documents for a part: keeps all");
            self.kept = None;
            return Ok(());
        };
        let store = self.store.as_ref();
        self.kept = Some(match &self.kept {
            Some(part) => part.changed_to(selection, store)?,
            None => Part::of(selection, store)?,
        });
        Ok(())
    }

    pub(super) fn keep_more(&mut self, more: &BTreeSet<DocumentId>) -> Result<bool, StoreError> {
        let Some(kept) = self.kept().filter(|kept| !more.is_subset(kept.documents())) else {
            return Ok(false);
        };
        let all = kept.documents().union(more).copied().collect();
        self.keep_only(all)?;
        Ok(true)
    }

    /// Documents in which a device wrote something that is here, and those of which something
    /// came after a place.
    fn written_or_after(
        &self,
        author: DeviceId,
        after: u64,
    ) -> Result<BTreeSet<DocumentId>, StoreError> {
        let mut found = BTreeSet::new();
        let mut place = if self.store.tip(author)?.is_none() { after } else { 0 };
        loop {
            let page = self.store.arrivals(place, ENTRIES_AT_ONCE, BYTES_AT_ONCE)?;
            let Some(last) = page.last() else { return Ok(found) };
            place = last.place;
            for arrival in page {
                let is_after = arrival.place > after;
                let entry = VerifiedEntry::from_storage(arrival.bytes);
                let entry = entry.map_err(|error| StoreError::Damaged(error.to_string()))?;
                if is_after || entry.header().author == author {
                    found.insert(entry.header().document);
                }
            }
        }
    }

    /// The ids of documents that bundles are about to arrive in.
    pub(super) fn bundled(&self, batches: &[Batch]) -> Result<Bundled, StoreError> {
        let all = batches.iter().flat_map(|batch| &batch.entries);
        let bundles = all.filter(|entry| entry.header().kind == EntryKind::Bundle);
        let documents: BTreeSet<_> = bundles.map(|bundle| bundle.header().document).collect();
        let ids = |document| Ok((document, self.ids_in(document)?));
        documents.into_iter().map(ids).collect()
    }

    fn ids_in(&self, document: DocumentId) -> Result<BTreeSet<EntryId>, StoreError> {
        Ok(self.store.document_ids(document)?.into_iter().map(|(_, id)| id).collect())
    }

    fn change(
        &self,
        batches: &[Batch],
        new: &BTreeSet<EntryId>,
        before: &Bundled,
    ) -> Result<SetChange, StoreError> {
        let mut change = SetChange { arrivals: self.store.head().arrivals, ..Default::default() };
        let named: BTreeSet<(DocumentId, EntryId)> = batches
            .iter()
            .flat_map(|batch| &batch.entries)
            .map(|entry| (entry.header().document, entry.id()))
            .filter(|(document, id)| new.contains(id) && !before.contains_key(document))
            .collect();
        change.new.extend(named);
        // A bundle takes others out, and may itself be taken out by another one.
        for (document, before) in before {
            let after = self.ids_in(*document)?;
            change.new.extend(after.difference(before).map(|id| (*document, *id)));
            change.gone.extend(before.difference(&after).map(|id| (*document, *id)));
        }
        Ok(change)
    }
}

/// Ids in the set, by document.
pub(super) type Bundled = BTreeMap<DocumentId, BTreeSet<EntryId>>;

impl SyncEngine {
    /// Keeps these documents of a space, what was or will be written here, and what came after
    /// the place up to which others are known to have everything; `None` is everything. What is
    /// here stays. More than [`SELECTED_MAX`](crate::part::SELECTED_MAX) documents are
    /// everything.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is kept that was not.
    pub fn keep(
        &mut self,
        space: SpaceId,
        chosen: Option<BTreeSet<DocumentId>>,
        elsewhere_up_to: u64,
    ) -> Result<(), StoreError> {
        let device = self.device;
        let Some(facts) = self.spaces.get_mut(&space) else { return Ok(()) };
        match chosen {
            None => facts.kept = None,
            Some(mut documents) => {
                documents.extend(facts.written_or_after(device, elsewhere_up_to)?);
                facts.keep_only(documents)?;
            }
        }
        self.say_kept(space)
    }

    /// Closes a space that was opened, and with which nothing was done since.
    pub fn close_space(&mut self, space: SpaceId) {
        self.spaces.remove(&space);
    }

    /// What is kept of a space; `None` is everything.
    #[must_use]
    pub fn kept(&self, space: SpaceId) -> Option<KeptPart> {
        let part = self.spaces.get(&space)?.kept.as_ref()?;
        let documents = part.selection().documents().len() as u64;
        Some(KeptPart { documents, here: part.here() })
    }

    /// The documents that are kept of a space; `None` is everything.
    #[must_use]
    pub fn kept_documents(&self, space: SpaceId) -> Option<BTreeSet<DocumentId>> {
        Some(self.spaces.get(&space)?.kept()?.documents().clone())
    }

    /// Head of what is kept of a space.
    #[must_use]
    pub fn kept_head(&self, space: SpaceId) -> Option<StoreHead> {
        Some(self.spaces.get(&space)?.kept_head())
    }

    /// Whether a document is kept.
    #[must_use]
    pub fn keeps(&self, space: SpaceId, document: DocumentId) -> bool {
        self.spaces.get(&space).is_some_and(|facts| facts.keeps(document))
    }

    /// Whether a connected peer keeps a part of a space only.
    #[must_use]
    pub fn has_partial_peer(&self, space: SpaceId, peer: DeviceId) -> bool {
        self.sessions.get(&(space, peer)).is_some_and(Session::has_partial_peer)
    }

    /// A peer says what it keeps.
    pub(super) fn on_keep(
        &mut self,
        peer: DeviceId,
        space: SpaceId,
        documents: Option<&[u8]>,
        may_hold: &dyn Fn(SpaceId) -> bool,
    ) -> Result<(), StoreError> {
        if !self.spaces.contains_key(&space) || !may_hold(space) {
            self.send(peer, &Message::Denied { space });
            return Ok(());
        }
        let theirs = match documents.map(Selection::from_bytes) {
            None => None,
            Some(Some(theirs)) => Some(Arc::new(theirs)),
            Some(None) => return Ok(()),
        };
        self.begin(space, peer)?;
        if let (Some(session), Some(facts)) =
            (self.sessions.get_mut(&(space, peer)), self.spaces.get(&space))
        {
            let todo = session.on_keep(theirs, facts.store.as_ref())?;
            self.take_on(space, peer, todo);
        }
        self.announce_to(space, peer)
    }

    /// Begins a session that is not there yet.
    pub(super) fn begin(&mut self, space: SpaceId, peer: DeviceId) -> Result<(), StoreError> {
        let Some(facts) = self.spaces.get(&space) else { return Ok(()) };
        let able = self.able_with(peer);
        let new = || Session::new(space, self.device, peer, able);
        let session = self.sessions.entry((space, peer)).or_insert_with(new);
        let todo = session.keep(facts.kept(), facts.store.as_ref())?;
        // Whoever is asked for a part has to know which one.
        self.tell_kept(space, peer);
        self.take_on(space, peer, todo);
        self.tell_hindrance(space, peer);
        Ok(())
    }

    fn tell_kept(&mut self, space: SpaceId, peer: DeviceId) {
        let session = self.sessions.get_mut(&(space, peer));
        if let Some(message) = session.and_then(Session::tell_kept) {
            self.send(peer, &message);
        }
    }

    /// Tells everybody what is kept of a space now, and goes on with that.
    pub(super) fn say_kept(&mut self, space: SpaceId) -> Result<(), StoreError> {
        for peer in self.peers_of(space) {
            self.begin(space, peer)?;
        }
        self.announce(space)
    }

    pub(super) fn peers_of(&self, space: SpaceId) -> Vec<DeviceId> {
        let range = (space, DeviceId([0; 32]))..=(space, DeviceId([255; 32]));
        self.sessions.range(range).map(|((_, peer), _)| *peer).collect()
    }

    /// Batches are durable: brings parts up to date. What was written here is kept.
    pub(super) fn note_change(
        &mut self,
        space: SpaceId,
        batches: &[Batch],
        new: &BTreeSet<EntryId>,
        before: &Bundled,
    ) -> Result<(), StoreError> {
        let Some(facts) = self.spaces.get_mut(&space) else { return Ok(()) };
        let change = facts.change(batches, new, before)?;
        if let Some(kept) = &mut facts.kept {
            kept.note(&change);
        }
        let own = batches.iter().filter(|batch| batch.source.is_none());
        let written = own.flat_map(|batch| &batch.entries).map(|entry| entry.header().document);
        let has_grown = facts.keep_more(&written.collect())?;
        for ((_, _), session) in
            self.sessions.range_mut((space, DeviceId([0; 32]))..=(space, DeviceId([255; 32])))
        {
            session.note_change(&change);
        }
        if has_grown { self.say_kept(space) } else { Ok(()) }
    }

    /// A store's order has changed: looks at all parts of it anew.
    pub(super) fn look_again(&mut self, space: SpaceId) -> Result<(), StoreError> {
        let Some(facts) = self.spaces.get_mut(&space) else { return Ok(()) };
        if let Some(part) = &facts.kept {
            facts.kept = Some(Part::of(Arc::clone(part.selection()), facts.store.as_ref())?);
        }
        for ((_, _), session) in
            self.sessions.range_mut((space, DeviceId([0; 32]))..=(space, DeviceId([255; 32])))
        {
            session.look_again(facts.store.as_ref())?;
        }
        Ok(())
    }

    /// Parts of a space could not be brought up to date: its sessions end, rather than say
    /// that something is equal that they did not look at.
    pub(super) fn end_sessions(&mut self, space: SpaceId) {
        self.sessions.retain(|(of, _), _| *of != space);
    }
}
