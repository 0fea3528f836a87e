//! Learning paths, of either shape, as chapters and one row of steps.
//!
//! Invariant: any JSON gives a path; what is missing or of another type is left
//! out, what is too much is cut, and two steps never share an id.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::mastery::Mastery;

/// Most steps; a person who does one a day is busy for 13 years.
pub(crate) const STEPS_MAX: usize = 5_000;

/// Most chapters that are shown.
const CHAPTERS_MAX: usize = 1_000;

/// Chapter, module, section, and two more for shapes that we have not met.
const DEPTH_MAX: usize = 5;

/// Longest text of a field; a narrative is a paragraph.
const TEXT_CHARS_MAX: usize = 20_000;

/// Longest id; it becomes a key of the progress.
const ID_CHARS_MAX: usize = 200;

/// Most objectives, prompts or exercises of one step or chapter.
const LINES_MAX: usize = 100;

/// A learning path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LearningPath {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) difficulty: Option<String>,
    pub(crate) duration: Option<String>,
    pub(crate) chapters: Vec<Chapter>,
    pub(crate) steps: Vec<Step>,
    /// Whether there was more than we show.
    pub(crate) is_cut: bool,
}

/// A chapter: a stretch of the row of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chapter {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) objectives: Vec<String>,
    pub(crate) minutes: Option<u64>,
    pub(crate) is_optional: bool,
    pub(crate) gate: Gate,
    /// Its first step.
    pub(crate) first: usize,
    /// How many steps it has.
    pub(crate) count: usize,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Stays the same when steps move: progress is kept under it.
    pub(crate) id: String,
    pub(crate) kind: StepKind,
    /// A content id, a path, or for an external step an address.
    pub(crate) resource: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) narrative: Option<String>,
    pub(crate) objectives: Vec<String>,
    pub(crate) prompts: Vec<String>,
    pub(crate) exercises: Vec<String>,
    pub(crate) minutes: Option<u64>,
    pub(crate) is_optional: bool,
    pub(crate) gate: Gate,
    /// Its chapter.
    pub(crate) chapter: usize,
}

/// What a step or chapter waits for, and what finishing it earns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// How well what stands before it should be known.
    pub(crate) mastery: Mastery,
    /// What should have been earned.
    pub(crate) needs: Option<String>,
    pub(crate) grants: Option<String>,
}

impl Gate {
    fn read(value: &Value) -> Self {
        let level = value.get("mastery_threshold").and_then(Value::as_u64);
        let name = |key: &str| text(value, key).map(|name| cut(&name, ID_CHARS_MAX));
        Self {
            mastery: level.and_then(Mastery::of).unwrap_or_default(),
            needs: name("attestation_required"),
            grants: name("attestation_granted"),
        }
    }

    /// The same with what stands around it: whatever is inside waits for that, too.
    fn within(self, outer: &Self) -> Self {
        let needs = self.needs.or_else(|| outer.needs.clone());
        Self { mastery: self.mastery.max(outer.mastery), needs, grants: self.grants }
    }
}

/// What kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    Content,
    Path,
    External,
    Checkpoint,
    Reflection,
}

impl StepKind {
    fn of(word: Option<&str>) -> Self {
        match word {
            Some("path") => Self::Path,
            Some("external") => Self::External,
            Some("checkpoint") => Self::Checkpoint,
            Some("reflection") => Self::Reflection,
            Some(_) | None => Self::Content,
        }
    }

    /// What people call it, where it is not simply something to read.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Content => None,
            Self::Path => Some("another path"),
            Self::External => Some("on the web"),
            Self::Checkpoint => Some("checkpoint"),
            Self::Reflection => Some("reflection"),
        }
    }
}

impl LearningPath {
    /// The steps of one of its chapters, with their numbers.
    pub(crate) fn steps_of(
        &self,
        chapter: &Chapter,
    ) -> impl Iterator<Item = (usize, &Step)> + Clone {
        self.steps.iter().enumerate().skip(chapter.first).take(chapter.count)
    }

    /// Reads a path from whatever stands there.
    pub(crate) fn read(value: &Value) -> Self {
        let mut path = Self {
            title: text(value, "title"),
            description: text(value, "description"),
            purpose: text(value, "purpose"),
            difficulty: text(value, "difficulty"),
            duration: text(value, "estimated_duration"),
            ..Self::default()
        };
        let mut ids = BTreeSet::new();
        let chapters = ordered(value, &["chapters"]);
        if chapters.is_empty() {
            path.read_chapter(value, &mut ids);
        }
        path.is_cut = chapters.len() > CHAPTERS_MAX;
        for chapter in chapters.into_iter().take(CHAPTERS_MAX) {
            path.read_chapter(chapter, &mut ids);
        }
        path
    }

    fn read_chapter(&mut self, value: &Value, ids: &mut BTreeSet<String>) {
        let first = self.steps.len();
        let id = id(value).unwrap_or_else(|| format!("chapter-{}", self.chapters.len()));
        let mut reader = Reader { path: self, ids };
        reader.read(value, &[id], &Gate::default());
        let count = self.steps.len() - first;
        self.chapters.push(Chapter {
            title: text(value, "title").or_else(|| text(value, "name")),
            description: text(value, "description"),
            objectives: lines(value, "learning_objectives"),
            minutes: minutes(value),
            is_optional: flag(value, "is_optional"),
            gate: Gate::read(value),
            first,
            count,
        });
    }
}

