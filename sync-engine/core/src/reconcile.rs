//! Reconciliation: how two stores of a space become equal (decision 4).
//!
//! *Head*: each side says how many entries its copy holds and their digest. Equal
//! digests: nothing to do, one round trip for all spaces together. Otherwise each
//! side pulls what arrived at the other since its cursor. *List*: without a usable
//! cursor, or when cursors turn out to lie (a restored backup), ids are compared
//! page by page. Both sides run the same code; each pulls for itself.
//!
//! Invariants: a cursor becomes durable together with the entries before it;
//! "equal" is said only when both sides named the same digest.
//! Non-goals: sockets, keys, who may.

use std::collections::VecDeque;

use node_model::{
    DeviceId, EntryId, SpaceId,
    cbor::{self, DecodeError},
    limit::FRAME_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::store::{Cursor, EntryStore, StoreEpoch, StoreError, StoreHead};

/// Version of the messages below; frames with another one are refused.
pub const PROTOCOL: u16 = 1;

/// Most entries in a page.
pub const PAGE_ENTRIES_MAX: usize = 1_000;

/// A page ends after this many bytes: big enough to keep a connection busy,
/// small enough to verify within some ten milliseconds.
pub const PAGE_BYTES_MAX: usize = 512 * 1024;

/// Most ids in a page of a list: 128 KiB.
pub const PAGE_IDS_MAX: usize = 4_096;

/// Ids asked for at once.
const GET_IDS_MAX: usize = 256;

/// Pages that may wait to be verified before the next one is asked for.
const PAGES_UNVERIFIED_MAX: u32 = 4;

/// Most spaces in one message.
pub const HEADS_MAX: usize = 10_000;

/// What a side says of one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The space.
    pub space: SpaceId,
    /// Its copy.
    pub store: StoreEpoch,
    /// How many entries it holds.
    pub arrivals: u64,
    /// Their digest.
    #[serde(with = "serde_bytes")]
    pub digest: [u8; 32],
    /// How far it has read the receiver's copy.
    pub seen: Option<(StoreEpoch, u64)>,
}

/// What two sides say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The state of spaces, on connecting and whenever it changed.
    Heads {
        /// [`PROTOCOL`].
        protocol: u16,
        /// One for each space.
        heads: Vec<Head>,
    },
    /// Asks for entries by arrival.
    Pull {
        /// The space.
        space: SpaceId,
        /// After which place.
        after: u64,
    },
    /// Entries by arrival.
    Page {
        /// The space.
        space: SpaceId,
        /// Which copy.
        store: StoreEpoch,
        /// The place of the last entry looked at.
        upto: u64,
        /// Whether there is more.
        more: bool,
        /// The entries, without those that came from the asker.
        entries: Vec<ByteBuf>,
    },
    /// Asks for ids by arrival.
    List {
        /// The space.
        space: SpaceId,
        /// After which place.
        after: u64,
    },
    /// Ids by arrival.
    Ids {
        /// The space.
        space: SpaceId,
        /// Which copy.
        store: StoreEpoch,
        /// The place of the last one.
        upto: u64,
        /// Whether there is more.
        more: bool,
        /// 32 bytes each.
        ids: ByteBuf,
    },
    /// Asks for entries by id.
    Get {
        /// The space.
        space: SpaceId,
        /// 32 bytes each.
        ids: ByteBuf,
    },
    /// Entries that were asked for by id; those that are left out may be asked
    /// for again.
    Entries {
        /// The space.
        space: SpaceId,
        /// As many as fit.
        entries: Vec<ByteBuf>,
    },
    /// No such space for you.
    Denied {
        /// The space.
        space: SpaceId,
    },
}

