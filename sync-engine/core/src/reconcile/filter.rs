//! What each side of a session keeps, and the part of the space that both do: this part is
//! what is compared.
//!
//! Invariant: both sides say of which part a head is, so that two heads of different parts
//! are never compared.

use std::sync::Arc;

use super::{Head, Message, PartHead, Session, Todo, View};
use crate::{
    part::{Part, Selection, SelectionId, SetChange, common},
    store::{EntryStore, StoreError, StoreHead},
};

/// Entries and documents that a peer may have looked at by saying again and again what it
/// keeps, beside the first time: a second of work, and thousands of changes of a phone that
/// takes in one document more.
const LOOKED_AT_MAX: u64 = 262_144;

/// What is compared.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// What we keep; `None` is everything.
    ours: Option<Arc<Selection>>,
    /// What the peer keeps.
    theirs: Option<Arc<Selection>>,
    /// What both keep.
    part: Option<Part>,
    /// What the peer knows of what we keep.
    told: Option<SelectionId>,
    /// What changes of theirs made us look at since the session started over.
    looked_at: u64,
    /// Ids that shards made us look at since the session started over.
    sharded: u64,
}

impl Filter {
    /// What was told is told again, and the peer may change its mind as often as before.
    pub(super) fn start_over(&mut self) {
        (self.told, self.looked_at, self.sharded) = (None, 0, 0);
    }

    fn new_part(
        &self,
        both: Option<Arc<Selection>>,
        store: &dyn EntryStore,
    ) -> Result<Option<Part>, StoreError> {
        match (both, &self.part) {
            (None, _) => Ok(None),
            (Some(both), None) => Part::of(both, store).map(Some),
            (Some(both), Some(part)) => part.changed_to(both, store).map(Some),
        }
    }
}

fn id(selection: Option<&Arc<Selection>>) -> Option<SelectionId> {
    selection.map(|selection| selection.id())
}

impl Session {
    /// From now on we keep this of the space; `None` is everything.
    ///
    /// # Errors
    /// [`StoreError`]; nothing changed.
    pub fn keep(
        &mut self,
        ours: Option<&Arc<Selection>>,
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        if id(ours) == id(self.filter.ours.as_ref()) {
            return Ok(Todo::default());
        }
        let has_changed = self.compare_part(common(ours, self.filter.theirs.as_ref()), store)?;
        self.filter.ours = ours.cloned();
        if has_changed { self.plan(store) } else { Ok(Todo::default()) }
    }

    /// The peer says what it keeps; `None` is everything. Not taken when it says so too
    /// often.
    ///
    /// # Errors
    /// [`StoreError`]; nothing changed.
    pub fn on_keep(
        &mut self,
        theirs: Option<Arc<Selection>>,
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        if self.filter.looked_at > LOOKED_AT_MAX {
            tracing::warn!(peer = %self.peer, space = %self.space, "says too often what it keeps");
            return Ok(Todo::default());
        }
        let is_first = self.filter.looked_at == 0;
        let both = common(self.filter.ours.as_ref(), theirs.as_ref());
        let has_changed = self.compare_part(both, store)?;
        self.filter.theirs = theirs;
        let part = self.filter.part.as_ref().filter(|_| has_changed && !is_first);
        self.filter.looked_at += part.map_or(1, |part| part.looked_at().max(1));
        if has_changed { self.plan(store) } else { Ok(Todo::default()) }
    }

    /// Starts over with another part of the space, and says whether it is another one.
    fn compare_part(
        &mut self,
        both: Option<Arc<Selection>>,
        store: &dyn EntryStore,
    ) -> Result<bool, StoreError> {
        if id(both.as_ref()) == self.part_id() {
            return Ok(false);
        }
        let part = self.filter.new_part(both, store)?;
        // Answers that are still under way are of the part before. None is taken for one of
        // the new part: nothing is asked for unless the last head that the peer said is of
        // that one, and then it answers of that one.
        let filter = Filter { part, ..std::mem::take(&mut self.filter) };
        let heard = self.heard;
        *self = Self { filter, heard, ..Self::new(self.space, self.own, self.peer, self.able) };
        Ok(true)
    }

