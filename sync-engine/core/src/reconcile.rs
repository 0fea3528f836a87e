//! Reconciliation: how two stores of a space become equal (decision 4).
//!
//! *Head*: each side says how many entries its copy holds and their digest. Equal
//! digests: nothing to do, one round trip for all spaces together. Otherwise each
//! side pulls what arrived at the other since its cursor; while a peer keeps up, a few
//! new entries go to it [unasked](push). *Sketch*: without a usable
//! cursor, or when cursors turn out to lie (a restored backup), one side finds the
//! difference from symbols of the other's [sketch](crate::sketch), pulls what it lacks
//! and names what the other lacks; where that is more than one sketch decodes, [shard by
//! shard](sharding). *List*: where that does not work, or would not pay,
//! ids are compared page by page, each side for itself.
//!
//! Invariants: a cursor becomes durable together with the entries before it;
//! "equal" is said only when both sides named the same digest of what both keep.
//! Non-goals: sockets, keys, who may.

mod answer;
mod filter;
mod hello;
mod hindrance;
mod listing;
mod message;
mod progress;
mod pulling;
mod push;
mod sharding;
mod sketching;
mod state;
mod view;

use node_model::{DeviceId, SpaceId};
use serde_bytes::ByteBuf;

use crate::store::{Cursor, EntryStore, StoreError, StoreHead};

use filter::Filter;
use listing::Listing;
use pulling::Pulling;
use push::Given;
use sketching::{Finding, Sketching};

pub use answer::{answer_find, answer_get, answer_list, answer_pull, answer_shard, answer_sketch};
pub use hello::{
    Agreement, CAPABILITIES_MAX, Capabilities, Capability, Hello, NoCommonVersion, PROTOCOL,
    PROTOCOL_OLDEST,
};
pub use hindrance::Hindrance;
pub use message::{
    HEADS_MAX, Head, Message, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, PAGE_IDS_MAX, PartHead,
};
pub use progress::EntryProgress;
pub use state::PeerState;
pub use view::View;

#[derive(Debug)]
enum Step {
    Idle,
    Pull(Pulling),
    List(Listing),
    Sketch(Sketching),
    /// The peer compares sketches, and will say what we lack.
    Await,
    /// The difference is known, and its entries are on their way.
    Find(Finding),
    /// Everything is here; the cursor is being stored.
    Finish,
}

/// Entries to verify and a cursor that becomes durable with them; the session
/// waits for [`Session::on_delivered`].
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The entries' bytes; may be none.
    pub entries: Vec<Vec<u8>>,
    /// The cursor that holds afterwards.
    pub cursor: Option<Cursor>,
}

/// What a session wants done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Todo {
    /// To send.
    pub ask: Option<Message>,
    /// To send before that.
    pub tell: Option<Message>,
    /// To verify and store.
    pub deliver: Option<Delivery>,
}

impl Todo {
    fn ask(message: Message) -> Self {
        Self { ask: Some(message), ..Self::default() }
    }
}

/// Our side of one space with one peer, for as long as they are connected.
#[derive(Debug)]
pub struct Session {
    space: SpaceId,
    own: DeviceId,
    peer: DeviceId,
    /// What the peer last said.
    heard: Option<Head>,
    told: Option<Head>,
    step: Step,
    has_refused: bool,
    /// Whether to compare all ids instead of trusting a cursor.
    compares_all: bool,
    is_denied: bool,
    /// Sizes of both copies at which comparing all ids was last begun because
    /// cursors lied; not begun again for the same ones.
    listed_at: Option<(u64, u64)>,
    /// The same, for comparing sketches.
    sketched_at: Option<(u64, u64)>,
    /// How far their copy reached when they last answered: their head may be
    /// older than that.
    reached: u64,
    /// Our copy when both last said the same.
    equal_at: Option<StoreHead>,
    /// What the peer has of our copy, while it keeps up.
    given: Option<Given>,
    /// Which part of the space is compared.
    filter: Filter,
    /// What both can do of what is optional.
    able: Capabilities,
}