impl Message {
    /// The bytes of a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`DecodeError`]; at most [`FRAME_BYTES_MAX`] bytes are looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = cbor::decode(bytes, FRAME_BYTES_MAX)?;
        if message.is_bounded() { Ok(message) } else { Err(DecodeError::Malformed) }
    }

    fn is_bounded(&self) -> bool {
        let whole_ids =
            |ids: &ByteBuf, max: usize| ids.len().is_multiple_of(32) && ids.len() <= max * 32;
        match self {
            Self::Heads { heads, .. } => heads.len() <= HEADS_MAX,
            Self::Page { entries, .. } => entries.len() <= PAGE_ENTRIES_MAX,
            Self::Entries { entries, .. } => entries.len() <= GET_IDS_MAX,
            Self::Ids { ids, .. } => whole_ids(ids, PAGE_IDS_MAX),
            Self::Get { ids, .. } => whole_ids(ids, GET_IDS_MAX),
            Self::Pull { .. } | Self::List { .. } | Self::Denied { .. } => true,
        }
    }
}

/// How a peer's copy of a space compares with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// Nothing heard yet.
    Unknown,
    /// Both named the same digest.
    Equal,
    /// We are pulling.
    Pulling,
    /// They differ, and nothing is under way from our side.
    Different,
    /// The peer says that there is no such space for us.
    Denied,
}

#[derive(Debug)]
enum Step {
    Idle,
    Pull(Pulling),
    List(Listing),
    /// A list is through; its cursor is being stored.
    Finish,
}

#[derive(Debug)]
struct Pulling {
    next: u64,
    is_asked: bool,
    unverified: u32,
    is_done: bool,
}

#[derive(Debug, Default)]
struct Listing {
    upto: u64,
    is_done: bool,
    wanted: VecDeque<EntryId>,
    asked: Vec<EntryId>,
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
    /// To verify and store.
    pub deliver: Option<Delivery>,
}

impl Todo {
    fn ask(message: Message) -> Self {
        Self { ask: Some(message), deliver: None }
    }
}

/// Our side of one space with one peer, for as long as they are connected.
#[derive(Debug)]
pub struct Session {
    space: SpaceId,
    peer: DeviceId,
    theirs: Option<Head>,
    told: Option<Head>,
    step: Step,
    has_refused: bool,
    /// Whether to compare all ids instead of trusting a cursor.
    compares_all: bool,
    is_denied: bool,
    /// Sizes of both copies at which comparing all ids was last begun because
    /// cursors lied; not begun again for the same ones.
    listed_at: Option<(u64, u64)>,
    /// How far their copy reached when they last answered: their head may be
    /// older than that.
    reached: u64,
}

impl Session {
    /// A session of `space` with `peer`.
    #[must_use]
    pub fn new(space: SpaceId, peer: DeviceId) -> Self {
        Self {
            space,
            peer,
            theirs: None,
            told: None,
            step: Step::Idle,
            has_refused: false,
            compares_all: false,
            is_denied: false,
            listed_at: None,
            reached: 0,
        }
    }

    /// What the peer last said of its copy.
    #[must_use]
    pub fn theirs(&self) -> Option<Head> {
        self.theirs
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

    /// How the two copies compare, as far as both sides said.
    #[must_use]
    pub fn state(&self, own: StoreHead) -> PeerState {
        if self.is_denied {
            return PeerState::Denied;
        }
        match (&self.step, self.theirs) {
            (Step::Pull(_) | Step::List(_) | Step::Finish, _) => PeerState::Pulling,
            (Step::Idle, None) => PeerState::Unknown,
            (Step::Idle, Some(theirs)) => {
                let both_said = self.told.is_some_and(|told| told.digest == own.digest);
                if both_said && theirs.digest == own.digest {
                    PeerState::Equal
                } else {
                    PeerState::Different
                }
            }
        }
    }

    /// What to tell the peer of our copy, unless it knows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn announce(&mut self, store: &dyn EntryStore) -> Result<Option<Head>, StoreError> {
        let own = store.head();
        let seen = store.cursor(self.peer)?.map(|cursor| (cursor.epoch, cursor.after));
        let head = Head {
            space: self.space,
            store: own.epoch,
            arrivals: own.arrivals,
            digest: own.digest,
            seen,
        };
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
        self.theirs = Some(head);
        self.is_denied = false;
        match self.step {
            Step::Idle => self.plan(store),
            // What is under way ends with the peer's newest state in mind.
            Step::Pull(_) | Step::List(_) | Step::Finish => Ok(Todo::default()),
        }
    }

