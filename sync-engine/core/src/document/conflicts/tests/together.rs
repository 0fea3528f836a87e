//! Several decisions at once, and decisions that are taken back.

use std::collections::BTreeMap;

use super::{
    Resolution::{KeepBoth, KeepOther, KeepShown, Undo},
    *,
};

/// Both changed the same places: a title, an element, and what is inside another that one
/// of them replaced as a whole.
fn busy() -> (Device, Device) {
    let start = json!({"title": "start", "list": ["one", "two"], "map": {"inner": {"n": 1}}});
    let (mut ada, mut ben) = pair(&start);
    for (device, by) in [(&mut ada, "A"), (&mut ben, "B")] {
        device.patch(json!([
            {"op": "replace", "path": "/title", "value": by},
            {"op": "replace", "path": "/list/1", "value": by},
            {"op": "replace", "path": "/map/inner/n", "value": by},
        ]));
    }
    ben.patch(json!([{"op": "replace", "path": "/map", "value": {"whole": "B"}}]));
    meet(&mut ada, &mut ben);
    (ada, ben)
}

fn settle_all(device: &mut Device, resolution: Resolution) -> Vec<ConflictId> {
    let open = device.document.conflicts().items;
    let decisions: BTreeMap<_, _> = open.iter().map(|it| (it.id, resolution)).collect();
    let plans = device.document.plans(&decisions);
    let mut taken = vec![];
    device.edit(|document| {
        taken = document.carry_out_all(&plans)?;
        Ok(())
    });
    taken
}

#[test]
fn many_decisions_are_one_change_and_leave_nothing_open() {
    for resolution in [KeepShown, KeepOther(0), KeepBoth, Undo] {
        let (mut ada, mut ben) = busy();
        let open = ada.document.conflicts().items;
        assert!(open.len() >= 3, "{open:#?}");
        let changes = ada.document.changes_count();
        let taken = settle_all(&mut ada, resolution);
        assert_eq!(ada.document.changes_count(), changes + 1, "{resolution:?}");
        assert!(taken.len() >= 3, "{resolution:?}");
        ada.assert_none();
        meet(&mut ada, &mut ben);
        ben.assert_none();
        let value = ada.document.value();
        if resolution == Undo {
            assert_eq!(
                (&value["title"], &value["list"]),
                (&json!("start"), &json!(["one", "two"]))
            );
        }
    }
}

#[test]
fn what_holds_a_place_may_be_replaced_by_another_decision() {
    let (mut ada, _) = busy();
    let open = ada.document.conflicts().items;
    let mut plans = ada.document.plans(&open.iter().map(|it| (it.id, KeepOther(0))).collect());
    // Once more, after all of them: a place that is gone is left out.
    let is_inside =
        |id: &ConflictId| open.iter().any(|it| it.id == *id && it.place.starts_with("/map"));
    let again: Vec<_> = plans.iter().filter(|(id, _)| is_inside(id)).cloned().collect();
    plans.extend(again);
    ada.edit(|document| document.carry_out_all(&plans).map(|_| ()));
    ada.assert_none();
}

#[test]
fn a_decision_that_kept_what_is_shown_is_taken_back_and_its_conflict_is_open_again() {
    let (mut ada, mut ben) = pair(&json!({"title": "start"}));
    ada.set("title", json!("A"));
    ben.set("title", json!("B"));
    meet(&mut ada, &mut ben);
    let open = ada.only();
    ada.resolve(KeepShown);
    let change = ada.document.heads().remove(0);
    ada.assert_none();
    let taken = ada.document.before_decision(&change).expect("it is the last one");
    ada.edit(|document| document.take_back(&taken));
    assert_eq!(ada.only(), open);
    meet(&mut ada, &mut ben);
    // It can be settled otherwise now.
    ben.resolve(KeepOther(0));
    meet(&mut ada, &mut ben);
    ada.assert_none();
    assert_eq!(Some(&ada.document.value()["title"]), open.others[0].value.as_ref());
}

#[test]
fn whatever_else_was_decided_shows_again_what_it_showed() {
    for resolution in [KeepOther(0), KeepBoth, Undo] {
        let (mut ada, mut ben) = busy();
        let before = ada.document.value();
        settle_all(&mut ada, resolution);
        assert_ne!(ada.document.value(), before, "{resolution:?}");
        let change = ada.document.heads().remove(0);
        let taken = ada.document.before_decision(&change).expect("it is the last one");
        ada.edit(|document| document.take_back(&taken));
        assert_eq!(ada.document.value(), before, "{resolution:?}");
        // What was put beside has overruled nothing: all of it is open again.
        let is_open = !ada.document.conflicts().items.is_empty();
        assert_eq!(is_open, resolution == KeepBoth, "{resolution:?}");
        meet(&mut ada, &mut ben);
    }
}

#[test]
fn only_the_last_change_is_taken_back_and_only_if_it_decided_something() {
    let (mut ada, mut ben) = pair(&json!({"title": "start"}));
    ada.set("title", json!("A"));
    let edit = ada.document.heads().remove(0);
    for no_decision in [&*edit, "", "zz", &"00".repeat(32)] {
        let refused = ada.document.before_decision(no_decision);
        assert!(matches!(refused, Err(TakeBackError::NoDecision)), "{no_decision}: {refused:?}");
    }
    ben.set("title", json!("B"));
    meet(&mut ada, &mut ben);
    ada.resolve(KeepOther(0));
    let decision = ada.document.heads().remove(0);
    ada.set("title", json!("C"));
    let refused = ada.document.before_decision(&decision);
    assert!(matches!(refused, Err(TakeBackError::NotLast)), "{refused:?}");
}
