use axum::extract::State;
use maud::{Markup, html};
use node_runtime::search::{Limit, MARK_END, MARK_START, QUERY_BYTES_MAX, SearchHit};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Page, home, layout, words};
use crate::{ask, config::App, extract::Search, links};

/// Results on the page: whoever does not find it among them uses other words.
const RESULTS_MAX: usize = 30;

/// The type of the document that lists a space's files.
const FILES: &str = "files";

/// What somebody typed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Typed {
    /// Words to look for.
    q: Option<String>,
}

/// What was found.
#[utoipa::path(get, path = "/search", params(Typed), responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn show(State(app): State<App>, Search(typed): Search<Typed>) -> Page {
    let text = typed.q.unwrap_or_default();
    if text.trim().is_empty() {
        let content = html! {
            h1 { "Search" }
            (field(&text))
        };
        return Ok(layout::page("Search", &[], &content));
    }
    let found = ask::search(&app.handle, &text, None, Limit::new(RESULTS_MAX)).await?;
    let content = html! {
        h1 { "Search" }
        (field(&text))
        @if !found.is_complete {
            p.note { "Not everything has been looked through yet. Search again in a moment to see more." }
        }
        @if found.hits.is_empty() {
            p { "Nothing found. All words must occur; fewer or other words may find more." }
        } @else {
            ol.results { @for hit in &found.hits { li { (result(hit)) } } }
        }
    };
    Ok(layout::page("Search", &[], &content))
}

/// The form that leads here.
pub(crate) fn field(text: &str) -> Markup {
    html! {
        form.search role="search" action="/search" method="get" {
            label for="q" { "Search your documents" }
            div.row {
                input id="q" type="search" name="q" value=(text) maxlength=(QUERY_BYTES_MAX) required;
                button type="submit" { "Search" }
            }
        }
    }
}

fn result(hit: &SearchHit) -> Markup {
    let (address, title) = if hit.kind == FILES {
        (links::space(hit.space), "Files")
    } else {
        (links::document(hit.space, hit.document), hit.title.as_str())
    };
    html! {
        h2 { a href=(address) { @if title.is_empty() { "Untitled" } @else { (title) } } }
        @if !hit.snippet.is_empty() { p { (marked(&hit.snippet)) } }
        p.quiet { (home::name(&hit.space_name)) " · " (words::kind(&hit.kind)) }
    }
}

/// A snippet with its matches marked.
fn marked(snippet: &str) -> Markup {
    let mut pieces = snippet.split(MARK_START);
    let first = pieces.next().unwrap_or_default();
    html! {
        (first)
        @for piece in pieces {
            @let (matched, rest) = piece.split_once(MARK_END).unwrap_or(("", piece));
            mark { (matched) } (rest)
        }
    }
}
