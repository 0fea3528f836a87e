use axum::extract::State;
use maud::{Markup, html};
use serde_json::Value;

use super::{Page, conflicts, content, home, layout, path, shelf::Shelf, words};
use crate::{ask, check::check, config::App, extract::Params, links};

/// The type of learning paths.
pub(crate) const LEARNING_PATH: &str = "learning-path";

/// A document.
#[utoipa::path(get, path = "/s/{space}/d/{doc}", responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn show(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
) -> Page {
    let (space, view) = ask::read_by_name(&app.handle, &space, &doc).await?;
    let shelf = Shelf::of(&app, space.space).await?;
    let title = view.title().to_owned();
    let is_path = view.meta.kind == LEARNING_PATH;
    let body = if is_path {
        path::overview(&app, &shelf, &view).await?
    } else {
        content::render(&app, &shelf, &view).await?
    };
    let notice = conflicts::notice(&app, &space, view.document).await;
    let has_content = view.value.get("content").is_some();
    let text = |key: &str| view.value.get(key).and_then(Value::as_str).filter(|_| has_content);
    let minutes = view.value.get("estimated_minutes").and_then(Value::as_u64);
    let main = html! {
        h1 { (title) }
        @if let Some(text) = text("description") { p.lead { (text) } }
        @if let Some(minutes) = minutes.filter(|_| has_content) {
            p.quiet { "About " (words::minutes(minutes)) }
        }
        (notice)
        (missing(view.refused))
        article.content { (body) }
        (odd(&check(&view.meta.kind, &view.value)))
        @if let Some(path) = &view.meta.path { p.quiet { "From the file " code { (path) } } }
    };
    let space_at = links::space(space.space);
    let trail = [(home::name(&space.name), &*space_at)];
    Ok(layout::page(&title, &trail, &main))
}

/// That something of it cannot be read here.
fn missing(refused: usize) -> Markup {
    html! {
        @if refused > 0 {
            p { "Something of this document cannot be read on this device, and is not shown. "
                a href="/doctor" { "Why?" } }
        }
    }
}

/// What whoever wrote it may want to mend.
fn odd(sentences: &[String]) -> Markup {
    html! {
        @if !sentences.is_empty() {
            details.keep {
                summary { "Some of it is not as Kith expects it" }
                p { "It is kept and passed on as it is. For whoever wrote it:" }
                ul { @for sentence in sentences { li { (sentence) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_that_something_of_it_is_missing() {
        assert_eq!(missing(0).into_string(), "");
        let said = missing(1).into_string();
        assert!(said.contains("cannot be read on this device"), "{said}");
        assert!(said.contains(r#"href="/doctor""#), "{said}");
    }
}
