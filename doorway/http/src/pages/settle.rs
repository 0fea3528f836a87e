//! Forms about conflicts: one choice, all of one side, and undo.

use axum::{extract::State, response::Redirect};
use maud::html;
use node_core::{
    Request,
    request::{ConflictRequest, ConflictsOf, KeepAll, Role},
};
use node_model::{DocumentId, SpaceId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{Page, PageError, conflicts::LOOKS_MAX, home, layout, words};
use crate::{
    api::parse,
    ask,
    config::App,
    extract::{FormBody, Params, Search},
    links,
    problem::Problem,
};

/// A choice about one conflict.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Choice {
    conflict: String,
    /// As in the interface for programs: a side's number, `both` or `undo`.
    keep: String,
}

/// Choose what stays of a conflict.
#[utoipa::path(post, path = "/s/{space}/d/{doc}/conflicts",
    request_body(content = Choice, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "To what still waits, with a way to undo it")))]
pub(crate) async fn one(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    FormBody(choice): FormBody<Choice>,
) -> Result<Redirect, PageError> {
    let keep = parse("keep", &choice.keep)?;
    let conflict = parse("conflict", &choice.conflict)?;
    let space = ask::space(&app.handle, &space).await?.space;
    let document = ask::find_or_removed(&app.handle, space, &doc).await?;
    let request = ConflictRequest::Settle { space, document, conflict, keep };
    let (holder, heads) = ask::write(&app.handle, Request::Conflict(request)).await?;
    // A document that was restored is another one, and no decision in it can be taken back.
    let head = heads.first().filter(|_| holder == document);
    let change = head.map(|head| format!("&change={head}")).unwrap_or_default();
    Ok(Redirect::to(&format!("{}?decided={holder}{change}", links::conflicts(space))))
}

/// A choice to be undone.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Undo {
    /// The head that the choice was answered with.
    change: String,
}

/// Take back a choice, as long as the document was not changed since.
#[utoipa::path(post, path = "/s/{space}/d/{doc}/conflicts/undo",
    request_body(content = Undo, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "To what waits")))]
pub(crate) async fn undo(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    FormBody(Undo { change }): FormBody<Undo>,
) -> Result<Redirect, PageError> {
    let space = ask::space(&app.handle, &space).await?.space;
    let document = ask::find(&app.handle, space, &doc).await?;
    let request = ConflictRequest::TakeBack { space, document, change };
    ask::write(&app.handle, Request::Conflict(request)).await?;
    Ok(Redirect::to(&format!("{}?undone=true", links::conflicts(space))))
}

/// A conflict that is left to the admins, or not any more.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Left {
    conflict: String,
    /// Why, for everybody to read.
    why: Option<String>,
    /// Whether it is taken back.
    withdraw: Option<bool>,
}

/// Leave a conflict to the admins of the space, or take that back.
#[utoipa::path(post, path = "/s/{space}/d/{doc}/conflicts/ask",
    request_body(content = Left, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "To what waits in the document")))]
pub(crate) async fn leave(
    State(app): State<App>,
    Params((space, doc)): Params<(String, String)>,
    FormBody(left): FormBody<Left>,
) -> Result<Redirect, PageError> {
    let conflict = parse("conflict", &left.conflict)?;
    let space = ask::space(&app.handle, &space).await?.space;
    let document = ask::find(&app.handle, space, &doc).await?;
    let request = if left.withdraw == Some(true) {
        ConflictRequest::Withdraw { space, document, conflict }
    } else {
        let why = left.why.unwrap_or_default().trim().to_owned();
        ConflictRequest::Escalate { space, document, conflict, why }
    };
    ask::write(&app.handle, Request::Conflict(request)).await?;
    Ok(Redirect::to(&format!("{}?doc={document}", links::conflicts(space))))
}

/// One side of all conflicts of a space or document.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(crate) struct All {
    /// `mine` or `theirs`.
    keep: String,
    /// Only of this document.
    doc: Option<String>,
}

impl All {
    fn document(&self) -> Result<Option<DocumentId>, Problem> {
        let named = self.doc.as_deref().filter(|doc| !doc.is_empty());
        named.map(|doc| parse("doc", doc)).transpose()
    }
}

/// Where a person confirms that all of one side shall stay.
pub(crate) fn confirm_at(space: SpaceId, keep: KeepAll, only: Option<DocumentId>) -> String {
    let doc = only.map(|document| format!("&doc={document}")).unwrap_or_default();
    format!("{}/all?keep={}{doc}", links::conflicts(space), keep.word())
}

/// Asks whether all of one side shall stay.
#[utoipa::path(get, path = "/s/{space}/conflicts/all", params(All), responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn confirm(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(all): Search<All>,
) -> Page {
    let space = ask::space(&app.handle, &space).await?;
    let keep: KeepAll = parse("keep", &all.keep)?;
    let only = all.document()?;
    let (count, is_all) = match only {
        Some(document) => {
            let of = ConflictsOf::Document(document);
            let page = ask::conflicts(&app.handle, space.space, of).await?;
            (page.items.len(), page.is_complete)
        }
        None => {
            let tally = ask::tally(&app.handle, space.space, LOOKS_MAX).await?;
            (tally.conflicts, tally.waiting == 0)
        }
    };
    let whose = match keep {
        KeepAll::Mine => "all of yours",
        KeepAll::Theirs => "all of theirs",
    };
    let what = words::count(count as u64, "conflict", "conflicts");
    let back = links::conflicts(space.space);
    let may = space.role.is_some_and(|role| role.includes(Role::Writer));
    let main = html! {
        h1 { "Keep " (whose) "?" }
        p.lead {
            "This settles " @if !is_all { "at least " } (what)
            @if only.is_some() { " in this document" } @else { " in " (home::name(&space.name)) }
            ", for everybody. Where it is not clear which side is meant, it stays open."
        }
        p { "What is not kept stays in the history of its document." }
        @if may {
            form.row method="post" action=(format!("{back}/all")) {
                input type="hidden" name="keep" value=(keep.word());
                @if let Some(document) = only { input type="hidden" name="doc" value=(document); }
                button type="submit" { "Keep " (whose) ": " (what) }
                a.button.quiet href=(back) { "Not now" }
            }
        } @else {
            p.note { "Only whoever may write in this space can do this." }
            p { a href=(back) { "Back" } }
        }
    };
    let space_at = links::space(space.space);
    let trail = [(home::name(&space.name), &*space_at), ("Changed at the same time", &*back)];
    Ok(layout::page(&format!("Keep {whose}?"), &trail, &main))
}

/// Keep all of one side.
#[utoipa::path(post, path = "/s/{space}/conflicts/all",
    request_body(content = All, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "To what still waits, with how many were settled")))]
pub(crate) async fn all(
    State(app): State<App>,
    Params(space): Params<String>,
    FormBody(all): FormBody<All>,
) -> Result<Redirect, PageError> {
    let keep = parse("keep", &all.keep)?;
    let of = all.document()?.map_or(ConflictsOf::After(None), ConflictsOf::Document);
    let space = ask::space(&app.handle, &space).await?.space;
    let (report, open) = ask::settle_all(&app.handle, (space, of), keep, 0).await?;
    let settled = report.settled;
    Ok(Redirect::to(&format!("{}?settled={settled}&open={open}", links::conflicts(space))))
}
