use std::collections::BTreeMap;

use automerge::{ActorId, AutoCommit, ObjType, ROOT, ScalarValue, transaction::Transactable};

use super::super::hostile::{crafted, forge};
use super::*;

/// A document that Automerge wrote with all that it can do, and its operations.
fn written() -> AutoCommit {
    let mut auto = AutoCommit::new().with_actor(ActorId::from([1; 16]));
    let list = auto.put_object(ROOT, "list", ObjType::List).expect("a good edit");
    for at in 0..300 {
        auto.insert(&list, at, format!("item {at}")).expect("a good edit");
    }
    auto.commit();
    let text = auto.put_object(ROOT, "text", ObjType::Text).expect("a good edit");
    auto.splice_text(&text, 0, 0, &"words ".repeat(200)).expect("a good edit");
    auto.put(ROOT, "counter", ScalarValue::counter(1)).expect("a good edit");
    auto.commit();
    auto.increment(ROOT, "counter", 5).expect("a good edit");
    auto.put(ROOT, "list", 7).expect("a good edit");
    auto.splice_text(&text, 10, 50, "").expect("a good edit");
    auto.commit();
    auto
}

#[test]
fn what_automerge_writes_weighs_what_it_is() {
    let mut auto = written();
    let mut total = 0;
    for change in auto.get_changes(&[]) {
        let weight = weigh(change.raw_bytes()).expect("it is well formed");
        assert_eq!(weight.operations, change.len() as u64);
        assert_eq!(weight.dependencies, change.deps().len() as u64);
        assert_eq!(weight.actors, change.actors().count() as u64);
        let compressed = weigh(&change.clone().bytes()).expect("it is well formed");
        let kind = if change.raw_bytes().len() > 256 {
            ChunkKind::CompressedChange
        } else {
            ChunkKind::Change
        };
        assert_eq!(compressed, Weight { kind, ..weight });
        total += weight.operations;
    }
    let saved = weigh(&auto.save()).expect("it is well formed");
    assert_eq!((saved.kind, saved.changes, saved.actors), (ChunkKind::Document, 3, 1));
    // An increment, a replacement: each has a row and stands in another one's group.
    assert!((total..=total + 2).contains(&saved.operations), "{} of {total}", saved.operations);
}

#[test]
fn what_is_cut_or_goes_on_is_malformed() {
    let mut auto = written();
    let change = auto.get_changes(&[]).remove(2);
    for end in 0..change.raw_bytes().len() {
        assert_eq!(weigh(&change.raw_bytes()[..end]), Err(Flaw::Malformed));
    }
    let longer = [change.raw_bytes(), &[0]].concat();
    assert_eq!(weigh(&longer), Err(Flaw::Malformed));
}

/// The measure that a chunk is too heavy by.
fn too_heavy(chunk: &[u8]) -> Option<Measure> {
    match weigh(chunk) {
        Err(Flaw::TooHeavy(reason)) => Some(reason.what),
        Ok(_) | Err(Flaw::Malformed) => None,
    }
}

#[test]
fn bombs_are_named_by_what_they_are() {
    let zeros = crafted::deflated(&vec![0; 11 << 20]);
    assert_eq!(too_heavy(&forge::chunk(2, &zeros)), Some(Measure::InflatedBytes));
    assert_eq!(too_heavy(&crafted::document(&zeros)), Some(Measure::InflatedBytes));
    // Zero, zero: a run of no nulls. A million of them are nothing.
    let nothing = crafted::deflated(&vec![0; 1 << 20]);
    assert_eq!(weigh(&crafted::document(&nothing)).map(|weight| weight.operations), Ok(0));
    let bomb = forge::Column::default().run(1 << 40, 1);
    let document = crafted::document(&crafted::deflated(&bomb.0));
    assert_eq!(too_heavy(&document), Some(Measure::Operations));
    let mut found = BTreeMap::<Measure, usize>::new();
    for crafted in crafted::all() {
        for measure in crafted.changes.iter().filter_map(|chunk| too_heavy(chunk)) {
            *found.entry(measure).or_default() += 1;
        }
    }
    let all = [
        Measure::InflatedBytes,
        Measure::Operations,
        Measure::Predecessors,
        Measure::Actors,
        Measure::ActorBytes,
        Measure::Dependencies,
        Measure::NameBytes,
        Measure::Columns,
        Measure::Counter,
    ];
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), all);
}
