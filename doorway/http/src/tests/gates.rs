use serde_json::{Value, json};

use super::*;
use crate::path::Step;

fn learned(value: &Value) -> Progress {
    Progress::of(value)
}

/// Two chapters: the second needs 3 of the first; in the first, `b` needs 2 of `a`, and `o`
/// is optional.
fn two_chapters() -> LearningPath {
    LearningPath::read(&json!({ "chapters": [
        { "id": "one", "attestation_granted": "one-done", "steps": [
            { "id": "a", "mastery_threshold": 7 },
            { "id": "o", "is_optional": true },
            { "id": "b", "mastery_threshold": 2, "attestation_granted": "b-done" },
        ]},
        { "id": "two", "mastery_threshold": 3, "steps": [
            { "id": "c" },
            { "id": "d", "attestation_required": "b-done" },
            { "id": "e", "attestation_required": "of-another-path" },
        ]},
    ]}))
}

fn locked(path: &LearningPath, progress: &Progress) -> String {
    let gates = Gates::of(path, progress, &earned(path, progress));
    let steps = path.steps.iter().enumerate().filter(|(at, _)| gates.is_locked(path, *at));
    steps.map(|(_, step)| step.id.as_str()).collect()
}

#[test]
fn a_step_waits_for_those_before_it_in_its_chapter() {
    let path = two_chapters();
    assert_eq!(locked(&path, &learned(&json!({}))), "bcde", "nothing stands before the first");
    assert_eq!(locked(&path, &learned(&json!({ "done:a": true }))), "bcde", "seen is level 1");
    assert_eq!(locked(&path, &learned(&json!({ "reached:2:a": true }))), "cde");
    let progress = learned(&json!({ "done:a": true }));
    let gates = Gates::of(&path, &progress, &BTreeSet::new());
    let wait = Wait::Mastery { level: Mastery::Remember, first: 0, count: 1 };
    assert_eq!(gates.of_step(2), [wait], "what is optional holds nobody up");
}

#[test]
fn a_chapter_waits_for_all_before_it_and_a_step_for_what_is_earned() {
    let path = two_chapters();
    let known = json!({ "reached:3:a": true, "reached:4:b": true });
    assert_eq!(locked(&path, &learned(&known)), "de");
    let half = json!({ "reached:3:a": true, "reached:2:b": true });
    let gates = Gates::of(&path, &learned(&half), &BTreeSet::new());
    let wait = Wait::Mastery { level: Mastery::Understand, first: 2, count: 1 };
    assert_eq!(gates.of_chapter(1), [wait]);
    assert_eq!(gates.of_step(4), [Wait::Earned("b-done".into())]);

    let done = json!({ "reached:3:a": true, "reached:4:b": true, "done:b": true });
    assert_eq!(locked(&path, &learned(&done)), "e");
    let elsewhere = BTreeSet::from(["of-another-path".to_owned(), "b-done".to_owned()]);
    assert!(!Gates::of(&path, &learned(&done), &elsewhere).is_locked(&path, 5));
    assert!(lacks(&path, &earned(&path, &learned(&done))) && !lacks(&path, &elsewhere));
}

#[test]
fn what_is_earned_stays_and_a_chapter_may_be_done_in_two_places() {
    let path = two_chapters();
    let names = |value: &Value| {
        let earned = earned(&path, &learned(value));
        earned.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&json!({ "done:a": true })), "");
    assert_eq!(names(&json!({ "done:a": true, "done:b": true })), "b-done one-done");
    assert_eq!(names(&json!({ "done:a": true, "done:o": true })), "");
    assert_eq!(names(&json!({ "earned:one-done": true, "done:b": false })), "one-done");
    let optional = json!({ "chapters": [{ "attestation_granted": "all", "steps": [
        { "id": "x", "is_optional": true }, { "id": "y", "is_optional": true },
    ]}, { "attestation_granted": "nothing", "steps": [] }]});
    let path = LearningPath::read(&optional);
    assert!(earned(&path, &learned(&json!({ "done:x": true }))).is_empty());
    let all = learned(&json!({ "done:x": true, "done:y": true }));
    assert_eq!(earned(&path, &all), BTreeSet::from(["all".to_owned()]));
}

#[test]
fn going_on_respects_what_waits() {
    let path = two_chapters();
    let next = |value: Value| {
        let progress = learned(&value);
        Gates::of(&path, &progress, &earned(&path, &progress)).next(&path, &progress)
    };
    assert_eq!(next(json!({})), Some(Next::Step(0)));
    let seen = json!({ "done:a": true, "done:o": true });
    assert_eq!(next(seen), Some(Next::Again(0)), "b is not passed over");
    let known = json!({ "done:a": true, "done:o": true, "reached:3:a": true });
    assert_eq!(next(known), Some(Next::Step(2)));
    let first = json!({ "done:a": true, "done:o": true, "done:b": true,
        "reached:3:a": true, "reached:3:b": true });
    assert_eq!(next(first.clone()), Some(Next::Step(3)));
    let mut all = first;
    all["done:c"] = json!(true);
    all["done:d"] = json!(true);
    assert_eq!(next(all), None, "nothing on this path opens the last one");
}

#[test]
fn both_shapes_have_gates_and_odd_ones_are_none() {
    let path = LearningPath::read(&json!({ "chapters": [{ "modules": [
        { "id": "m", "mastery_threshold": 2, "sections": [
            { "id": "s", "conceptIds": ["x"], "attestation_granted": "s-done" },
            { "id": "t", "mastery_threshold": 4, "attestation_required": "s-done",
              "attestation_granted": "both", "conceptIds": ["y",
                { "id": "z", "mastery_threshold": 5, "attestation_granted": "z-done" }] },
        ]},
    ]}]}));
    let gate = |step: &Step| {
        let Gate { mastery, needs, grants } = step.gate.clone();
        (mastery.number(), needs, grants)
    };
    let gates: Vec<_> = path.steps.iter().map(gate).collect();
    let named = |name: &str| Some(name.to_owned());
    let needs = named("s-done");
    let expected =
        [(2, None, needs.clone()), (4, needs.clone(), None), (5, needs, named("z-done"))];
    assert_eq!(gates, expected);
    let odd = json!({ "steps": [{ "id": "a" }, { "id": "b", "mastery_threshold": 9,
        "attestation_required": 7 }, { "id": "c", "mastery_threshold": "3" }] });
    assert_eq!(locked(&LearningPath::read(&odd), &learned(&json!({}))), "");
}

#[test]
fn a_path_as_long_as_may_be_is_walked_once() {
    let step = |at: usize| json!({ "id": format!("s{at}"), "mastery_threshold": 7 });
    let steps: Vec<_> = (0..crate::path::STEPS_MAX).map(step).collect();
    let path = LearningPath::read(&json!({ "chapters": [{ "steps": steps }] }));
    let gates = Gates::of(&path, &Progress::default(), &BTreeSet::new());
    let last = path.steps.len() - 1;
    let wait = Wait::Mastery { level: Mastery::Create, first: 0, count: last };
    assert_eq!(gates.of_step(last), [wait]);
}
