//! What is not up to date, why, and what helps.

use axum::extract::State;
use maud::{Markup, html};
use node_core::doctor::{DoctorOf, Finding};

use super::{Page, layout, words};
use crate::{ask, config::App};

/// Causes shown on the page: more than anybody reads; the others are counted.
const CAUSES_MAX: usize = 200;

/// Everything that is not up to date.
#[utoipa::path(get, path = "/doctor", responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn show(State(app): State<App>) -> Page {
    let found = ask::doctor(&app.handle, DoctorOf::Everything).await?;
    let more = found.findings.len().saturating_sub(CAUSES_MAX) as u64;
    let is_all = more == 0 && found.is_complete;
    let main = html! {
        h1 { "Is everything up to date?" }
        div role="status" aria-live="polite" {
            @if found.findings.is_empty() {
                p.lead { "Yes: everybody whom you share with has confirmed to hold the same as this device." }
            } @else {
                p.lead {
                    "Not quite: " (words::count(found.findings.len() as u64, "thing is", "things are"))
                    " not up to date. Nothing is lost; each line says why, and what helps."
                }
            }
        }
        @for cause in found.findings.iter().take(CAUSES_MAX) { (line(cause)) }
        @if !is_all { p.note { "There is more: " code { "kith doctor" } } }
        p { a.button.quiet href="/doctor" { "Look again" } }
    };
    Ok(layout::page("Is everything up to date?", &[], &main))
}

/// One cause: where, why, since when, and what helps.
fn line(found: &Finding) -> Markup {
    let place = match (&*found.space_name, &*found.peer_name) {
        ("", "") => "This node",
        ("", name) | (name, _) => name,
    };
    html! {
        article.card {
            h2 { (place) }
            p { (found.sentence) "." }
            p { strong { "What helps: " } (found.next) }
            p.quiet { "Since " (words::moment(found.since)) }
        }
    }
}
