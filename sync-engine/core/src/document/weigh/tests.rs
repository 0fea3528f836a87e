use std::collections::BTreeMap;

use automerge::{ActorId, AutoCommit, ObjType, ROOT, ScalarValue, transaction::Transactable};

use super::super::crafted::{
    self, columns,
    forge::{self, Column, Forged, action, column},
};
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
        total += weight.operations;
        assert_eq!(compressed, Weight { kind, ..weight });
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

fn replaced(mut forged: Forged, column: u64, content: Column) -> Forged {
    forged.columns.retain(|(other, _)| *other != column);
    forged.with(column, content)
}

/// A map or list at the root, and something in it.
fn nested(make: u64, object: u64, key: (u64, Column), is_insert: bool) -> Forged {
    let inside = Column::default().nulls(1).run(1, 0);
    let forged = replaced(columns::sets(Forged::by(1), 2, action::SET), column::ACTION, {
        Column::default().run(1, make).run(1, action::SET)
    });
    let forged = forged
        .with(column::OBJECT_ACTOR, inside)
        .with(column::OBJECT_COUNTER, Column::default().nulls(1).run(1, object))
        .with(column::KEY_NAME, Column::default().text(1, b"in"));
    let inserts = if is_insert { Column::default().truths(&[1, 1]) } else { Column::default() };
    let forged = replaced(forged, column::INSERT, inserts);
    replaced(forged, key.0, key.1)
}

#[test]
fn operations_that_refer_to_what_cannot_be_there_are_malformed() {
    let head = || (column::KEY_COUNTER, Column::default().nulls(1).steps(1, 0));
    let key = || (column::KEY_NAME, Column::default().text(2, b"in"));
    let element = |number| (column::KEY_COUNTER, Column::default().nulls(1).steps(1, number));
    let of_own = || Column::default().nulls(1).run(1, 0);
    let good = [
        nested(action::MAKE_LIST, 1, head(), true),
        nested(action::MAKE_TEXT, 1, head(), true),
        nested(action::MAKE_MAP, 1, key(), false),
        nested(action::MAKE_LIST, 1, element(1), true).with(column::KEY_ACTOR, of_own()),
    ];
    for forged in good {
        assert!(weigh(&forged.bytes()).is_ok(), "{forged:?}");
    }
    let set = || columns::one_key(Forged::by(1), 1, b"x");
    let preceded = |number| {
        replaced(set(), column::PREDECESSORS, Column::default().run(1, 1))
            .with(column::PREDECESSOR_ACTOR, Column::default().run(1, 0))
            .with(column::PREDECESSOR_COUNTER, Column::default().steps(1, number))
    };
    let inserting = |forged| replaced(forged, column::INSERT, Column::default().truths(&[0, 1]));
    let mut head_of_root =
        inserting(set()).with(column::KEY_COUNTER, Column::default().steps(1, 0));
    head_of_root.columns.retain(|(column, _)| *column != column::KEY_NAME);
    let mut unnamed = set();
    unnamed.columns.retain(|(column, _)| *column != column::KEY_NAME);
    let deletes = Column::default().run(1, action::MAKE_LIST).run(1, 3);
    let bad = [
        ("elements of a map", nested(action::MAKE_MAP, 1, head(), true)),
        ("keys of a list", nested(action::MAKE_LIST, 1, key(), false)),
        ("an object that it makes itself", nested(action::MAKE_LIST, 2, head(), true)),
        ("an object that comes later", nested(action::MAKE_LIST, 9, head(), true)),
        ("an object that is none", nested(action::SET, 1, key(), false)),
        ("a value at the head", nested(action::MAKE_LIST, 1, head(), false)),
        (
            "an element that comes later",
            nested(action::MAKE_LIST, 1, element(7), true).with(column::KEY_ACTOR, of_own()),
        ),
        ("an element of nobody", nested(action::MAKE_LIST, 1, element(1), true)),
        ("elements of the root", head_of_root),
        ("an insertion by a key", inserting(set())),
        (
            "an insertion that deletes",
            replaced(nested(action::MAKE_LIST, 1, head(), true), column::ACTION, deletes),
        ),
        ("what comes later is replaced", preceded(5)),
        ("it replaces itself", preceded(1)),
        ("neither key nor element", unnamed),
        ("both key and element", set().with(column::KEY_COUNTER, Column::default().steps(1, 0))),
    ];
    for (what, forged) in bad {
        assert_eq!(weigh(&forged.bytes()), Err(Flaw::Malformed), "{what}");
    }
}
