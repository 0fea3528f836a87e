use automerge::{ROOT, ReadDoc, transaction::Transactable};

use super::super::{
    crafted::{
        columns,
        forge::{Column, Forged, action, column},
    },
    weigh::OPERATIONS_MAX,
};
use super::*;

type Made = (EntryId, Vec<u8>);

fn replica(actor: u8) -> AutoCommit {
    AutoCommit::new().with_actor(ActorId::from([actor; 16]))
}

/// A change that sets a key, as a replica with this actor and these changes makes it.
fn change(actor: u8, after: &[Made], key: &str) -> Made {
    let mut auto = replica(actor);
    Intake::default().take_in(&mut auto, after.to_vec());
    auto.put(ROOT, key, true).expect("a key can be set");
    let hash = auto.commit().expect("something changed");
    let change = auto.get_change_by_hash(&hash).expect("it was just made");
    (EntryId(*blake3::hash(change.raw_bytes()).as_bytes()), change.raw_bytes().to_vec())
}

fn keys(auto: &AutoCommit) -> Vec<String> {
    auto.keys(ROOT).collect()
}

fn chain(length: usize) -> Vec<Made> {
    let mut auto = replica(1);
    let made = (0..length).map(|at| {
        auto.put(ROOT, format!("{at:05}"), true).expect("a key can be set");
        let hash = auto.commit().expect("something changed");
        let change = auto.get_change_by_hash(&hash).expect("it was just made");
        (EntryId(hash.0), change.raw_bytes().to_vec())
    });
    made.collect()
}

#[test]
fn a_bad_change_takes_no_other_along() {
    let first = change(1, &[], "a");
    // The same place in the same actor's history, a second time.
    let forked = change(1, &[], "forked");
    let after_fork = change(2, std::slice::from_ref(&forked), "after");
    let good = change(3, std::slice::from_ref(&first), "b");
    let all = [first, forked.clone(), after_fork.clone(), good];
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, all);
    assert_eq!(keys(&auto), ["a", "b"]);
    let refused = [(forked.0, Refusal::OutOfTurn), (after_fork.0, Refusal::NotTaken)];
    assert_eq!(*intake.refused(), BTreeMap::from(refused));
    assert_eq!(intake.applied.len(), 2);
    let late = change(4, &[forked, after_fork], "late");
    intake.take_in(&mut auto, [late.clone()]);
    assert_eq!(intake.refused().get(&late.0), Some(&Refusal::NotTaken), "not even later");
}

/// A first change that inserts after an element of somebody's list that is none: it names the
/// list itself.
fn lost(by: Forged, list: &Forged) -> Forged {
    let mut forged = columns::sets(by.after(list, 4), 1, action::SET)
        .with(column::OBJECT_ACTOR, Column::default().run(1, 1))
        .with(column::OBJECT_COUNTER, Column::default().run(1, 1))
        .with(column::KEY_ACTOR, Column::default().run(1, 1))
        .with(column::KEY_COUNTER, Column::default().steps(1, 1));
    (forged.others, forged.sequence) = (vec![list.actor.clone()], 1);
    forged.columns.retain(|(column, _)| *column != column::INSERT);
    forged.with(column::INSERT, Column::default().truths(&[0, 1]))
}

#[test]
fn a_bad_change_does_not_take_the_place_of_a_good_one() {
    let good = change(1, &[], "good");
    let after = change(2, std::slice::from_ref(&good), "after");
    let text = columns::sequence(Forged::by(8), 3, action::MAKE_LIST);
    let lost = lost(Forged::by(1), &text);
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, [brought(&text), brought(&lost), good, after]);
    assert_eq!(keys(&auto), ["after", "good", "items"]);
    assert_eq!(*intake.refused(), BTreeMap::from([(brought(&lost).0, Refusal::NotTaken)]));
}

/// A change of one actor that uses an object of another one, made by its first operation.
fn using(made: &Forged, key: (u64, Column), inserts: u64) -> Made {
    let mut forged = columns::sets(Forged::by(2).after(made, 1), 1, action::SET)
        .with(column::OBJECT_ACTOR, Column::default().run(1, 1))
        .with(column::OBJECT_COUNTER, Column::default().run(1, 1))
        .with(key.0, key.1);
    forged.others = vec![made.actor.clone()];
    forged.columns.retain(|(column, _)| *column != column::INSERT);
    brought(&forged.with(column::INSERT, Column::default().truths(&[1 - inserts, inserts])))
}

#[test]
fn a_map_of_somebody_is_used_by_its_keys_in_whatever_batch() {
    let map = columns::sets(Forged::by(1), 1, action::MAKE_MAP)
        .with(column::KEY_NAME, Column::default().text(1, b"map"));
    let by_key = using(&map, (column::KEY_NAME, Column::default().text(1, b"in")), 0);
    let as_list = using(&map, (column::KEY_COUNTER, Column::default().steps(1, 0)), 1);
    for (change, refused) in [(by_key, None), (as_list, Some(&Refusal::NotTaken))] {
        for is_together in [true, false] {
            let (mut auto, mut intake) = (replica(9), Intake::default());
            let batches = if is_together {
                vec![vec![brought(&map), change.clone()]]
            } else {
                vec![vec![brought(&map)], vec![change.clone()]]
            };
            batches.into_iter().for_each(|batch| intake.take_in(&mut auto, batch));
            assert_eq!(intake.refused().get(&change.0), refused, "together: {is_together}");
        }
    }
}

