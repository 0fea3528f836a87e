use serde_json::{Value, json};

use super::*;
use crate::document::tests::{Replica, filled};

impl Replica {
    /// Adds to counters, as the engine does.
    fn add(&mut self, path: &str, by: i64) {
        self.try_add(path, by).expect("it can be added");
    }

    fn try_add(&mut self, path: &str, by: i64) -> Result<(), DocumentError> {
        let operations = [PatchOp::Increment { path: path.to_owned(), by }];
        for made in self.document.make_counters(&operations)? {
            self.carry(made.change, made.bytes);
        }
        self.document.patch(&operations)?;
        self.commit(1);
        Ok(())
    }
}

/// Two devices with the same document, apart from now on.
fn apart(value: &Value) -> [Replica; 2] {
    let first = filled(value);
    [2, 3].map(|device| {
        let mut replica = Replica::new(device);
        replica.take(&first);
        replica
    })
}

fn together([ada, ben]: &mut [Replica; 2]) -> Value {
    ada.take(ben);
    ben.take(ada);
    assert_eq!(ada.document.value(), ben.document.value());
    assert_eq!(ada.document.heads(), ben.document.heads());
    for replica in [&mut *ada, ben] {
        assert_eq!(replica.document.refused().len(), 0);
        assert_eq!(replica.document.conflicts().items, []);
    }
    ada.document.value()
}

#[test]
fn what_two_add_while_apart_adds_up_even_if_neither_found_a_counter() {
    for start in [json!({"map": {}}), json!({"n": 10, "map": {"n": -4}})] {
        let mut both = apart(&start);
        let [ada, ben] = &mut both;
        ada.add("n", 2);
        ada.add("/n", 3);
        ben.add("/n", -1);
        ada.add("/map/n", 1);
        ben.add("/map/n", 1);
        let n = start["n"].as_i64().unwrap_or_default();
        let deep = start["map"]["n"].as_i64().unwrap_or_default();
        assert_eq!(together(&mut both), json!({"n": n + 4, "map": {"n": deep + 2}}));
        both[0].add("n", 1);
        both[1].add("n", 1);
        assert_eq!(together(&mut both)["n"], json!(n + 6));
    }
}

#[test]
fn a_counter_is_made_by_the_same_bytes_for_ever() {
    let mut ada = Replica::new(1);
    let operations = [PatchOp::Increment { path: "/n".into(), by: 1 }];
    let made = ada.document.make_counters(&operations).expect("it has room");
    let hashes: Vec<String> = made.iter().map(|made| made.change.to_string()).collect();
    // Two versions of Kith that differ here would lose what one of them counted.
    assert_eq!(hashes, ["5bc64c1c86ed893d1eb26bd8c8eb5489cb06784be393571d0874d5fa8cdf7701"]);
    assert!(made[0].deps.is_empty());
    let again = ada.document.make_counters(&operations).expect("it has room");
    assert!(again.is_empty(), "it is there");
}

#[test]
fn a_counter_that_was_removed_or_overwritten_counts_anew() {
    let mut ada = filled(&json!({}));
    ada.add("n", 5);
    let remove = serde_json::from_value(json!({"op": "remove", "path": "/n"})).expect("a patch");
    ada.edit(|document| document.patch(&[remove]));
    ada.add("n", 2);
    assert_eq!(ada.document.value(), json!({"n": 2}));
    ada.set(0, "n", &json!(100));
    ada.add("n", 1);
    assert_eq!(ada.document.value(), json!({"n": 101}));
}

#[test]
fn a_removed_counter_comes_back_with_its_count_when_restored() {
    let mut ada = filled(&json!({"list": [1]}));
    ada.add("/list/0", 4);
    assert_eq!(ada.document.value(), json!({"list": [5]}));
    ada.add("/n", 4);
    let then = ada.document.heads()[0].parse().expect("a change");
    let remove = serde_json::from_value(json!({"op": "remove", "path": "/n"})).expect("a patch");
    ada.edit(|document| document.patch(&[remove]));
    let restoration = ada.document.restoration(&then).expect("it is there");
    ada.document.restore(&restoration).expect("it can be restored");
    ada.commit(2);
    ada.add("/n", 1);
    assert_eq!(ada.document.value()["n"], json!(5));
}

#[test]
fn only_whole_numbers_count_and_not_without_end() {
    let start = json!({"s": "1", "f": 1.5, "b": true, "o": {}, "null": null, "far": 1_u64 << 50});
    for key in ["s", "f", "b", "o", "null", "far"] {
        let mut ada = filled(&start);
        assert!(matches!(ada.try_add(key, 1), Err(DocumentError::NotACounter)), "{key}");
    }
    let mut ada = filled(&start);
    for by in [i64::MAX, i64::MIN, 1 << 45] {
        assert!(matches!(ada.try_add("n", by), Err(DocumentError::CounterTooFar)));
    }
    for path in ["", "/none/n", "/s/n", "/@kith/n", "/~2"] {
        let mut ada = filled(&start);
        assert!(ada.try_add(path, 1).is_err(), "{path}");
        assert_eq!(ada.document.changes_count(), 1, "{path}");
    }
}

#[test]
fn somebody_who_took_the_name_of_a_counter_does_not_keep_others_from_counting() {
    let mut eve = Replica::new(2);
    let mut maker = eve.document.maker(&ROOT, "n").expect("nothing is there").decode();
    maker.operations[0].action = OpType::Put("mine".into());
    maker.hash = None;
    let forged = Change::from(maker);
    let mut ada = filled(&json!({}));
    ada.document.apply([(EntryId([7; 32]), forged.raw_bytes().to_vec())]);
    assert_eq!(ada.document.value(), json!({"n": "mine"}));
    ada.set(0, "n", &json!(3));
    ada.add("n", 1);
    assert_eq!(ada.document.value(), json!({"n": 4}));
}

#[test]
fn a_long_history_keeps_its_place_in_the_graph() {
    let mut ada = filled(&json!({"n": 0, "x": 0}));
    for n in 0..CHANGES_MAX {
        let pointer = Pointer::parse("x").expect("a pointer");
        ada.document.set(&pointer, &json!(n)).expect("a good edit");
        let _ = ada.document.commit(node_model::Timestamp(0)).expect("it has room");
    }
    let operations = [PatchOp::Increment { path: "/n".into(), by: 1 }];
    assert!(ada.document.make_counters(&operations).expect("it has room").is_empty());
    ada.add("n", 1);
    assert_eq!(ada.document.value()["n"], json!(1));
    assert_eq!(ada.document.conflicts().changes_read, 0);
}
