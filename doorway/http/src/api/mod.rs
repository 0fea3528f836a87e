//! The interface for programs: JSON in, JSON or a [`Problem`] out.

pub(crate) mod blobs;
pub(crate) mod changes;
pub(crate) mod circles;
pub(crate) mod conflicts;
pub(crate) mod custody;
pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod doorway;
pub(crate) mod events;
pub(crate) mod folder;
pub(crate) mod keep;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod node;
pub(crate) mod offers;
pub(crate) mod packs;
pub(crate) mod pairing;
pub(crate) mod past;
pub(crate) mod people;
pub(crate) mod progress;
pub(crate) mod purge;
pub(crate) mod query;
pub(crate) mod search;
pub(crate) mod spaces;
pub(crate) mod transfer;
pub(crate) mod visit;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// What a handler answers.
pub(crate) type Answer<T> = Result<Json<T>, Problem>;

/// That something was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// Always true.
    pub(crate) done: bool,
}

impl Done {
    pub(crate) const YES: Json<Self> = Json(Self { done: true });
}

/// Reads an id or a word of a request.
pub(crate) fn parse<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Problem::invalid(format!("{what}: {error}")))
}