#[test]
fn changes_count_in_whatever_order_they_come() {
    let mut all: Vec<Made> = Vec::new();
    for at in 0..20_u8 {
        all.push(change(at % 3, &all, &format!("{at:02}")));
    }
    for step in [1, 3, 7, 19] {
        let (mut auto, mut intake) = (replica(9), Intake::default());
        for at in (0..20).rev() {
            intake.take_in(&mut auto, [all[(at * step) % 20].clone()]);
        }
        assert_eq!(keys(&auto).len(), 20, "step {step}");
        assert_eq!(intake.budget, in_order(&all).budget);
    }
}

fn in_order(all: &[Made]) -> Intake {
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, all.to_vec());
    intake
}

#[test]
fn a_long_history_in_reverse_waits_and_is_applied_at_once() {
    let all = chain(3_000);
    let (mut auto, mut intake) = (replica(9), Intake::default());
    for made in all.iter().rev() {
        assert!(keys(&auto).is_empty());
        intake.take_in(&mut auto, [made.clone()]);
    }
    assert_eq!(keys(&auto).len(), 3_000);
    assert!(intake.refused().is_empty());
}

#[test]
fn what_waits_for_nothing_that_comes_is_shed_and_comes_back() {
    let all = chain(17_000);
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, all[1..].to_vec());
    assert_eq!(intake.refused().len(), 17_000 - 1 - 16_384);
    assert!(intake.refused().values().all(|why| matches!(why, Refusal::DocumentFull(_))));
    // Whoever loads the document again has them all.
    let (mut auto, mut again) = (replica(9), Intake::default());
    again.take_in(&mut auto, all.iter().skip(1).chain(&all[..1]).cloned());
    assert_eq!((keys(&auto).len(), again.refused().len()), (17_000, 0));
}

/// A change by hand, as an entry brings it.
fn brought(forged: &Forged) -> Made {
    (EntryId(forged.hash()), forged.bytes())
}

#[test]
fn a_document_in_use_takes_in_little_and_is_loaded_again_for_much() {
    let list = columns::sequence(Forged::by(1), 40_000, action::MAKE_LIST);
    let updates = brought(&columns::updates(&list, 40_000));
    let little = columns::one_key(Forged::by(2), 1, b"little");
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, [brought(&list)]);
    assert!(intake.catch_up(&mut auto, [brought(&little)]));
    assert_eq!(keys(&auto), ["items", "little"]);
    assert!(!intake.catch_up(&mut auto, [updates]));
    let new_actors = (3..=200).map(|actor| brought(&columns::one_key(Forged::by(actor), 1, b"x")));
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, [brought(&list)]);
    assert!(!intake.catch_up(&mut auto, new_actors));
}

#[test]
fn a_search_for_bad_changes_ends_and_names_the_rest() {
    let list = columns::sequence(Forged::by(1), 200_000, action::MAKE_LIST);
    let bad = (2..=200).map(|actor| brought(&lost(Forged::by(actor), &list)));
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, [brought(&list)]);
    intake.take_in(&mut auto, bad);
    let count = |wanted| intake.refused().values().filter(|why| **why == wanted).count();
    let (found, rest) = (count(Refusal::NotTaken), count(Refusal::NotTried));
    assert!(found > 0 && rest > 0 && found + rest == 199, "{found} found, {rest} not");
    assert_eq!(keys(&auto), ["items"]);
    let good = columns::one_key(Forged::by(201), 1, b"good");
    intake.take_in(&mut auto, [brought(&good)]);
    assert_eq!(keys(&auto), ["good", "items"]);
}

#[test]
fn operations_take_the_numbers_that_are_their_turn() {
    let first = columns::one_key(Forged::by(1), 3, b"a");
    let far = Forged { start: 9, ..columns::one_key(Forged::by(1), 1, b"b").after(&first, 3) };
    let again = Forged { start: 2, ..columns::one_key(Forged::by(1), 1, b"c").after(&first, 3) };
    let right = columns::one_key(Forged::by(1), 1, b"d").after(&first, 3);
    for wrong in [&far, &again] {
        let (mut auto, mut intake) = (replica(9), Intake::default());
        intake.take_in(&mut auto, [&first, wrong, &right].map(brought));
        assert_eq!(keys(&auto), ["a", "d"]);
        let named = BTreeMap::from([(brought(wrong).0, Refusal::Misnumbered)]);
        assert_eq!(intake.refused(), &named);
    }
}

#[test]
fn what_one_writes_oneself_keeps_to_the_limits() {
    let full = columns::sequence(Forged::by(1), OPERATIONS_MAX - 2, action::MAKE_LIST);
    let (mut auto, mut intake) = (replica(9), Intake::default());
    intake.take_in(&mut auto, [brought(&full)]);
    let mut write = |key: &str| {
        auto.put(ROOT, key, true).expect("a key can be set");
        let hash = auto.commit().expect("something changed");
        intake.note_own(&auto.get_change_by_hash(&hash).expect("it was just made"))
    };
    assert_eq!(write("last"), Ok(()));
    assert!(matches!(write("more"), Err(Refusal::DocumentFull(_))));
}
