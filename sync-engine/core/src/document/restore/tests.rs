use automerge::{ROOT, ReadDoc};
use serde_json::{Value, json};

use super::*;
use crate::document::{
    EditKind, HistoryItem,
    tests::{Replica, filled},
};

impl Replica {
    fn restore(&mut self, moment: &str) {
        let at = moment.parse().expect("a moment");
        let restoration = self.document.restoration(&at).expect("there is such a moment");
        self.document.restore(&restoration).expect("it can be restored");
        self.commit(0);
    }

    fn newest(&mut self) -> HistoryItem {
        let page = self.document.history(None, 100).expect("the newest");
        let last = self.document.heads()[0].clone();
        page.items.into_iter().find(|item| item.change == last).expect("it is there")
    }
}

#[test]
fn a_restore_is_one_small_change_and_can_be_undone() {
    let value = json!({
        "same": {"large": vec![1; 50]}, "list": [1, 2, 3, {"x": [1]}], "text": "t", "old": true,
    });
    let mut ada = filled(&value);
    let before = ada.document.heads()[0].clone();
    for (path, new) in [
        ("/list/1", json!(20)),
        ("/list/-", json!(5)),
        ("/list/3/x", json!([2, 1])),
        ("/new", json!({"a": 1})),
        ("/text", json!("T")),
    ] {
        ada.set(0, path, &new);
    }
    let remove = serde_json::from_value(json!({"op": "remove", "path": "/old"})).expect("one");
    let after = ada.edit(|document| document.patch(&[remove]));
    let changed = ada.document.value();
    let changes = ada.document.changes_count();
    ada.restore(&before);
    assert_eq!(ada.document.value(), value);
    assert_eq!(ada.document.changes_count(), changes + 1);
    // A value, a deletion at the end, one within, two deletions, a value and one again.
    assert_eq!(ada.newest().operations, 6);
    ada.restore(&after);
    assert_eq!(ada.document.value(), changed);
    assert_eq!(ada.at(&before), value);
}

#[test]
fn nothing_to_restore_writes_nothing() {
    let mut ada = filled(&json!({"a": [1, {"b": null}], "f": 0.5}));
    let now = ada.document.heads()[0].parse().expect("a change");
    let restoration = ada.document.restoration(&now).expect("it is there");
    ada.document.restore(&restoration).expect("it can be restored");
    assert!(ada.document.commit(node_model::Timestamp(0)).expect("it has room").is_none());
}

#[test]
fn a_restore_merges_with_what_others_do_meanwhile() {
    let mut ada = filled(&json!({"title": "One", "list": ["a", "b", "c"]}));
    let first = ada.document.heads()[0].clone();
    ada.set(0, "title", &json!("Two"));
    ada.edit(|document| {
        let remove = json!({"op": "remove", "path": "/list/1"});
        document.patch(&[serde_json::from_value(remove).expect("a patch")])
    });
    let mut ben = Replica::new(2);
    ben.take(&ada);
    ben.set(0, "/list/-", &json!("ben"));
    ben.set(0, "new", &json!(1));
    ada.restore(&first);
    ada.take(&ben);
    ben.take(&ada);
    let both = json!({"title": "One", "list": ["a", "b", "c", "ben"], "new": 1});
    assert_eq!(ada.document.value(), both);
    assert_eq!(ben.document.value(), both);
    assert_eq!(ada.document.conflicts().items, []);
}

