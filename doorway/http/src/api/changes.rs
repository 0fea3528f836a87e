//! What has changed in a space since somebody looked: for backends that derive something from it.

use axum::{Json, extract::State};
use data_encoding::HEXLOWER;
use node_core::{
    Request, Response,
    request::{ArrivalKind, Arrived},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use crate::{
    ask,
    config::App,
    extract::{Params, Search},
    problem::Problem,
};

/// Since when.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// The `stamp` of an earlier answer; everything unless said.
    since: Option<String>,
}

/// Documents that changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangedDocuments {
    /// Their ids, those that were removed among them.
    docs: Vec<String>,
    /// What to ask with next, once these were looked at; good across restarts.
    stamp: String,
    /// Whether these are all documents that there are: nothing was asked for, or the space is
    /// not the one any more that was asked about (set back, or another copy of it).
    all: bool,
    /// Whether there are more; ask again at once.
    more: bool,
}

/// What has changed since?
///
/// Together with the events of `/api/v1/events`, which say that there is something to ask for,
/// whoever keeps the stamp misses nothing, however long they were away.
#[utoipa::path(get, path = "/api/v1/spaces/{space}/changes", params(Since), responses((status = 200, body = ChangedDocuments, description = "Each document once, by id")))]
pub(crate) async fn since(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(asked): Search<Since>,
) -> Answer<ChangedDocuments> {
    let space = ask::space(&app.handle, &space).await?.space;
    let since = stamp(asked.since.as_deref())?;
    let answer = app.handle.request(Request::Changes { space, since }).await?;
    let Response::Changes(changes) = answer else {
        return Err(ask::unexpected().into());
    };
    let changes = changes.ok_or_else(sealed)?;
    Ok(Json(ChangedDocuments {
        docs: changes.documents.iter().map(ToString::to_string).collect(),
        stamp: HEXLOWER.encode(&changes.stamp),
        all: changes.is_all,
        more: changes.is_more,
    }))
}

fn stamp(text: Option<&str>) -> Result<Option<Vec<u8>>, Problem> {
    let stamp = text.map(|text| HEXLOWER.decode(text.as_bytes())).transpose();
    stamp.map_err(|_| Problem::invalid("a stamp is what an answer said, unchanged"))
}

fn sealed() -> Problem {
    let detail = "the space is sealed here: nobody at this node reads it";
    Problem::not_found(detail, "kith space list")
}

/// Since when, and what of it.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ArrivedSince {
    /// The `stamp` of an earlier answer; everything unless said.
    since: Option<String>,
    /// Only these kinds, with commas between: local, new, backfill, outlier. The stamp moves on
    /// over the others, too.
    kinds: Option<String>,
}

/// An entry that arrived.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArrivedEntry {
    /// Its place in the order of arrival, from 1.
    position: u64,
    doc: String,
    /// The entry's id: the hash of its header.
    entry: String,
    /// `local`: written here. `new`: from others, building on what was here. `backfill`: from
    /// others and older than what was here. `outlier`: something that it builds on is not here.
    kind: &'static str,
    /// The device that wrote it.
    device: String,
    /// Whose device that is, if that is known.
    agent: Option<String>,
    /// What they want to be called.
    name: Option<String>,
}

/// Entries that arrived.
#[derive(Serialize, ToSchema)]
pub(crate) struct ArrivedEntries {
    /// In the order of arrival.
    entries: Vec<ArrivedEntry>,
    /// What to ask with next, once these were looked at; good across restarts, and for
    /// `changes`, too.
    stamp: String,
    /// Whether they begin with the first that there is: nothing was asked for, or the space is
    /// not the one any more that was asked about (set back, or another copy of it).
    all: bool,
    /// Whether there are more; ask again at once.
    more: bool,
}

/// What has arrived since, entry by entry?
///
/// Entries that bundles have taken the place of are not told of any more.
#[utoipa::path(get, path = "/api/v1/spaces/{space}/arrivals", params(ArrivedSince), responses((status = 200, body = ArrivedEntries, description = "Entries by position")))]
pub(crate) async fn arrivals(
    State(app): State<App>,
    Params(space): Params<String>,
    Search(asked): Search<ArrivedSince>,
) -> Answer<ArrivedEntries> {
    let space = ask::space(&app.handle, &space).await?.space;
    let since = stamp(asked.since.as_deref())?;
    let kinds = asked.kinds.map(|kinds| kinds.split(',').map(kind).collect::<Result<Vec<_>, _>>());
    let kinds = kinds.transpose()?;
    let answer = app.handle.request(Request::Arrivals { space, since }).await?;
    let Response::Arrivals(found) = answer else {
        return Err(ask::unexpected().into());
    };
    let found = found.ok_or_else(sealed)?;
    let is_wanted = |kind| kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
    let wanted = found.events.into_iter().filter(|arrived| is_wanted(arrived.event.kind));
    let entries = wanted.map(|Arrived { event, by }| ArrivedEntry {
        position: event.place,
        doc: event.document.to_string(),
        entry: event.entry.to_string(),
        kind: word(event.kind),
        device: event.author.to_string(),
        agent: by.as_ref().map(|by| by.agent.to_string()),
        name: by.map(|by| by.name),
    });
    Ok(Json(ArrivedEntries {
        entries: entries.collect(),
        stamp: HEXLOWER.encode(&found.stamp),
        all: found.is_all,
        more: found.is_more,
    }))
}

const KINDS: [ArrivalKind; 4] =
    [ArrivalKind::Local, ArrivalKind::New, ArrivalKind::Backfill, ArrivalKind::Outlier];

fn word(kind: ArrivalKind) -> &'static str {
    match kind {
        ArrivalKind::Local => "local",
        ArrivalKind::New => "new",
        ArrivalKind::Backfill => "backfill",
        ArrivalKind::Outlier => "outlier",
    }
}

fn kind(text: &str) -> Result<ArrivalKind, Problem> {
    let known = KINDS.into_iter().find(|kind| word(*kind) == text);
    let unknown = format!("kinds: local, new, backfill or outlier, not {text:?}");
    known.ok_or_else(|| Problem::invalid(unknown))
}
