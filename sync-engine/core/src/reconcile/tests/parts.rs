//! Sessions in which a side keeps a part of the space.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::{
    part::{Part, SELECTED_MAX},
    store::conformance::entries_in,
};

fn selection(documents: impl IntoIterator<Item = u8>) -> Arc<Selection> {
    let documents = documents.into_iter().map(|number| DocumentId([number; 16])).collect();
    Arc::new(Selection::new(documents).expect("they are few"))
}

/// The ids of those entries of a store that belong to some documents.
fn ids_of(store: &MemoryStore, keeps: impl Fn(DocumentId) -> bool) -> BTreeSet<EntryId> {
    let places = store.places(0, usize::MAX).expect("reads");
    places.into_iter().filter(|(.., document)| keeps(*document)).map(|(_, id, _)| id).collect()
}

impl Pair {
    fn keeps(&self, side: usize) -> impl Fn(DocumentId) -> bool {
        let kept = self.kept[side].clone();
        move |document| kept.as_ref().is_none_or(|kept| kept.contains(document))
    }

    /// Both say that they are equal, and in what both keep they are.
    fn assert_parts_equal(&self, round: u64) {
        let both = |document| self.keeps(0)(document) && self.keeps(1)(document);
        let (left, right) = (ids_of(&self.stores[0], both), ids_of(&self.stores[1], both));
        assert_eq!(left, right, "{round}");
        for (session, store) in self.sessions.iter().zip(&self.stores) {
            assert_eq!(session.state(store.head()), PeerState::Equal, "{round}");
        }
    }
}

/// Entries of three authors in five documents, with a bundle for some of each author's.
fn world() -> Vec<VerifiedEntry> {
    let singles: Vec<Vec<VerifiedEntry>> =
        (1..=3).map(|author| entries_in(author, 60, 5)).collect();
    let mut all = singles.concat();
    for (author, own) in (1..).zip(&singles) {
        let of_one: Vec<&VerifiedEntry> = own.iter().step_by(5).collect();
        let small = bundle(author, 60, &of_one[..4]);
        let large = bundle(author, 61, &[&[&small], &of_one[4..]].concat());
        all.extend([small, large]);
    }
    all
}

fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    random.next_u32() as usize % end
}

fn any_selection(random: &mut ChaCha8Rng) -> Option<Arc<Selection>> {
    let bits = below(random, 64);
    (bits < 48).then(|| selection((0..5).filter(|document| (bits >> document) & 1 == 1)))
}

#[test]
fn any_two_stores_become_equal_in_what_both_keep() {
    let all = world();
    for round in 0..60 {
        let random = &mut ChaCha8Rng::seed_from_u64(round);
        let mut part = || {
            let share = below(random, 11);
            let mut some: Vec<VerifiedEntry> =
                all.iter().filter(|_| below(random, 10) < share).cloned().collect();
            let turn = below(random, some.len() + 1);
            some.rotate_left(turn);
            some
        };
        let mut pair = Pair::new([store(1, &part()), store(2, &part())]);
        let mut late = part();
        for _ in 0..4 {
            let kept = [any_selection(random), any_selection(random)];
            pair.keep(kept);
            pair.run();
            pair.assert_parts_equal(round);
            let side = below(random, 2);
            let count = below(random, late.len() + 1);
            let entries: Vec<_> = late.drain(..count).collect();
            pair.append(side, Batch { entries, ..Batch::default() });
            if below(random, 3) == 0 {
                pair.reconnect();
            }
            pair.run();
            pair.assert_parts_equal(round);
        }
        let before: Vec<_> = pair.stores.iter().map(|store| ids_of(store, |_| true)).collect();
        pair.keep([None, None]);
        pair.run();
        pair.assert_equal();
        let union = ids_of(&store(9, &stored(&pair.stores)), |_| true);
        assert_eq!(ids_of(&pair.stores[0], |_| true), union, "{round}: {}", before.len());
    }
}

fn stored(stores: &[MemoryStore]) -> Vec<VerifiedEntry> {
    let pages =
        stores.iter().map(|store| store.arrivals(0, usize::MAX, usize::MAX).expect("reads"));
    let read = |bytes| VerifiedEntry::from_storage(bytes).expect("good");
    pages.flatten().map(|arrival| read(arrival.bytes)).collect()
}