    fn plan(&mut self, store: &dyn EntryStore) -> Result<Todo, StoreError> {
        let own = store.head();
        let Some(theirs) = self.theirs else {
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
                self.begin_pull(cursor.after)
            }
            Some(_) if self.cursors_lie(theirs, own) => {
                self.listed_at = Some((own.arrivals, theirs.arrivals));
                self.begin_list()
            }
            // Everything of theirs is here; they pull what they lack.
            Some(_) => return Ok(Todo::default()),
            None if theirs.arrivals == 0 => return Ok(Todo::default()),
            None if own.arrivals == 0 => self.begin_pull(0),
            None => self.begin_list(),
        };
        Ok(Todo::ask(message))
    }

    /// Equal without having read each other (a third peer brought both the same):
    /// a cursor saves the comparison of all ids when they differ next.
    fn note_equal(&mut self, theirs: Head, store: &dyn EntryStore) -> Result<Todo, StoreError> {
        let known = store.cursor(self.peer)?.is_some_and(|cursor| cursor.epoch == theirs.store);
        if known || theirs.arrivals == 0 {
            return Ok(Todo::default());
        }
        self.step = Step::Finish;
        let cursor = Cursor { epoch: theirs.store, after: theirs.arrivals, has_refused: false };
        Ok(Todo { ask: None, deliver: Some(Delivery { entries: vec![], cursor: Some(cursor) }) })
    }

    /// Both have read each other to the end, and still differ.
    fn cursors_lie(&self, theirs: Head, own: StoreHead) -> bool {
        // Nobody reads an empty copy, so nobody says to have seen it.
        (own.arrivals == 0 || theirs.seen == Some((own.epoch, own.arrivals)))
            && self.listed_at != Some((own.arrivals, theirs.arrivals))
    }

    fn begin_pull(&mut self, after: u64) -> Message {
        let pulling = Pulling { next: after, is_asked: true, unverified: 0, is_done: false };
        self.step = Step::Pull(pulling);
        Message::Pull { space: self.space, after }
    }

    fn begin_list(&mut self) -> Message {
        self.has_refused = false;
        self.compares_all = false;
        self.step = Step::List(Listing::default());
        Message::List { space: self.space, after: 0 }
    }

    /// A page arrived: entries to verify, and what to ask for meanwhile. A page
    /// that was not asked for changes nothing.
    pub fn on_page(
        &mut self,
        store: StoreEpoch,
        upto: u64,
        more: bool,
        entries: Vec<ByteBuf>,
    ) -> Todo {
        let Step::Pull(pulling) = &mut self.step else {
            return Todo::default();
        };
        // A page that does not move on would be asked for for ever.
        let moves = upto > pulling.next || (!more && upto == pulling.next);
        if !pulling.is_asked || !moves {
            return Todo::default();
        }
        pulling.next = upto;
        self.reached = self.reached.max(upto);
        pulling.is_done = !more;
        pulling.unverified += 1;
        pulling.is_asked = more && pulling.unverified < PAGES_UNVERIFIED_MAX;
        let ask = pulling.is_asked.then_some(Message::Pull { space: self.space, after: upto });
        let cursor = Cursor { epoch: store, after: upto, has_refused: self.has_refused };
        let entries = entries.into_iter().map(ByteBuf::into_vec).collect();
        Todo { ask, deliver: Some(Delivery { entries, cursor: Some(cursor) }) }
    }

    /// Ids arrived: asks for the missing ones, or for more ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_ids(
        &mut self,
        upto: u64,
        more: bool,
        ids: &[u8],
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        let Step::List(listing) = &mut self.step else {
            return Ok(Todo::default());
        };
        if listing.is_done || !listing.wanted.is_empty() || !listing.asked.is_empty() {
            return Ok(Todo::default());
        }
        listing.is_done = !more || upto <= listing.upto;
        listing.upto = listing.upto.max(upto);
        self.reached = self.reached.max(upto);
        for id in ids.chunks_exact(32).filter_map(|id| id.try_into().ok()).map(EntryId) {
            if !store.contains(id)? {
                listing.wanted.push_back(id);
            }
        }
        Ok(self.continue_list())
    }

    /// Entries that we asked for by id arrived.
    pub fn on_entries(&mut self, entries: Vec<ByteBuf>) -> Todo {
        let Step::List(listing) = &mut self.step else {
            return Todo::default();
        };
        if listing.asked.is_empty() || entries.len() > listing.asked.len() {
            return Todo::default();
        }
        if entries.is_empty() {
            // They are gone over there; asking again would not end.
            listing.asked.clear();
        }
        let entries = entries.into_iter().map(ByteBuf::into_vec).collect();
        Todo { ask: None, deliver: Some(Delivery { entries, cursor: None }) }
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
            Step::Idle => Ok(Todo::default()),
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
                let asked = std::mem::take(&mut listing.asked);
                for id in asked.into_iter().rev() {
                    // Left out for want of room, unless it was refused just now.
                    if !refused && !store.contains(id)? {
                        listing.wanted.push_front(id);
                    }
                }
                Ok(self.continue_list())
            }
        }
    }

    fn continue_list(&mut self) -> Todo {
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
        let after = listing.upto;
        self.step = Step::Finish;
        let cursor = self.theirs.map(|theirs| Cursor {
            epoch: theirs.store,
            after,
            has_refused: self.has_refused,
        });
        Todo { ask: None, deliver: Some(Delivery { entries: vec![], cursor }) }
    }

    /// The peer says that there is no such space for us.
    pub fn on_denied(&mut self) {
        self.step = Step::Idle;
        self.is_denied = true;
        // It did not take what we told; should it learn of the space, tell again.
        self.told = None;
    }

    /// Forgets what was told and what is under way, to start over.
    pub fn restart(&mut self) {
        *self = Self::new(self.space, self.peer);
    }
}

