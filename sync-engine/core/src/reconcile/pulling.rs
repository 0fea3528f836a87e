//! Reading what arrived at the peer since the cursor, page by page.

use serde_bytes::ByteBuf;

use super::{Cursor, Delivery, Message, Session, Step, Todo};
use crate::store::{EntryStore, StoreEpoch, StoreError};

/// Pages that may wait to be verified before the next one is asked for.
pub(super) const PAGES_UNVERIFIED_MAX: u32 = 4;

/// Pages are under way.
#[derive(Debug)]
pub(super) struct Pulling {
    /// The copy whose places these are.
    pub(super) epoch: StoreEpoch,
    pub(super) begun: u64,
    pub(super) next: u64,
    pub(super) is_asked: bool,
    pub(super) unverified: u32,
    pub(super) is_done: bool,
}

impl Session {
    pub(super) fn begin_pull(&mut self, epoch: StoreEpoch, after: u64) -> Message {
        let (begun, next) = (after, after);
        let pulling = Pulling { epoch, begun, next, is_asked: true, unverified: 0, is_done: false };
        self.step = Step::Pull(pulling);
        Message::Pull { space: self.space, after }
    }

    /// A page arrived: entries to verify, and what to ask for meanwhile. A page
    /// that does not go on where we are changes nothing. One of another copy than what
    /// was asked for (the peer set entries aside meanwhile, so that places moved) is left
    /// out, and all ids are compared.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_page(
        &mut self,
        epoch: StoreEpoch,
        after: u64,
        (upto, more): (u64, bool),
        entries: Vec<ByteBuf>,
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        self.begin_if_pushed(epoch, after, store)?;
        let Step::Pull(pulling) = &mut self.step else {
            return Ok(Todo::default());
        };
        if pulling.epoch != epoch {
            let was_asked = pulling.is_asked && after == pulling.next;
            return Ok(if was_asked { Todo::ask(self.begin_list()) } else { Todo::default() });
        }
        // A page that does not move on would be asked for for ever.
        let moves = upto > pulling.next || (!more && upto == pulling.next);
        let has_room = pulling.is_asked || pulling.unverified < PAGES_UNVERIFIED_MAX;
        // An answer to what was asked before a restart would leave a gap.
        if !has_room || !moves || after != pulling.next {
            return Ok(Todo::default());
        }
        pulling.next = upto;
        self.reached = self.reached.max(upto);
        pulling.is_done = !more;
        pulling.unverified += 1;
        pulling.is_asked = more && pulling.unverified < PAGES_UNVERIFIED_MAX;
        let ask = pulling.is_asked.then_some(Message::Pull { space: self.space, after: upto });
        let cursor = Cursor { epoch, after: upto, has_refused: self.has_refused };
        let entries = entries.into_iter().map(ByteBuf::into_vec).collect();
        let deliver = Some(Delivery { entries, cursor: Some(cursor) });
        Ok(Todo { ask, deliver, ..Todo::default() })
    }
}
