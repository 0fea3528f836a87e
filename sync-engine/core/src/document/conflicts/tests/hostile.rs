//! Large, long and malicious documents. Work is counted in changes read.

use automerge::{
    ActorId, Change, ExpandedChange, ROOT, ReadDoc, ScalarValue,
    legacy::{Key, ObjectId, Op, OpType},
    transaction::Transactable,
};

use super::*;

#[test]
fn a_history_without_concurrency_is_not_read() {
    let (mut ada, _) = pair(&json!({"n": 0}));
    // Two devices take turns; each one knows what the other did.
    for n in 0..10_000_u32 {
        ada.document.auto.set_actor(ActorId::from([1 + (n % 2) as u8; 16]));
        ada.set(&format!("k{}", n % 100), json!(n));
    }
    let all = ada.made.clone();
    let conflicts = Device::with(9, &all).document.conflicts();
    assert_eq!((conflicts.changes_read, conflicts.is_complete), (0, true));
    // One that comes late makes all that it did not know of concurrent.
    let mut late = Device::with(3, &all[..9_991].to_vec());
    late.set("k95", json!("late"));
    ada.take(&late);
    let conflicts = ada.document.conflicts();
    assert_eq!((conflicts.changes_read, conflicts.items.len()), (11, 1));
}

#[test]
fn more_concurrent_changes_than_are_looked_at_are_said_to_be_more() {
    let (mut ada, mut ben) = pair(&json!({"old": 0}));
    ben.set("old", json!("ben"));
    ada.set("old", json!("ada"));
    for n in 0..CHANGES_MAX {
        ada.set("n", json!(n));
    }
    ben.set("new", json!("ben"));
    ada.take(&ben);
    let conflicts = ada.document.conflicts();
    assert!(!conflicts.is_complete);
    assert_eq!(conflicts.changes_read, CHANGES_MAX);
    // And every device looks at the same ones.
    ben.take(&ada);
    assert_eq!(ben.document.conflicts(), conflicts);
}

/// A change that puts many values at one key as if each knew of none of the others.
fn flood(actor: u8, count: usize) -> (EntryId, Vec<u8>) {
    let put = |n: usize| Op {
        action: OpType::Put(ScalarValue::Int(n as i64 * 256 + i64::from(actor))),
        obj: ObjectId::Root,
        key: Key::Map("k".into()),
        pred: vec![].into(),
        insert: false,
    };
    let change = Change::from(ExpandedChange {
        operations: (0..count).map(put).collect(),
        actor_id: ActorId::from([actor; 16]),
        hash: None,
        seq: 1,
        start_op: std::num::NonZeroU64::MIN,
        time: 0,
        message: None,
        author: None,
        deps: vec![],
        extra_bytes: vec![],
    });
    (EntryId([actor; 32]), change.raw_bytes().to_vec())
}

#[test]
fn of_100_000_values_at_one_key_a_few_are_told() {
    let mut device = Device::with(9, &vec![flood(1, 50_000), flood(2, 50_000)]);
    assert!(device.document.refused().is_empty());
    let conflicts = device.document.conflicts();
    assert!(!conflicts.is_complete);
    assert_eq!(conflicts.items.len(), 1);
    let conflict = &conflicts.items[0];
    assert_eq!(conflict.others.len(), SIDES_MAX - 1);
    assert_eq!(conflict.shown.value, Some(device.document.value()["k"].clone()));
    // It can be resolved all the same.
    let plan = device.document.plan(conflict.id, Resolution::KeepOther(2)).expect("a plan");
    device.edit(|document| document.carry_out(&plan));
    assert_eq!(Some(device.document.value()["k"].clone()), conflict.others[2].value);
    device.assert_none();
}

#[test]
fn changes_with_too_many_operations_are_left_out() {
    let many = OPERATIONS_MAX / 2 + 1;
    let conflicts = Device::with(9, &vec![flood(1, many), flood(2, many)]).document.conflicts();
    assert_eq!((conflicts.changes_read, conflicts.is_complete), (1, false));
}

#[test]
fn values_too_large_to_tell_are_said_to_be_more() {
    let (mut ada, mut ben) = pair(&json!({}));
    let large = "x".repeat(1_000);
    ada.set("k", json!(format!("a{large}")));
    ben.set("k", json!(format!("b{large}")));
    ada.set("other", json!(1));
    ben.set("other", json!(2));
    meet(&mut ada, &mut ben);
    let conflicts = ada.document.conflicts_within(1_900);
    let places: Vec<_> = conflicts.items.iter().map(|item| item.place.as_str()).collect();
    assert_eq!((places, conflicts.is_complete), (vec!["/other"], false));
    assert_eq!(ada.document.conflicts_within(2_500).items.len(), 2);
}

#[test]
fn a_decision_that_names_nonsense_is_one_for_a_deletion() {
    let (mut ada, mut ben) = pair(&json!({"n": 1}));
    ada.set("n", json!(2));
    ben.set("n", json!(3));
    meet(&mut ada, &mut ben);
    ada.resolve(Resolution::KeepShown);
    for nonsense in ["", "x", "1@", "1@zz", "99999999999999999999@00", "@", "é@é"] {
        ada.edit(|document| {
            let (_, own) = document.auto.get(ROOT, "@kith")?.expect("the reserved map");
            let mut keys = document.auto.keys(&own);
            let name = keys.find(|key| key.starts_with("settled:")).expect("settled");
            drop(keys);
            document.auto.put(ROOT, "word", nonsense)?;
            Ok(document.auto.put(&own, name, nonsense)?)
        });
        // It knows of all that was said and decides for none of it.
        ada.assert_none();
    }
}
