//! Pages for people: HTML that needs no script.

pub(crate) mod choices;
pub(crate) mod conflicts;
pub(crate) mod content;
pub(crate) mod doctor;
pub(crate) mod document;
pub(crate) mod enter;
pub(crate) mod files;
pub(crate) mod home;
pub(crate) mod keeping;
pub(crate) mod layout;
pub(crate) mod learning;
pub(crate) mod part;
pub(crate) mod path;
pub(crate) mod progress;
pub(crate) mod search;
pub(crate) mod settle;
pub(crate) mod shelf;
pub(crate) mod space;
pub(crate) mod step;
pub(crate) mod web;
pub(crate) mod words;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use node_core::Failure;

use crate::{audit, problem::Problem};

/// What a page's handler answers.
pub(crate) type Page = Result<Markup, PageError>;

/// A problem, told to a person.
#[derive(Debug)]
pub(crate) struct PageError(pub(crate) Problem);

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Failure> for PageError {
    fn from(failure: Failure) -> Self {
        Self(failure.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        audit::failed(problem.code);
        let title = match problem.status {
            StatusCode::NOT_FOUND => "Nothing here",
            StatusCode::FORBIDDEN => "Not allowed",
            _ => "This did not work",
        };
        let content = html! {
            h1 { (title) }
            p.lead { (sentence(&problem.detail)) }
            p { "What helps: " (problem.fix) "." }
            p { a.button href="/" { "Back to the start" } }
        };
        (problem.status, layout::page(title, &[], &content)).into_response()
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
