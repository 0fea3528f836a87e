use axum::{Json, extract::State};
use node_core::doctor::{DoctorOf, Finding, Findings};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Answer, progress::EntriesProgress};
use crate::{ask, config::App, extract::Search};

/// What to look at; everything, if nothing is said.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Patient {
    /// Only this space: its id, a unique beginning of it, or its name.
    space: Option<String>,
    /// Only this document and the way of its space: its id, a unique beginning of it, its
    /// content id or its path. Without a space it is looked for in all of them.
    doc: Option<String>,
}

/// Why something is not in sync.
#[derive(Serialize, ToSchema)]
pub(crate) struct CauseFound {
    /// `null` before there is a space to share.
    space: Option<String>,
    /// `null` when it is about the whole space.
    doc: Option<String>,
    /// `null` when it is about this node alone.
    peer: Option<String>,
    /// `revoked`, `no-path`, `version-mismatch`, `clock-skew`, `denied`, `quota`, `disk-full`,
    /// `storage-failed`, `relay-only`, `back-pressure`, `transferring`, `peer-behind`,
    /// `rejected-entry`, `missing-dependency`, `missing-files` or `waiting-for-consent`.
    cause: &'static str,
    /// When this node first saw it, since it was started.
    since: String,
    /// What a person can do, as a command where there is one.
    next: String,
    /// The cause in a sentence.
    words: String,
    /// With `transferring`, also through a relay: how far the exchange of entries is, once
    /// anything is known of it.
    progress: Option<EntriesProgress>,
    space_name: Option<String>,
    peer_name: Option<String>,
}

impl From<Finding> for CauseFound {
    fn from(found: Finding) -> Self {
        let Finding { subject, space_name, peer_name, cause, since, sentence, next } = found;
        let progress = cause.progress().map(EntriesProgress::from);
        Self {
            space: subject.space.map(|space| space.to_string()),
            doc: subject.document.map(|document| document.to_string()),
            peer: subject.peer.map(|peer| peer.to_string()),
            cause: cause.word(),
            since: since.rfc3339(),
            next,
            words: sentence,
            progress,
            space_name: subject.space.map(|_| space_name),
            peer_name: subject.peer.map(|_| peer_name),
        }
    }
}

/// Everything that is not in sync.
#[derive(Serialize, ToSchema)]
pub(crate) struct Causes {
    /// One for each space and peer, or document, that is not in sync; none means that
    /// everybody has confirmed to hold the same of what both keep.
    causes: Vec<CauseFound>,
    /// Whether these are all; an answer has at most 10,000.
    complete: bool,
}

/// What is not in sync, why, and what mends it?
#[utoipa::path(get, path = "/api/v1/doctor", params(Patient), responses((status = 200, body = Causes, description = "By space, document and peer")))]
pub(crate) async fn examine(
    State(app): State<App>,
    Search(patient): Search<Patient>,
) -> Answer<Causes> {
    let of = match (patient.space, patient.doc) {
        (None, None) => DoctorOf::Everything,
        (Some(space), None) => DoctorOf::Space(ask::space(&app.handle, &space).await?.space),
        (space, Some(doc)) => {
            let (space, document) =
                ask::find_somewhere(&app.handle, space.as_deref(), &doc).await?;
            DoctorOf::Document(space, document)
        }
    };
    let Findings { findings, is_complete } = ask::doctor(&app.handle, of).await?;
    let causes = findings.into_iter().map(CauseFound::from).collect();
    Ok(Json(Causes { causes, complete: is_complete }))
}
