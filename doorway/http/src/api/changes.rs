//! What has changed in a space since somebody looked: for backends that derive something from it.

use axum::{Json, extract::State};
use data_encoding::HEXLOWER;
use node_core::{Request, Response};
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
    let since = asked.since.map(|stamp| HEXLOWER.decode(stamp.as_bytes())).transpose();
    let since = since.map_err(|_| Problem::invalid("a stamp is what an answer said, unchanged"))?;
    let answer = app.handle.request(Request::Changes { space, since }).await?;
    let Response::Changes(changes) = answer else {
        return Err(ask::unexpected().into());
    };
    let Some(changes) = changes else {
        let detail = "the space is sealed here: nobody at this node reads it";
        return Err(Problem::not_found(detail, "kith space list"));
    };
    Ok(Json(ChangedDocuments {
        docs: changes.documents.iter().map(ToString::to_string).collect(),
        stamp: HEXLOWER.encode(&changes.stamp),
        all: changes.is_all,
        more: changes.is_more,
    }))
}
