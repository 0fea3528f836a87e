use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use node_model::{DocumentId, EntryId};

use super::{pulling::PAGES_UNVERIFIED_MAX, *};
use crate::{
    entry::VerifiedEntry,
    part::{Selection, SetChange},
    store::{
        Batch, MemoryStore, StoreEpoch,
        conformance::{bundle, entries},
    },
};

mod optional;
mod pages;
mod parts;
mod progress;
mod shards;
mod sketches;

const SPACE: SpaceId = SpaceId([1; 32]);
const PEER: DeviceId = DeviceId([2; 32]);

fn all() -> Capabilities {
    Capabilities::of(&Hello::ours(false).capabilities)
}

fn session() -> Session {
    Session::new(SPACE, DeviceId([1; 32]), PEER, all())
}

#[test]
fn a_peer_that_learns_of_a_space_late_is_told_again() {
    let store = MemoryStore::new(StoreEpoch([3; 16]));
    let mut session = session();
    assert!(session.announce(&store).expect("reads").is_some());
    assert!(session.announce(&store).expect("reads").is_none());
    session.on_denied(&store).expect("reads");
    assert_eq!(session.state(store.head()), PeerState::Denied);
    let theirs = MemoryStore::new(StoreEpoch([4; 16])).head();
    let head = Head {
        space: SPACE,
        store: theirs.epoch,
        arrivals: theirs.arrivals,
        digest: theirs.digest,
        seen: None,
        part: None,
    };
    session.on_head(head, &store).expect("reads");
    assert!(session.announce(&store).expect("reads").is_some());
    assert_eq!(session.state(store.head()), PeerState::Equal);
}

/// Two stores, one session on each side, and the messages between them.
struct Pair {
    stores: [MemoryStore; 2],
    sessions: [Session; 2],
    /// What each side keeps; `None` is everything.
    kept: [Option<Arc<Selection>>; 2],
    messages: u64,
    entries: usize,
    /// Bytes of all messages but entries.
    overhead_bytes: usize,
    lists: usize,
    pushes: usize,
}

const DEVICES: [DeviceId; 2] = [DeviceId([10; 32]), DeviceId([11; 32])];

fn sessions() -> [Session; 2] {
    let [one, other] = DEVICES;
    [(one, other), (other, one)].map(|(own, peer)| Session::new(SPACE, own, peer, all()))
}

impl Pair {
    fn new(stores: [MemoryStore; 2]) -> Self {
        let sessions = sessions();
        let (kept, messages) = ([None, None], 0);
        let (entries, overhead_bytes, lists, pushes) = (0, 0, 0, 0);
        Self { stores, sessions, kept, messages, entries, overhead_bytes, lists, pushes }
    }

    fn reconnect(&mut self) {
        self.sessions = sessions();
        for side in 0..2 {
            let kept = self.kept[side].as_ref();
            let todo = self.sessions[side].keep(kept, &self.stores[side]).expect("reads");
            assert_eq!((todo.ask, todo.deliver), (None, None), "nobody has spoken");
        }
    }

    fn keep(&mut self, kept: [Option<Arc<Selection>>; 2]) {
        self.kept = kept;
        let mut queue = VecDeque::new();
        for side in 0..2 {
            let session = &mut self.sessions[side];
            let todo = session.keep(self.kept[side].as_ref(), &self.stores[side]).expect("reads");
            queue.extend(session.tell_kept().map(|message| (1 - side, message)));
            self.take_on(side, todo, &mut queue);
            self.announce(side, &mut queue);
        }
        self.answer(queue);
    }

    fn append(&mut self, side: usize, batch: Batch) {
        let places = |store: &MemoryStore| -> BTreeSet<(DocumentId, EntryId)> {
            let places = store.places(0, usize::MAX).expect("reads");
            places.into_iter().map(|(_, id, document)| (document, id)).collect()
        };
        let store = &mut self.stores[side];
        let before = places(store);
        store.append(&[batch]).expect("memory does not fail");
        let after = places(store);
        self.sessions[side].note_change(&SetChange {
            new: after.difference(&before).copied().collect(),
            gone: before.difference(&after).copied().collect(),
            arrivals: store.head().arrivals,
        });
    }

