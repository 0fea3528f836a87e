//! Comparing sketches: one side of a pair asks for symbols of the other's copy, finds
//! the difference, pulls what it lacks and names what the other lacks, which then
//! pulls that. When both ask at once, the one with the smaller device id goes on.

use std::collections::VecDeque;

use serde_bytes::ByteBuf;

use super::{
    Capability, Cursor, Delivery, EntryProgress, Head, Message, Session, Step, Todo,
    message::FIND_IDS_MAX, sharding::Sharding,
};
use crate::{
    sketch::{Decoder, Difference, KEPT_SYMBOLS, Progress, Run, ShortId, Sketch},
    store::{EntryStore, StoreEpoch, StoreError, StoreHead},
};

/// From this many entries on both sides a sketch of a small difference (counts and some
/// twenty symbols) costs less than a list, which takes 32 bytes for each.
const SKETCH_FROM: u64 = 32;

/// Copies whose sizes differ by more differ by more than the kept symbols decode.
const SIZES_APART_MAX: u64 = 1_300;

/// Symbols are under way.
#[derive(Debug)]
pub(super) struct Sketching {
    decoder: Decoder,
    /// Our copy when it began.
    own: (StoreEpoch, u64),
    /// Theirs, once they answered.
    theirs: Option<(StoreEpoch, u64)>,
    /// Of which shard these symbols are.
    sharding: Option<Box<Sharding>>,
}

/// Entries of a known difference are under way.
#[derive(Debug)]
pub(super) struct Finding {
    wanted: VecDeque<ShortId>,
    asked: Vec<ShortId>,
    /// With these we have all of their copy up to here.
    upto: (StoreEpoch, u64),
    progress: EntryProgress,
}

impl Finding {
    pub(super) fn progress(&self) -> EntryProgress {
        self.progress
    }

    pub(super) fn asked_count(&self) -> usize {
        self.asked.len()
    }

    /// What did not come is asked for again, as long as something comes.
    pub(super) fn on_delivered(
        &mut self,
        refused: bool,
        store: &dyn EntryStore,
    ) -> Result<(), StoreError> {
        let asked = std::mem::take(&mut self.asked);
        let mut missing = Vec::new();
        for id in &asked {
            if store.find(*id)?.is_none() {
                missing.push(*id);
            }
        }
        self.progress.here += (asked.len() - missing.len()) as u64;
        if !refused && missing.len() < asked.len() {
            missing.into_iter().rev().for_each(|id| self.wanted.push_front(id));
        }
        Ok(())
    }
}

impl Session {
    /// Begins to compare two copies whose cursors are of no use.
    pub(super) fn compare(
        &mut self,
        theirs: Head,
        own: StoreHead,
        store: &dyn EntryStore,
    ) -> Result<Message, StoreError> {
        // Places of a part count what is in none of it.
        let sizes = match theirs.part {
            Some(part) => (own.entries, part.entries),
            None => (own.arrivals, theirs.arrivals),
        };
        let is_worth_it = self.able.has(Capability::Sketches)
            && sizes.0.min(sizes.1) >= SKETCH_FROM
            && self.sketched_at != Some(sizes)
            && !self.compares_all;
        let is_apart = sizes.0.abs_diff(sizes.1) > SIZES_APART_MAX;
        if !is_worth_it || (is_apart && !self.pays_in_shards(sizes)) {
            return Ok(self.begin_list());
        }
        self.sketched_at = Some(sizes);
        self.has_refused = false;
        let own = (own.epoch, own.arrivals);
        if is_apart {
            return self.begin_shards(own, sizes, store);
        }
        let sketch = self.view(store).sketch()?;
        Ok(self.begin_sketch(own, &sketch, None))
    }

    /// Asks for symbols of what this is our sketch of.
    pub(super) fn begin_sketch(
        &mut self,
        own: (StoreEpoch, u64),
        sketch: &Sketch,
        sharding: Option<Box<Sharding>>,
    ) -> Message {
        let shard = sharding.as_ref().map(|sharding| sharding.current());
        let decoder = Decoder::new(sketch.symbols());
        self.step = Step::Sketch(Sketching { decoder, own, theirs: None, sharding });
        let counts = ByteBuf::from(sketch.counts().encode());
        Message::Sketch { space: self.space, counts, first: 0, length: 0, shard }
    }

    /// The peer asks for symbols; says whether to answer.
    pub fn on_sketch_asked(&mut self) -> bool {
        if !matches!(self.step, Step::Sketch(_)) {
            return true;
        }
        if self.own < self.peer {
            // They hear from us what they lack.
            return false;
        }
        self.step = Step::Await;
        true
    }

    /// The peer lists: sketches did not work for it.
    pub fn on_list_asked(&mut self) -> Todo {
        match self.step {
            Step::Sketch(_) | Step::Await => Todo::ask(self.begin_list()),
            Step::Idle | Step::Pull(_) | Step::List(_) | Step::Find(_) | Step::Finish => {
                Todo::default()
            }
        }
    }

