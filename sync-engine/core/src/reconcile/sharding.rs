//! Comparing sketches shard by shard: of copies that differ by more than one sketch decodes.
//!
//! What it costs grows with the difference, as it does for one sketch; only shards that hold
//! too much of it are split. All differences are collected before anything is said of them, so
//! that a cursor still means a whole copy.
//!
//! Invariant: it ends, whatever the peer answers.
//! Non-goal: parts of a space; these list.

use super::{Capability, Message, Session, Todo};
use crate::{
    sketch::{Difference, SHARD_BITS_MAX, Shard, Sketch},
    store::{EntryStore, StoreEpoch, StoreError},
};

/// From this many entries on both sides: of fewer a list is soon sent.
const SHARDS_FROM: u64 = 4_096;

/// About so many ids in each shard: both sides read them for each question, some ten
/// milliseconds.
const SHARD_IDS: u64 = 16_384;

/// A shard of more ids is not looked at, and split instead.
const SHARD_IDS_MAX: usize = 4 * SHARD_IDS as usize;

/// About so many differences in each shard: half of what a sketch decodes.
const SHARD_DIFFERENCES: u64 = 650;

/// Copies whose sizes differ by more than a quarter of the smaller one are listed: the list
/// is hardly longer than what is to be sent anyway.
const APART_SHARE: u64 = 4;

/// Most differences: 1 MiB of short ids in one message.
pub(super) const DIFFERENCES_MAX: usize = 65_536;

/// Most questions of one comparison: 64 shards for a million ids, each asked for twice, and
/// most of them split.
const QUESTIONS_MAX: u32 = 1_024;

/// Ids that a peer may have looked at by asking for shards of a copy, beside what a comparison
/// of all of it takes three times over.
const LOOKED_AT_SPARE: u64 = 1_000_000;

/// Shards under way.
#[derive(Debug)]
pub(super) struct Sharding {
    current: Shard,
    waiting: Vec<Shard>,
    found: Difference,
    /// Their copy at the first answer.
    theirs: Option<(StoreEpoch, u64)>,
    questions: u32,
}

impl Session {
    /// Whether copies of these sizes are compared by shards, when one sketch does not do.
    pub(super) fn pays_in_shards(&self, sizes: (u64, u64)) -> bool {
        let smaller = sizes.0.min(sizes.1);
        self.able.has(Capability::Shards)
            && !self.has_part()
            && smaller >= SHARDS_FROM
            && sizes.0.abs_diff(sizes.1) <= smaller / APART_SHARE
    }

    /// Begins to compare our copy shard by shard.
    pub(super) fn begin_shards(
        &mut self,
        own: (StoreEpoch, u64),
        sizes: (u64, u64),
        store: &dyn EntryStore,
    ) -> Result<Message, StoreError> {
        let mut waiting: Vec<Shard> = Shard::all(bits_for(sizes)).rev().collect();
        let Some(current) = waiting.pop() else { return Ok(self.begin_list()) };
        let (found, theirs) = (Difference::default(), None);
        let sharding = Sharding { current, waiting, found, theirs, questions: 0 };
        self.ask_shard(own, sharding, store)
    }

    fn ask_shard(
        &mut self,
        own: (StoreEpoch, u64),
        mut sharding: Sharding,
        store: &dyn EntryStore,
    ) -> Result<Message, StoreError> {
        loop {
            sharding.questions += 1;
            if sharding.questions > QUESTIONS_MAX {
                return Ok(self.begin_list());
            }
            if let Some(sketch) = shard_sketch(sharding.current, store)? {
                return Ok(self.begin_sketch(own, &sketch, Some(Box::new(sharding))));
            }
            if !sharding.split() {
                return Ok(self.begin_list());
            }
        }
    }

    /// The current shard is decoded.
    pub(super) fn shard_decoded(
        &mut self,
        own: (StoreEpoch, u64),
        theirs: (StoreEpoch, u64),
        (mut sharding, difference): (Sharding, Difference),
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        sharding.found.add(difference);
        // What arrived since the first answer is after the cursor.
        let first = *sharding.theirs.get_or_insert(theirs);
        if first.0 != theirs.0 || sharding.found.len() > DIFFERENCES_MAX {
            return Ok(Todo::ask(self.begin_list()));
        }
        let Some(next) = sharding.waiting.pop() else {
            return Ok(self.decoded(own, first, sharding.found));
        };
        sharding.current = next;
        self.ask_shard(own, sharding, store).map(Todo::ask)
    }

    /// The current shard cannot be decoded: it differs by too much, or has changed.
    pub(super) fn shard_failed(
        &mut self,
        own: (StoreEpoch, u64),
        mut sharding: Sharding,
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        if !sharding.split() {
            return Ok(Todo::ask(self.begin_list()));
        }
        self.ask_shard(own, sharding, store).map(Todo::ask)
    }

    /// The sketch of a shard of ours for the peer; `None` where it holds too much, or the
    /// peer has had too much looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sketch_for_peer(
        &mut self,
        shard: Shard,
        store: &dyn EntryStore,
    ) -> Result<Option<Sketch>, StoreError> {
        let entries = store.head().entries;
        let has_had_enough = self.looked_at_shards() > LOOKED_AT_SPARE.max(3 * entries);
        if has_had_enough || self.has_part() || !self.able.has(Capability::Shards) {
            return Ok(None);
        }
        let sketch = shard_sketch(shard, store)?;
        self.note_looked_at_shards(sketch.as_ref().map_or(SHARD_IDS_MAX as u64, Sketch::size));
        Ok(sketch)
    }
}

impl Sharding {
    pub(super) fn current(&self) -> Shard {
        self.current
    }

    /// Goes on with the first part of the current shard; says whether there is one.
    fn split(&mut self) -> bool {
        let Some(parts) = self.current.split() else { return false };
        self.waiting.extend(parts.rev());
        self.waiting.pop().map(|first| self.current = first).is_some()
    }
}

/// The fewest bits with which shards are small enough.
fn bits_for(sizes: (u64, u64)) -> u8 {
    let (larger, apart) = (sizes.0.max(sizes.1), sizes.0.abs_diff(sizes.1));
    let is_enough = |bits: &u8| larger >> bits <= SHARD_IDS && apart >> bits <= SHARD_DIFFERENCES;
    // One sketch for all did not do.
    (2..SHARD_BITS_MAX).find(is_enough).unwrap_or(SHARD_BITS_MAX)
}

fn shard_sketch(shard: Shard, store: &dyn EntryStore) -> Result<Option<Sketch>, StoreError> {
    let ids = store.ids_between(shard.first(), shard.last(), SHARD_IDS_MAX + 1)?;
    Ok((ids.len() <= SHARD_IDS_MAX).then(|| ids.into_iter().collect()))
}
