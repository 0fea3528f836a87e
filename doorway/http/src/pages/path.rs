use maud::{Markup, html};
use node_core::{Failure, request::DocumentView};

use super::{
    progress::{self, Progress},
    shelf::Shelf,
    words,
};
use crate::{
    config::App,
    links,
    path::{Chapter, LearningPath, Step},
};

/// A learning path: what it is about, how far one is, its chapters and steps.
pub(crate) async fn overview(
    app: &App,
    shelf: &Shelf,
    view: &DocumentView,
) -> Result<Markup, Failure> {
    let path = LearningPath::read(&view.value);
    let progress = progress::read(app, shelf.space, view.document).await?;
    let address = |step: usize| links::step(shelf.space, view.document, step);
    let next = progress.next(&path);
    let is_begun = progress.count(&path) > 0;
    Ok(html! {
        @if let Some(text) = &path.description { p.lead { (text) } }
        @if let Some(text) = &path.purpose { p { (text) } }
        p.quiet { (facts(&path)) }
        (bar(&path, &progress))
        @if let Some(next) = next {
            p { a.button href=(address(next)) { @if is_begun { "Go on" } @else { "Begin" } } }
        }
        @for (at, chapter) in path.chapters.iter().enumerate() {
            (chapter_list(at, chapter, &path, &progress, shelf, &address))
        }
        @if path.is_cut { p.note { "The path is longer than what is shown here." } }
    })
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
    at: usize,
    chapter: &Chapter,
    path: &LearningPath,
    progress: &Progress,
    shelf: &Shelf,
    address: &impl Fn(usize) -> String,
) -> Markup {
    let steps = path.steps.iter().enumerate().skip(chapter.first).take(chapter.count);
    let id = format!("chapter-{}", at + 1);
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (chapter_title(chapter, at)) }
            @if let Some(text) = &chapter.description { p { (text) } }
            @if let Some(minutes) = chapter.minutes {
                p.quiet { "About " (words::minutes(minutes)) @if chapter.is_optional { ", optional" } }
            }
            @if !chapter.objectives.is_empty() { (objectives(&chapter.objectives)) }
            ol.steps start=(chapter.first + 1) {
                @for (number, step) in steps {
                    li {
                        a href=(address(number)) { (step_title(step, shelf)) }
                        @let facts = step_facts(step);
                        @if !facts.is_empty() { " " span.quiet { (facts) } }
                        @if progress.has(&step.id) { " " span.done { "✓ done" } }
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