impl Session {
    /// A session of `space` between this device and `peer`, who are both `able` to do
    /// what is optional.
    #[must_use]
    pub fn new(space: SpaceId, own: DeviceId, peer: DeviceId, able: Capabilities) -> Self {
        Self {
            space,
            own,
            peer,
            heard: None,
            told: None,
            step: Step::Idle,
            has_refused: false,
            compares_all: false,
            is_denied: false,
            listed_at: None,
            sketched_at: None,
            reached: 0,
            equal_at: None,
            given: None,
            filter: Filter::default(),
            able,
        }
    }

    /// From now on both can do this of what is optional.
    pub fn enable(&mut self, able: Capabilities) {
        self.able = able;
    }

    /// Our copy when both last said the same.
    #[must_use]
    pub fn equal_at(&self) -> Option<StoreHead> {
        self.equal_at
    }

    /// Whether both say the same, and did not before.
    pub(crate) fn note_if_equal(&mut self, whole: StoreHead) -> bool {
        let own = self.own(whole);
        let is_new = self.equal_at.is_none_or(|before| before.digest != own.digest)
            && self.state(whole) == PeerState::Equal;
        if is_new {
            self.equal_at = Some(own);
        }
        is_new
    }

    /// Whether we are pulling; the peer hears of our state when we are through.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !matches!(self.step, Step::Idle)
    }

    /// Compares all ids at the next occasion, whatever the cursor says.
    pub fn compare_all(&mut self) {
        self.compares_all = true;
    }

    /// Who may write has changed: compares all ids if something was refused.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn retry_refused(&mut self, store: &dyn EntryStore) -> Result<Todo, StoreError> {
        let refused = store.cursor(self.peer)?.is_some_and(|cursor| cursor.has_refused);
        if !refused || self.is_busy() {
            return Ok(Todo::default());
        }
        self.compares_all = true;
        self.plan(store)
    }

    /// What to tell the peer of our copy, unless it knows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn announce(&mut self, store: &dyn EntryStore) -> Result<Option<Head>, StoreError> {
        let own = self.own(store.head());
        let seen = store.cursor(self.peer)?.map(|cursor| (cursor.epoch, cursor.after));
        let (space, part) = (self.space, self.part_head(own));
        let StoreHead { epoch, arrivals, digest, .. } = own;
        let head = Head { space, store: epoch, arrivals, digest, seen, part };
        if self.told == Some(head) {
            return Ok(None);
        }
        self.told = Some(head);
        Ok(Some(head))
    }

    /// The peer told its state; returns what to ask for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_head(&mut self, head: Head, store: &dyn EntryStore) -> Result<Todo, StoreError> {
        self.heard = Some(head);
        self.is_denied = false;
        let own = self.own(store.head());
        self.note_given(own);
        match self.step {
            Step::Idle => self.plan(store),
            // What they wanted to find is here already.
            Step::Await if self.theirs().is_some_and(|it| it.digest == own.digest) => {
                self.step = Step::Idle;
                self.plan(store)
            }
            // What is under way ends with the peer's newest state in mind.
            Step::Pull(_)
            | Step::List(_)
            | Step::Sketch(_)
            | Step::Await
            | Step::Find(_)
            | Step::Finish => Ok(Todo::default()),
        }
    }

    fn plan(&mut self, store: &dyn EntryStore) -> Result<Todo, StoreError> {
        let own = self.own(store.head());
        let Some(theirs) = self.theirs() else {
            return Ok(Todo::default());
        };
        if theirs.digest == own.digest {
            return self.note_equal(theirs, store);
        }
        let cursor = store
            .cursor(self.peer)?
            .filter(|cursor| cursor.epoch == theirs.store)
            .filter(|cursor| cursor.after <= theirs.arrivals.max(self.reached))
            .filter(|_| !self.compares_all);
        let message = match cursor {
            Some(cursor) if cursor.after < theirs.arrivals => {
                self.has_refused = cursor.has_refused;
                self.begin_pull(theirs.store, cursor.after)
            }
            Some(_) if self.cursors_lie(theirs, own) => {
                self.listed_at = Some((own.arrivals, theirs.arrivals));
                self.compare(theirs, own, store)?
            }
            // Everything of theirs is here; they pull what they lack.
            Some(_) => return Ok(Todo::default()),
            None if theirs.is_empty() => return Ok(Todo::default()),
            None if self.is_empty(own) => self.begin_pull(theirs.store, 0),
            None => self.compare(theirs, own, store)?,
        };
        Ok(Todo::ask(message))
    }

    /// Equal without having read each other (a third peer brought both the same):
    /// a cursor saves the comparison of all ids when they differ next.
    fn note_equal(&mut self, theirs: Head, store: &dyn EntryStore) -> Result<Todo, StoreError> {
        let known = store.cursor(self.peer)?.is_some_and(|cursor| cursor.epoch == theirs.store);
        if known || theirs.is_empty() {
            return Ok(Todo::default());
        }
        self.step = Step::Finish;
        let cursor = Cursor { epoch: theirs.store, after: theirs.arrivals, has_refused: false };
        let deliver = Some(Delivery { entries: vec![], cursor: Some(cursor) });
        Ok(Todo { deliver, ..Todo::default() })
    }

    /// Both have read each other to the end, and still differ.
    fn cursors_lie(&self, theirs: Head, own: StoreHead) -> bool {
        // Nobody reads an empty copy, so nobody says to have seen it.
        (self.is_empty(own) || theirs.seen == Some((own.epoch, own.arrivals)))
            && self.listed_at != Some((own.arrivals, theirs.arrivals))
    }

    /// Entries that we asked for by id arrived.
    pub fn on_entries(&mut self, entries: Vec<ByteBuf>) -> Todo {
        let asked = match &self.step {
            Step::List(listing) => listing.asked_count(),
            Step::Find(finding) => finding.asked_count(),
            Step::Idle | Step::Pull(_) | Step::Sketch(_) | Step::Await | Step::Finish => 0,
        };
        if asked == 0 || entries.len() > asked {
            return Todo::default();
        }
        if let (Step::List(listing), true) = (&mut self.step, entries.is_empty()) {
            listing.give_up_asked();
        }
        let entries = entries.into_iter().map(ByteBuf::into_vec).collect();
        let deliver = Some(Delivery { entries, cursor: None });
        Todo { deliver, ..Todo::default() }
    }

    /// Notes whether something of a delivery was refused, and says whether
    /// anything was since the last comparison of all ids.
    pub fn note_refused(&mut self, refused: bool) -> bool {
        self.has_refused |= refused;
        self.has_refused
    }

    /// What was delivered is durable, but for `refused` ones; goes on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_delivered(
        &mut self,
        refused: bool,
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        self.has_refused |= refused;
        match &mut self.step {
            Step::Idle | Step::Sketch(_) | Step::Await => Ok(Todo::default()),
            Step::Find(finding) => {
                finding.on_delivered(refused, store)?;
                Ok(self.continue_find())
            }
            Step::Finish => {
                self.step = Step::Idle;
                self.plan(store)
            }
            Step::Pull(pulling) => {
                pulling.unverified = pulling.unverified.saturating_sub(1);
                if pulling.is_done && pulling.unverified == 0 {
                    self.step = Step::Idle;
                    return self.plan(store);
                }
                if pulling.is_done || pulling.is_asked {
                    return Ok(Todo::default());
                }
                pulling.is_asked = true;
                Ok(Todo::ask(Message::Pull { space: self.space, after: pulling.next }))
            }
            Step::List(listing) => {
                listing.on_delivered(refused, store)?;
                Ok(self.continue_list())
            }
        }
    }

    fn stop(&mut self) {
        self.step = Step::Idle;
        self.is_denied = true;
        self.told = None;
    }

    /// Forgets what was told and what is under way, to start over from what the peer said last.
    pub fn restart(&mut self) {
        self.filter.start_over();
        let (filter, heard) = (std::mem::take(&mut self.filter), self.heard);
        *self = Self { filter, heard, ..Self::new(self.space, self.own, self.peer, self.able) };
    }
}

#[cfg(test)]
mod tests;