struct Reader<'a> {
    path: &'a mut LearningPath,
    ids: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    /// Steps of a chapter, module or section, and of what is inside it. The gate is that of
    /// the module and section; a chapter keeps its own.
    fn read(&mut self, value: &Value, trail: &[String], gate: &Gate) {
        for step in ordered(value, &["steps"]) {
            if !self.has_room() {
                return;
            }
            let position = self.path.steps.len();
            let id = id(step).unwrap_or_else(|| format!("{}/step-{position}", trail.join("/")));
            let mut step = read_step(step, id);
            step.gate = step.gate.within(gate);
            self.push(step);
        }
        for concept in concepts(value) {
            if !self.has_room() {
                return;
            }
            let step = concept_step(concept, value, (trail, gate));
            step.into_iter().for_each(|step| self.push(step));
        }
        if trail.len() > DEPTH_MAX {
            return;
        }
        for (at, part) in ordered(value, &["modules", "sections"]).into_iter().enumerate() {
            if self.path.is_cut {
                return;
            }
            let id = id(part).unwrap_or_else(|| format!("part-{at}"));
            let gate = Gate::read(part).within(gate);
            self.read(part, &[trail, &[id]].concat(), &gate);
        }
    }

    fn has_room(&mut self) -> bool {
        self.path.is_cut |= self.path.steps.len() >= STEPS_MAX;
        !self.path.is_cut
    }

    fn push(&mut self, mut step: Step) {
        let id = cut(&step.id, ID_CHARS_MAX);
        step.id = id.clone();
        let mut again = self.path.steps.len();
        while !self.ids.insert(step.id.clone()) {
            step.id = format!("{id}#{again}");
            again += 1;
        }
        step.chapter = self.path.chapters.len();
        self.path.steps.push(step);
    }
}

fn read_step(value: &Value, id: String) -> Step {
    Step {
        id,
        kind: StepKind::of(value.get("step_type").and_then(Value::as_str)),
        resource: text(value, "resource_id"),
        title: text(value, "step_title").or_else(|| text(value, "title")),
        narrative: text(value, "step_narrative").or_else(|| text(value, "description")),
        objectives: lines(value, "learning_objectives"),
        prompts: lines(value, "reflection_prompts"),
        exercises: lines(value, "practice_exercises"),
        minutes: minutes(value),
        is_optional: flag(value, "is_optional"),
        gate: Gate::read(value),
        chapter: 0,
    }
}

/// A concept of the second shape: an id, or an object that has one.
fn concept_step(
    concept: &Value,
    section: &Value,
    (trail, gate): (&[String], &Gate),
) -> Option<Step> {
    let resource = match concept {
        Value::String(text) if !text.is_empty() => cut(text, TEXT_CHARS_MAX),
        Value::Object(_) => id(concept)?,
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return None;
        }
    };
    let id = format!("{}/{resource}", trail.join("/"));
    let is_only = concepts(section).count() == 1 && trail.len() > 1;
    let own = text(concept, "title");
    let mut step = read_step(&Value::Null, id);
    step.title = own.or_else(|| text(section, "title").filter(|_| is_only));
    step.narrative = text(section, "description").filter(|_| is_only);
    step.gate = Gate::read(concept).within(gate);
    if is_only && step.gate.grants.is_none() {
        step.gate.grants.clone_from(&gate.grants);
    }
    step.minutes = minutes(concept);
    step.resource = Some(resource);
    Some(step)
}

fn concepts(value: &Value) -> impl Iterator<Item = &Value> {
    let keys = ["conceptIds", "concept_ids", "concepts"];
    keys.into_iter().filter_map(|key| value.get(key)?.as_array()).flatten()
}

/// The objects in these lists, by `order_index` where they have one, else as they
/// stand.
fn ordered<'a>(value: &'a Value, keys: &[&str]) -> Vec<&'a Value> {
    let lists = keys.iter().filter_map(|key| value.get(key)?.as_array());
    let mut items: Vec<(u64, &Value)> = lists
        .flatten()
        .filter(|item| item.is_object())
        .enumerate()
        .map(|(at, item)| {
            let position = u64::try_from(at).unwrap_or(u64::MAX);
            (item.get("order_index").and_then(Value::as_u64).unwrap_or(position), item)
        })
        .collect();
    items.sort_by_key(|(order, _)| *order);
    items.into_iter().map(|(_, item)| item).collect()
}

fn id(value: &Value) -> Option<String> {
    let id = value.get("id")?.as_str()?.trim();
    (!id.is_empty()).then(|| cut(id, ID_CHARS_MAX))
}

fn text(value: &Value, key: &str) -> Option<String> {
    let text = value.get(key)?.as_str()?.trim();
    (!text.is_empty()).then(|| cut(text, TEXT_CHARS_MAX))
}

fn lines(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array).into_iter().flatten();
    let texts = list.filter_map(Value::as_str).map(str::trim).filter(|line| !line.is_empty());
    texts.take(LINES_MAX).map(|line| cut(line, TEXT_CHARS_MAX)).collect()
}

fn minutes(value: &Value) -> Option<u64> {
    value.get("estimated_minutes")?.as_u64().filter(|minutes| *minutes > 0)
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
#[path = "tests/path.rs"]
mod tests;
