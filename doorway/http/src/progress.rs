//! How far a person is on a learning path: what is done, how well it is known, how often it
//! was practised, what was earned.
//!
//! Each lies at the root of one document under a key of its own, by the id of its step: two
//! devices that begin the same path apart keep what both say. A level that was reached is a
//! key, so that the highest one counts, not the last one; practice is a counter, so that
//! what two devices count apart adds up; what was earned is a set that only grows; each note
//! has a key of its own, so that none takes the place of another.

use std::collections::{BTreeMap, BTreeSet};

use node_core::request::{PatchOp, pointer_to};
use node_model::{Entropy, Timestamp, random_bytes};
use serde_json::Value;

use crate::{mastery::Mastery, path::LearningPath};

const DONE: &str = "done:";

/// Begins `reached:3:STEP`.
const REACHED: &str = "reached:";
const PRACTISED: &str = "practised:";
const EARNED: &str = "earned:";

/// Begins `note:KEY:STEP`.
const NOTE: &str = "note:";

/// Digits at the beginning of a note's key that say when it was written.
const TIME_DIGITS: usize = 12;

/// Letters of a note: two pages of a book.
pub(crate) const NOTE_CHARS_MAX: usize = 4_000;

/// How far somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    done: BTreeSet<String>,
    /// Levels that were reached, for each step.
    reached: BTreeMap<String, BTreeSet<Mastery>>,
    practised: BTreeMap<String, u64>,
    /// Names of what was earned.
    pub(crate) earned: BTreeSet<String>,
    /// Notes by their step and key; keys are in the order in which they were written.
    notes: BTreeMap<(String, String), String>,
}

impl Progress {
    /// Reads it from whatever stands there.
    pub(crate) fn of(value: &Value) -> Self {
        let mut progress = Self::default();
        for (key, value) in value.as_object().into_iter().flatten() {
            progress.read(key, value);
        }
        progress
    }

    fn read(&mut self, key: &str, value: &Value) {
        let is_true = *value == Value::Bool(true);
        if let Some(step) = key.strip_prefix(PRACTISED) {
            let times = value.as_u64().filter(|times| *times > 0);
            self.practised.extend(times.map(|times| (step.to_owned(), times)));
        } else if let Some(rest) = key.strip_prefix(NOTE) {
            let place = rest.split_once(':').zip(value.as_str());
            self.notes.extend(
                place.map(|((key, step), text)| {
                    ((step.to_owned(), key.to_owned()), text.to_owned())
                }),
            );
        } else if let Some(step) = key.strip_prefix(DONE).filter(|_| is_true) {
            self.done.insert(step.to_owned());
        } else if let Some(name) = key.strip_prefix(EARNED).filter(|_| is_true) {
            self.earned.insert(name.to_owned());
        } else if let Some(rest) = key.strip_prefix(REACHED).filter(|_| is_true)
            && let Some((level, step)) = rest.split_once(':')
            && let Some(level) = level.parse().ok().and_then(Mastery::of)
        {
            self.reached.entry(step.to_owned()).or_default().insert(level);
        }
    }

    /// Whether a step is done.
    pub(crate) fn has(&self, step: &str) -> bool {
        self.done.contains(step)
    }

    /// How many of the path's steps are done.
    pub(crate) fn count(&self, path: &LearningPath) -> usize {
        path.steps.iter().filter(|step| self.has(&step.id)).count()
    }

    /// The highest level that was reached in a step. Whoever is done with it has seen it.
    pub(crate) fn mastery(&self, step: &str) -> Mastery {
        let said = self.reached.get(step).and_then(BTreeSet::last).copied().unwrap_or_default();
        if self.has(step) { said.max(Mastery::Seen) } else { said }
    }

    /// How often a step was practised.
    pub(crate) fn practised(&self, step: &str) -> u64 {
        self.practised.get(step).copied().unwrap_or_default()
    }

    /// The notes on a step, by their keys, the oldest first.
    pub(crate) fn notes(&self, step: &str) -> impl Iterator<Item = (&str, &str)> {
        let from = (step.to_owned(), String::new());
        let of_step =
            self.notes.range(from.clone()..).take_while(move |((of, _), _)| *of == from.0);
        of_step.map(|((_, key), text)| (key.as_str(), text.as_str()))
    }

    /// What removes a note; nothing where another device removed it already.
    pub(crate) fn forget(&self, step: &str, key: &str) -> Option<PatchOp> {
        let is_there = self.notes.contains_key(&(step.to_owned(), key.to_owned()));
        is_there.then(|| PatchOp::Remove { path: pointer_to(&format!("{NOTE}{key}:{step}")) })
    }

    /// The same with a step done, or not done.
    pub(crate) fn marked(&self, step: &str, is_done: bool) -> Self {
        let mut marked = self.clone();
        if is_done {
            marked.done.insert(step.to_owned());
        } else {
            marked.done.remove(step);
        }
        marked
    }

