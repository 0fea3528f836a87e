use automerge::{ObjType, transaction::Transactable};
use serde_json::json;

use super::*;
use crate::document::{
    Body, EditKind,
    tests::{Replica, filled},
};

#[test]
fn each_change_of_a_line_can_be_looked_back_at() {
    let mut ada = filled(&json!({"n": 0, "gone": [1], "map": {"deep": true}}));
    let zero = ada.document.heads()[0].clone();
    let one = ada.set(10, "n", &json!(1));
    let two = ada.edit(|document| {
        document.patch(&[
            serde_json::from_value(json!({"op": "remove", "path": "/gone"})).expect("a patch"),
            serde_json::from_value(json!({"op": "add", "path": "/map/new", "value": [{}]}))
                .expect("a patch"),
        ])
    });
    assert_eq!(ada.at(&zero), json!({"n": 0, "gone": [1], "map": {"deep": true}}));
    assert_eq!(ada.at(&one), json!({"n": 1, "gone": [1], "map": {"deep": true}}));
    assert_eq!(ada.at(&two), json!({"n": 1, "map": {"deep": true, "new": [{}]}}));
    assert_eq!(ada.at(&two[..8].to_ascii_uppercase()), ada.document.value());
    assert_eq!(ada.document.heads(), [two], "looking changes nothing");
}

#[test]
fn one_of_two_branches_does_not_know_the_other() {
    let mut ada = filled(&json!({"a": 1, "list": ["x"]}));
    let mut ben = Replica::new(2);
    ben.take(&ada);
    let of_ada = ada.set(20, "/list/-", &json!("ada"));
    let of_ben = ben.set(30, "/list/-", &json!("ben"));
    ada.take(&ben);
    let merged = ada.set(40, "a", &json!(2));
    assert_eq!(ada.at(&of_ada), json!({"a": 1, "list": ["x", "ada"]}));
    assert_eq!(ada.at(&of_ben), json!({"a": 1, "list": ["x", "ben"]}));
    assert_eq!(ada.at(&merged), ada.document.value());
    // A time takes in both branches, as far as they had come.
    let both = ada.at("1970-01-01T00:00:35Z");
    assert_eq!((&both["a"], both["list"].as_array().map(Vec::len)), (&json!(1), Some(3)));
    assert_eq!(ada.at("1970-01-01T00:00:20Z"), json!({"a": 1, "list": ["x", "ada"]}));
    assert_eq!(ada.at("2026-11-21T00:00:00+02:00"), ada.document.value());
    let early = "1970-01-01T00:00:19Z".parse().expect("a time");
    assert!(matches!(ada.document.value_at(&early), Err(DocumentError::NotYet)));
}

#[test]
fn history_is_the_same_in_a_bundle_and_in_whatever_order_it_came() {
    let mut ada = filled(&json!({"n": 0}));
    let hashes: Vec<String> = (1..9).map(|n| ada.set(100 - n, "n", &json!(n))).collect();
    let entries = ada.made.iter().map(|(entry, _)| *entry).collect();
    let bundle = ada.document.bundle(&entries, vec![]).run().expect("it can be bundled");
    let mut whole = Replica::new(2);
    whole.document.apply([(EntryId([9; 32]), Body::Bundle(bundle.body))]);
    let mut backwards = Replica::new(3);
    backwards.document.apply(ada.made.iter().rev().cloned().collect::<Vec<_>>());
    let told = |replica: &mut Replica| {
        let page = replica.document.history(None, 100).expect("the newest");
        assert_eq!((page.total, page.is_more), (9, false));
        page.items.into_iter().map(|item| (item.change, item.told)).collect::<Vec<_>>()
    };
    let expected = told(&mut ada);
    let newest_first: Vec<&String> = expected.iter().map(|(change, _)| change).take(8).collect();
    assert_eq!(newest_first, hashes.iter().rev().collect::<Vec<_>>());
    assert_eq!(told(&mut whole), expected);
    assert_eq!(told(&mut backwards), expected);
    for (n, hash) in hashes.iter().enumerate() {
        assert_eq!(whole.at(hash), json!({"n": n + 1}));
    }
}

#[test]
fn pages_follow_each_other_without_gap() {
    let mut ada = filled(&json!({"n": 0}));
    (1..12).for_each(|n| drop(ada.set(n, "n", &json!(n))));
    let all = ada.document.history(None, 100).expect("the newest").items;
    let (mut before, mut found): (Option<ChangeName>, Vec<HistoryItem>) = (None, vec![]);
    loop {
        let page = ada.document.history(before.as_ref(), 5).expect("a page");
        assert_eq!(page.total, 12);
        found.extend(page.items);
        if !page.is_more {
            break;
        }
        before = found.last().map(|item| item.change.parse().expect("a change"));
    }
    assert_eq!(found, all);
}

