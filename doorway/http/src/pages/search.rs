use axum::extract::State;
use maud::{Markup, html};
use node_runtime::search::{
    AskedPeer, Limit, MARK_END, MARK_START, QUERY_BYTES_MAX, SearchHit, Source,
};
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
    /// Whether to ask connected people, too.
    peers: Option<bool>,
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
    let with_peers = typed.peers.unwrap_or_default();
    let limit = Limit::new(RESULTS_MAX);
    let found = ask::search(&app.handle, &text, (None, with_peers), limit).await?;
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
        @if with_peers { (asked(&found.peers)) } @else { (wider(&text)) }
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

/// The form that asks others, too. They learn the words, so nobody is asked unasked.
fn wider(text: &str) -> Markup {
    html! {
        form action="/search" method="get" {
            input type="hidden" name="q" value=(text);
            button type="submit" name="peers" value="true" { "Ask connected people, too" }
            p.quiet { "They learn these words, and look in what you both read." }
        }
    }
}

fn asked(peers: &[AskedPeer]) -> Markup {
    let names = |is_answered: bool| {
        let those = peers.iter().filter(move |it| it.results.is_some() == is_answered);
        those.map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (answered, late) = (names(true), names(false));
    html! {
        @if peers.is_empty() { p.quiet { "Nobody is connected who reads what you read." } }
        @if !answered.is_empty() { p.quiet { "Asked: " (answered) } }
        @if !late.is_empty() { p.quiet { "No answer from " (late) } }
    }
}

fn result(SearchHit { source, space_name, found }: &SearchHit) -> Markup {
    let (address, title) = if found.kind == FILES {
        (links::space(found.space), "Files")
    } else {
        (links::document(found.space, found.document), found.title.as_str())
    };
    html! {
        h2 {
            @match source {
                Source::Local => { a href=(address) { (shown(title)) } }
                Source::Peer { .. } => { (shown(title)) }
            }
        }
        @if !found.snippet.is_empty() { p { (marked(&found.snippet)) } }
        p.quiet {
            (home::name(space_name)) " · " (words::kind(&found.kind))
            @if let Source::Peer { name, .. } = source {
                " · at " (name) ", not on this device: "
                code { "kith space keep " (found.space) " --doc " (found.document) }
            }
        }
    }
}

fn shown(title: &str) -> &str {
    if title.is_empty() { "Untitled" } else { title }
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

#[cfg(test)]
mod tests {
    use node_core::request::FoundHit;
    use node_model::{DeviceId, DocumentId, SpaceId};

    use super::*;

    #[test]
    fn what_lies_elsewhere_is_no_link_and_says_where() {
        let device = DeviceId([1; 32]);
        let found = FoundHit {
            space: SpaceId([2; 32]),
            document: DocumentId([3; 16]),
            kind: "note".into(),
            title: "<i>Beds".into(),
            snippet: String::new(),
            score: 0.5,
        };
        let hit = |source| SearchHit { source, space_name: "garden".into(), found: found.clone() };
        let here = result(&hit(Source::Local)).into_string();
        assert!(here.contains("<a href=") && here.contains("&lt;i&gt;Beds"), "{here}");
        let elsewhere = result(&hit(Source::Peer { device, name: "<b>Ada".into() })).into_string();
        assert!(!elsewhere.contains("<a href="), "{elsewhere}");
        assert!(elsewhere.contains("at &lt;b&gt;Ada, not on this device"), "{elsewhere}");
        let peer = |name: &str, results| AskedPeer { device, name: name.into(), results };
        let told = asked(&[peer("Ada", Some(2)), peer("<b>Cy", None)]).into_string();
        assert!(
            told.contains("Asked: Ada") && told.contains("No answer from &lt;b&gt;Cy"),
            "{told}"
        );
    }
}
