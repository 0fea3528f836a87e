//! Copies that differ by more than one sketch decodes.

use super::{
    sketches::{apart, assert_goes_on},
    *,
};
use crate::sketch::Shard;

#[test]
fn copies_that_differ_by_much_are_compared_by_shards() {
    // In four shards; with some of them split; and by sizes that say so at once.
    for (left, right) in [(1_000, 1_000), (2_900, 2_900), (0, 1_500)] {
        let mut pair = apart(12_000, (left, right));
        pair.run();
        pair.assert_equal();
        assert_eq!((pair.entries, pair.lists), (left + right, 0), "{left} {right}");
        // 43 bytes of symbols and 32 of short ids for each, and a little for each shard; a
        // list takes 768,000.
        let bytes = pair.overhead_bytes;
        assert!(bytes < 100 * (left + right) + 20_000, "{left} {right}: {bytes}");
        assert_goes_on(&mut pair);
    }
}

#[test]
fn what_is_written_meanwhile_arrives_all_the_same() {
    let mut pair = apart(12_000, (1_000, 1_000));
    let later = entries(9, 40);
    let mut queue = VecDeque::new();
    (0..2).for_each(|side| pair.announce(side, &mut queue));
    let mut written = 0;
    while let Some((side, message)) = queue.pop_front() {
        if matches!(message, Message::Symbols { .. }) && written < later.len() {
            let entries = later[written..written + 2].to_vec();
            pair.append(1 - side, Batch { entries, ..Batch::default() });
            written += 2;
        }
        let message = Message::decode(&message.encode()).expect("ours");
        pair.deliver(side, message, &mut queue);
    }
    assert!(written >= 8, "{written}");
    pair.run();
    pair.assert_equal();
    assert_eq!(pair.stores[0].head().entries, 12_000 + written as u64);
}

#[test]
fn who_knows_no_shards_is_asked_for_a_list() {
    let able = Capabilities::of(&[Capability::Pushes.number(), Capability::Sketches.number()]);
    let mut pair = apart(12_000, (1_000, 1_000));
    pair.sessions.iter_mut().for_each(|session| session.enable(able));
    pair.run();
    pair.assert_equal();
    assert!(pair.lists > 0);
    let here = &pair.stores[0];
    let shard = Shard::all(2).next().expect("four");
    let sketch = pair.sessions[0].sketch_for_peer(shard, here).expect("reads");
    assert_eq!(sketch, None);
}

#[test]
fn a_peer_whose_answers_never_do_ends_in_a_list() {
    let pair = apart(8_000, (10, 10));
    let [here, there] = &pair.stores;
    let told = there.head();
    let mut session = session();
    let mut todo = session.on_head(head_of(there), here).expect("reads");
    let mut questions = 0;
    while matches!(todo.ask, Some(Message::Sketch { .. })) {
        questions += 1;
        assert!(questions <= 1_100, "it asks for ever");
        let Message::Symbols { run, .. } = answer_shard(SPACE, &[], (0, 0), (there, None)) else {
            panic!("symbols, if none");
        };
        todo = session.on_symbols((told.epoch, told.arrivals), &run, here).expect("reads");
    }
    assert!(matches!(todo.ask, Some(Message::List { .. })), "{todo:?}");
    assert!(questions > 4, "it tried");
}

#[test]
fn a_peer_has_no_more_looked_at_than_a_comparison_takes() {
    let here = store(1, &entries(1, 8_000));
    let mut session = session();
    let shard = Shard::all(0).next().expect("all");
    let mut looks = 0;
    while session.sketch_for_peer(shard, &here).expect("reads").is_some() {
        looks += 1;
        assert!(looks <= 200, "it looks for ever");
    }
    assert!(looks > 3, "{looks}");
}