    /// Runs until nobody has anything to say.
    fn run(&mut self) {
        let mut queue = VecDeque::new();
        for side in 0..2 {
            self.announce(side, &mut queue);
        }
        self.answer(queue);
    }

    fn answer(&mut self, mut queue: VecDeque<(usize, Message)>) {
        while let Some((side, message)) = queue.pop_front() {
            self.messages += 1;
            assert!(self.messages < 10_000, "the two talk forever");
            let bytes = message.encode();
            if !matches!(message, Message::Page { .. } | Message::Entries { .. }) {
                self.overhead_bytes += bytes.len();
            }
            self.lists += usize::from(matches!(message, Message::List { .. }));
            let message = Message::decode(&bytes).expect("ours");
            self.deliver(side, message, &mut queue);
        }
    }

    fn announce(&mut self, side: usize, queue: &mut VecDeque<(usize, Message)>) {
        if self.sessions[side].is_busy() {
            return;
        }
        if let Some(message) = self.sessions[side].tell_kept() {
            queue.push_back((1 - side, message));
        }
        if let Some(head) = self.sessions[side].announce(&self.stores[side]).expect("reads") {
            let page = self.sessions[side].push(&self.stores[side]).expect("reads");
            self.pushes += usize::from(page.is_some());
            queue.extend(page.map(|page| (1 - side, page)));
            queue.push_back((1 - side, Message::Heads { protocol: PROTOCOL, heads: vec![head] }));
        }
    }

    fn deliver(&mut self, side: usize, message: Message, queue: &mut VecDeque<(usize, Message)>) {
        let store = &self.stores[side];
        let peer = DEVICES[1 - side];
        let session = &mut self.sessions[side];
        let mut todo = Todo::default();
        let answer = match message {
            Message::Heads { heads, .. } => {
                todo = session.on_head(heads[0], store).expect("reads");
                None
            }
            Message::Hello(_) | Message::Choose { .. } | Message::Chosen { .. } => {
                panic!("no session says so")
            }
            Message::Keep { documents, .. } => {
                let theirs = documents.map(|ids| Selection::from_bytes(&ids).expect("ours"));
                todo = session.on_keep(theirs.map(Arc::new), store).expect("reads");
                None
            }
            Message::Pull { after, .. } => {
                session.on_pull_asked();
                Some(answer_pull(SPACE, after, peer, session.view(store)))
            }
            Message::List { after, .. } => {
                todo = session.on_list_asked();
                Some(answer_list(SPACE, after, session.view(store)))
            }
            Message::Get { ids, .. } => Some(answer_get(SPACE, &ids, store)),
            Message::Find { ids, .. } => Some(answer_find(SPACE, &ids, store)),
            Message::Sketch { counts, first, length, shard, .. } => {
                session.on_sketch_asked().then(|| match shard {
                    None => answer_sketch(SPACE, &counts, (first, length), session.view(store)),
                    Some(shard) => {
                        let sketch = session.sketch_for_peer(shard, store)?;
                        let of = (store as &dyn EntryStore, sketch.as_ref());
                        Ok(answer_shard(SPACE, &counts, (first, length), of))
                    }
                })
            }
            Message::Symbols { store: epoch, arrivals, run, .. } => {
                todo = session.on_symbols((epoch, arrivals), &run, store).expect("reads");
                None
            }
            Message::Lacking { store: epoch, arrivals, ids, .. } => {
                todo = session.on_lacking((epoch, arrivals), &ids, store).expect("reads");
                None
            }
            Message::Page { store: epoch, after, upto, more, entries, .. } => {
                self.entries += entries.len();
                todo = session.on_page(epoch, after, (upto, more), entries, store).expect("reads");
                None
            }
            Message::Ids { store: epoch, after, upto, more, ids, .. } => {
                todo = session.on_ids(epoch, after, (upto, more), &ids, store).expect("reads");
                None
            }
            Message::Entries { entries, .. } => {
                self.entries += entries.len();
                todo = session.on_entries(entries);
                None
            }
            Message::Receipt(_) | Message::Denied { .. } | Message::Hindered { .. } => {
                panic!("sessions say no such thing")
            }
        };
        if let Some(answer) = answer {
            queue.push_back((1 - side, answer.expect("reads")));
        }
        self.take_on(side, todo, queue);
        self.announce(side, queue);
    }

