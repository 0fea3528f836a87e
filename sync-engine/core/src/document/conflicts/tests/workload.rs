//! How much merges without a person.
//!
//! Two people work on a learning path of 40 steps while they are apart. The mix is
//! guessed from what such documents are edited for: mostly new steps, ticks and
//! notes in one's own name, now and then a field that both may change, seldom a
//! deletion. Half of the edits go to the four steps that are being worked on now,
//! so that people do get in each other's way.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

/// A meeting and what came before it.
#[derive(Clone, Copy)]
struct Mix {
    steps: usize,
    edits_each: usize,
    /// Percent of edits that remove or replace a whole step.
    rough: usize,
    rounds: u64,
}

const REALISTIC: Mix = Mix { steps: 40, edits_each: 6, rough: 3, rounds: 40 };

/// Everybody in everybody's way.
const CROWDED: Mix = Mix { steps: 3, edits_each: 10, rough: 20, rounds: 40 };

fn path(steps: usize) -> Value {
    let steps: Vec<Value> = (0..steps)
        .map(|n| json!({"id": n, "title": format!("Step {n}"), "minutes": 5, "done": {}}))
        .collect();
    json!({"title": "Bread", "description": "", "steps": steps, "tags": []})
}

fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    random.next_u32() as usize % end
}

/// What a device said last about a field of a step, by the step's id.
type Said = BTreeMap<(String, String), String>;

/// One edit, by the percentages of the mix.
fn edit(device: &mut Device, random: &mut ChaCha8Rng, said: &mut Said, rough: usize) {
    let value = device.document.value();
    let count = value["steps"].as_array().map_or(0, Vec::len);
    let is_hot = below(random, 2) == 0;
    let step = below(random, if is_hot { count.clamp(1, 4) } else { count.max(1) });
    let (id, minutes) = (&value["steps"][step]["id"], &value["steps"][step]["minutes"]);
    let minutes = minutes.as_u64().unwrap_or_default() as u32;
    let (number, unique) = (device.number, random.next_u32());
    let at = format!("/steps/{step}");
    let new = json!({"id": unique, "title": unique, "done": {}});
    let mut set = |field: &str, new: u32| {
        device.set(&format!("{at}/{field}"), json!(new));
        said.insert((id.to_string(), field.to_owned()), new.to_string());
    };
    if count > 1 && below(random, 100) < rough {
        if below(random, 2) == 0 {
            device.remove(&at);
        } else {
            device.patch(json!([{"op": "replace", "path": at, "value": new}]));
        }
        let id = id.to_string();
        said.retain(|(step, _), _| *step != id);
        return;
    }
    match below(random, 100) {
        // New steps, at the end or between.
        0..15 => {
            device.set("/steps/-", new);
        }
        15..25 => {
            device.patch(json!([{"op": "add", "path": at, "value": new}]));
        }
        // Ticks and notes in one's own name.
        25..60 => set(&format!("done/{number}"), unique),
        60..70 => set(&format!("note-{number}"), unique),
        70..80 => {
            device.set("/tags/-", json!(unique));
        }
        // What anybody may change.
        80..90 => set("title", unique),
        90..98 => set("minutes", minutes + 5 * (1 + unique % 3)),
        _ => {
            device.set("/description", json!(unique));
        }
    };
}

/// How many conflicts there were, and how many edits.
fn run(mix: Mix) -> (usize, usize) {
    let (mut asked, mut edits) = (0, 0);
    for round in 0..mix.rounds {
        let mut random = ChaCha8Rng::seed_from_u64(round);
        let (mut ada, mut ben) = pair(&path(mix.steps));
        let (mut adas, mut bens) = (Said::new(), Said::new());
        for _ in 0..mix.edits_each {
            edit(&mut ada, &mut random, &mut adas, mix.rough);
            edit(&mut ben, &mut random, &mut bens, mix.rough);
        }
        edits += 2 * mix.edits_each;
        meet(&mut ada, &mut ben);
        let conflicts = ada.document.conflicts();
        assert!(conflicts.is_complete);
        asked += conflicts.items.len();
        let told = format!("{} {conflicts:?}", ada.document.value());
        for ((step, field), said) in adas.iter().chain(&bens) {
            assert!(told.contains(said), "{field} of {step} was lost: {said} in {told}");
        }
        resolve_all(&mut ada, conflicts, &mut random);
        meet(&mut ada, &mut ben);
    }
    (asked, edits)
}

fn resolve_all(device: &mut Device, mut conflicts: Conflicts, random: &mut ChaCha8Rng) {
    while let Some(conflict) = conflicts.items.first() {
        let choices = [Resolution::KeepShown, Resolution::KeepOther(0), Resolution::KeepBoth];
        let choice = choices[below(random, 3)];
        let plan = device.document.plan(conflict.id, choice).expect("it can be resolved");
        device.edit(|document| document.carry_out(&plan));
        let left = device.document.conflicts();
        assert_eq!(left.items.len() + 1, conflicts.items.len(), "{choice:?} {conflict:#?}");
        conflicts = left;
    }
}

#[test]
fn nine_of_ten_concurrent_edits_need_nobody() {
    let (asked, edits) = run(REALISTIC);
    assert!(asked > 0, "a workload without any conflict shows nothing");
    // A conflict takes two edits; counting it once for each of them is the worst case.
    assert!(2 * asked * 10 <= edits, "{asked} conflicts in {edits} edits");
}

#[test]
fn in_a_crowd_nothing_is_lost_and_all_can_be_resolved() {
    let (asked, edits) = run(CROWDED);
    assert!(asked > 50, "{asked} conflicts in {edits} edits are too few to show anything");
}
