use axum::{Json, extract::State};
use node_core::{Request, Response, request::PartInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, spaces::Space};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
};

/// Documents of which a part of a space consists.
#[derive(Serialize, ToSchema)]
pub(crate) struct Part {
    /// How many were chosen, or written here.
    documents: u64,
    /// How many of them are here.
    here: u64,
}

impl From<PartInfo> for Part {
    fn from(PartInfo { documents, here }: PartInfo) -> Self {
        Self { documents, here }
    }
}

/// What to keep.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Choice {
    /// Documents by id, content id or path, here or not; everything when left out.
    docs: Option<Vec<String>>,
}

/// Keep some documents of a space, and what is written here; or everything again. What is here
/// stays.
#[utoipa::path(put, path = "/api/v1/spaces/{space}/keep", request_body = Choice, responses((status = 200, body = Space, description = "Kept from now on")))]
pub(crate) async fn choose(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(choice): JsonBody<Choice>,
) -> Answer<Space> {
    let space = ask::space(&app.handle, &space).await?.space;
    let request = Request::Keep { space, documents: choice.docs };
    let Response::Space(info) = app.handle.request(request).await? else {
        return Err(ask::unexpected().into());
    };
    Ok(Json(info.into()))
}
