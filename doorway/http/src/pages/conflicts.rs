//! What waits for a person's choice, in plain words: all of a space, or of one document.

use axum::extract::State;
use maud::{Markup, html};
use node_core::request::{ConflictInfo, ConflictsOf, KeepAll, Role, SpaceInfo};
use node_core::{Failure, FailureKind};
use node_model::DocumentId;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::{Page, choices, home, layout, settle, words};
use crate::{
    api::parse,
    ask,
    config::App,
    extract::{Params, Search},
    links,
};

/// Conflicts on one page: what a person goes through in one go. The last document of a
/// page may bring some more.
const PAGE_SIZE: usize = 20;

/// Steps in which a page looks for what waits: 512 documents, some tenths of a second. What
/// is not looked at then is looked at by the next page.
pub(crate) const LOOKS_MAX: usize = 8;

/// Which conflicts, and what was just done.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those of this document.
    doc: Option<String>,
    /// Only those of documents after this one.
    after: Option<String>,
    /// The document about which something was just decided.
    decided: Option<String>,
    /// The head that the decision was answered with.
    change: Option<String>,
    /// How many conflicts were just settled together.
    settled: Option<usize>,
    /// How many of them stayed open.
    open: Option<usize>,
    /// Whether a decision was just taken back.
    undone: Option<bool>,
}

/// What waits for somebody to choose.
#[utoipa::path(get, path = "/s/{space}/conflicts", params(Which), responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn show(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(which): Search<Which>,
) -> Page {
    let space = ask::space(&app.handle, &space).await?;
    let message = message(&app, &space, &which).await?;
    let only: Option<DocumentId> = which.doc.as_deref().map(|doc| parse("doc", doc)).transpose()?;
    let after = which.after.as_deref().map(|after| parse("after", after)).transpose()?;
    let tally = ask::tally(&app.handle, space.space, LOOKS_MAX).await?;
    let listed = list(&app, &space, (only, after)).await?;
    let groups = groups(&app, &space, &listed.items).await?;
    let space_at = links::space(space.space);
    let main = html! {
        h1 { "Changed at the same time" }
        (message)
        @if listed.items.is_empty() {
            p.lead {
                @if only.is_some() { "Nothing in this document waits for you." }
                @else if tally.waiting > 0 { "Nothing found so far." }
                @else { "Nothing waits for you here." }
            }
        } @else {
            p.lead {
                "People changed the same thing without knowing of each other. "
                "Nothing is lost: choose what shall stay. Everything else goes on meanwhile."
            }
            (choices::who_may(&space))
            @if choices::may_choose(&space) { (for_all(&space, only)) }
            @for group in &groups { (group) }
        }
        @if !listed.is_complete {
            p.note { "There may be more: a history or a value is too large to look at it all." }
        }
        @if tally.waiting > 0 && only.is_none() { (still_looking(&space)) }
        @if let Some(next) = listed.next {
            nav.neighbours aria-label="Pages" {
                a.next rel="next" href=(format!("{}?after={next}", links::conflicts(space.space))) {
                    "More →"
                }
            }
        }
        p { a href=(space_at) { "Decide later: back to " (home::name(&space.name)) } }
    };
    Ok(layout::page("Changed at the same time", &[(home::name(&space.name), &*space_at)], &main))
}

/// What one page lists.
struct Listed {
    items: Vec<ConflictInfo>,
    is_complete: bool,
    next: Option<DocumentId>,
}

async fn list(
    app: &App,
    space: &SpaceInfo,
    (only, after): (Option<DocumentId>, Option<DocumentId>),
) -> Result<Listed, Failure> {
    let mut listed = Listed { items: vec![], is_complete: true, next: None };
    let mut of = only.map_or(ConflictsOf::After(after), ConflictsOf::Document);
    // Where much is not counted yet, the page comes without the rest of it.
    for _ in 0..LOOKS_MAX.max(PAGE_SIZE) {
        let page = ask::conflicts(&app.handle, space.space, of).await?;
        listed.items.extend(page.items);
        listed.is_complete &= page.is_complete;
        listed.next = page.next;
        match page.next {
            Some(next) if listed.items.len() < PAGE_SIZE => of = ConflictsOf::After(Some(next)),
            Some(_) | None => break,
        }
    }
    Ok(listed)
}

/// The conflicts, document by document.
async fn groups(
    app: &App,
    space: &SpaceInfo,
    items: &[ConflictInfo],
) -> Result<Vec<Markup>, Failure> {
    let mut groups = Vec::new();
    for group in items.chunk_by(|one, other| one.document == other.document) {
        let Some(first) = group.first() else { continue };
        let document = first.document;
        // A removed document has no value; its conflict is about all of it.
        let value = match ask::read_if_there(&app.handle, space.space, document).await? {
            Some(view) => view.value,
            None => Value::Null,
        };
        let is_there = value != Value::Null;
        let more = group.len().saturating_sub(PAGE_SIZE) as u64;
        groups.push(html! {
            section aria-labelledby=(document) {
                h2 id=(document) {
                    @if is_there { a href=(links::document(space.space, document)) { (first.title) } }
                    @else { (first.title) }
                }
                @for conflict in group.iter().take(PAGE_SIZE) { (choices::card(space, conflict, &value)) }
                @if more > 0 {
                    p.note {
                        (words::count(more, "more place", "more places")) " of this document: settle these first."
                    }
                }
                @if group.len() > 1 && choices::may_choose(space) { (for_all(space, Some(document))) }
            }
        });
    }
    Ok(groups)
}