#[test]
fn what_one_side_does_not_keep_is_not_sent() {
    let all = entries_in(1, 2_000, 50);
    let mut pair = Pair::new([store(1, &all), store(2, &[])]);
    pair.keep([None, Some(selection([3, 7]))]);
    pair.run();
    pair.assert_parts_equal(0);
    assert_eq!((pair.entries, pair.stores[1].head().entries), (80, 80));
    // Idle stays one message each, beside the one that says what is kept, and another head of
    // whoever did not know that yet.
    pair.messages = 0;
    pair.reconnect();
    pair.run();
    pair.assert_parts_equal(0);
    assert!(pair.messages <= 4, "{}", pair.messages);
    // What comes to other documents is not even announced.
    pair.messages = 0;
    let more = entries_in(2, 50, 50);
    let others: Vec<_> = more.iter().filter(|it| it.header().document.0[0] != 3).cloned().collect();
    let own: Vec<_> = more.iter().filter(|it| it.header().document.0[0] == 3).cloned().collect();
    let others = others.into_iter().filter(|it| it.header().document.0[0] != 7).collect();
    pair.append(0, Batch { entries: others, ..Batch::default() });
    pair.run();
    assert_eq!(pair.messages, 0);
    // What comes to one of them follows by cursor.
    pair.append(0, Batch { entries: own, ..Batch::default() });
    (pair.entries, pair.lists) = (0, 0);
    pair.run();
    pair.assert_parts_equal(0);
    assert_eq!((pair.entries, pair.lists), (1, 0));
    // And goes before its head, to a peer that keeps up.
    let third = entries_in(3, 50, 50);
    let own = third.iter().filter(|it| it.header().document.0[0] == 3).cloned().collect();
    (pair.entries, pair.messages, pair.pushes) = (0, 0, 0);
    pair.append(0, Batch { entries: own, ..Batch::default() });
    pair.run();
    pair.assert_parts_equal(0);
    assert_eq!((pair.entries, pair.messages, pair.pushes), (1, 3, 1));
    // Everything again: the rest follows, once.
    pair.entries = 0;
    pair.keep([None, None]);
    pair.run();
    pair.assert_equal();
    assert_eq!(pair.entries, 2_050 - 82);
}

#[test]
fn large_parts_compare_sketches_and_read_in_pages() {
    let all: Vec<VerifiedEntry> = (1..=4).flat_map(|author| entries_in(author, 1_600, 3)).collect();
    let mut pair = Pair::new([store(1, &all), store(2, &all[..all.len() - 6])]);
    pair.keep([Some(selection([0, 1])), None]);
    pair.run();
    pair.assert_parts_equal(0);
    assert_eq!((pair.entries, pair.lists), (4, 0), "the difference and nothing else");
    // More than a page of ids: an empty copy reads them by place.
    let mut pair = Pair::new([store(1, &all), store(2, &[])]);
    pair.keep([None, Some(selection([0, 1]))]);
    pair.run();
    pair.assert_parts_equal(0);
    assert_eq!((pair.entries, pair.lists), (4_268, 0));
}

#[test]
fn a_head_of_another_part_is_not_compared() {
    let all = entries_in(1, 40, 2);
    let (here, there) = (store(1, &all[..1]), store(2, &all[..1]));
    let [mut session, mut other] = sessions();
    session.keep(Some(&selection([0])), &here).expect("reads");
    let head = other.announce(&there).expect("reads").expect("it is new");
    assert_eq!(session.on_head(head, &here).expect("reads"), Todo::default());
    session.announce(&here).expect("reads");
    // Their one entry is of the document, so the sets are even equal.
    assert_eq!(session.state(here.head()), PeerState::Unknown);
}

#[test]
fn a_part_is_kept_as_the_store_changes() {
    let all = world();
    let mut pair = Pair::new([store(1, &[]), store(2, &[])]);
    pair.keep([Some(selection([0, 2])), None]);
    pair.sessions[0].view(&pair.stores[0]).sketch().expect("reads");
    for some in all.chunks(7) {
        pair.append(0, Batch { entries: some.to_vec(), ..Batch::default() });
        let kept = &pair.stores[0];
        let anew = Part::of(selection([0, 2]), kept).expect("reads");
        let (own, new) = (pair.sessions[0].own(kept.head()), anew.head(kept.head().epoch));
        assert_eq!((own.digest, own.entries, own.epoch), (new.digest, new.entries, new.epoch));
        let sketch = pair.sessions[0].view(kept).sketch().expect("reads");
        assert_eq!(sketch, anew.sketch(kept).expect("reads"));
    }
}

#[test]
fn crafted_selections_are_refused_or_cost_little() {
    let encode = |bytes: Vec<u8>| {
        Message::Keep { space: SPACE, documents: Some(ByteBuf::from(bytes)) }.encode()
    };
    let twice = [[1; 16], [1; 16]].concat();
    let backwards = [[2; 16], [1; 16]].concat();
    let too_many: Vec<u8> =
        (0..=SELECTED_MAX as u128).flat_map(|number| number.to_be_bytes()).collect();
    for bad in [vec![1; 15], twice, backwards, too_many] {
        assert!(Message::decode(&encode(bad)).is_err());
    }
    assert!(Message::decode(&encode(vec![])).is_ok(), "nothing is a selection, too");

    // Whoever changes its mind again and again is not followed for ever.
    let all = entries_in(1, 4_000, 2);
    let kept = store(1, &all);
    let [mut session, _] = sessions();
    let followed = |session: &Session, round| {
        session.view(&kept).head().digest
            == Part::of(selection([round]), &kept).expect("reads").head(kept.head().epoch).digest
    };
    let mut last = 0;
    for round in 0..100 {
        last = round % 2;
        session.on_keep(Some(selection([last])), &kept).expect("reads");
    }
    let before = session.view(&kept).head();
    session.on_keep(Some(selection([1 - last])), &kept).expect("reads");
    assert_eq!(session.view(&kept).head(), before);
    session.restart();
    session.on_keep(Some(selection([0])), &kept).expect("reads");
    session.on_keep(Some(selection([1])), &kept).expect("reads");
    assert!(followed(&session, 1), "until it starts over");
}