#[test]
fn texts_and_counters_come_back_as_what_they_are() {
    let mut ada = Replica::new(1);
    let auto = &mut ada.document.auto;
    let text = auto.put_object(ROOT, "text", ObjType::Text).expect("a text");
    auto.splice_text(&text, 0, 0, "one 🌱 two").expect("a splice");
    auto.put(ROOT, "n", ScalarValue::counter(5)).expect("a counter");
    let gone = auto.put_object(ROOT, "gone", ObjType::Text).expect("a text");
    auto.splice_text(&gone, 0, 0, "back").expect("a splice");
    auto.put(ROOT, "made", ScalarValue::counter(7)).expect("a counter");
    auto.put(ROOT, "bytes", ScalarValue::Bytes(vec![1, 255])).expect("bytes");
    auto.put(ROOT, "time", ScalarValue::Timestamp(9)).expect("a time");
    let first = ada.commit(1);
    let then = ada.document.value();
    let auto = &mut ada.document.auto;
    auto.splice_text(&text, 4, 1, "and 1").expect("a splice");
    auto.increment(ROOT, "n", 40).expect("an increment");
    for key in ["gone", "made", "bytes", "time"] {
        auto.delete(ROOT, key).expect("it is there");
    }
    ada.commit(2);
    let mut ben = Replica::new(2);
    ben.take(&ada);
    ben.document.auto.increment(ROOT, "n", 2).expect("an increment");
    ben.document.auto.splice_text(&text, 0, 0, "Ben: ").expect("a splice");
    ben.commit(3);
    ada.restore(&first);
    assert_eq!(ada.document.value(), then);
    let told = ada.newest().told;
    assert!(told.edits.iter().any(|edit| edit.kind == EditKind::Increment(-40)), "{told:?}");
    ada.take(&ben);
    // What somebody added meanwhile is not lost.
    assert_eq!(ada.document.value()["n"], json!(7));
    assert_eq!(ada.document.value()["text"], json!("Ben: one 🌱 two"));
    let kinds = ["gone", "made", "bytes", "time"].map(|key| {
        let (value, _) = ada.document.auto.get(ROOT, key).expect("readable").expect("there");
        value.into_owned()
    });
    assert!(kinds[0].is_object() && kinds[1].as_scalar().is_some_and(ScalarValue::is_counter));
    assert_eq!(kinds[2].as_bytes(), Some(&[1, 255][..]));
    assert!(kinds[3].as_scalar().is_some_and(ScalarValue::is_timestamp));
}

#[test]
fn lists_are_restored_whatever_became_of_them() {
    let lists = [
        json!([]),
        json!([1]),
        json!([1, 2, 3, 4, 5]),
        json!([0, 1, 2, 3, 4, 5]),
        json!([5, 4, 3, 2, 1]),
        json!([[1], [2], {"a": [3]}]),
        json!([[1], {"a": [3, 4]}]),
        json!("no list"),
        json!({"0": 1}),
        json!(null),
    ];
    let mut ada = filled(&json!({"list": null}));
    let states: Vec<(String, Value)> =
        lists.iter().map(|list| (ada.set(0, "list", list), list.clone())).collect();
    for (from, _) in &states {
        for (to, wanted) in &states {
            let mut own = Replica::new(2);
            own.take(&ada);
            for moment in [from, to] {
                let at = moment.parse().expect("a moment");
                let restoration = own.document.restoration(&at).expect("it is there");
                own.document.restore(&restoration).expect("it can be restored");
                drop(own.document.commit(node_model::Timestamp(0)).expect("it has room"));
            }
            assert_eq!(own.document.value(), json!({"list": wanted}));
        }
    }
}

#[test]
fn what_kith_notes_and_removed_documents_stay() {
    let mut ada = filled(&json!({"n": 0, "blob": "x"}));
    let first = ada.document.heads()[0].clone();
    let meta = crate::document::Meta { source: Some(vec![1]), ..ada.document.meta() };
    let blob = BlobId([3; 32]).to_string();
    ada.edit(|document| document.update(&meta, &json!({"n": 1, "image": {"blob": blob}})));
    let second = ada.document.heads()[0].clone();
    ada.restore(&first);
    assert_eq!(ada.document.meta(), meta);
    let at = second.parse().expect("a change");
    let restoration = ada.document.restoration(&at).expect("it is there");
    assert_eq!(restoration.blobs(), [BlobId([3; 32])].into());
    ada.document.bury(node_model::EntryId([99; 32]), &[]);
    assert!(matches!(ada.document.restoration(&at), Err(DocumentError::Removed)));
    assert_eq!(ada.at(&first), json!({"n": 0, "blob": "x"}), "it can still be looked at");
}
