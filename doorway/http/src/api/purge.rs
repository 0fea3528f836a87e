//! Documents that are purged for good.

use axum::{Json, extract::State};
use node_core::{Request, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::{
    ask,
    audit::{self, Thing},
    config::App,
    extract::{JsonBody, Params},
};

/// What to purge.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ToPurge {
    /// From 1 to 1,000 documents: ids, content ids or paths. By its id also one that is not
    /// here, or was removed.
    docs: Vec<String>,
}

/// What was purged.
#[derive(Serialize, ToSchema)]
pub(crate) struct Purged {
    space: String,
    docs: Vec<String>,
}

/// Purge documents with all of their history, at every node that keeps the space. They may
/// not come back; nothing undoes it. Only for admins of the space.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/purge", request_body = ToPurge, responses((status = 200, body = Purged, description = "Deleted here; other nodes do it when they hear of it")))]
pub(crate) async fn purge(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(ToPurge { docs }): JsonBody<ToPurge>,
) -> Answer<Purged> {
    let space = ask::space(&app.handle, &space).await?.space;
    let request = Request::Purge { space, names: docs };
    let Response::Purged(documents) = app.handle.request(request).await? else {
        return Err(ask::unexpected().into());
    };
    documents.iter().for_each(|document| audit::concerns(Thing::Document(*document)));
    let docs = documents.iter().map(ToString::to_string).collect();
    Ok(Json(Purged { space: space.to_string(), docs }))
}
