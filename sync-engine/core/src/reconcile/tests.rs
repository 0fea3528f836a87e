use super::*;
use crate::entry::VerifiedEntry;
use crate::store::{Batch, MemoryStore, conformance::entries};

const SPACE: SpaceId = SpaceId([1; 32]);
const PEER: DeviceId = DeviceId([2; 32]);

#[test]
fn a_peer_that_learns_of_a_space_late_is_told_again() {
    let store = MemoryStore::new(StoreEpoch([3; 16]));
    let mut session = Session::new(SPACE, PEER);
    assert!(session.announce(&store).expect("reads").is_some());
    assert!(session.announce(&store).expect("reads").is_none());
    session.on_denied();
    assert_eq!(session.state(store.head()), PeerState::Denied);
    let theirs = MemoryStore::new(StoreEpoch([4; 16])).head();
    let head = Head {
        space: SPACE,
        store: theirs.epoch,
        arrivals: theirs.arrivals,
        digest: theirs.digest,
        seen: None,
    };
    session.on_head(head, &store).expect("reads");
    assert!(session.announce(&store).expect("reads").is_some());
    assert_eq!(session.state(store.head()), PeerState::Equal);
}

/// Two stores, one session on each side, and the messages between them.
struct Pair {
    stores: [MemoryStore; 2],
    sessions: [Session; 2],
    messages: u64,
    entries: usize,
}

const DEVICES: [DeviceId; 2] = [DeviceId([10; 32]), DeviceId([11; 32])];

impl Pair {
    fn new(stores: [MemoryStore; 2]) -> Self {
        let sessions = [Session::new(SPACE, DEVICES[1]), Session::new(SPACE, DEVICES[0])];
        Self { stores, sessions, messages: 0, entries: 0 }
    }

    fn reconnect(&mut self) {
        self.sessions = [Session::new(SPACE, DEVICES[1]), Session::new(SPACE, DEVICES[0])];
    }

    /// Runs until nobody has anything to say.
    fn run(&mut self) {
        let mut queue = VecDeque::new();
        for side in 0..2 {
            self.announce(side, &mut queue);
        }
        while let Some((side, message)) = queue.pop_front() {
            self.messages += 1;
            assert!(self.messages < 10_000, "the two talk forever");
            let message = Message::decode(&message.encode()).expect("ours");
            self.deliver(side, message, &mut queue);
        }
    }

    fn announce(&mut self, side: usize, queue: &mut VecDeque<(usize, Message)>) {
        if self.sessions[side].is_busy() {
            return;
        }
        if let Some(head) = self.sessions[side].announce(&self.stores[side]).expect("reads") {
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
            Message::Pull { after, .. } => Some(answer_pull(SPACE, after, peer, store)),
            Message::List { after, .. } => Some(answer_list(SPACE, after, store)),
            Message::Get { ids, .. } => Some(answer_get(SPACE, &ids, store)),
            Message::Page { store: epoch, after, upto, more, entries, .. } => {
                self.entries += entries.len();
                todo = session.on_page(epoch, after, (upto, more), entries);
                None
            }
            Message::Ids { after, upto, more, ids, .. } => {
                todo = session.on_ids(after, (upto, more), &ids, store).expect("reads");
                None
            }
            Message::Entries { entries, .. } => {
                self.entries += entries.len();
                todo = session.on_entries(entries);
                None
            }
            Message::Denied { .. } => panic!("nobody denies"),
        };
        if let Some(answer) = answer {
            queue.push_back((1 - side, answer.expect("reads")));
        }
        self.take_on(side, todo, queue);
        self.announce(side, queue);
    }

    fn take_on(&mut self, side: usize, todo: Todo, queue: &mut VecDeque<(usize, Message)>) {
        queue.extend(todo.ask.map(|message| (1 - side, message)));
        let Some(Delivery { entries, cursor }) = todo.deliver else {
            return;
        };
        let entries = entries.into_iter().map(|bytes| VerifiedEntry::read(bytes).expect("good"));
        let batch = Batch { entries: entries.collect(), source: Some(DEVICES[1 - side]), cursor };
        self.stores[side].append(&[batch]).expect("memory does not fail");
        let next = self.sessions[side].on_delivered(false, &self.stores[side]);
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
    let head = Head {
        space: SPACE,
        store: told.epoch,
        arrivals: told.arrivals,
        digest: told.digest,
        seen: None,
    };
    let mut session = Session::new(SPACE, PEER);
    let asked = session.on_head(head, &here).expect("reads").ask;
    assert_eq!(asked, Some(Message::Pull { space: SPACE, after: 0 }));
    let stale = session.on_page(told.epoch, 7, (10, false), vec![]);
    assert_eq!(stale, Todo::default());
    let right = session.on_page(told.epoch, 0, (10, false), vec![]);
    assert!(right.deliver.is_some());
}
