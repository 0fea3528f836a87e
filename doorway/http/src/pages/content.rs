//! What a document holds, for people: text laid out, media to look at and listen
//! to, anything else as a list of its values.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};
use node_core::{Failure, FailureKind, request::DocumentView};
use serde_json::Value;

use super::{
    shelf::{File, Shelf, Target},
    words,
};
use crate::{
    config::App,
    links,
    markdown::{self, Format, TEXT_BYTES_MAX},
};

/// How deep values inside values are shown.
const DEPTH_MAX: usize = 8;

/// Most values that are shown of one document.
const VALUES_MAX: usize = 1_000;

/// Renders what a document holds.
pub(crate) async fn render(
    app: &App,
    shelf: &Shelf,
    view: &DocumentView,
) -> Result<Markup, Failure> {
    let file = File::of(&view.value);
    let content = view.value.get("content");
    let format = Format::of(view.value.get("content_format").and_then(Value::as_str));
    let written = match content {
        Some(Value::String(text)) => {
            text_of(app, shelf, view.meta.path.as_deref(), format, text).await?
        }
        Some(value @ (Value::Object(_) | Value::Array(_))) => values(value),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None if file.is_some() => html! {},
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => values(&view.value),
    };
    let medium = match &file {
        Some(file) => medium(app, shelf, file).await?,
        None => html! {},
    };
    Ok(html! { (medium) (written) })
}

async fn text_of(
    app: &App,
    shelf: &Shelf,
    base: Option<&str>,
    format: Format,
    text: &str,
) -> Result<Markup, Failure> {
    let text = match format {
        Format::Markdown => markdown::without_front_matter(text),
        Format::Html | Format::Text => text,
    };
    let owned = text.to_owned();
    let laid_out = move || {
        let html = markdown::to_html(format, &owned)?;
        let found = markdown::links_in(&html);
        Some((html, found))
    };
    let Some((html, found)) = in_background(laid_out).await? else {
        return Ok(as_it_stands(text));
    };
    let mut addresses = BTreeMap::new();
    let mut players = Vec::new();
    for link in found {
        if let Some(target) = shelf.target(app, base, &link).await? {
            players.extend(player_for(&target));
            addresses.insert(link, target.address);
        }
    }
    let html = in_background(move || markdown::clean(&html, addresses)).await?;
    let html = with_players(html, players);
    Ok(html! { div.prose { (PreEscaped(html)) } })
}

/// Puts each player behind the paragraph that links to what it plays.
fn with_players(mut html: String, players: Vec<(String, Markup)>) -> String {
    const END: &str = "</p>";
    for (address, player) in players {
        let link = html.find(&format!("href=\"{address}\""));
        let end = link.and_then(|at| Some(at + html[at..].find(END)? + END.len()));
        html.insert_str(end.unwrap_or(html.len()), &player.into_string());
    }
    html
}

/// Laying out a long text takes a while, and other people's requests wait for
/// nobody.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a text could not be laid out");
        Failure::new(FailureKind::Storage, "this text could not be laid out", "kith doc get")
    })
}

fn as_it_stands(text: &str) -> Markup {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    html! {
        pre.text tabindex="0" { (text[..end]) }
        @if end < text.len() { p.note { "The text goes on; this is its beginning." } }
    }
}

fn player_for(target: &Target) -> Option<(String, Markup)> {
    let player = player(target.mime.as_deref()?, &target.address, &target.title)?;
    Some((target.address.clone(), player))
}

fn player(mime: &str, address: &str, title: &str) -> Option<Markup> {
    if mime.starts_with("audio/") {
        Some(html! { audio controls preload="metadata" src=(address) aria-label=(title) {} })
    } else if mime.starts_with("video/") {
        Some(html! { video controls preload="metadata" src=(address) aria-label=(title) {} })
    } else {
        None
    }
}

async fn medium(app: &App, shelf: &Shelf, file: &File) -> Result<Markup, Failure> {
    match app.handle.open_blob(shelf.space, file.blob).await {
        Ok(_) => {}
        Err(failure) if failure.kind == FailureKind::NotFound => {
            return Ok(html! { p.note { "This file has not arrived yet." } });
        }
        Err(failure) => return Err(failure),
    }
    let address = links::blob(shelf.space, file.blob, &file.name);
    let shown = if file.mime.starts_with("image/") {
        Some(html! { figure { img src=(address) alt=(file.name) loading="lazy"; } })
    } else {
        player(&file.mime, &address, &file.name)
    };
    Ok(html! {
        @if let Some(shown) = shown { (shown) }
        p {
            a.button href=(address) { "Open " (file.name) }
            @if let Some(size) = file.size { " " span.quiet { (words::bytes(size)) } }
        }
    })
}

/// Any JSON as a list of its values.
pub(crate) fn values(value: &Value) -> Markup {
    let mut left = VALUES_MAX;
    let listed = value_of(value, 0, &mut left);
    html! {
        div.values { (listed) }
        @if left == 0 { p.note { "There is more; this is the beginning." } }
    }
}

fn value_of(value: &Value, depth: usize, left: &mut usize) -> Markup {
    if *left == 0 || depth > DEPTH_MAX {
        return html! { "…" };
    }
    *left -= 1;
    match value {
        Value::Null => html! { span.quiet { "nothing" } },
        Value::Bool(true) => html! { "yes" },
        Value::Bool(false) => html! { "no" },
        Value::Number(number) => html! { (number) },
        Value::String(text) => html! { (&text[..text.floor_char_boundary(TEXT_BYTES_MAX)]) },
        Value::Array(list) if list.is_empty() => html! { span.quiet { "nothing" } },
        Value::Array(list) => html! {
            ul { @for item in list.iter().take(*left) { li { (value_of(item, depth + 1, left)) } } }
        },
        Value::Object(map) => html! {
            dl.facts {
                @for (key, item) in map.iter().take(*left) {
                    dt { (key) } dd { (value_of(item, depth + 1, left)) }
                }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_player_stands_behind_its_paragraph() {
        let page = "<p>a</p><p><a href=\"/x\">listen</a></p><p>b</p>".to_owned();
        let player = |address: &str| (address.to_owned(), html! { i { (address) } });
        let page = with_players(page, vec![player("/x"), player("/none")]);
        assert_eq!(page, "<p>a</p><p><a href=\"/x\">listen</a></p><i>/x</i><p>b</p><i>/none</i>");
    }

    #[test]
    fn values_are_listed_and_cut() {
        let shown = values(&json!({ "a<b": ["x", true, null], "n": 1.5 })).into_string();
        assert!(shown.contains("a&lt;b") && shown.contains("yes") && shown.contains("1.5"));
        let many = values(&json!(vec!["item"; 100_000])).into_string();
        assert!(many.len() < 50_000 && many.contains("There is more"));
        let mut deep = json!("bottom");
        for _ in 0..60 {
            deep = json!([deep]);
        }
        assert!(!values(&deep).into_string().contains("bottom"));
    }
}
