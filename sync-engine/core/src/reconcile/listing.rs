//! Comparing ids: page by page, then the missing ones are asked for.

use std::collections::VecDeque;

use node_model::EntryId;
use serde_bytes::ByteBuf;

use super::{Cursor, Delivery, EntryProgress, Message, Session, Step, Todo, message::GET_IDS_MAX};
use crate::store::{EntryStore, StoreEpoch, StoreError};

/// Ids are under way, or entries of a page of ids.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The copy whose places these are, once it was named.
    epoch: Option<StoreEpoch>,
    upto: u64,
    is_done: bool,
    wanted: VecDeque<EntryId>,
    asked: Vec<EntryId>,
    /// Ids that were not here when they were named.
    missing: u64,
    /// Those of them that are here now.
    came: u64,
}

impl Listing {
    pub(super) fn asked_count(&self) -> usize {
        self.asked.len()
    }

    /// Nothing before the first ids; those that follow may show more.
    pub(super) fn progress(&self) -> Option<EntryProgress> {
        let is_at_least = !self.is_done;
        let progress = EntryProgress { here: self.came, wanted: self.missing, is_at_least };
        (self.upto > 0).then_some(progress)
    }

    /// They are gone over there; asking again would not end.
    pub(super) fn give_up_asked(&mut self) {
        self.asked.clear();
    }

    pub(super) fn on_delivered(
        &mut self,
        refused: bool,
        store: &dyn EntryStore,
    ) -> Result<(), StoreError> {
        let asked = std::mem::take(&mut self.asked);
        for id in asked.into_iter().rev() {
            if store.contains(id)? {
                self.came += 1;
            } else if !refused {
                // Left out for want of room.
                self.wanted.push_front(id);
            }
        }
        Ok(())
    }
}

impl Session {
    pub(super) fn begin_list(&mut self) -> Message {
        self.has_refused = false;
        self.compares_all = false;
        self.step = Step::List(Listing::default());
        Message::List { space: self.space, after: 0 }
    }

    /// Ids of a copy arrived: asks for the missing ones, or for more ids. Starts over where
    /// that is another copy than the one of the ids before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_ids(
        &mut self,
        epoch: StoreEpoch,
        after: u64,
        (upto, more): (u64, bool),
        ids: &[u8],
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        let Step::List(listing) = &mut self.step else {
            return Ok(Todo::default());
        };
        let is_busy = !listing.wanted.is_empty() || !listing.asked.is_empty();
        if listing.is_done || is_busy || after != listing.upto {
            return Ok(Todo::default());
        }
        if *listing.epoch.get_or_insert(epoch) != epoch {
            return Ok(Todo::ask(self.begin_list()));
        }
        listing.is_done = !more || upto <= listing.upto;
        listing.upto = listing.upto.max(upto);
        self.reached = self.reached.max(upto);
        for id in ids.chunks_exact(32).filter_map(|id| id.try_into().ok()).map(EntryId) {
            if !store.contains(id)? {
                listing.wanted.push_back(id);
                listing.missing += 1;
            }
        }
        Ok(self.continue_list())
    }

    pub(super) fn continue_list(&mut self) -> Todo {
        let Step::List(listing) = &mut self.step else {
            return Todo::default();
        };
        if !listing.wanted.is_empty() {
            let count = listing.wanted.len().min(GET_IDS_MAX);
            listing.asked = listing.wanted.drain(..count).collect();
            let ids = listing.asked.iter().flat_map(|id| id.0).collect::<Vec<u8>>();
            return Todo::ask(Message::Get { space: self.space, ids: ByteBuf::from(ids) });
        }
        if !listing.is_done {
            return Todo::ask(Message::List { space: self.space, after: listing.upto });
        }
        // Since then the peer may have begun another order of its entries.
        let (epoch, after) = (listing.epoch, listing.upto);
        self.step = Step::Finish;
        let has_refused = self.has_refused;
        let cursor = epoch.map(|epoch| Cursor { epoch, after, has_refused });
        Todo { deliver: Some(Delivery { entries: vec![], cursor }), ..Todo::default() }
    }
}
