use std::collections::BTreeSet;

use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use node_core::{
    Failure,
    request::{CustodyInfo, SpaceInfo, Summary},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Page, PageError, conflicts,
    document::LEARNING_PATH,
    home, layout, part, path as overview, progress,
    shelf::{File, Shelf},
    words,
};
use crate::{
    api::custody,
    ask,
    config::App,
    extract::{Params, Search},
    links,
    path::LearningPath,
};

/// Documents on one page.
const PAGE_SIZE: usize = 100;

/// Learning paths that are shown with their progress, before all else.
const PATHS_MAX: usize = 100;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Counted from 1.
    page: Option<usize>,
}

/// A space: its learning paths, then everything else in it.
#[utoipa::path(get, path = "/s/{space}", params(Which), responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn show(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(which): Search<Which>,
) -> Page {
    let space = ask::space(&app.handle, &space).await?;
    let shelf = Shelf::of(&app, space.space).await?;
    let loose = shelf.loose_files(&app).await?;
    let kept = part::section(&space, &shelf.documents);
    let (mut paths, mut others): (Vec<_>, Vec<_>) =
        shelf.documents.into_iter().partition(|it| it.kind == LEARNING_PATH);
    paths.sort_by(|a, b| (&a.title, a.document).cmp(&(&b.title, b.document)));
    others.extend(paths.split_off(paths.len().min(PATHS_MAX)));
    let mut lines: Vec<Line> = others.iter().map(|it| Line::document(&space, it)).collect();
    lines.extend(loose.iter().map(|file| Line::file(&space, file)));
    lines.sort_by_cached_key(|it| {
        (rank(&it.kind), it.kind.clone(), it.title.to_lowercase(), it.address.clone())
    });
    let pages = lines.len().div_ceil(PAGE_SIZE).max(1);
    let page = which.page.unwrap_or(1).clamp(1, pages);
    let here = &lines[(page - 1) * PAGE_SIZE..lines.len().min(page * PAGE_SIZE)];
    let waiting = conflicts::banner(&app, &[&space]).await;
    let custody = ask::custody(&app.handle, Some(space.space)).await.unwrap_or_default();
    let members = u64::try_from(space.members).unwrap_or(u64::MAX);
    let main = html! {
        h1 { (home::name(&space.name)) }
        p.quiet { (words::count(members, "person", "people")) " · for " (words::reach(space.reach)) " · " (words::role(space.role)) }
        (kept)
        @for held in &custody { (held_elsewhere(held)) }
        (waiting)
        @if paths.is_empty() && lines.is_empty() { (empty(&space)) }
        @if page == 1 { (path_cards(&app, &space, &paths).await?) }
        @for group in here.chunk_by(|a, b| a.kind == b.kind) { (group_list(group)) }
        @if pages > 1 { (pager(&space, page, pages)) }
    };
    Ok(layout::page(home::name(&space.name), &[], &main))
}

/// What would be left of it without this device, and who has it.
fn held_elsewhere(held: &CustodyInfo) -> Markup {
    let words = custody::words(held);
    let others: BTreeSet<&str> = held
        .holders
        .iter()
        .filter(|it| !it.is_this && it.signed.is_some_and(|it| it.entries >= held.entries))
        .map(|it| it.name.as_str())
        .collect();
    let others: Vec<&str> = others.into_iter().collect();
    html! {
        @if held.entries > 0 {
            p.quiet { "Kept: " (words) @if !others.is_empty() { " (" (others.join(", ")) ")" } }
        }
    }
}

/// A line of the page.
struct Line {
    kind: String,
    title: String,
    address: String,
}

impl Line {
    fn document(space: &SpaceInfo, summary: &Summary) -> Self {
        let address = links::document(space.space, summary.document);
        Self { kind: summary.kind.clone(), title: summary.title.clone(), address }
    }

    fn file(space: &SpaceInfo, file: &File) -> Self {
        let address = links::blob(space.space, file.blob, &file.name);
        Self { kind: "file".to_owned(), title: file.name.clone(), address }
    }
}

/// The same page, where somebody typed a slash.
#[utoipa::path(get, path = "/s/{space}/", responses((status = 308, description = "To the address without the slash")))]
pub(crate) async fn redirect(
    State(app): State<App>,
    Params(space): Params<String>,
) -> Result<Redirect, PageError> {
    let space = ask::space(&app.handle, &space).await?;
    Ok(Redirect::permanent(&links::space(space.space)))
}

/// What people read comes first, files last.
fn rank(kind: &str) -> u8 {
    match kind {
        "content" => 0,
        "document" => 1,
        "file" => 3,
        _ => 2,
    }
}

fn empty(space: &SpaceInfo) -> Markup {
    html! {
        p { "Nothing here yet. Bring in a folder with "
            code { "kith import FOLDER --space \"" (space.name) "\"" } "." }
    }
}

async fn path_cards(app: &App, space: &SpaceInfo, paths: &[Summary]) -> Result<Markup, Failure> {
    let mut cards = Vec::with_capacity(paths.len());
    for summary in paths {
        let Some(view) = ask::read_if_there(&app.handle, space.space, summary.document).await?
        else {
            continue;
        };
        let path = LearningPath::read(&view.value);
        let progress = progress::read(app, space.space, summary.document).await?;
        cards.push(html! {
            article.card {
                h3 { a href=(links::document(space.space, summary.document)) { (summary.title) } }
                @if let Some(text) = &path.description { p { (text) } }
                (overview::bar(&path, &progress))
            }
        });
    }
    Ok(html! {
        @if !cards.is_empty() {
            section aria-labelledby="paths" {
                h2 id="paths" { "Learning paths" }
                ul.cards { @for card in cards { li { (card) } } }
            }
        }
    })
}

fn group_list(group: &[Line]) -> Markup {
    let kind = group.first().map(|it| words::kind(&it.kind)).unwrap_or_default();
    html! {
        section {
            h2 { (kind) }
            ul.list { @for it in group { li { a href=(it.address) { (it.title) } } } }
        }
    }
}

fn pager(space: &SpaceInfo, page: usize, pages: usize) -> Markup {
    let address = |page: usize| format!("{}?page={page}", links::space(space.space));
    html! {
        nav.neighbours aria-label="Pages" {
            @if page > 1 { a rel="prev" href=(address(page - 1)) { "← Page " (page - 1) } }
            span.quiet { "Page " (page) " of " (pages) }
            @if page < pages { a.next rel="next" href=(address(page + 1)) { "Page " (page + 1) " →" } }
        }
    }
}