/// Answers a request for entries by arrival.
///
/// # Errors
/// [`StoreError`].
pub fn answer_pull(
    space: SpaceId,
    after: u64,
    asker: DeviceId,
    store: &dyn EntryStore,
) -> Result<Message, StoreError> {
    let head = store.head();
    #[cfg_attr(
        not(feature = "planted-bugs"),
        expect(unused_mut, reason = "changed by a planted bug")
    )]
    let mut page = store.arrivals(after, PAGE_ENTRIES_MAX, PAGE_BYTES_MAX)?;
    let upto = page.last().map_or(after.min(head.arrivals), |last| last.place);
    #[cfg(feature = "planted-bugs")]
    if node_model::planted::active(node_model::planted::Bug::LostLastFrame) {
        page.pop();
    }
    let entries = page
        .into_iter()
        .filter(|arrival| arrival.source != Some(asker))
        .map(|arrival| ByteBuf::from(arrival.bytes))
        .collect();
    let more = upto < head.arrivals;
    Ok(Message::Page { space, store: head.epoch, upto, more, entries })
}

/// Answers a request for ids by arrival.
///
/// # Errors
/// [`StoreError`].
pub fn answer_list(
    space: SpaceId,
    after: u64,
    store: &dyn EntryStore,
) -> Result<Message, StoreError> {
    let head = store.head();
    let page = store.ids(after, PAGE_IDS_MAX)?;
    let upto = page.last().map_or(after.min(head.arrivals), |(place, _)| *place);
    let ids = page.iter().flat_map(|(_, id)| id.0).collect::<Vec<u8>>();
    let more = upto < head.arrivals;
    Ok(Message::Ids { space, store: head.epoch, upto, more, ids: ByteBuf::from(ids) })
}

/// Answers a request for entries by id, with as many as fit.
///
/// # Errors
/// [`StoreError`].
pub fn answer_get(
    space: SpaceId,
    ids: &[u8],
    store: &dyn EntryStore,
) -> Result<Message, StoreError> {
    let mut bytes = 0;
    let mut entries = Vec::new();
    for id in ids.chunks_exact(32).filter_map(|id| id.try_into().ok()).map(EntryId) {
        if let Some(entry) = store.entry(id)? {
            bytes += entry.len();
            entries.push(ByteBuf::from(entry));
        }
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
    }
    Ok(Message::Entries { space, entries })
}

#[cfg(test)]
mod tests;