    /// Symbols of their copy, as it was with `theirs`, arrived.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_symbols(
        &mut self,
        theirs: (StoreEpoch, u64),
        run: &[u8],
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        let step = std::mem::replace(&mut self.step, Step::Idle);
        let Step::Sketch(sketching) = step else {
            self.step = step;
            return Ok(Todo::default());
        };
        let Ok(run) = Run::decode(run) else { return Ok(Todo::ask(self.begin_list())) };
        let Sketching { decoder, own, theirs: before, sharding } = sketching;
        if before.is_some_and(|before| before != theirs) {
            return self.sketch_failed(own, sharding, store);
        }
        match decoder.receive(&run) {
            Progress::Decoded(difference) => match sharding {
                None => Ok(self.decoded(own, theirs, difference)),
                Some(sharding) => self.shard_decoded(own, theirs, (*sharding, difference), store),
            },
            Progress::NeedMore(decoder) => {
                let (first, length) = (decoder.received(), decoder.more());
                if first + length > KEPT_SYMBOLS {
                    return self.sketch_failed(own, sharding, store);
                }
                let number = |index| u32::try_from(index).unwrap_or(u32::MAX);
                let (first, length) = (number(first), number(length));
                let (space, counts) = (self.space, ByteBuf::new());
                let shard = sharding.as_ref().map(|sharding| sharding.current());
                self.step =
                    Step::Sketch(Sketching { decoder, own, theirs: Some(theirs), sharding });
                Ok(Todo::ask(Message::Sketch { space, counts, first, length, shard }))
            }
            Progress::Hopeless => self.sketch_failed(own, sharding, store),
        }
    }

    /// One sketch does not do: shards may, of a copy that is still what it was.
    fn sketch_failed(
        &mut self,
        own: (StoreEpoch, u64),
        sharding: Option<Box<Sharding>>,
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        if let Some(sharding) = sharding {
            return self.shard_failed(own, *sharding, store);
        }
        match self.sketched_at {
            Some(sizes) if self.pays_in_shards(sizes) && store.head().epoch == own.0 => {
                self.begin_shards(own, sizes, store).map(Todo::ask)
            }
            Some(_) | None => Ok(Todo::ask(self.begin_list())),
        }
    }

    pub(super) fn decoded(
        &mut self,
        (store, arrivals): (StoreEpoch, u64),
        upto: (StoreEpoch, u64),
        difference: Difference,
    ) -> Todo {
        let ids: Vec<u8> = difference.ours.iter().flat_map(|id| id.0).collect();
        let ids = ByteBuf::from(ids);
        let tell = Message::Lacking { space: self.space, store, arrivals, ids };
        Todo { tell: Some(tell), ..self.find(difference.theirs.into_iter().collect(), upto) }
    }

    /// The peer found what we lack of its copy.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on_lacking(
        &mut self,
        upto: (StoreEpoch, u64),
        ids: &[u8],
        store: &dyn EntryStore,
    ) -> Result<Todo, StoreError> {
        match self.step {
            Step::Idle | Step::Sketch(_) | Step::Await => {}
            Step::Pull(_) | Step::List(_) | Step::Find(_) | Step::Finish => {
                return Ok(Todo::default());
            }
        }
        let mut wanted = VecDeque::new();
        for id in ids.chunks_exact(16).filter_map(|id| id.try_into().ok()).map(ShortId) {
            if store.find(id)?.is_none() {
                wanted.push_back(id);
            }
        }
        self.has_refused = false;
        Ok(self.find(wanted, upto))
    }

    fn find(&mut self, wanted: VecDeque<ShortId>, upto: (StoreEpoch, u64)) -> Todo {
        self.reached = self.reached.max(upto.1);
        let progress = EntryProgress { here: 0, wanted: wanted.len() as u64, is_at_least: false };
        self.step = Step::Find(Finding { wanted, asked: vec![], upto, progress });
        self.continue_find()
    }

    pub(super) fn continue_find(&mut self) -> Todo {
        let Step::Find(finding) = &mut self.step else {
            return Todo::default();
        };
        if !finding.wanted.is_empty() {
            let count = finding.wanted.len().min(FIND_IDS_MAX);
            finding.asked = finding.wanted.drain(..count).collect();
            let ids = finding.asked.iter().flat_map(|id| id.0).collect::<Vec<u8>>();
            return Todo::ask(Message::Find { space: self.space, ids: ByteBuf::from(ids) });
        }
        let (epoch, after) = finding.upto;
        self.step = Step::Finish;
        let cursor = Some(Cursor { epoch, after, has_refused: self.has_refused });
        Todo { deliver: Some(Delivery { entries: vec![], cursor }), ..Todo::default() }
    }
}