    fn take_on(&mut self, side: usize, todo: Todo, queue: &mut VecDeque<(usize, Message)>) {
        queue.extend(todo.tell.into_iter().chain(todo.ask).map(|message| (1 - side, message)));
        let Some(Delivery { entries, cursor }) = todo.deliver else {
            return;
        };
        let count = entries.len();
        let entries = entries.into_iter().map(|bytes| VerifiedEntry::read(bytes).expect("good"));
        let kept = self.kept[side].clone();
        let is_kept = |entry: &VerifiedEntry| {
            kept.as_ref().is_none_or(|kept| kept.contains(entry.header().document))
        };
        let entries: Vec<_> = entries.filter(is_kept).collect();
        let refused = entries.len() < count;
        self.append(side, Batch { entries, source: Some(DEVICES[1 - side]), cursor });
        let next = self.sessions[side].on_delivered(refused, &self.stores[side]);
        self.take_on(side, next.expect("reads"), queue);
    }

    fn assert_equal(&self) {
        let [left, right] = &self.stores;
        assert_eq!(left.head().digest, right.head().digest);
        for (session, store) in self.sessions.iter().zip(&self.stores) {
            assert_eq!(session.state(store.head()), PeerState::Equal);
        }
    }
}

fn head_of(store: &MemoryStore) -> Head {
    let StoreHead { epoch, arrivals, digest, .. } = store.head();
    Head { space: SPACE, store: epoch, arrivals, digest, seen: None, part: None }
}

fn store(epoch: u8, entries: &[VerifiedEntry]) -> MemoryStore {
    let mut store = MemoryStore::new(StoreEpoch([epoch; 16]));
    let batch = Batch { entries: entries.to_vec(), ..Batch::default() };
    store.append(&[batch]).expect("memory does not fail");
    store
}

#[test]
fn any_two_stores_become_equal() {
    let all: Vec<VerifiedEntry> = (1..=3).flat_map(|author| entries(author, 40)).collect();
    // Bits of the round say who has which part at the beginning.
    for round in 0..64_usize {
        let part = |which: usize| {
            let has = |at: &usize| (round >> (which * 3 + at % 3)) & 1 == 1;
            let kept: Vec<_> = (0..all.len()).filter(has).map(|at| all[at].clone()).collect();
            kept
        };
        let mut pair = Pair::new([store(1, &part(0)), store(2, &part(1))]);
        pair.run();
        pair.assert_equal();
    }
}

#[test]
fn any_two_stores_become_equal_whatever_their_bundles() {
    let singles: Vec<Vec<VerifiedEntry>> = (1..=3).map(|author| entries(author, 60)).collect();
    let mut all: Vec<VerifiedEntry> = singles.concat();
    for (author, own) in (1..).zip(&singles) {
        let even: Vec<&VerifiedEntry> = own.iter().step_by(2).collect();
        let small = bundle(author, 60, &even[..10]);
        let large = bundle(author, 61, &[&[&small], &even[10..]].concat());
        all.extend([small, large]);
    }
    let union = store(9, &all).head();
    assert_eq!(union.entries, 3 * 31);
    // Bits of the round say who has which part at the beginning.
    for round in (0..256_usize).step_by(5) {
        let part = |which: usize| {
            let has = |at: &usize| (round >> (which * 4 + at % 4)) & 1 == 1;
            let kept: Vec<_> = (0..all.len()).filter(has).map(|at| all[at].clone()).collect();
            kept
        };
        let both = store(9, &[part(0), part(1)].concat()).head();
        let mut pair = Pair::new([store(1, &part(0)), store(2, &part(1))]);
        pair.run();
        pair.assert_equal();
        assert_eq!(pair.stores[0].head().digest, both.digest, "{round}");
    }
    // Whoever has nothing gets what counts, and nothing that it stands for.
    let mut pair = Pair::new([store(1, &all), store(2, &[])]);
    pair.run();
    pair.assert_equal();
    assert_eq!(pair.entries, 3 * 31);
}

#[test]
fn what_is_equal_costs_one_message_each() {
    let all = entries(1, 3_000);
    let mut pair = Pair::new([store(1, &all), store(2, &[])]);
    pair.run();
    pair.assert_equal();
    assert_eq!(pair.entries, all.len(), "nothing is sent twice");
    pair.reconnect();
    pair.messages = 0;
    pair.run();
    pair.assert_equal();
    assert_eq!(pair.messages, 2);
}

