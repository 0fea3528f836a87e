//! What the steps of a learning path wait for, and what finishing them earns.
//!
//! A gate advises: whoever wants to opens a step that waits, and nothing is hidden. A step
//! with a threshold waits for the steps before it in its chapter, a chapter with one for the
//! chapters before it; what is optional holds nobody up.
//!
//! Non-goals: signed statements; what is earned here a person says of themselves.

use std::collections::BTreeSet;

use crate::{
    mastery::Mastery,
    path::{Gate, LearningPath},
    progress::Progress,
};

/// Why something waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// For steps before it.
    Mastery {
        /// Where they should be.
        level: Mastery,
        /// The first one that is not there.
        first: usize,
        /// How many are not there.
        count: usize,
    },
    /// For something that is earned.
    Earned(String),
}

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// With a step that is not done.
    Step(usize),
    /// With a step that is done, and not known as well as a later one asks for.
    Again(usize),
}

/// What everything on a path waits for.
pub(crate) struct Gates {
    steps: Vec<Vec<Wait>>,
    chapters: Vec<Vec<Wait>>,
}

impl Gates {
    /// `earned` is what was earned, here or elsewhere.
    pub(crate) fn of(path: &LearningPath, progress: &Progress, earned: &BTreeSet<String>) -> Self {
        let mut gates = Self { steps: Vec::with_capacity(path.steps.len()), chapters: vec![] };
        let mut before = Behind::default();
        for chapter in &path.chapters {
            gates.chapters.push(waits(&chapter.gate, &before, earned));
            let mut within = Behind::default();
            for (at, step) in path.steps_of(chapter) {
                gates.steps.push(waits(&step.gate, &within, earned));
                if step.is_optional {
                    continue;
                }
                let mastery = progress.mastery(&step.id);
                within.note(at, mastery);
                if !chapter.is_optional {
                    before.note(at, mastery);
                }
            }
        }
        gates
    }

    /// What a chapter waits for.
    pub(crate) fn of_chapter(&self, chapter: usize) -> &[Wait] {
        self.chapters.get(chapter).map(Vec::as_slice).unwrap_or_default()
    }

    /// What a step waits for, its chapter aside.
    pub(crate) fn of_step(&self, step: usize) -> &[Wait] {
        self.steps.get(step).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a step or its chapter waits for something.
    pub(crate) fn is_locked(&self, path: &LearningPath, step: usize) -> bool {
        let chapter = path.steps.get(step).map(|step| step.chapter);
        let of_chapter = chapter.map(|chapter| self.of_chapter(chapter)).unwrap_or_default();
        !(of_chapter.is_empty() && self.of_step(step).is_empty())
    }

    /// Where to go on: what waits is not passed over for what comes after it, unless it is
    /// optional or waits for what no step of this path can help.
    pub(crate) fn next(&self, path: &LearningPath, progress: &Progress) -> Option<Next> {
        let open = path.steps.iter().enumerate().filter(|(_, step)| !progress.has(&step.id));
        for (at, step) in open {
            if !self.is_locked(path, at) {
                return Some(Next::Step(at));
            }
            if step.is_optional {
                continue;
            }
            let waits = self.of_chapter(step.chapter).iter().chain(self.of_step(at));
            let mut lacking = waits.filter_map(|wait| match wait {
                Wait::Mastery { first, .. } => Some(*first),
                Wait::Earned(_) => None,
            });
            if let Some(first) = lacking.next() {
                return Some(Next::Again(first));
            }
        }
        None
    }
}

fn waits(gate: &Gate, before: &Behind, earned: &BTreeSet<String>) -> Vec<Wait> {
    let mut waits = Vec::new();
    let level = gate.mastery;
    if let Some((first, count)) = before.below[level.number()] {
        waits.push(Wait::Mastery { level, first, count });
    }
    if let Some(name) = gate.needs.as_ref().filter(|name| !earned.contains(*name)) {
        waits.push(Wait::Earned(name.clone()));
    }
    waits
}

/// For each level the first of the steps so far that is below it, and how many are. Long
/// paths are walked once.
#[derive(Default)]
struct Behind {
    below: [Option<(usize, usize)>; Mastery::ALL.len()],
}

impl Behind {
    fn note(&mut self, step: usize, mastery: Mastery) {
        for below in &mut self.below[mastery.number() + 1..] {
            let (_, count) = below.get_or_insert((step, 0));
            *count += 1;
        }
    }
}

/// What was earned on a path: what was written down, and what its steps and chapters that
/// are done grant now. Two devices may each have done one half of a chapter.
pub(crate) fn earned(path: &LearningPath, progress: &Progress) -> BTreeSet<String> {
    let mut earned = progress.earned.clone();
    let steps = path.steps.iter().filter(|step| progress.has(&step.id));
    earned.extend(steps.filter_map(|step| step.gate.grants.clone()));
    for chapter in &path.chapters {
        let steps = path.steps_of(chapter).map(|(_, step)| step);
        let has_required = steps.clone().any(|step| !step.is_optional);
        let mut counting = steps.filter(|step| !(has_required && step.is_optional));
        if chapter.count > 0 && counting.all(|step| progress.has(&step.id)) {
            earned.extend(chapter.gate.grants.clone());
        }
    }
    earned
}

/// What a path asks for that was not earned on it.
pub(crate) fn lacks(path: &LearningPath, earned: &BTreeSet<String>) -> bool {
    let of_chapters = path.chapters.iter().map(|chapter| &chapter.gate);
    let mut gates = of_chapters.chain(path.steps.iter().map(|step| &step.gate));
    gates.any(|gate| gate.needs.as_ref().is_some_and(|name| !earned.contains(name)))
}

#[cfg(test)]
#[path = "tests/gates.rs"]
mod tests;
