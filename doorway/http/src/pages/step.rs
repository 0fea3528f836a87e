use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use node_core::{
    Failure, FailureKind,
    request::{DocumentView, SpaceInfo},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Page, PageError, content, home, layout, path as overview, progress, shelf::Shelf};
use crate::{
    api::documents,
    ask,
    config::App,
    extract::{FormBody, Params},
    links,
    path::{LearningPath, Step, StepKind},
    problem::Problem,
};

/// A step of a learning path.
#[utoipa::path(get, path = "/s/{space}/p/{doc}/{step}", responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn show(
    State(app): State<App>,
    Params((space, doc, number)): Params<(String, String, usize)>,
) -> Page {
    let (space, view) = ask::read_by_name(&app.handle, &space, &doc).await?;
    let path = LearningPath::read(&view.value);
    let step = path.steps.get(number).ok_or_else(no_step)?;
    let shelf = Shelf::of(&app, space.space).await?;
    let progress = progress::read(&app, space.space, view.document).await?;
    let title = overview::step_title(step, &shelf);
    let chapter = path.chapters.get(step.chapter);
    let facts = overview::step_facts(step);
    let main = html! {
        @if let Some(chapter) = chapter {
            p.eyebrow { (overview::chapter_title(chapter, step.chapter)) }
        }
        h1 { (title) }
        p.quiet { "Step " (number + 1) " of " (path.steps.len()) @if !facts.is_empty() { " · " (facts) } }
        @if let Some(text) = &step.narrative { p.lead { (text) } }
        @if !step.objectives.is_empty() { (overview::objectives(&step.objectives)) }
        (resource(&app, &shelf, step).await?)
        (questions("To think about", &step.prompts))
        (questions("To try", &step.exercises))
        (mark_form(&step.id, progress.has(&step.id)))
        (neighbours(&space, &view, &path, &shelf, number))
    };
    let path_title = documents::title(&view);
    let (space_at, path_at) =
        (links::space(space.space), links::document(space.space, view.document));
    let trail = [(home::name(&space.name), &*space_at), (&*path_title, &*path_at)];
    Ok(layout::page(&title, &trail, &main))
}

fn no_step() -> Problem {
    Problem::not_found("this path has no such step", "go back to the path")
}

/// What the step is about.
async fn resource(app: &App, shelf: &Shelf, step: &Step) -> Result<Markup, Failure> {
    let Some(name) = &step.resource else {
        return Ok(html! {});
    };
    if step.kind == StepKind::External {
        return Ok(external(name));
    }
    let found = match ask::find(&app.handle, shelf.space, name).await {
        Ok(document) => ask::read_if_there(&app.handle, shelf.space, document).await?,
        Err(failure) if failure.kind == FailureKind::NotFound => None,
        Err(failure) => return Err(failure),
    };
    let Some(view) = found else {
        return Ok(html! { p.note { "This part has not arrived yet." } });
    };
    let address = links::document(shelf.space, view.document);
    match step.kind {
        StepKind::Path => Ok(html! {
            p { a.button href=(address) { "Open the path: " (documents::title(&view)) } }
        }),
        StepKind::Content | StepKind::Checkpoint | StepKind::Reflection | StepKind::External => {
            let shown = content::render(app, shelf, &view).await?;
            Ok(html! { article.content { (shown) } })
        }
    }
}

fn external(address: &str) -> Markup {
    if !links::leads_out(address) {
        return html! { p.note { "This step leads to a place that cannot be opened: " (address) } };
    }
    html! {
        p { a.button href=(address.trim()) rel="noopener noreferrer" { "Open on the web" } }
        p.quiet { "It leads out of Kith, to " (address) "." }
    }
}

fn questions(title: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            section.questions {
                h2 { (title) }
                ul { @for line in lines { li { (line) } } }
            }
        }
    }
}

fn mark_form(id: &str, is_done: bool) -> Markup {
    html! {
        form.mark method="post" {
            input type="hidden" name="step" value=(id);
            @if is_done {
                p.done { "✓ You marked this step as done." }
                button.quiet type="submit" name="done" value="false" { "Mark as not done" }
            } @else {
                button type="submit" name="done" value="true" { "Mark as done" }
            }
        }
    }
}

fn neighbours(
    space: &SpaceInfo,
    view: &DocumentView,
    path: &LearningPath,
    shelf: &Shelf,
    number: usize,
) -> Markup {
    let named = |at: usize| {
        let step = path.steps.get(at)?;
        let address = links::step(space.space, view.document, at);
        Some((address, overview::step_title(step, shelf)))
    };
    let before = number.checked_sub(1).and_then(named);
    let after = named(number + 1);
    html! {
        nav.neighbours aria-label="Steps" {
            @if let Some((address, title)) = before {
                a rel="prev" href=(address) { span.quiet { "← Before" } (title) }
            }
            @if let Some((address, title)) = after {
                a.next rel="next" href=(address) { span.quiet { "Next →" } (title) }
            } @else {
                a.next href=(links::document(space.space, view.document)) {
                    span.quiet { "The end" } "Back to the path"
                }
            }
        }
    }
}

/// How a step shall be marked.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Mark {
    /// The step's own id: the page may be older than the path.
    step: String,
    done: bool,
}

/// Mark a step as done or not done.
#[utoipa::path(post, path = "/s/{space}/p/{doc}/{step}",
    request_body(content = Mark, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Back to the step")))]
pub(crate) async fn mark(
    State(app): State<App>,
    Params((space, doc, number)): Params<(String, String, usize)>,
    FormBody(mark): FormBody<Mark>,
) -> Result<Redirect, PageError> {
    let (space, view) = ask::read_by_name(&app.handle, &space, &doc).await?;
    let path = LearningPath::read(&view.value);
    if !path.steps.iter().any(|step| step.id == mark.step) {
        return Err(no_step().into());
    }
    progress::mark(&app, space.space, view.document, &mark.step, mark.done).await?;
    Ok(Redirect::to(&links::step(space.space, view.document, number)))
}
