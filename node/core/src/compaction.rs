//! When own changes of a document are bundled.
//!
//! After some calm, once there are enough of them; while somebody writes on and on, once
//! there are many. How many that is grows with the document, so that a change is bundled
//! a few times in its life and not again with each one that follows. Once all documents
//! together have very many, those with the most make room.
//!
//! Invariant: one document at a time, a large one by a worker, so that nobody waits.
//! Non-goal: what is bundled; the sync engine chooses.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use node_model::{DocumentId, Now, SpaceId, Timestamp};
use sync_engine_core::{Compacted, MadeBundle};

use crate::{effect::Effect, node::Node};

/// How long nobody writes to a document before it is bundled: longer than people stop to
/// think, shorter than they stay connected.
const CALM: Duration = Duration::from_secs(3);

/// Changes that are worth a bundle: below, it is no smaller than they are.
pub const BUNDLE_FROM_CHANGES: u64 = 8;

/// Changes that are bundled without waiting for calm.
const CHANGES_BUSY: u64 = 512;

/// After calm, bundle once there is one change for so many in the document: to bundle
/// costs a look at all of them.
const SHARE_CALM: u64 = 1_024;

/// The same while somebody writes.
const SHARE_BUSY: u64 = 64;

/// Changes of all documents together that wait for calm, some 1.2 MB on the disk: a program that
/// writes to many documents in turn keeps each of them from calm, and none of them is long.
const CHANGES_WAITING_MAX: u64 = 2_048;

/// Changes that are bundled to make room: fewer would be bundled again and again.
const CHANGES_PRESSED: u64 = 64;

/// Documents that wait at most; what is not remembered is bundled when it is next written.
const WAITING_MAX: usize = 65_536;

/// What was bundled since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionCounts {
    /// Bundles made.
    pub bundles: u64,
    /// Entries that they took the place of.
    pub entries: u64,
    /// Bytes of these.
    pub entry_bytes: u64,
    /// Bytes of the bundles.
    pub bundle_bytes: u64,
    /// Documents that wait for calm, for more changes, or for the worker.
    pub waiting: u64,
    /// Changes that are in no bundle yet, of all documents.
    pub waiting_changes: u64,
    /// Bundles that could not be made, or did not fit any more once they were.
    pub dropped: u64,
    /// When the last one was made.
    pub last_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Tail {
    /// Changes that are in no bundle.
    changes: u64,
    /// Of the whole document, when it was last bundled.
    document: u64,
    due: Duration,
}

/// Documents with changes of this node that are in no bundle.
#[derive(Debug)]
pub(crate) struct Compaction {
    from_changes: u64,
    tails: BTreeMap<(SpaceId, DocumentId), Tail>,
    /// Those that are worth a bundle, by when: looked at after each input.
    due: BTreeSet<(Duration, (SpaceId, DocumentId))>,
    /// Those that can make room, by how much.
    large: BTreeSet<(u64, (SpaceId, DocumentId))>,
    /// Changes of all.
    changes: u64,
    /// The one that is being bundled by a worker.
    making: Option<(SpaceId, DocumentId)>,
    counts: CompactionCounts,
}

impl Compaction {
    pub(crate) fn new(from_changes: u64) -> Self {
        let counts = CompactionCounts::default();
        let (tails, due, large) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { from_changes, tails, due, large, changes: 0, making: None, counts }
    }

    fn note(&mut self, now: Now, document: (SpaceId, DocumentId), changes: u64) {
        if self.tails.len() >= WAITING_MAX && !self.tails.contains_key(&document) {
            return;
        }
        let new = Tail { changes: 0, document: 0, due: Duration::ZERO };
        let tail = self.tails.entry(document).or_insert(new);
        self.due.remove(&(tail.due, document));
        self.large.remove(&(tail.changes, document));
        self.changes += changes;
        tail.changes += changes;
        let is_busy = tail.changes >= CHANGES_BUSY.max(tail.document / SHARE_BUSY);
        tail.due = if is_busy { now.monotonic } else { now.monotonic + CALM };
        if tail.changes >= self.from_changes.max(tail.document / SHARE_CALM) {
            self.due.insert((tail.due, document));
        }
        if tail.changes >= CHANGES_PRESSED.max(tail.document / SHARE_BUSY) {
            self.large.insert((tail.changes, document));
        }
        if self.changes > CHANGES_WAITING_MAX {
            self.make_room(now);
        }
    }

