//! What a learning path waits for and what was earned on it, in words, and the forms about
//! how well one knows a step.

use std::collections::BTreeSet;

use maud::{Markup, html};
use node_model::DocumentId;

use super::{path as overview, shelf::Shelf, words};
use crate::{
    gates::Wait,
    links,
    mastery::Mastery,
    path::{LearningPath, Step},
    progress::{NOTE_CHARS_MAX, Progress, noted_at},
};

/// Where what is waited for is found.
pub(crate) struct Around<'a> {
    pub(crate) path: &'a LearningPath,
    pub(crate) shelf: &'a Shelf,
    pub(crate) document: DocumentId,
}

impl Around<'_> {
    /// Where a step of the path is shown.
    pub(crate) fn address(&self, step: usize) -> String {
        links::step(self.shelf.space, self.document, step)
    }
}

/// Says what a step or a chapter waits for.
pub(crate) fn waits(around: &Around<'_>, what: &str, waits: &[Wait]) -> Markup {
    html! {
        @for wait in waits {
            p.note {
                "This " (what) " waits "
                @match wait {
                    Wait::Mastery { level, first, count } => {
                        "until you know the steps before it well enough: level " (level.number())
                        ", “" (level.sentence()) "”. "
                        @if let Some(step) = around.path.steps.get(*first) {
                            a href=(around.address(*first)) { (overview::step_title(step, around.shelf)) }
                            @if *count > 1 {
                                " and " (words::count((*count - 1) as u64, "other step is", "other steps are")) " not there yet. "
                            } @else { " is not there yet. " }
                        }
                    }
                    Wait::Earned(name) => {
                        "until you have earned “" (words::kind(name)) "”. "
                        @if let Some(at) = granted_by(around.path, name) {
                            "You earn it " a href=(around.address(at)) { "here" } ". "
                        }
                    }
                }
                "You may look at it all the same."
            }
        }
    }
}

/// The step that earns something, or the first one of the chapter that does.
fn granted_by(path: &LearningPath, name: &str) -> Option<usize> {
    let grants = |grants: &Option<String>| grants.as_deref() == Some(name);
    let step = path.steps.iter().position(|step| grants(&step.gate.grants));
    let chapter = || path.chapters.iter().find(|it| it.count > 0 && grants(&it.gate.grants));
    step.or_else(|| Some(chapter()?.first))
}

/// What was earned on a path.
pub(crate) fn earned(names: &BTreeSet<String>) -> Markup {
    html! {
        @if !names.is_empty() {
            p { "Earned: " @for name in names { span.badge { "★ " (words::kind(name)) } " " } }
        }
    }
}

/// What finishing something will earn.
pub(crate) fn earns(name: Option<&String>) -> Markup {
    html! { @if let Some(name) = name { " " span.quiet { "earns “" (words::kind(name)) "”" } } }
}

/// How well one knows a step, and how often it was practised: to say so.
pub(crate) fn form(step: &Step, progress: &Progress) -> Markup {
    let mastery = progress.mastery(&step.id);
    let practised = progress.practised(&step.id);
    html! {
        section.questions aria-labelledby="mastery" {
            h2 id="mastery" { "How well do you know this?" }
            form.mark method="post" {
                input type="hidden" name="step" value=(step.id);
                label for="level" { "You say of yourself" }
                select id="level" name="mastery" {
                    @for level in Mastery::ALL {
                        option value=(level.number()) selected[level == mastery] {
                            (level.number()) " · " (level.word()) ": " (level.sentence())
                        }
                    }
                }
                button.quiet type="submit" { "Save the level" }
            }
            form.mark method="post" {
                input type="hidden" name="step" value=(step.id);
                p {
                    @if practised == 0 { "Not practised yet." }
                    @else { "Practised " (words::count(practised, "time", "times")) "." }
                }
                button.quiet type="submit" name="practised" value="true" { "I practised it" }
            }
        }
    }
}

/// Notes that a person took on a step, and the form for another one.
pub(crate) fn notes(step: &Step, progress: &Progress) -> Markup {
    html! {
        section.questions aria-labelledby="notes" {
            h2 id="notes" { "Your notes" }
            @for (key, text) in progress.notes(&step.id) {
                @if let Some(at) = noted_at(key) { p.quiet { (words::moment(at)) } }
                p.value.text { (text) }
                form.mark method="post" {
                    input type="hidden" name="step" value=(step.id);
                    button.quiet type="submit" name="forget" value=(key) { "Delete this note" }
                }
            }
            form.mark method="post" {
                input type="hidden" name="step" value=(step.id);
                label for="note" { "Only you see them, on all of your devices" }
                textarea id="note" name="note" rows="3" maxlength=(NOTE_CHARS_MAX) {}
                button.quiet type="submit" { "Keep this note" }
            }
        }
    }
}
