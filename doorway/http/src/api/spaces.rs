use axum::{Json, extract::State, http::StatusCode};
use node_core::{
    Request,
    request::{MemberInfo, Party, Reach, SpaceInfo},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, keep::Part, node::SpaceNumbers, parse};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
    problem::Problem,
};

/// A space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Space {
    space: String,
    name: String,
    reach: &'static str,
    /// What we may do; nothing once we left or were removed, then it is only readable.
    role: Option<&'static str>,
    members: usize,
    /// Whether it is the person's own, for progress and notes.
    home: bool,
    /// Whose it is, if we are in it only to keep it for them, sealed.
    kept_for: Option<String>,
    /// What this node keeps of it; nothing where that is everything.
    part: Option<Part>,
}

impl From<SpaceInfo> for Space {
    fn from(info: SpaceInfo) -> Self {
        Self {
            space: info.space.to_string(),
            name: info.name,
            reach: info.reach.word(),
            role: info.role.map(|role| role.word()),
            members: info.members,
            home: info.is_home,
            kept_for: info.kept_for,
            part: info.part.map(Part::from),
        }
    }
}

/// Spaces.
#[derive(Serialize, ToSchema)]
pub(crate) struct Spaces {
    spaces: Vec<Space>,
}

/// Which spaces are we a member of? Circles stand in a list of their own.
#[utoipa::path(get, path = "/api/v1/spaces", responses((status = 200, body = Spaces, description = "Spaces")))]
pub(crate) async fn list(State(app): State<App>) -> Answer<Spaces> {
    let spaces = ask::spaces(&app.handle).await?.into_iter().filter(|info| !info.is_circle);
    Ok(Json(Spaces { spaces: spaces.map(Space::from).collect() }))
}

/// A space to found.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewSpace {
    name: String,
    /// How far it may travel; `private` unless said.
    reach: Option<String>,
    /// Whether new members read what was written before them; they do unless said.
    open_history: Option<bool>,
}

/// Found a space.
#[utoipa::path(post, path = "/api/v1/spaces", request_body = NewSpace, responses((status = 201, body = Space, description = "Founded")))]
pub(crate) async fn found(
    State(app): State<App>,
    JsonBody(new): JsonBody<NewSpace>,
) -> Result<(StatusCode, Json<Space>), Problem> {
    let reach = new.reach.as_deref().map_or(Ok(Reach::Private), |reach| parse("reach", reach))?;
    let has_open_history = new.open_history.unwrap_or(true);
    let info = ask::found(&app.handle, new.name, reach, has_open_history).await?;
    Ok((StatusCode::CREATED, Json(info.into())))
}

/// How does a space stand?
#[utoipa::path(get, path = "/api/v1/spaces/{space}", responses((status = 200, body = SpaceNumbers, description = "The space")))]
pub(crate) async fn show(
    State(app): State<App>,
    Params(space): Params<String>,
) -> Answer<SpaceNumbers> {
    let space = ask::space(&app.handle, &space).await?.space;
    let status = ask::status(&app.handle).await?;
    let found = status.spaces.into_iter().find(|status| status.info.space == space);
    let found = found.ok_or_else(node_core::Failure::no_such_space)?;
    Ok(Json(found.into()))
}

/// A member of a space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Member {
    agent: String,
    name: String,
    role: &'static str,
    /// The group that they are in by.
    via: Option<String>,
    founder: bool,
    /// Whether they are no member, and keep a sealed copy for the founder by their relationship.
    keeper: bool,
    /// How many bytes of it a device of theirs says that it holds.
    holds: Option<u64>,
}

impl From<MemberInfo> for Member {
    fn from(member: MemberInfo) -> Self {
        Self {
            agent: member.agent.to_string(),
            name: member.name,
            role: member.role.word(),
            via: member.via.map(|group| group.to_string()),
            founder: member.is_founder,
            keeper: member.is_keeper,
            holds: member.holds,
        }
    }
}

/// Members of a space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Members {
    members: Vec<Member>,
}

/// Who is a member?
#[utoipa::path(get, path = "/api/v1/spaces/{space}/members", responses((status = 200, body = Members, description = "Members")))]
pub(crate) async fn members(
    State(app): State<App>,
    Params(space): Params<String>,
) -> Answer<Members> {
    let space = ask::space(&app.handle, &space).await?.space;
    let members = ask::members(&app.handle, space).await?;
    Ok(Json(Members { members: members.into_iter().map(Member::from).collect() }))
}

/// Whom to admit.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewMember {
    /// An agent's id, a device's id, or a name that only one person has; or a circle or
    /// another space, for all who may read it.
    agent: String,
    /// `custodian`, `reader`, `writer` or `admin`.
    role: String,
}

/// That somebody was admitted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Granted {
    space: String,
    agent: String,
    role: String,
}

/// Admit somebody.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/members", request_body = NewMember, responses((status = 200, body = Granted, description = "Admitted")))]
pub(crate) async fn grant(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(new): JsonBody<NewMember>,
) -> Answer<Granted> {
    let space = ask::space(&app.handle, &space).await?.space;
    let role = parse("role", &new.role)?;
    let party = ask::party(&app.handle, &new.agent).await?;
    ask::done(&app.handle, Request::Grant { space, party, role }).await?;
    Ok(Json(Granted { space: space.to_string(), agent: ask::printed(party), role: new.role }))
}

/// That somebody is not a member any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revoked {
    space: String,
    agent: String,
}

/// Remove somebody.
#[utoipa::path(delete, path = "/api/v1/spaces/{space}/members/{agent}", responses((status = 200, body = Revoked, description = "Removed")))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Params((space, agent)): Params<(String, String)>,
) -> Answer<Revoked> {
    let space = ask::space(&app.handle, &space).await?.space;
    let party = ask::party(&app.handle, &agent).await?;
    ask::done(&app.handle, Request::Revoke { space, party }).await?;
    Ok(Json(Revoked { space: space.to_string(), agent: ask::printed(party) }))
}

/// Leave a space; what was received stays readable.
#[utoipa::path(delete, path = "/api/v1/spaces/{space}", responses((status = 200, body = Revoked, description = "Left")))]
pub(crate) async fn leave(
    State(app): State<App>,
    Params(space): Params<String>,
) -> Answer<Revoked> {
    let space = ask::space(&app.handle, &space).await?.space;
    let agent = ask::identity(&app.handle).await?.agent;
    ask::done(&app.handle, Request::Revoke { space, party: Party::Agent(agent) }).await?;
    Ok(Json(Revoked { space: space.to_string(), agent: agent.to_string() }))
}
