//! What in a content item or a learning path is not as Kith's schema has it, in sentences.
//!
//! Invariants: whatever is written is kept, shown and passed on as it is; nothing is refused
//! for what is said here, and fields that the schema does not name are fine. Any JSON is
//! walked within bounds.
//! Non-goals: whether what is referred to is there; it may be on its way.

use std::collections::BTreeSet;

use node_core::request::Reach;
use serde_json::{Map, Value};

use crate::{mastery::Mastery, path::STEPS_MAX};

/// Most sentences: who mends these looks again.
const SENTENCES_MAX: usize = 50;

/// Letters shown of a name or a value.
const SHOWN_CHARS_MAX: usize = 40;

/// Chapter, module, section, and two more, as paths are read.
const DEPTH_MAX: usize = 5;

const VISIBILITIES: &[&str] = &["private", "unlisted", "community", "public"];
const STEP_TYPES: &[&str] = &["content", "path", "external", "checkpoint", "reflection"];
const CRITERIA: &[&str] =
    &["view", "quiz_pass", "practice_complete", "reflection_submit", "time_spent"];

type Fields = Map<String, Value>;

/// What does not fit in a document of this type; nothing for types without a schema.
pub(crate) fn check(kind: &str, value: &Value) -> Vec<String> {
    let mut check = Check::default();
    if let Value::Object(fields) = value {
        match kind {
            "content" => check.content(fields),
            "learning-path" => check.path(fields),
            _ => {}
        }
    }
    check.sentences
}

#[derive(Default)]
struct Check {
    sentences: Vec<String>,
    /// Ids of steps so far; progress is kept under them.
    ids: BTreeSet<String>,
    steps: usize,
}

impl Check {
    fn say(&mut self, whose: &str, what: impl std::fmt::Display) {
        if self.sentences.len() < SENTENCES_MAX {
            self.sentences.push(format!("{whose} {what}."));
        }
    }

    fn content(&mut self, fields: &Fields) {
        let it = "The item";
        self.text(it, fields, "title");
        self.text(it, fields, "content_type");
        if !["content", "blob", "blob_cid"].iter().any(|key| is_there(fields, key)) {
            self.say(it, "has neither “content” nor “blob”");
        }
        for key in ["description", "summary", "content_format", "author_id"] {
            self.text_if_there(it, fields, key);
        }
        self.lists(it, fields, &["tags", "related_node_ids"]);
        self.minutes(it, fields);
        let reach = fields.get("reach").filter(|reach| !reach.is_null());
        let is_reach = |text: &str| text.parse::<Reach>().is_ok();
        if let Some(reach) = reach.filter(|reach| !reach.as_str().is_some_and(is_reach)) {
            self.say(it, format_args!("has “reach”, but there is no such reach: {}", shown(reach)));
        }
    }

    fn path(&mut self, fields: &Fields) {
        let it = "The path";
        self.text(it, fields, "title");
        for key in ["description", "purpose", "created_by", "difficulty", "path_type"] {
            self.text_if_there(it, fields, key);
        }
        self.one_of(it, fields, "visibility", VISIBILITIES);
        self.lists(it, fields, &["tags"]);
        if !is_there(fields, "chapters") && !is_there(fields, "steps") {
            self.say(it, "has no “chapters”");
        }
        self.parts(it, fields, 0);
        if self.steps == 0 {
            self.say(it, "has no steps");
        }
    }

    /// Chapters, modules, sections, steps and concepts of something.
    fn parts(&mut self, whose: &str, fields: &Fields, depth: usize) {
        for (key, word) in [("chapters", "Chapter"), ("modules", "Module"), ("sections", "Section")]
        {
            for (at, part) in self.list(whose, fields, key).iter().enumerate() {
                let name = named(word, at, part, "title");
                let Value::Object(part) = part else {
                    self.say(&name, "is no object");
                    continue;
                };
                self.text(&name, part, "title");
                self.gate(&name, part);
                if depth < DEPTH_MAX && self.has_room() {
                    self.parts(&name, part, depth + 1);
                }
            }
        }
        for (at, step) in self.list(whose, fields, "steps").iter().enumerate() {
            if self.has_room() {
                self.step(&named("Step", at, step, "step_title"), whose, step);
            }
        }
        for key in ["conceptIds", "concept_ids", "concepts"] {
            let concepts = self.list(whose, fields, key);
            self.steps = self.steps.saturating_add(concepts.len());
            let is_one = |concept: &Value| match concept {
                Value::String(id) => !id.is_empty(),
                Value::Object(fields) => fields.get("id").is_some_and(Value::is_string),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
            };
            if !concepts.iter().all(is_one) {
                self.say(whose, format_args!("has something in “{key}” that is no id"));
            }
        }
    }

