use maud::{Markup, html};
use node_core::request::{ConflictInfo, ConflictsOf, SideInfo};
use node_model::{DocumentId, SpaceId};
use serde_json::Value;

use super::words;
use crate::{ask, config::App};

/// Conflicts told on a page: it is there for the document.
const TOLD_MAX: usize = 3;

/// Bytes told of a value.
const VALUE_BYTES_MAX: usize = 200;

/// What others wrote into a document at the same time. A page is whole without it.
pub(crate) async fn notice(app: &App, space: SpaceId, document: DocumentId) -> Markup {
    let of = ConflictsOf::Document(document);
    match ask::conflicts(&app.handle, space, of).await {
        Ok(page) if page.items.is_empty() => html! {},
        Ok(page) => told(&page.items),
        Err(failure) => {
            tracing::warn!(%document, %failure, "a page cannot tell of conflicts");
            html! {}
        }
    }
}

fn told(conflicts: &[ConflictInfo]) -> Markup {
    let left = conflicts.len().saturating_sub(TOLD_MAX) as u64;
    let ids = conflicts.first().map(|it| format!("{} {}", it.space, it.document));
    html! {
        section.note aria-label="Changed at the same time" {
            p { "Changed in different ways at the same time. This page shows one of them." }
            ul {
                @for conflict in conflicts.iter().take(TOLD_MAX) {
                    @for side in conflict.sides.iter().skip(1) {
                        li { code { (conflict.place) } ": " (said(side)) }
                    }
                }
            }
            @if left > 0 { p { "And at " (words::count(left, "more place", "more places")) "." } }
            p.quiet {
                "Nothing is lost. To choose: "
                code { "kith conflicts show " (ids.unwrap_or_default()) }
            }
        }
    }
}

fn said(side: &SideInfo) -> Markup {
    let names: Vec<&str> = side.by.iter().map(|author| author.name.as_str()).collect();
    let who = match (names.is_empty(), side.is_mine) {
        (true, _) => "somebody".to_owned(),
        (false, true) => "you".to_owned(),
        (false, false) => names.join(", "),
    };
    html! {
        @match &side.value {
            Some(value) => { (who) " wrote " q { (shortened(value)) } }
            None => { (who) " deleted it" }
        }
    }
}

fn shortened(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let end = text.floor_char_boundary(VALUE_BYTES_MAX);
    if end < text.len() { format!("{}…", &text[..end]) } else { text }
}

#[cfg(test)]
mod tests {
    use node_core::request::{Author, Before, ConflictKind};
    use node_model::AgentId;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_wrote_is_told_as_text() {
        let side = |value: Option<Value>, name: &str| SideInfo {
            value,
            by: vec![Author { agent: AgentId([1; 32]), name: name.to_owned() }],
            is_mine: name == "Ada",
            at: None,
        };
        let conflict = ConflictInfo {
            space: SpaceId([1; 32]),
            document: DocumentId([2; 16]),
            title: "Summer".into(),
            conflict: "00".repeat(10).parse().expect("an id"),
            place: "/ti<tle".into(),
            kind: ConflictKind::Overwritten,
            sides: vec![
                side(Some(json!("shown")), "Ada"),
                side(Some(json!("<script>".repeat(100))), "B<en"),
                side(None, "Ada"),
            ],
            before: Before::Nothing,
        };
        let page = told(&vec![conflict; 5]).into_string();
        assert!(page.contains("/ti&lt;tle") && page.contains("B&lt;en wrote"), "{page}");
        assert!(page.contains("you deleted it") && page.contains("2 more places"), "{page}");
        assert!(!page.contains("<script") && !page.contains("shown</q>"), "{page}");
        assert!(page.len() < 4_000, "{}", page.len());
    }
}
