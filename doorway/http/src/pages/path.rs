use maud::{Markup, html};
use node_core::{Failure, request::DocumentView};

use super::{
    learning::{self, Around},
    progress,
    shelf::Shelf,
    words,
};
use crate::{
    config::App,
    gates::{self, Gates, Next},
    path::{Chapter, LearningPath, Step},
    progress::Progress,
};

/// A learning path: what it is about, how far one is, its chapters and steps.
pub(crate) async fn overview(
    app: &App,
    shelf: &Shelf,
    view: &DocumentView,
) -> Result<Markup, Failure> {
    let path = LearningPath::read(&view.value);
    let progress = progress::read(app, shelf.space, view.document).await?;
    let gates = progress::gates(app, &path, &progress).await?;
    let around = Around { path: &path, shelf, document: view.document };
    Ok(html! {
        @if let Some(text) = &path.description { p.lead { (text) } }
        @if let Some(text) = &path.purpose { p { (text) } }
        p.quiet { (facts(&path)) }
        (bar(&path, &progress))
        (learning::earned(&gates::earned(&path, &progress)))
        (go_on(&around, &gates, &progress))
        @for (at, chapter) in path.chapters.iter().enumerate() {
            (chapter_list((at, chapter), &around, &gates, &progress))
        }
        @if path.is_cut { p.note { "The path is longer than what is shown here." } }
    })
}

/// Where to begin, or to go on.
fn go_on(around: &Around<'_>, gates: &Gates, progress: &Progress) -> Markup {
    let is_begun = progress.count(around.path) > 0;
    html! {
        @match gates.next(around.path, progress) {
            Some(Next::Step(at)) => {
                p { a.button href=(around.address(at)) { @if is_begun { "Go on" } @else { "Begin" } } }
            }
            Some(Next::Again(at)) => {
                p { a.button href=(around.address(at)) { "Go over a step again" } }
                p.quiet { "What comes next waits until you know this step better." }
            }
            None => {}
        }
    }
}

fn facts(path: &LearningPath) -> String {
    let steps = u64::try_from(path.steps.len()).unwrap_or(u64::MAX);
    let steps = Some(words::count(steps, "step", "steps"));
    let facts = [steps, path.duration.clone(), path.difficulty.clone()];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// How far one is, as a bar and in words.
pub(crate) fn bar(path: &LearningPath, progress: &Progress) -> Markup {
    let (done, all) = (progress.count(path), path.steps.len());
    let text = if done == all && all > 0 {
        "All steps done".to_owned()
    } else {
        format!(
            "{done} of {} done",
            words::count(u64::try_from(all).unwrap_or(u64::MAX), "step", "steps")
        )
    };
    html! {
        @if all > 0 {
            div.progress {
                progress max=(all) value=(done) aria-label="Progress" { (text) }
                span { (text) }
            }
        }
    }
}

fn chapter_list(
    (at, chapter): (usize, &Chapter),
    around: &Around<'_>,
    gates: &Gates,
    progress: &Progress,
) -> Markup {
    let Around { path, shelf, .. } = around;
    let id = format!("chapter-{}", at + 1);
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (chapter_title(chapter, at)) }
            @if let Some(text) = &chapter.description { p { (text) } }
            @if let Some(minutes) = chapter.minutes {
                p.quiet { "About " (words::minutes(minutes)) @if chapter.is_optional { ", optional" } }
            }
            @if let Some(name) = &chapter.gate.grants {
                p.quiet { "Whoever finishes it earns “" (words::kind(name)) "”" }
            }
            (learning::waits(around, "chapter", gates.of_chapter(at)))
            @if !chapter.objectives.is_empty() { (objectives(&chapter.objectives)) }
            ol.steps start=(chapter.first + 1) {
                @for (number, step) in path.steps_of(chapter) {
                    li {
                        a href=(around.address(number)) { (step_title(step, shelf)) }
                        @let facts = step_facts(step);
                        @if !facts.is_empty() { " " span.quiet { (facts) } }
                        (learning::earns(step.gate.grants.as_ref()))
                        @if progress.has(&step.id) { " " span.done { "✓ done" } }
                        @else if gates.is_locked(path, number) { " " span.badge { "waits" } }
                    }
                }
            }
        }
    }
}

/// What a chapter is called.
pub(crate) fn chapter_title(chapter: &Chapter, at: usize) -> String {
    chapter.title.clone().unwrap_or_else(|| format!("Part {}", at + 1))
}

/// What a step is called: by itself, or by what it leads to.
pub(crate) fn step_title(step: &Step, shelf: &Shelf) -> String {
    let resource = step.resource.as_deref();
    let found = || shelf.find(resource?).map(|found| found.title.clone());
    let named = step.title.clone().or_else(found);
    named.or_else(|| resource.map(ToOwned::to_owned)).unwrap_or_else(|| "A step".to_owned())
}

/// How long, and what kind.
pub(crate) fn step_facts(step: &Step) -> String {
    let minutes = step.minutes.map(words::minutes);
    let kind = step.kind.word().map(ToOwned::to_owned);
    let optional = step.is_optional.then(|| "optional".to_owned());
    [minutes, kind, optional].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What one will be able to do.
pub(crate) fn objectives(objectives: &[String]) -> Markup {
    html! {
        p { "Afterwards you can:" }
        ul { @for objective in objectives { li { (objective) } } }
    }
}
