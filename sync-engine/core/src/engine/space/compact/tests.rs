use node_model::Epoch;

use super::*;
use crate::engine::testing::{DOCUMENT, Node, SPACE, lying_bundle};
use crate::{patch::PatchOp, store::StoreEpoch};

#[test]
fn what_one_wrote_becomes_one_entry_and_reads_the_same() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(40);
    let singles = ada.stored();
    assert_eq!(ada.engine.take_written(), [(SPACE, DOCUMENT, 41)]);
    let compacted = ada.compact(false).expect("it is worth it");
    assert_eq!((compacted.entries, compacted.changes), (41, 41));
    assert!(compacted.bundle_bytes * 8 < compacted.entry_bytes, "{compacted:?}");
    assert_eq!(ada.engine.head(SPACE).map(|head| (head.entries, head.arrivals)), Some((1, 42)));
    assert_eq!(ada.compact(false), None, "there is nothing more to do");
    assert!(ada.engine.take_written().is_empty(), "a bundle is no change");
    let value = ada.value();

    // Whoever had them all, whoever had some, and whoever had none.
    let bundle = ada.stored();
    for had in [41, 17, 0] {
        let mut ben = Node::new(2, &singles[..had]);
        ben.take(bundle.clone());
        assert_eq!(ben.value(), value, "{had}");
        assert_eq!(ben.engine.head(SPACE).map(|head| head.entries), Some(1));
        ben.add(1);
        ada.take(ben.stored());
        assert_eq!(ada.value(), ben.value());
    }
}

#[test]
fn bundles_grow_and_stay_few() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    let mut written = 0;
    for _ in 0..60 {
        ada.add(16);
        written += ada.compact(false).map_or(0, |compacted| compacted.entries);
        assert!(ada.stored().len() <= 3);
    }
    assert!(written < 60 * 19, "{written} entries were bundled for 960 changes");
    assert_eq!(ada.stored().len(), 1, "a small document is one bundle");
    let mut ben = Node::new(2, &ada.stored());
    assert_eq!(ben.value(), ada.value());
}

#[test]
fn only_what_one_wrote_oneself_is_bundled() {
    let (mut ada, mut ben) = (Node::new(1, &[]), Node::new(2, &[]));
    ada.begin();
    ben.take(ada.stored());
    for _ in 0..10 {
        ada.add(2);
        ben.take(ada.stored());
        ben.add(2);
        ada.take(ben.stored());
    }
    let before = ada.stored().len();
    assert_eq!(ada.compact(false).map(|compacted| compacted.entries), Some(21));
    assert_eq!(ada.stored().len(), before - 20);
    ben.take(ada.stored());
    assert_eq!(ben.compact(false).map(|compacted| compacted.entries), Some(20));
    ada.take(ben.stored());
    let heads = [&ada, &ben].map(|node| node.engine.head(SPACE).expect("open").digest);
    assert_eq!(heads[0], heads[1]);
    let mut cyd = Node::new(3, &ada.stored());
    assert_eq!(ada.stored().len(), 2);
    assert_eq!([cyd.value(), ben.value()], [ada.value(), ada.value()]);
}

#[test]
fn a_device_that_was_set_back_loses_nothing_to_its_bundles() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    let backup = ada.stored();
    ada.add(5);
    let lost = ada.stored();
    // It numbers its entries anew, like those that it lost.
    let mut again = Node::in_run(1, [9; 16], &backup);
    again.add(7);
    again.compact(false).expect("it is worth it");
    let mut ben = Node::new(2, &lost);
    ben.take(again.stored());
    assert_eq!(ben.engine.head(SPACE).map(|head| head.entries), Some(1 + 5));
    again.take(ben.stored());
    assert_eq!(again.value(), ben.value());
    assert_eq!(again.value()["list"].as_array().map(Vec::len), Some(12));
}

#[test]
fn a_history_that_newcomers_may_not_read_is_bundled_by_key() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(5);
    ada.use_epoch(Epoch(2));
    ada.add(5);
    assert_eq!(ada.compact(true).map(|compacted| compacted.entries), Some(5));
    let of_bundles = |entry: &VerifiedEntry| {
        (entry.header().kind == EntryKind::Bundle).then_some(entry.header().epoch)
    };
    let epochs: Vec<Epoch> = ada.stored().iter().filter_map(of_bundles).collect();
    assert_eq!(epochs, [Epoch(2)]);
    assert_eq!(ada.stored().len(), 7, "six of the first epoch and the bundle");
}

