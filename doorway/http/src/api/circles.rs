//! Circles: people under a name, to be let into spaces together.

use axum::{Json, extract::State, http::StatusCode};
use node_core::{
    Request,
    request::{CircleInfo, Party, Role},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, spaces::Member};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
    problem::Problem,
};

/// A space that a circle was let into.
#[derive(Serialize, ToSchema)]
pub(crate) struct Opened {
    space: String,
    name: String,
    /// `custodian` or `reader`.
    role: &'static str,
}

/// A circle.
#[derive(Serialize, ToSchema)]
pub(crate) struct Circle {
    circle: String,
    name: String,
    /// What we may do in it; an `admin` adds and removes people.
    role: Option<&'static str>,
    members: Vec<Member>,
    /// What it was let into, of the spaces that are here.
    spaces: Vec<Opened>,
}

impl From<CircleInfo> for Circle {
    fn from(CircleInfo { info, members, spaces }: CircleInfo) -> Self {
        let spaces = spaces.into_iter().map(|(space, name, role)| Opened {
            space: space.to_string(),
            name,
            role: role.word(),
        });
        Self {
            circle: info.space.to_string(),
            name: info.name,
            role: info.role.map(|role| role.word()),
            members: members.into_iter().map(Member::from).collect(),
            spaces: spaces.collect(),
        }
    }
}

/// Circles.
#[derive(Serialize, ToSchema)]
pub(crate) struct Circles {
    circles: Vec<Circle>,
}

/// Which circles are we in, who is in them, and what do they open?
#[utoipa::path(get, path = "/api/v1/circles", responses((status = 200, body = Circles, description = "Circles")))]
pub(crate) async fn list(State(app): State<App>) -> Answer<Circles> {
    let circles = ask::circles(&app.handle).await?;
    Ok(Json(Circles { circles: circles.into_iter().map(Circle::from).collect() }))
}

/// A circle to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewCircle {
    /// Whoever is in it reads its name.
    name: String,
}

/// That a circle was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Made {
    circle: String,
    name: String,
}

/// Make a circle.
#[utoipa::path(post, path = "/api/v1/circles", request_body = NewCircle, responses((status = 201, body = Made, description = "Made")))]
pub(crate) async fn found(
    State(app): State<App>,
    JsonBody(new): JsonBody<NewCircle>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let info = ask::found_circle(&app.handle, new.name).await?;
    Ok((StatusCode::CREATED, Json(Made { circle: info.space.to_string(), name: info.name })))
}

/// Whom to add.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Addition {
    /// An agent's id, a device's id, or a name that only one person has; or another
    /// circle, for all who are in it.
    agent: String,
}

/// Who came into a circle, or is gone from it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    circle: String,
    agent: String,
}

/// Add somebody, to everything that the circle was let into.
#[utoipa::path(post, path = "/api/v1/circles/{circle}/members", request_body = Addition, responses((status = 200, body = Changed, description = "Added")))]
pub(crate) async fn add(
    State(app): State<App>,
    Params(circle): Params<String>,
    JsonBody(new): JsonBody<Addition>,
) -> Answer<Changed> {
    let space = ask::circle(&app.handle, &circle).await?.space;
    let party = ask::party(&app.handle, &new.agent).await?;
    if !is_in(&app, party, space).await? {
        ask::done(&app.handle, Request::Grant { space, party, role: Role::Reader }).await?;
    }
    Ok(Json(Changed { circle: space.to_string(), agent: ask::printed(party) }))
}

/// Whoever may do more in a circle than being in it keeps that.
async fn is_in(app: &App, party: Party, circle: node_model::SpaceId) -> Result<bool, Problem> {
    let members = ask::members(&app.handle, circle).await?;
    let is_this = |agent| party == Party::Agent(agent);
    let mut found = members.iter().filter(|it| is_this(it.agent) && it.via.is_none());
    Ok(found.any(|it| it.role.holds_keys()))
}

/// Remove somebody, from everything that they are in by the circle.
#[utoipa::path(delete, path = "/api/v1/circles/{circle}/members/{agent}", responses((status = 200, body = Changed, description = "Removed")))]
pub(crate) async fn remove(
    State(app): State<App>,
    Params((circle, agent)): Params<(String, String)>,
) -> Answer<Changed> {
    let space = ask::circle(&app.handle, &circle).await?.space;
    let party = ask::party(&app.handle, &agent).await?;
    ask::done(&app.handle, Request::Revoke { space, party }).await?;
    Ok(Json(Changed { circle: space.to_string(), agent: ask::printed(party) }))
}