    fn has_room(&self) -> bool {
        self.sentences.len() < SENTENCES_MAX && self.steps < STEPS_MAX
    }

    fn step(&mut self, name: &str, whose: &str, step: &Value) {
        self.steps += 1;
        let Value::Object(step) = step else {
            self.say(name, format_args!("of {} is no object", lower(whose)));
            return;
        };
        match step.get("id").and_then(Value::as_str).map(str::trim) {
            Some(id) if !id.is_empty() => {
                if !self.ids.insert(id.to_owned()) {
                    let id = cut(id);
                    self.say(name, format_args!("has the id of another step, “{id}”"));
                }
            }
            Some(_) | None => self.say(name, "has no “id”: when it moves, progress on it is lost"),
        }
        self.one_of(name, step, "step_type", STEP_TYPES);
        self.one_of(name, step, "completion_criteria", CRITERIA);
        let kind = step.get("step_type").and_then(Value::as_str).unwrap_or("content");
        let leads = !matches!(kind, "checkpoint" | "reflection");
        if leads && !is_there(step, "resource_id") {
            self.say(name, "leads nowhere: it has no “resource_id”");
        }
        for key in ["resource_id", "step_title", "step_narrative"] {
            self.text_if_there(name, step, key);
        }
        self.lists(name, step, &["reflection_prompts", "practice_exercises"]);
        self.gate(name, step);
    }

    /// What chapters and steps have in common.
    fn gate(&mut self, name: &str, fields: &Fields) {
        let level = fields.get("mastery_threshold").filter(|level| !level.is_null());
        let is_level = |level: &Value| level.as_u64().and_then(Mastery::of).is_some();
        if let Some(level) = level.filter(|level| !is_level(level)) {
            let level = shown(level);
            self.say(name, format_args!("has “mastery_threshold”, but it is not 0 to 7: {level}"));
        }
        for key in ["attestation_required", "attestation_granted"] {
            self.text_if_there(name, fields, key);
        }
        self.lists(name, fields, &["learning_objectives"]);
        self.minutes(name, fields);
        if fields.get("is_optional").is_some_and(|it| !it.is_boolean() && !it.is_null()) {
            self.say(name, "has “is_optional”, but it is neither true nor false");
        }
    }

    fn text(&mut self, name: &str, fields: &Fields, key: &str) {
        if is_there(fields, key) {
            self.text_if_there(name, fields, key);
        } else {
            self.say(name, format_args!("has no “{key}”"));
        }
    }

    fn text_if_there(&mut self, name: &str, fields: &Fields, key: &str) {
        if is_there(fields, key) && !fields.get(key).is_some_and(Value::is_string) {
            self.say(name, format_args!("has “{key}”, but it is no text"));
        }
    }

    fn one_of(&mut self, name: &str, fields: &Fields, key: &str, words: &[&str]) {
        let found = fields.get(key).filter(|found| !found.is_null());
        let is_known = |found: &Value| found.as_str().is_some_and(|word| words.contains(&word));
        if let Some(found) = found.filter(|found| !is_known(found)) {
            let words = words.join(", ");
            let found = shown(found);
            self.say(name, format_args!("has “{key}”, but it is none of {words}: {found}"));
        }
    }

    fn lists(&mut self, name: &str, fields: &Fields, keys: &[&str]) {
        for key in keys {
            if !self.list(name, fields, key).iter().all(Value::is_string) {
                self.say(name, format_args!("has something in “{key}” that is no text"));
            }
        }
    }

    fn list<'a>(&mut self, name: &str, fields: &'a Fields, key: &str) -> &'a [Value] {
        match fields.get(key) {
            Some(Value::Array(list)) => list,
            Some(Value::Null) | None => &[],
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                self.say(name, format_args!("has “{key}”, but it is no list"));
                &[]
            }
        }
    }

    fn minutes(&mut self, name: &str, fields: &Fields) {
        let minutes = fields.get("estimated_minutes").filter(|minutes| !minutes.is_null());
        if minutes.is_some_and(|minutes| !minutes.is_u64()) {
            self.say(name, "has “estimated_minutes”, but it is no whole number");
        }
    }
}

/// Whether a field holds something.
fn is_there(fields: &Fields, key: &str) -> bool {
    fields.get(key).is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}

/// `Chapter 2 (Knots)`.
fn named(word: &str, at: usize, value: &Value, key: &str) -> String {
    let name = value.get(key).or_else(|| value.get("id")).and_then(Value::as_str);
    let name = name.map(|name| format!(" (“{}”)", cut(name))).unwrap_or_default();
    format!("{word} {}{name}", at + 1)
}

fn lower(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("“{}”", cut(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => cut(&value.to_string()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
#[path = "tests/check.rs"]
mod tests;