    /// What says that a level is reached, and that higher ones are not.
    pub(crate) fn reach(&self, step: &str, level: Mastery) -> Vec<PatchOp> {
        let none = BTreeSet::new();
        let reached = self.reached.get(step).unwrap_or(&none);
        let is_new = level != Mastery::NotStarted && !reached.contains(&level);
        let higher = reached.iter().filter(|it| **it > level).map(|it| (*it, false));
        let said = is_new.then_some((level, true)).into_iter().chain(higher);
        said.map(|(level, is_reached)| {
            set(&format!("{REACHED}{}:{step}", level.number()), is_reached)
        })
        .collect()
    }
}

/// What says that a step is done, or not done.
pub(crate) fn mark(step: &str, is_done: bool) -> PatchOp {
    set(&format!("{DONE}{step}"), is_done)
}

/// What counts that a step was practised once more.
pub(crate) fn practise(step: &str) -> PatchOp {
    PatchOp::Increment { path: pointer_to(&format!("{PRACTISED}{step}")), by: 1 }
}

/// What adds a note to a step.
pub(crate) fn note(step: &str, text: &str, now: Timestamp, entropy: &mut Entropy) -> PatchOp {
    let unique = u32::from_be_bytes(random_bytes(entropy));
    let key = format!("{:0TIME_DIGITS$x}{unique:08x}", now.0);
    PatchOp::Add { path: pointer_to(&format!("{NOTE}{key}:{step}")), value: text.into() }
}

/// When a note was written, by the clock of whoever wrote it.
pub(crate) fn noted_at(key: &str) -> Option<Timestamp> {
    u64::from_str_radix(key.get(..TIME_DIGITS)?, 16).ok().map(Timestamp)
}

/// What writes down that something was earned.
pub(crate) fn earn(name: &str) -> PatchOp {
    set(&format!("{EARNED}{name}"), true)
}

fn set(key: &str, value: bool) -> PatchOp {
    PatchOp::Add { path: pointer_to(key), value: value.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_meant_counts() {
        let progress = Progress::of(&json!({
            "done:a": true, "done:b": false, "done:c": "true", "d": true,
            "reached:3:a": true, "reached:5:a": false, "reached:9:a": true, "reached:x:a": true,
            "reached:2": true, "practised:a": 4, "practised:b": -1, "practised:c": "7",
            "earned:x": true, "earned:y": 1, "note:2:a": "two", "note:1:a": "one", "note:3:b": 3,
            "note:4": "no step", "note:5:a:b": "another",
        }));
        assert_eq!(progress.notes("a").collect::<Vec<_>>(), [("1", "one"), ("2", "two")]);
        assert_eq!(progress.notes("b").count(), 0);
        assert!(progress.forget("a", "2").is_some() && progress.forget("a", "5").is_none());
        assert!(progress.has("a") && !progress.has("b"));
        assert!(!progress.has("c") && !progress.has("d"));
        assert_eq!(progress.mastery("a"), Mastery::Understand);
        assert_eq!(["a", "b", "c"].map(|step| progress.practised(step)), [4, 0, 0]);
        assert_eq!(progress.earned, BTreeSet::from(["x".to_owned()]));
        assert_eq!(Progress::of(&json!(["done:a"])), Progress::default());
        let path = LearningPath::read(&json!({ "steps": [{ "id": "a" }, { "id": "z" }] }));
        assert_eq!(progress.count(&path), 1);
    }

    #[test]
    fn the_highest_level_counts_and_who_is_done_has_seen_it() {
        let progress = Progress::of(&json!({
            "reached:2:a": true, "reached:6:a": true, "reached:4:a/b:c": true, "done:d": true,
        }));
        assert_eq!(progress.mastery("a"), Mastery::Evaluate);
        assert_eq!(progress.mastery("a/b:c"), Mastery::Apply, "ids may hold anything");
        assert_eq!(progress.mastery("d"), Mastery::Seen);
        assert_eq!(progress.mastery("e"), Mastery::NotStarted);
        let keys = |level| {
            let said = progress.reach("a", level).into_iter().map(|operation| {
                let PatchOp::Add { path, value } = operation else { panic!("{operation:?}") };
                (path, value == Value::Bool(true))
            });
            said.collect::<Vec<_>>()
        };
        let key = |level: u8, is_reached| (format!("/reached:{level}:a"), is_reached);
        assert_eq!(keys(Mastery::Create), [key(7, true)]);
        assert_eq!(keys(Mastery::Evaluate), []);
        assert_eq!(keys(Mastery::Understand), [key(3, true), key(6, false)]);
        assert_eq!(keys(Mastery::NotStarted), [key(2, false), key(6, false)]);
    }
}
