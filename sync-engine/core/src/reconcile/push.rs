//! New entries that go to a peer before it asks.
//!
//! A head says where our copy is, the peer asks, and gets a page: three messages until
//! somebody sees what was written. While a peer keeps up, the page goes with the head.
//! It is the page that the peer would have asked for, and the peer takes it only if it
//! goes on where its cursor is: a page that is lost or too early costs a question. Both
//! must be able to ([`Capability::Pushes`]).
//!
//! Invariant: what is pushed begins at the cursor that the peer last named, or where the
//! last push ended.

use serde_bytes::ByteBuf;

use super::{Capability, Message, Pulling, Session, Step};
use crate::store::{EntryStore, StoreEpoch, StoreError, StoreHead};

/// Most entries in a page that was not asked for: what a person or program writes at a
/// time. More is pulled, and the peer says how fast.
const PUSH_ENTRIES_MAX: usize = 256;

/// Bytes after which such a page takes no more entries.
const PUSH_BYTES_MAX: usize = 64 * 1024;

/// Pages that may be under way without a word from the peer.
const PUSHES_MAX: u32 = 8;

/// What a peer that keeps up has of our copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    epoch: StoreEpoch,
    /// Up to this place, once it took what is on its way.
    upto: u64,
    /// Pages since it last spoke.
    unconfirmed: u32,
}

impl Session {
    /// The peer told its state, and with it how far it has read what is compared of ours.
    pub(super) fn note_given(&mut self, own: StoreHead) {
        let theirs = self.theirs();
        let seen = theirs.and_then(|it| it.seen).filter(|(epoch, _)| *epoch == own.epoch);
        let Some((theirs, (epoch, after))) = theirs.zip(seen) else {
            self.given = None;
            return;
        };
        if let Some(given) = self.given.as_mut().filter(|given| given.epoch == epoch) {
            given.unconfirmed = 0;
        } else if after == own.arrivals || theirs.digest == own.digest {
            self.given = Some(Given { epoch, upto: after, unconfirmed: 0 });
        }
    }

    /// The peer asks by itself: it did not take what was pushed, or there was none.
    pub fn on_pull_asked(&mut self) {
        self.given = None;
    }

    /// The page that a peer that keeps up will ask for, if it is a small one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn push(&mut self, store: &dyn EntryStore) -> Result<Option<Message>, StoreError> {
        let Some(given) = self.given.filter(|_| self.able.has(Capability::Pushes)) else {
            return Ok(None);
        };
        let own = self.own(store.head());
        if given.epoch == own.epoch && given.upto == own.arrivals {
            return Ok(None);
        }
        let behind = own.arrivals.saturating_sub(given.upto);
        let is_small = given.epoch == own.epoch && behind <= PUSH_ENTRIES_MAX as u64;
        if !is_small || given.unconfirmed >= PUSHES_MAX {
            self.given = None;
            return Ok(None);
        }
        let (after, upto, peer) = (given.upto, own.arrivals, self.peer);
        let (page, reached) = self.view(store).page(after, (PUSH_ENTRIES_MAX, PUSH_BYTES_MAX))?;
        if page.is_empty() || reached < upto {
            self.given = None;
            return Ok(None);
        }
        let others = page.into_iter().filter(|arrival| arrival.source != Some(peer));
        let entries: Vec<_> = others.map(|arrival| ByteBuf::from(arrival.bytes)).collect();
        if entries.is_empty() {
            return Ok(None);
        }
        let unconfirmed = given.unconfirmed + 1;
        self.given = Some(Given { upto, unconfirmed, ..given });
        let space = self.space;
        Ok(Some(Message::Page { space, store: own.epoch, after, upto, more: false, entries }))
    }

    /// A page came that was not asked for: takes it as if it were, where it goes on.
    pub(super) fn begin_if_pushed(
        &mut self,
        epoch: StoreEpoch,
        after: u64,
        store: &dyn EntryStore,
    ) -> Result<(), StoreError> {
        let is_able = self.able.has(Capability::Pushes);
        if !is_able || !matches!(self.step, Step::Idle) || self.compares_all || self.is_denied {
            return Ok(());
        }
        let cursor = store.cursor(self.peer)?;
        if let Some(cursor) = cursor.filter(|it| (it.epoch, it.after) == (epoch, after)) {
            self.has_refused = cursor.has_refused;
            let (begun, next) = (after, after);
            let pulling =
                Pulling { epoch, begun, next, is_asked: false, unverified: 0, is_done: true };
            self.step = Step::Pull(pulling);
        }
        Ok(())
    }
}