fn for_all(space: &SpaceInfo, only: Option<DocumentId>) -> Markup {
    let whole = only.map_or("in this space", |_| "in this document");
    html! {
        p.row {
            @for (keep, label) in [(KeepAll::Mine, "All of mine"), (KeepAll::Theirs, "All of theirs")] {
                a.button.quiet href=(settle::confirm_at(space.space, keep, only)) { (label) " " (whole) "…" }
            }
        }
    }
}

fn still_looking(space: &SpaceInfo) -> Markup {
    html! {
        p.note {
            "Not all documents have been looked at yet. "
            a href=(links::conflicts(space.space)) { "Look on" } "."
        }
    }
}

/// What was just done, and how to take it back.
async fn message(app: &App, space: &SpaceInfo, which: &Which) -> Result<Markup, Failure> {
    let undo = match (&which.decided, &which.change) {
        (Some(document), Some(change)) => undo_form(app, space, document, change).await?,
        (Some(_), None) => Some(html! { "It stays deleted." }),
        (None, Some(_) | None) => None,
    };
    let open = which.open.unwrap_or_default() as u64;
    Ok(html! {
        div role="status" {
            @if let Some(undo) = undo { div.note { p { strong { "Settled, for everybody in this space." } } (undo) } }
            @if which.undone == Some(true) {
                p.note { "Taken back. The document shows again what it showed before." }
            }
            @if let Some(settled) = which.settled {
                p.note {
                    strong { (words::count(settled as u64, "conflict", "conflicts")) " settled." }
                    @if open > 0 {
                        " " (words::count(open, "is", "are")) " still open: there it is not clear whose side is meant. Choose one by one."
                    }
                }
            }
        }
    })
}

/// `None` when there is no such document.
async fn undo_form(
    app: &App,
    space: &SpaceInfo,
    document: &str,
    change: &str,
) -> Result<Option<Markup>, Failure> {
    let found = match ask::find(&app.handle, space.space, document).await {
        Ok(found) => ask::read_if_there(&app.handle, space.space, found).await?,
        Err(failure) if failure.kind == FailureKind::NotFound => None,
        Err(failure) => return Err(failure),
    };
    let Some(view) = found else { return Ok(None) };
    let title = view.title().to_owned();
    Ok(Some(html! {
        p { a href=(links::document(space.space, view.document)) { (title) } }
        @if view.heads == [change] {
            form method="post" action=(links::undo(space.space, view.document)) {
                input type="hidden" name="change" value=(change);
                button.quiet type="submit" { "Undo" }
            }
        }
    }))
}

/// Tells that something in this document waits. A page is whole without it.
pub(crate) async fn notice(app: &App, space: &SpaceInfo, document: DocumentId) -> Markup {
    let of = ConflictsOf::Document(document);
    match ask::conflicts(&app.handle, space.space, of).await {
        Ok(page) if page.items.is_empty() => html! {},
        Ok(page) => {
            let address = format!("{}?doc={document}", links::conflicts(space.space));
            let count = page.items.len() as u64;
            html! {
                section.note aria-label="Changed at the same time" {
                    p {
                        "Changed at the same time, in " (words::count(count, "place", "places"))
                        ". This page shows one of the versions."
                    }
                    p { a href=(address) { "See both, and choose" } }
                }
            }
        }
        Err(failure) => {
            tracing::warn!(%document, %failure, "a page cannot tell of conflicts");
            html! {}
        }
    }
}

/// Tells how much waits in these spaces. A page is whole without it.
pub(crate) async fn banner(app: &App, spaces: &[&SpaceInfo]) -> Markup {
    let mut lines = Vec::new();
    let mut looks_left = LOOKS_MAX;
    for space in spaces.iter().filter(|space| space.role != Some(Role::Custodian)) {
        match ask::tally(&app.handle, space.space, looks_left.max(1)).await {
            Ok(tally) => {
                if tally.waiting > 0 {
                    looks_left = 1;
                }
                if tally.conflicts > 0 {
                    let address = links::conflicts(space.space);
                    let count = tally.conflicts as u64;
                    let at_least = if tally.waiting > 0 { "at least " } else { "" };
                    lines.push(html! {
                        a href=(address) { (at_least) (words::count(count, "thing", "things")) " in " (home::name(&space.name)) }
                    });
                }
            }
            Err(failure) => {
                tracing::warn!(space = %space.space, %failure, "a page cannot tell of conflicts");
            }
        }
    }
    html! {
        @if !lines.is_empty() {
            section.note aria-label="Waits for your choice" {
                p { "Changed at the same time, and waits for your choice:" }
                ul { @for line in &lines { li { (line) } } }
            }
        }
    }
}
