//! Copies that compare sketches, and when they do not.

use super::*;

/// Two copies of `count` entries that never met, of which each lacks some of the other's.
pub(super) fn apart(count: u64, (left, right): (usize, usize)) -> Pair {
    let all: Vec<VerifiedEntry> = (1..=4).flat_map(|author| entries(author, count / 4)).collect();
    let mut reversed: Vec<VerifiedEntry> = all[left..].to_vec();
    reversed.reverse();
    Pair::new([store(1, &all[..all.len() - right]), store(2, &reversed)])
}

/// Once equal, each knows a place to go on from.
pub(super) fn assert_goes_on(pair: &mut Pair) {
    let more = entries(9, 1);
    pair.stores[0].append(&[Batch { entries: more, ..Batch::default() }]).expect("keeps");
    (pair.entries, pair.lists) = (0, 0);
    pair.run();
    pair.assert_equal();
    assert_eq!((pair.entries, pair.lists), (1, 0));
}

#[test]
fn strangers_who_have_almost_the_same_compare_sketches() {
    for (left, right) in [(1, 0), (0, 1), (1, 1), (7, 3), (0, 300), (250, 260)] {
        let mut pair = apart(4_000, (left, right));
        pair.run();
        pair.assert_equal();
        assert_eq!(pair.entries, left + right, "nothing is sent that was there");
        assert_eq!(pair.lists, 0, "{left} {right}");
        assert_goes_on(&mut pair);
    }
}

#[test]
fn one_difference_costs_two_round_trips_and_little() {
    let mut pair = apart(4_000, (0, 1));
    pair.run();
    pair.assert_equal();
    assert!(pair.overhead_bytes <= 2_200, "{} bytes, both heads included", pair.overhead_bytes);
    // Heads, the two asks of which one is dropped, symbols, what is lacking, find, entries,
    // and the heads of what came of it.
    assert!(pair.messages <= 11, "{}", pair.messages);
}

#[test]
fn where_a_sketch_does_not_pay_ids_are_listed() {
    for (count, left, right) in [(28, 3, 3), (4_000, 900, 900), (8_000, 0, 2_000)] {
        let mut pair = apart(count, (left, right));
        pair.run();
        pair.assert_equal();
        assert!(pair.lists > 0, "{count}");
        assert_eq!(pair.entries, left + right);
    }
}

#[test]
fn symbols_that_are_none_end_in_a_list() {
    let all = entries(1, 400);
    let (here, there) = (store(1, &all[..300]), store(2, &all[100..]));
    let told = there.head();
    let head = head_of(&there);
    for run in [&b""[..], &[0xff; 40], &[0; 3]] {
        let mut session = session();
        let asked = session.on_head(head, &here).expect("reads").ask;
        assert!(matches!(asked, Some(Message::Sketch { .. })), "{asked:?}");
        let todo = session.on_symbols((told.epoch, told.arrivals), run, &here).expect("reads");
        assert!(matches!(todo.ask, Some(Message::List { .. })), "{todo:?}");
    }
    // Nobody asked.
    let mut session = session();
    let todo = session.on_symbols((told.epoch, 7), b"", &here).expect("reads");
    assert_eq!(todo, Todo::default());
}
