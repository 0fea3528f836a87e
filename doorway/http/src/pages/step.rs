use axum::{extract::State, http::StatusCode, response::Redirect};
use maud::{Markup, html};
use node_core::{
    Failure, FailureKind,
    request::{DocumentView, PatchOp, SpaceInfo},
};
use node_model::Timestamp;
use node_runtime::OsEntropy;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Page, PageError, content, home, layout,
    learning::{self, Around},
    path as overview, progress,
    shelf::Shelf,
};
use crate::{
    ask,
    config::App,
    extract::{FormBody, Params},
    gates::{self, Gates},
    links,
    mastery::Mastery,
    path::{LearningPath, Step, StepKind},
    problem::Problem,
    progress::{NOTE_CHARS_MAX, Progress},
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
    let gates = progress::gates(&app, &path, &progress).await?;
    let around = Around { path: &path, shelf: &shelf, document: view.document };
    let title = overview::step_title(step, &shelf);
    let chapter = path.chapters.get(step.chapter);
    let facts = overview::step_facts(step);
    let main = html! {
        @if let Some(chapter) = chapter {
            p.eyebrow { (overview::chapter_title(chapter, step.chapter)) }
        }
        h1 { (title) }
        p.quiet { "Step " (number + 1) " of " (path.steps.len()) @if !facts.is_empty() { " · " (facts) } }
        (learning::waits(&around, "chapter", gates.of_chapter(step.chapter)))
        (learning::waits(&around, "step", gates.of_step(number)))
        @if let Some(text) = &step.narrative { p.lead { (text) } }
        @if !step.objectives.is_empty() { (overview::objectives(&step.objectives)) }
        (resource(&app, &shelf, step).await?)
        (questions("To think about", &step.prompts))
        (questions("To try", &step.exercises))
        (learning::form(step, &progress))
        (learning::notes(step, &progress))
        (mark_form(&step.id, progress.has(&step.id)))
        (neighbours((&space, &view), &around, &gates, number))
    };
    let path_title = view.title().to_owned();
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
            p { a.button href=(address) { "Open the path: " (view.title()) } }
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
    (space, view): (&SpaceInfo, &DocumentView),
    around: &Around<'_>,
    gates: &Gates,
    number: usize,
) -> Markup {
    let named = |at: usize| {
        let step = around.path.steps.get(at)?;
        Some((around.address(at), overview::step_title(step, around.shelf)))
    };
    let before = number.checked_sub(1).and_then(named);
    let after = named(number + 1);
    html! {
        nav.neighbours aria-label="Steps" {
            @if let Some((address, title)) = before {
                a rel="prev" href=(address) { span.quiet { "← Before" } (title) }
            }
            @if let Some((address, title)) = after {
                a.next rel="next" href=(address) {
                    span.quiet { "Next →" @if gates.is_locked(around.path, number + 1) { " (it waits)" } }
                    (title)
                }
            } @else {
                a.next href=(links::document(space.space, view.document)) {
                    span.quiet { "The end" } "Back to the path"
                }
            }
        }
    }
}

/// What a person says about a step: one of these.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Mark {
    /// The step's own id: the page may be older than the path.
    step: String,
    /// Whether it is done.
    done: Option<bool>,
    /// How well they know it, from 0 to 7.
    mastery: Option<u64>,
    /// `true`: they practised it once more.
    practised: Option<bool>,
    /// A note that they take.
    note: Option<String>,
    /// The key of a note to delete.
    forget: Option<String>,
}

/// Mark a step as done or not done, say how well it is known, count practice, or take a note.
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
    let progress = progress::read(&app, space.space, view.document).await?;
    let operations = mark.operations(&path, &progress, app.handle.audit().now().wall)?;
    progress::change(&app, space.space, view.document, operations).await?;
    Ok(Redirect::to(&links::step(space.space, view.document, number)))
}

impl Mark {
    /// What it changes in the progress. What is earned by it is written down at once: it stays
    /// earned when the path changes.
    fn operations(
        &self,
        path: &LearningPath,
        before: &Progress,
        now: Timestamp,
    ) -> Result<Vec<PatchOp>, Problem> {
        let step = &self.step;
        let note = self.note.as_deref().map(str::trim);
        match (self.done, self.mastery, self.practised, note, self.forget.as_deref()) {
            (Some(is_done), None, None, None, None) => {
                let mut earned = gates::earned(path, before);
                earned.extend(gates::earned(path, &before.marked(step, is_done)));
                let new = earned.difference(&before.earned).map(|name| crate::progress::earn(name));
                Ok([crate::progress::mark(step, is_done)].into_iter().chain(new).collect())
            }
            (None, Some(level), None, None, None) => {
                let level = Mastery::of(level).ok_or_else(|| said("a level is 0 to 7"))?;
                Ok(before.reach(step, level))
            }
            (None, None, Some(true), None, None) => Ok(vec![crate::progress::practise(step)]),
            (None, None, None, Some(text), None) if text.chars().count() > NOTE_CHARS_MAX => {
                Err(said(&format!("a note has at most {NOTE_CHARS_MAX} letters")))
            }
            (None, None, None, Some(text), None) if !text.is_empty() => {
                Ok(vec![crate::progress::note(step, text, now, &mut OsEntropy)])
            }
            (None, None, None, None, Some(key)) => {
                Ok(before.forget(step, key).into_iter().collect())
            }
            _ => {
                Err(said("say one thing about the step: done, mastery, practised, note or forget"))
            }
        }
    }
}

fn said(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid", detail, "go back to the step")
}
