//! Documents that are purged for good.

use axum::{Json, extract::State};
use node_core::{Failure, Request, Response, request::PurgeRequest};
use node_model::{DocumentId, SpaceId};
use node_runtime::Handle;
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
    let mut documents = Vec::with_capacity(docs.len());
    for text in docs {
        documents.push(find(&app.handle, space, text).await?);
    }
    let printed = documents.iter().map(ToString::to_string).collect();
    let request = PurgeRequest::Purge { space, documents };
    ask::done(&app.handle, Request::Purge(request)).await?;
    Ok(Json(Purged { space: space.to_string(), docs: printed }))
}

async fn find(node: &Handle, space: SpaceId, text: String) -> Result<DocumentId, Failure> {
    let request = Request::Purge(PurgeRequest::Find { space, text });
    let Response::Found(document) = node.request(request).await? else {
        return Err(ask::unexpected());
    };
    audit::concerns(Thing::Document(document));
    Ok(document)
}