    /// The document with the most changes need not wait for calm.
    fn make_room(&mut self, now: Now) {
        let Some((_, document)) = self.large.last().copied() else { return };
        let Some(tail) = self.tails.get_mut(&document) else { return };
        self.due.remove(&(tail.due, document));
        tail.due = now.monotonic;
        self.due.insert((tail.due, document));
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due).filter(|_| self.making.is_none())
    }

    fn next_due(&self, now: Now) -> Option<(SpaceId, DocumentId)> {
        let is_due = |due: Duration| self.making.is_none() && due <= now.monotonic;
        self.due.first().filter(|(due, _)| is_due(*due)).map(|(_, document)| *document)
    }

    fn postpone(&mut self, now: Now, document: (SpaceId, DocumentId)) {
        if let Some(tail) = self.tails.get_mut(&document) {
            self.due.remove(&(tail.due, document));
            tail.due = now.monotonic + CALM;
            self.due.insert((tail.due, document));
        }
    }

    /// Its changes are being bundled; those that come from now on wait for the next time.
    fn begin(&mut self, document: (SpaceId, DocumentId)) {
        self.making = Some(document);
        if let Some(tail) = self.tails.get_mut(&document) {
            self.due.remove(&(tail.due, document));
            self.large.remove(&(tail.changes, document));
            self.changes -= tail.changes;
            tail.changes = 0;
        }
    }

    /// A bundle was made, or is not worth it.
    fn done(&mut self, now: Now, document: (SpaceId, DocumentId), compacted: Option<Compacted>) {
        self.making = None;
        match (compacted, self.tails.get_mut(&document)) {
            (Some(done), Some(tail)) => {
                self.counts.bundles += 1;
                self.counts.entries += done.entries;
                self.counts.entry_bytes += done.entry_bytes;
                self.counts.bundle_bytes += done.bundle_bytes;
                self.counts.last_at = Some(now.wall);
                tail.document = done.changes;
            }
            // What cannot be bundled waits for the next write.
            (None, Some(tail)) if tail.changes == 0 => {
                self.tails.remove(&document);
            }
            (None, Some(_)) | (None | Some(_), None) => {}
        }
    }

    pub(crate) fn counts(&self) -> CompactionCounts {
        let waits = |(document, tail): &(_, &Tail)| {
            tail.changes > 0 || self.making.as_ref() == Some(*document)
        };
        let waiting = self.tails.iter().filter(waits).count() as u64;
        CompactionCounts { waiting, waiting_changes: self.changes, ..self.counts }
    }
}

impl Node {
    /// Notes what was written here and is durable now.
    pub(crate) fn note_written(&mut self, now: Now) {
        for (space, document, changes) in self.sync.take_written() {
            self.compaction.note(now, (space, document), changes);
        }
    }

    /// Bundles the changes of one document whose time has come.
    pub(crate) fn compact_one(&mut self, now: Now) {
        let Some((space, document)) = self.compaction.next_due(now) else { return };
        // By the time that a worker has loaded it.
        if self.is_loaded((space, document)).is_ok_and(|is_loaded| !is_loaded) {
            self.compaction.postpone(now, (space, document));
            return;
        }
        let one_epoch =
            !self.trust.graph().spaces.get(&space).is_some_and(|facts| facts.has_open_history);
        self.compaction.begin((space, document));
        match self.sync.bundle_order(space, document, one_epoch) {
            Ok(Some(order)) if order.is_large() => {
                self.effects.push_back(Effect::Bundle(Box::new(order)));
            }
            Ok(Some(order)) => self.bundled(now, order.make()),
            Ok(None) => self.compaction.done(now, (space, document), None),
            Err(error) => {
                tracing::warn!(%space, %document, %error, "could not bundle");
                self.compaction.counts.dropped += 1;
                self.compaction.done(now, (space, document), None);
            }
        }
    }

