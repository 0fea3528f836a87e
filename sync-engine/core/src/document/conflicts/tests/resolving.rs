//! What each decision does, and what comes of decisions that cross.

use super::{
    Resolution::{KeepBoth, KeepOther, KeepShown, Undo},
    *,
};

/// A conflict that both devices know.
type Setting = fn() -> (Device, Device);

fn after(value: &Value, edits: [Value; 2]) -> (Device, Device) {
    let (mut ada, mut ben) = pair(value);
    let [adas, bens] = edits;
    ada.patch(adas);
    ben.patch(bens);
    meet(&mut ada, &mut ben);
    (ada, ben)
}

fn set(path: &str, value: &Value) -> Value {
    json!([{"op": "add", "path": path, "value": value}])
}

fn replace(path: &str, value: &Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

fn remove(path: &str) -> Value {
    json!([{"op": "remove", "path": path}])
}

fn titles() -> (Device, Device) {
    let edits = ["A", "B"].map(|title| replace("/title", &json!(title)));
    after(&json!({"title": "start"}), edits)
}

fn objects() -> (Device, Device) {
    after(&json!({}), ["A", "B"].map(|by| set("/o", &json!({"by": by}))))
}

fn elements() -> (Device, Device) {
    let edits = ["A", "B"].map(|title| replace("/list/0", &json!(title)));
    after(&json!({"list": ["start", "end"]}), edits)
}

fn deleted_element() -> (Device, Device) {
    let edits = [remove("/list/0"), replace("/list/0/t", &json!(2))];
    after(&json!({"list": [{"t": 1}, "end"]}), edits)
}

fn deleted_key() -> (Device, Device) {
    after(&json!({"map": {"t": 1}}), [remove("/map"), replace("/map/t", &json!(2))])
}

fn deleted_scalar() -> (Device, Device) {
    after(&json!({"n": 1}), [remove("/n"), replace("/n", &json!(2))])
}

#[test]
fn each_decision_gives_what_was_decided_everywhere_and_for_late_peers() {
    let conflict = titles().0.only();
    let shown = conflict.shown.value.expect("a title");
    let other = conflict.others[0].value.clone().expect("a title");
    let by = |title: &Value| json!({"by": title});
    let cases: Vec<(Setting, Resolution, Value)> = vec![
        (titles, KeepShown, json!({"title": shown})),
        (titles, KeepOther(0), json!({"title": other})),
        (titles, KeepBoth, json!({"title": shown, "title (2)": other})),
        (titles, Undo, json!({"title": "start"})),
        (objects, KeepShown, json!({"o": by(&shown)})),
        (objects, KeepOther(0), json!({"o": by(&other)})),
        (objects, KeepBoth, json!({"o": by(&shown), "o (2)": by(&other)})),
        (objects, Undo, json!({})),
        (elements, KeepShown, json!({"list": [shown, "end"]})),
        (elements, KeepOther(0), json!({"list": [other, "end"]})),
        (elements, KeepBoth, json!({"list": [shown, other, "end"]})),
        (elements, Undo, json!({"list": ["start", "end"]})),
        (deleted_element, KeepShown, json!({"list": ["end"]})),
        (deleted_element, KeepOther(0), json!({"list": [{"t": 2}, "end"]})),
        (deleted_element, KeepBoth, json!({"list": [{"t": 2}, "end"]})),
        (deleted_element, Undo, json!({"list": [{"t": 1}, "end"]})),
        (deleted_key, KeepShown, json!({})),
        (deleted_key, KeepOther(0), json!({"map": {"t": 2}})),
        (deleted_key, KeepBoth, json!({"map": {"t": 2}})),
        (deleted_key, Undo, json!({"map": {"t": 1}})),
        (deleted_scalar, KeepShown, json!({"n": 2})),
        (deleted_scalar, KeepOther(0), json!({})),
        (deleted_scalar, KeepBoth, json!({"n": 2})),
        (deleted_scalar, Undo, json!({"n": 1})),
    ];
    for (number, (setting, resolution, expected)) in cases.into_iter().enumerate() {
        let (mut ada, mut ben) = setting();
        ada.resolve(resolution);
        assert_eq!(ada.document.value(), expected, "case {number}");
        ada.assert_none();
        meet(&mut ada, &mut ben);
        // It stays resolved whatever else happens, and for who comes late.
        ben.set("later", json!(1));
        ada.set("meanwhile", json!(2));
        meet(&mut ada, &mut ben);
        ben.assert_none();
        let mut late = Device::new(9);
        for change in ada.made.iter().chain(&ben.made).rev() {
            late.document.apply(vec![change.clone()]);
        }
        assert_eq!(late.document.value(), ada.document.value());
        late.assert_none();
    }
}

#[test]
fn what_a_decision_did_not_know_of_is_a_conflict_again() {
    let settings: [(Setting, &str); 4] =
        [(titles, "/title"), (objects, "/o"), (elements, "/list/0"), (deleted_scalar, "/n")];
    for (setting, path) in settings {
        let (mut ada, mut ben) = setting();
        let mut cyd = Device::with(3, &[ada.made.clone(), ben.made.clone()].concat());
        let shown = ada.only().shown.value;
        ada.resolve(KeepShown);
        cyd.patch(replace(path, &json!("C")));
        ada.take(&cyd);
        let conflict = ada.only();
        assert_eq!((conflict.place.as_str(), conflict.others.len()), (path, 1));
        let sides = [&conflict.shown.value, &conflict.others[0].value];
        assert!(sides.contains(&&shown) && sides.contains(&&Some(json!("C"))), "{sides:?}");
        ben.take(&cyd);
        meet(&mut ada, &mut ben);
        ben.resolve(KeepOther(0));
        ben.assert_none();
    }
}

#[test]
fn a_late_edit_inside_what_stayed_deleted_is_told_and_can_be_settled_again() {
    for setting in [deleted_element as Setting, deleted_key] {
        let (mut ada, mut ben) = setting();
        let place = ada.only().place;
        let mut cyd = Device::with(3, &ada.made[..1].to_vec());
        cyd.set(&format!("{place}/t"), json!(3));
        ada.resolve(KeepShown);
        ada.assert_none();
        ada.take(&cyd);
        let conflict = ada.only();
        assert_eq!(conflict.shown.value, None);
        assert_eq!(conflict.others[0].entries, BTreeSet::from([cyd.made[0].0]));
        ada.resolve(KeepShown);
        ada.assert_none();
        ben.take(&cyd);
        meet(&mut ada, &mut ben);
        ben.assert_none();
    }
}

#[test]
fn decisions_that_cross_agree_or_are_a_conflict_again() {
    let settings: [Setting; 5] = [titles, objects, elements, deleted_key, deleted_scalar];
    for (number, setting) in settings.into_iter().enumerate() {
        for (adas, bens, agree) in [
            (KeepShown, KeepShown, true),
            (KeepOther(0), KeepOther(0), true),
            (KeepOther(0), KeepShown, false),
            (KeepOther(0), Undo, false),
            (KeepShown, Undo, false),
        ] {
            let (mut ada, mut ben) = setting();
            ada.resolve(adas);
            ben.resolve(bens);
            meet(&mut ada, &mut ben);
            if agree {
                ada.assert_none();
            } else {
                assert_eq!(ada.document.conflicts().items.len(), 1, "{number} {adas:?} {bens:?}");
                ada.resolve(KeepShown);
                meet(&mut ada, &mut ben);
                ben.assert_none();
            }
        }
    }
}

#[test]
fn an_element_restored_twice_is_there_twice() {
    let (mut ada, mut ben) = deleted_element();
    ada.resolve(KeepOther(0));
    ben.resolve(Undo);
    meet(&mut ada, &mut ben);
    ada.assert_none();
    assert_eq!(ada.document.value()["list"].as_array().map(Vec::len), Some(3));
}

#[test]
fn what_does_not_exist_is_not_resolved() {
    let (mut ada, _) = titles();
    let id = ada.only().id;
    assert!(matches!(ada.document.plan(id, KeepOther(1)), Err(ResolveError::NoSuchSide)));
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!("xyz".parse::<ConflictId>(), Err(BadConflictId));
    assert_eq!("é".repeat(10).parse::<ConflictId>(), Err(BadConflictId));
    ada.resolve(KeepShown);
    assert!(matches!(ada.document.plan(id, KeepShown), Err(ResolveError::NoSuchConflict)));
}

#[test]
fn a_removal_is_a_conflict_until_a_removal_knows_all() {
    let (mut ada, mut ben) = pair(&json!({"n": 1}));
    let known = ada.document.known();
    let bens = ben.set("n", json!(2));
    let tombstone = EntryId([7; 32]);
    ada.document.bury(tombstone, &known);
    ada.assert_none();
    ada.take(&ben);
    ben.document.bury(tombstone, &known);
    assert_eq!(ada.document.conflicts(), ben.document.conflicts());
    let conflict = ada.only();
    assert_eq!((conflict.kind, conflict.place.as_str()), (ConflictKind::RemovedDocument, ""));
    assert_eq!(conflict.shown.entries, BTreeSet::from([tombstone]));
    assert_eq!(conflict.others[0].entries, BTreeSet::from([bens]));
    assert_eq!(conflict.others[0].value, Some(json!({"n": 2})));
    assert!(matches!(ada.document.plan(conflict.id, KeepShown), Err(ResolveError::Removed)));
    let known = ada.document.known();
    ada.document.bury(EntryId([8; 32]), &known);
    ada.assert_none();
    assert!(ada.document.is_removed());
    // A tombstone that knows of something that has not come yet may know of all.
    let mut cyd = Device::with(3, &ada.made[..1].to_vec());
    cyd.document.bury(EntryId([8; 32]), &known);
    assert!(!cyd.document.conflicts().is_complete);
}