#[test]
fn a_change_is_told_as_a_patch_that_leads_from_one_state_to_the_other() {
    let start = json!({"keep": 1, "text": "a".repeat(500), "list": [1, 2, 3], "a/b": {"~": 0}});
    let mut ada = filled(&start);
    let operations = serde_json::from_value::<Vec<crate::patch::PatchOp>>(json!([
        {"op": "replace", "path": "/text", "value": format!("{}b", "a".repeat(499))},
        {"op": "remove", "path": "/list/0"},
        {"op": "add", "path": "/list/1", "value": {"new": null}},
        {"op": "remove", "path": "/a~1b/~0"},
        {"op": "add", "path": "/large", "value": vec![0; 1_000]},
    ]))
    .expect("a patch");
    ada.edit(|document| document.patch(&operations));
    let page = ada.document.history(None, 1).expect("the newest");
    assert!(page.is_more);
    let told = &page.items[0].told;
    assert!(told.is_whole);
    let short: Vec<_> =
        told.edits.iter().map(|edit| (edit.kind, edit.path.as_str(), edit.is_cut)).collect();
    assert_eq!(
        short,
        [
            (EditKind::Remove, "/a~1b/~0", false),
            (EditKind::Add, "/large", true),
            (EditKind::Remove, "/list/0", false),
            (EditKind::Add, "/list/1", false),
            (EditKind::Replace, "/text", true),
        ]
    );
    let [removed, large, _, added, text] = &told.edits[..] else { panic!("five edits") };
    assert_eq!((&removed.old, &removed.new), (&Some(json!(0)), &None));
    assert_eq!((&large.old, &large.new), (&None, &None));
    assert_eq!((&added.old, &added.new), (&None, &Some(json!({"new": null}))));
    assert_eq!(text.old, Some(json!(format!("…{}", "a".repeat(21)))));
    assert_eq!(text.new, Some(json!(format!("…{}b", "a".repeat(20)))));
}

#[test]
fn what_is_told_has_an_end() {
    let many: serde_json::Map<String, Value> =
        (0..200).map(|n| (format!("k{n:03}"), json!(n))).collect();
    let mut ada = filled(&Value::Object(many));
    let page = ada.document.history(None, 9).expect("the newest");
    assert_eq!((page.items[0].told.edits.len(), page.items[0].told.is_whole), (50, false));
    assert_eq!(page.items[0].operations, 204);

    // As many changes of a document as can be looked at, and one more.
    let left = LOOK_MAX;
    let mut teller = Teller { left: 0, known: None };
    let mut past = Past::new(ada.document.auto.document());
    let changes = ada.document.auto.get_changes_meta(&[]);
    assert_eq!(teller.tell(&mut past, &changes[0]), Told::default());
    teller.left = left;
    assert!(!teller.tell(&mut past, &changes[0]).edits.is_empty());
    assert!(teller.left < left);
}

#[test]
fn texts_and_counters_of_other_programs_are_looked_back_at_too() {
    let mut ada = Replica::new(1);
    let auto = &mut ada.document.auto;
    let text = auto.put_object(automerge::ROOT, "text", ObjType::Text).expect("a text");
    auto.splice_text(&text, 0, 0, "Grüße 🌱").expect("a splice");
    auto.put(automerge::ROOT, "n", automerge::ScalarValue::counter(5)).expect("a counter");
    let first = ada.commit(1);
    let auto = &mut ada.document.auto;
    auto.splice_text(&text, 5, 1, ", ").expect("a splice");
    auto.increment(automerge::ROOT, "n", 3).expect("an increment");
    let second = ada.commit(2);
    assert_eq!(ada.at(&first), json!({"text": "Grüße 🌱", "n": 5}));
    assert_eq!(ada.at(&second), json!({"text": "Grüße, 🌱", "n": 8}));
    let told = ada.document.history(None, 1).expect("the newest").items.remove(0).told;
    assert_eq!(told.edits[0].kind, EditKind::Increment(3));
    assert_eq!((&told.edits[0].old, &told.edits[0].new), (&Some(json!(5)), &Some(json!(8))));
    assert_eq!(told.edits[1].new, Some(json!("Grüße, 🌱")));
}

#[test]
fn a_moment_that_means_nothing_is_refused() {
    for text in ["", "abc", "xyz12", "12345g", "2026-11-21", "yesterday", "12 34", "é234"] {
        assert_eq!(text.parse::<At>(), Err(BadAt), "{text}");
    }
    assert_eq!("a".repeat(65).parse::<ChangeName>(), Err(BadChangeName));
    let mut ada = filled(&json!({"n": 0}));
    let heads = ada.document.heads();
    let unknown = if heads[0].starts_with("0000") { "1111" } else { "0000" };
    for text in [unknown, &"f".repeat(64)] {
        let at = text.parse().expect("a moment");
        assert!(matches!(ada.document.value_at(&at), Err(DocumentError::NoSuchChange)));
    }
    // Among so many changes two begin with the same four digits.
    let mut all: Vec<String> = Vec::new();
    let twice = (1..).find_map(|n| {
        let hash = ada.set(n, "n", &json!(n));
        ada.made.clear();
        let twin = all.iter().any(|other| other[..4] == hash[..4]);
        all.push(hash);
        twin.then(|| all[all.len() - 1][..4].to_owned())
    });
    let at = twice.expect("some two do").parse().expect("a moment");
    assert!(matches!(ada.document.value_at(&at), Err(DocumentError::SeveralChanges)));
}

#[test]
fn a_malformed_history_is_not_told_rather_than_told_wrong() {
    let mut past = Past::new(Replica::new(1).document.auto.document());
    assert_eq!(past.at(&[]).map(|item| item.value()), Some(json!({})));
    assert_eq!(past.at(&[ChangeHash([7; 32])]).map(|item| item.value()), Some(json!({})));
}
