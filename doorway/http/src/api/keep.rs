use std::collections::BTreeSet;

use axum::{Json, extract::State};
use node_core::request::{KeptBy, PartInfo, PartRule};
use node_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, spaces::Space};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
    problem::Problem,
};

/// Documents of which a part of a space consists.
#[derive(Serialize, ToSchema)]
pub(crate) struct Part {
    /// How many were chosen, or written here.
    documents: u64,
    /// How many of them are here.
    here: u64,
    /// Types of documents that are kept, too.
    types: BTreeSet<String>,
    /// Folders that are kept, too.
    folders: BTreeSet<String>,
    /// Of these, what was changed then or later.
    since: Option<String>,
    /// Of these, what was last changed before then.
    until: Option<String>,
    /// Whether a peer that can read said since it connected which documents these are;
    /// nothing where no types, folders or times are named.
    answered: Option<bool>,
}

impl From<PartInfo> for Part {
    fn from(PartInfo { documents, here, rule, has_answer }: PartInfo) -> Self {
        Self {
            documents,
            here,
            types: rule.kinds,
            folders: rule.folders,
            since: rule.since.map(Timestamp::rfc3339),
            until: rule.until.map(Timestamp::rfc3339),
            answered: has_answer,
        }
    }
}

/// What to keep: everything; or the documents that are named, and those that fit all of the
/// rest.
#[derive(Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Choice {
    /// Everything, and nothing else is said.
    everything: bool,
    /// Documents by id, content id or path, here or not.
    docs: Vec<String>,
    /// Of one of these types.
    types: BTreeSet<String>,
    /// In one of these folders, or below.
    folders: BTreeSet<String>,
    /// Changed then or later: 2026-11-21T14:00:00Z.
    since: Option<String>,
    /// Last changed before then.
    until: Option<String>,
}

fn time(text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let parse = |text: String| {
        Timestamp::from_rfc3339(&text).ok_or_else(|| {
            let message = format!("{text:?} is no time such as 2026-11-21T14:00:00Z");
            Problem::invalid(message)
        })
    };
    text.map(parse).transpose()
}

/// Keep some documents of a space, and what is written here; or everything again. What is here
/// stays. Which documents are of a type, in a folder or of a time say peers who can read.
#[utoipa::path(put, path = "/api/v1/spaces/{space}/keep", request_body = Choice, responses((status = 200, body = Space, description = "Kept from now on")))]
pub(crate) async fn choose(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(choice): JsonBody<Choice>,
) -> Answer<Space> {
    let space = ask::space(&app.handle, &space).await?.space;
    let all = Choice { everything: true, ..Choice::default() };
    let part = if choice == all {
        None
    } else if choice.everything || choice == Choice::default() {
        let message = "say what to keep, or {\"everything\": true} and nothing else";
        return Err(Problem::invalid(message));
    } else {
        let Choice { everything: _, docs, types, folders, since, until } = choice;
        let (since, until) = (time(since)?, time(until)?);
        let rule = PartRule { kinds: types, folders, since, until };
        Some(KeptBy { documents: docs, rule })
    };
    Ok(Json(ask::keep(&app.handle, space, part).await?.into()))
}
