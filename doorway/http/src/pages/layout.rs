use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

const STYLESHEET: &str =
    concat!(include_str!("../../assets/palette.css"), include_str!("../../assets/kith.css"));
const ICON: &str = include_str!("../../assets/kith.svg");

/// Both change only with the program.
const FIVE_MINUTES: &str = "private, max-age=300";

/// A page that leads here: what it is called, and where it is.
pub(crate) type Crumb<'a> = (&'a str, &'a str);

/// The stylesheet of the pages.
#[utoipa::path(get, path = "/assets/kith.css", responses((status = 200, body = String, content_type = "text/css", description = "The stylesheet")))]
pub(crate) async fn stylesheet() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, FIVE_MINUTES)];
    (headers, STYLESHEET).into_response()
}

/// The icon of the pages.
#[utoipa::path(get, path = "/assets/kith.svg", responses((status = 200, body = String, content_type = "image/svg+xml", description = "The icon")))]
pub(crate) async fn icon() -> Response {
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, FIVE_MINUTES)];
    (headers, ICON).into_response()
}

/// A whole page.
pub(crate) fn page(title: &str, trail: &[Crumb<'_>], content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Kith" }
                link rel="icon" type="image/svg+xml" href="/assets/kith.svg";
                link rel="stylesheet" href="/assets/kith.css";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.site {
                    a.brand href="/" { "Kith" }
                    @if !trail.is_empty() {
                        nav aria-label="Where you are" {
                            ol.trail {
                                @for (name, address) in trail {
                                    li { a href=(address) { (name) } }
                                }
                            }
                        }
                    }
                }
                main id="main" tabindex="-1" { (content) }
                footer.site { p { "Served by your own node, from your own device." } }
            }
        }
    }
}