#[test]
fn what_a_lying_bundle_left_out_is_found_where_it_was_kept() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(6);
    let singles = ada.stored();
    let value = ada.value();
    let lie = lying_bundle(&singles, 3);
    let mut ben = Node::new(2, &singles);
    ben.add(1);
    let with_own = ben.value();
    ben.take(vec![lie]);
    let stored = ben.stored();
    assert_eq!(stored.len(), 2);
    // Loaded anew, with the superseded ones.
    ben.use_epoch(Epoch(3));
    assert_eq!(ben.value(), with_own);
    assert_ne!(with_own, value);
}

/// Whoever makes a counter makes the same change; it is in the bundle of each who did.
#[test]
fn a_change_that_two_made_is_in_the_bundles_of_both() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    let mut ben = Node::new(2, &ada.stored());
    let count = |node: &mut Node| {
        let add = PatchOp::Increment { path: "/n".into(), by: 1 };
        node.write(|engine, writer| engine.patch(writer, SPACE, DOCUMENT, &[add]))
            .expect("a counter");
    };
    count(&mut ada);
    ada.add(4);
    count(&mut ben);
    for when_ben_comes in 0..3 {
        let mut ada = Node::new(1, &ada.stored());
        for round in 0..3 {
            if round == when_ben_comes {
                ada.take(ben.stored());
            }
            ada.add(8);
            ada.compact(false).expect("it is worth it");
        }
        // Without the one of Ben's that made it.
        let of_ben = ben.signer.device();
        let mut others = ada.stored();
        others.retain(|entry| entry.header().author != of_ben || entry.header().sequence > 0);
        assert_eq!(others.len() + 1, ada.stored().len(), "{when_ben_comes}");
        let value = Node::new(3, &others).value();
        assert_eq!(value["n"], 2, "{when_ben_comes}");
        assert_eq!(value["list"].as_array().map(Vec::len), Some(4 + 24), "{when_ben_comes}");
    }
}

/// Node 1 with a document, and a bundle of it that a worker makes.
fn being_made() -> (Node, MadeBundle) {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(9);
    let order = ada.engine.bundle_order(SPACE, DOCUMENT, false).expect("it is there");
    let made = order.expect("it is worth it").make();
    (ada, made)
}

impl Node {
    fn take_made(&mut self, made: MadeBundle) -> Option<Compacted> {
        self.write(|engine, writer| engine.take_bundle(writer, made)).expect("it is there")
    }
}

#[test]
fn what_is_written_while_a_bundle_is_made_stays_beside_it() {
    let (mut ada, made) = being_made();
    ada.add(3);
    let value = ada.value();
    assert_eq!(ada.take_made(made).map(|compacted| compacted.entries), Some(10));
    assert_eq!(ada.stored().len(), 4, "the bundle and three changes");
    assert_eq!(ada.compact(false).map(|compacted| compacted.entries), Some(4));
    let mut ben = Node::new(2, &ada.stored());
    assert_eq!([ada.value(), ben.value()], [value.clone(), value]);
}

#[test]
fn a_bundle_that_does_not_fit_any_more_is_dropped() {
    // Another one was faster.
    let (mut ada, made) = being_made();
    ada.compact(false).expect("it is worth it");
    assert_eq!((ada.take_made(made), ada.stored().len()), (None, 1));

    // There is a new key, for which it may hold too much.
    let (mut ben, made) = being_made();
    ben.use_epoch(Epoch(2));
    assert_eq!((ben.take_made(made), ben.stored().len()), (None, 10));

    // The document is purged, or removed.
    let (mut cyd, made) = being_made();
    cyd.engine.purge(SPACE, &[DOCUMENT].into(), StoreEpoch([9; 16])).expect("memory");
    assert_eq!((cyd.take_made(made), cyd.stored().len()), (None, 0));
    let (mut dan, made) = being_made();
    dan.write(|engine, writer| engine.remove_document(writer, SPACE, DOCUMENT)).expect("is there");
    assert_eq!(dan.take_made(made), None);
}