#[test]
fn who_keeps_up_is_sent_what_is_new_unasked() {
    let all = entries(1, 400);
    let mut pair = Pair::new([store(1, &all[..10]), store(2, &[])]);
    pair.run();
    let write = |pair: &mut Pair, entries: &[VerifiedEntry]| {
        let batch = Batch { entries: entries.to_vec(), ..Batch::default() };
        pair.stores[0].append(&[batch]).expect("keeps");
        (pair.messages, pair.entries, pair.pushes) = (0, 0, 0);
        pair.run();
        pair.assert_equal();
        (pair.messages, pair.entries, pair.pushes)
    };
    // A page with the head, and the head that it leads to.
    assert_eq!(write(&mut pair, &all[10..11]), (3, 1, 1));
    assert_eq!(write(&mut pair, &all[11..14]), (3, 3, 1));
    // So much is asked for, in the peer's own time.
    assert_eq!(write(&mut pair, &all[14..390]).2, 0);
    assert_eq!(write(&mut pair, &all[390..391]), (3, 1, 1));
    // With a new connection it has to say again how far it is.
    pair.reconnect();
    assert_eq!(write(&mut pair, &all[391..392]).2, 0);
    // What came from the other side does not go back, and what follows still fits.
    let theirs = entries(2, 1);
    pair.stores[1].append(&[Batch { entries: theirs, ..Batch::default() }]).expect("keeps");
    pair.run();
    pair.assert_equal();
    assert_eq!(write(&mut pair, &all[392..393]), (3, 1, 1));
}

#[test]
fn a_page_that_nobody_asked_for_must_go_on_where_we_are() {
    let all = entries(1, 4);
    let [mut here, there] = [store(1, &[]), store(2, &all)];
    let peer = DEVICES[1];
    let epoch = there.head().epoch;
    let cursor = Some(Cursor { epoch, after: 2, has_refused: false });
    let batch = Batch { entries: all[..2].to_vec(), source: Some(peer), cursor };
    here.append(&[batch]).expect("keeps");
    let [mut session, _] = sessions();
    let bytes = |entry: &VerifiedEntry| ByteBuf::from(entry.bytes());
    let mut page = |(epoch, after, upto)| {
        let entries = vec![bytes(&all[2])];
        session.on_page(epoch, after, (upto, false), entries, &here).expect("reads").deliver
    };
    assert_eq!(page((epoch, 3, 4)), None, "a gap");
    assert_eq!(page((epoch, 1, 3)), None, "what is here");
    assert_eq!(page((StoreEpoch([9; 16]), 2, 3)), None, "another copy");
    assert_eq!(page((epoch, 2, 1)), None, "backwards");
    // Each goes on where the one before ended, as many as may wait to be verified.
    for after in 2..2 + u64::from(PAGES_UNVERIFIED_MAX) {
        assert!(page((epoch, after, after + 1)).is_some(), "{after}");
    }
    assert_eq!(page((epoch, 6, 7)), None, "too many at once");
}

#[test]
fn a_copy_that_was_restored_from_a_backup_heals() {
    let all = entries(1, 100);
    let mut pair = Pair::new([store(1, &all), store(2, &[])]);
    pair.run();
    // The same epoch with fewer entries: cursors into it lie.
    pair.stores[0] = store(1, &all[..60]);
    pair.reconnect();
    pair.run();
    pair.assert_equal();
    assert_eq!(pair.stores[0].head().arrivals, 100);
}

#[test]
fn an_answer_to_an_earlier_question_is_not_taken() {
    let all = entries(1, 10);
    let (here, there) = (store(1, &[]), store(2, &all));
    let told = there.head();
    let head = head_of(&there);
    let mut session = session();
    let asked = session.on_head(head, &here).expect("reads").ask;
    assert_eq!(asked, Some(Message::Pull { space: SPACE, after: 0 }));
    let mut page_after =
        |after| session.on_page(told.epoch, after, (10, false), vec![], &here).expect("reads");
    assert_eq!(page_after(7), Todo::default());
    assert!(page_after(0).deliver.is_some());
}