    /// What the peer has to know of what we keep.
    pub fn tell_kept(&mut self) -> Option<Message> {
        let ours = id(self.filter.ours.as_ref());
        if self.filter.told == ours {
            return None;
        }
        self.filter.told = ours;
        let documents = self.filter.ours.as_ref().map(|selection| selection.to_bytes());
        Some(Message::Keep { space: self.space, documents })
    }

    /// The peer says that there is no such space for us.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_denied(&mut self, store: &dyn EntryStore) -> Result<(), StoreError> {
        // It did not take what we told, and may have forgotten what it said; should it
        // learn of the space, both tell again.
        self.filter.told = None;
        self.compare_part(self.filter.ours.clone(), store)?;
        self.filter.theirs = None;
        self.stop();
        Ok(())
    }

    /// Our store's set has changed.
    pub fn note_change(&mut self, change: &SetChange) {
        if let Some(part) = &mut self.filter.part {
            part.note(change);
        }
    }

    /// Our store's order has changed: looks at the part anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn look_again(&mut self, store: &dyn EntryStore) -> Result<(), StoreError> {
        if let Some(part) = &self.filter.part {
            self.filter.part = Some(Part::of(Arc::clone(part.selection()), store)?);
        }
        Ok(())
    }

    /// Whether what is compared is what it was when both last said that it is equal.
    #[must_use]
    pub fn is_equal_still(&self, whole: StoreHead) -> bool {
        self.equal_at().is_some_and(|then| then.digest == self.own(whole).digest)
    }

    /// Whether what is compared is all that we keep.
    #[must_use]
    pub fn is_all_of_ours(&self) -> bool {
        self.part_id() == id(self.filter.ours.as_ref())
    }

    /// Whether what is compared is all that the peer keeps.
    #[must_use]
    pub fn is_all_of_theirs(&self) -> bool {
        self.part_id() == id(self.filter.theirs.as_ref())
    }

    /// Whether the peer keeps a part of the space only.
    #[must_use]
    pub fn has_partial_peer(&self) -> bool {
        self.filter.theirs.is_some()
    }

    /// What the peer keeps; `None` is everything.
    #[must_use]
    pub fn theirs_kept(&self) -> Option<&Arc<Selection>> {
        self.filter.theirs.as_ref()
    }

    /// Whether a part of the space is compared.
    #[must_use]
    pub fn has_part(&self) -> bool {
        self.filter.part.is_some()
    }

    pub(super) fn looked_at_shards(&self) -> u64 {
        self.filter.sharded
    }

    pub(super) fn note_looked_at_shards(&mut self, ids: u64) {
        self.filter.sharded = self.filter.sharded.saturating_add(ids);
    }

    /// What of our store is compared.
    #[must_use]
    pub fn view<'a>(&'a self, store: &'a dyn EntryStore) -> View<'a> {
        View::of(store, self.filter.part.as_ref())
    }

    /// Our head of what is compared; `whole` is that of our store.
    #[must_use]
    pub fn own(&self, whole: StoreHead) -> StoreHead {
        self.filter.part.as_ref().map_or(whole, |part| part.head(whole.epoch))
    }

    pub(super) fn part_head(&self, own: StoreHead) -> Option<PartHead> {
        self.part_id().map(|selection| PartHead { selection, entries: own.entries })
    }

    /// What the peer last said, of whichever part.
    #[must_use]
    pub fn heard(&self) -> Option<Head> {
        self.heard
    }

    /// What the peer last said of its copy, if it is of the part that is compared: else one
    /// of us does not know yet what the other keeps.
    #[must_use]
    pub fn theirs(&self) -> Option<Head> {
        self.heard.filter(|head| head.part.map(|part| part.selection) == self.part_id())
    }

    /// Whether there is nothing of ours to compare. Places of a part count what is in none.
    pub(super) fn is_empty(&self, own: StoreHead) -> bool {
        own.arrivals == 0 || (self.filter.part.is_some() && own.entries == 0)
    }

    fn part_id(&self) -> Option<SelectionId> {
        self.filter.part.as_ref().map(|part| part.selection().id())
    }
}