    /// A bundle was made, or could not be.
    pub(crate) fn bundled(&mut self, now: Now, made: MadeBundle) {
        let (space, document) = made.place();
        let (sync, mut writer) = self.writer(now);
        let compacted = sync.take_bundle(&mut writer, made);
        if let Err(error) = &compacted {
            tracing::warn!(%space, %document, %error, "could not bundle");
        }
        let compacted = compacted.ok().flatten();
        if let Some(done) = compacted {
            self.collect_soon(now, space);
            self.collect_sooner(now, done.entries);
        }
        self.compaction.counts.dropped += u64::from(compacted.is_none());
        self.compaction.done(now, (space, document), compacted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: (SpaceId, DocumentId) = (SpaceId([1; 32]), DocumentId([1; 16]));
    const TWO: (SpaceId, DocumentId) = (SpaceId([1; 32]), DocumentId([2; 16]));

    fn at(seconds: u64) -> Now {
        Now { monotonic: Duration::from_secs(seconds), wall: Timestamp(0) }
    }

    fn done(changes: u64) -> Option<Compacted> {
        Some(Compacted { entries: 9, entry_bytes: 900, bundle_bytes: 90, changes })
    }

    #[test]
    fn a_document_waits_for_calm_and_for_enough() {
        let mut compaction = Compaction::new(BUNDLE_FROM_CHANGES);
        compaction.note(at(10), ONE, BUNDLE_FROM_CHANGES - 1);
        assert_eq!((compaction.poll_timeout(), compaction.next_due(at(99))), (None, None));
        compaction.note(at(11), ONE, 1);
        assert_eq!(compaction.poll_timeout(), Some(Duration::from_secs(11) + CALM));
        assert_eq!(compaction.next_due(at(12)), None);
        compaction.note(at(13), ONE, 1);
        assert_eq!(compaction.next_due(at(15)), None, "somebody writes");
        assert_eq!(compaction.next_due(at(16)), Some(ONE));
        compaction.begin(ONE);
        compaction.done(at(7), ONE, done(9));
        assert_eq!((compaction.poll_timeout(), compaction.next_due(at(99))), (None, None));
        let counts = compaction.counts();
        assert_eq!((counts.bundles, counts.last_at), (1, Some(Timestamp(0))));
    }

    #[test]
    fn who_writes_on_and_on_is_bundled_all_the_same_but_seldom() {
        let mut compaction = Compaction::new(BUNDLE_FROM_CHANGES);
        compaction.note(at(1), ONE, CHANGES_BUSY);
        compaction.note(at(1), TWO, 1);
        assert_eq!(compaction.next_due(at(1)), Some(ONE));
        compaction.begin(ONE);
        compaction.done(at(7), ONE, done(260_000));
        compaction.note(at(2), ONE, CHANGES_BUSY);
        assert_eq!(compaction.next_due(at(2)), None, "the document is large");
        assert_eq!(compaction.next_due(at(5)), Some(ONE));
        compaction.begin(ONE);
        compaction.done(at(7), ONE, None);
        let counts = compaction.counts();
        assert_eq!(counts.waiting, 1, "what cannot be bundled waits for a write");
        assert_eq!(counts.waiting_changes, 1, "those of the other document");
    }

    #[test]
    fn who_writes_to_many_documents_in_turn_takes_no_room_without_end() {
        let mut compaction = Compaction::new(BUNDLE_FROM_CHANGES);
        let documents = (0..40).map(|n| (ONE.0, DocumentId([n; 16])));
        for _ in 0..CHANGES_WAITING_MAX / 40 {
            documents.clone().for_each(|document| compaction.note(at(60), document, 1));
        }
        compaction.note(at(60), TWO, CHANGES_PRESSED);
        assert_eq!(compaction.next_due(at(60)), Some(TWO), "it has the most");
        compaction.begin(TWO);
        compaction.done(at(7), TWO, done(64));
        compaction.note(at(61), ONE, 1);
        assert_eq!(compaction.next_due(at(61)), None, "there is room");
        compaction.note(at(61), ONE, 2 * CHANGES_PRESSED);
        assert_eq!(compaction.next_due(at(61)), Some(ONE), "once more");
        compaction.begin(ONE);
        compaction.done(at(7), ONE, None);
        compaction.note(at(62), TWO, 1);
        assert_eq!(compaction.next_due(at(62)), None, "each of them has few");
    }
}
