use std::time::Duration;

use axum::{Json, extract::State};
use data_encoding::BASE64;
use node_core::{
    Failure, FailureKind, Request, Response,
    request::{Layer, Role},
};
use node_model::{
    DeviceId,
    ticket::{Ticket, TicketError},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, doctor::CauseFound, parse, progress::EntriesProgress};
use crate::{
    ask,
    audit::{self, Thing},
    config::App,
    extract::{JsonBody, Params},
};

/// How long a ticket is good unless asked otherwise: time to walk to the other
/// device.
const TICKET_SECONDS: u64 = 15 * 60;

/// Longest life of a ticket: a letter arrives within a month.
const TICKET_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// What a ticket shall grant.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewTicket {
    /// A space that comes with it.
    space: Option<String>,
    /// What the guest may do there; `reader` unless said.
    role: Option<String>,
    /// Whether it makes the device that comes one of our own, instead of relating.
    #[serde(default)]
    device: bool,
    /// How long it is good; 900 unless said.
    expires_seconds: Option<u64>,
}

/// A one-time ticket.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedTicket {
    ticket: String,
    expires_at: String,
}

/// Make a one-time ticket.
#[utoipa::path(post, path = "/api/v1/tickets", request_body = NewTicket, responses((status = 200, body = IssuedTicket, description = "The ticket")))]
pub(crate) async fn issue(
    State(app): State<App>,
    JsonBody(new): JsonBody<NewTicket>,
) -> Answer<IssuedTicket> {
    let role: Role = new.role.as_deref().map_or(Ok(Role::Reader), |role| parse("role", role))?;
    let grant = match &new.space {
        Some(space) => Some((ask::space(&app.handle, space).await?.space, role)),
        None => None,
    };
    let seconds = new.expires_seconds.unwrap_or(TICKET_SECONDS).clamp(1, TICKET_SECONDS_MAX);
    let (is_for_own_device, lifetime) = (new.device, Duration::from_secs(seconds));
    let request = Request::IssueTicket { grant, is_for_own_device, lifetime };
    let Response::Ticket(ticket) = app.handle.request(request).await? else {
        return Err(ask::unexpected().into());
    };
    let expires_at = ticket.expires_at.rfc3339();
    Ok(Json(IssuedTicket { ticket: ticket.to_string(), expires_at }))
}

/// Somebody who came with a ticket of ours.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pairing {
    peer: String,
    /// What both sides show.
    code: String,
    agent: Option<String>,
    name: Option<String>,
}

/// Pairings with tickets of this node.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pairings {
    pairings: Vec<Pairing>,
}

/// Who came with a ticket of ours?
#[utoipa::path(get, path = "/api/v1/pairings", responses((status = 200, body = Pairings, description = "Newest last")))]
pub(crate) async fn list(State(app): State<App>) -> Answer<Pairings> {
    let pairings = ask::pairings(&app.handle).await?;
    let pairings = pairings.into_iter().map(|pairing| Pairing {
        peer: pairing.device.to_string(),
        code: pairing.code,
        agent: pairing.agent.map(|agent| agent.to_string()),
        name: pairing.name,
    });
    Ok(Json(Pairings { pairings: pairings.collect() }))
}

/// A ticket to accept.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Accept {
    ticket: String,
    /// Whether this device shall become one of those of the person who made it.
    #[serde(default)]
    link: bool,
}

/// What to compare with the other side.
#[derive(Serialize, ToSchema)]
pub(crate) struct Code {
    peer: String,
    /// Six digits.
    code: String,
}

/// Accept a ticket; answers with a code to compare.
#[utoipa::path(post, path = "/api/v1/pair", request_body = Accept, responses((status = 200, body = Code, description = "Compare this code")))]
pub(crate) async fn accept(
    State(app): State<App>,
    JsonBody(new): JsonBody<Accept>,
) -> Answer<Code> {
    let ticket: Ticket = new.ticket.parse().map_err(|error: TicketError| {
        let fix = match error {
            TicketError::NotATicket | TicketError::Damaged => {
                "copy the whole ticket, then: kith pair TICKET"
            }
            TicketError::Newer => "install the newest kith",
        };
        Failure::new(FailureKind::Invalid, error.to_string(), fix)
    })?;
    let answer = app.handle.request(Request::Pair { ticket, is_link: new.link }).await?;
    let Response::PairingCode { device, code } = answer else {
        return Err(ask::unexpected().into());
    };
    Ok(Json(Code { peer: device.to_string(), code }))
}

/// Whether the codes are equal.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Compared {
    same: bool,
}

/// Who we are related to now.
#[derive(Serialize, ToSchema)]
pub(crate) struct Paired {
    peer: String,
    agent: String,
    name: String,
    /// The layer of the relationship.
    relation: &'static str,
    /// For a device that was linked: the statements that say so, in base64.
    links: Vec<String>,
    /// For a device that was linked: where the other one may be found.
    addresses: Vec<String>,
}

/// Say whether the other side shows the same code.
#[utoipa::path(post, path = "/api/v1/pair/{peer}", request_body = Compared, responses((status = 200, body = Paired, description = "Related")))]
pub(crate) async fn confirm(
    State(app): State<App>,
    Params(peer): Params<String>,
    JsonBody(compared): JsonBody<Compared>,
) -> Answer<Paired> {
    let device: DeviceId = parse("peer", &peer)?;
    audit::concerns(Thing::Device(device));
    let request = Request::ConfirmPairing { device, is_same: compared.same };
    let answer = app.handle.request(request).await?;
    if let Response::Paired { device, agent, name, layer } = answer {
        let (peer, agent) = (device.to_string(), agent.to_string());
        let (links, addresses) = (vec![], vec![]);
        return Ok(Json(Paired { peer, agent, name, relation: layer.word(), links, addresses }));
    }
    let Response::Linked { agent, links, device, addresses } = answer else {
        return Err(ask::unexpected().into());
    };
    Ok(Json(Paired {
        peer: device.to_string(),
        agent: agent.to_string(),
        name: String::new(),
        relation: Layer::Sovereign.word(),
        links: links.iter().map(|link| BASE64.encode(link)).collect(),
        addresses,
    }))
}

/// What to synchronise.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SyncNow {
    /// With whom; everybody unless said.
    peer: Option<String>,
    /// Whether to compare everything.
    #[serde(default)]
    full: bool,
}

/// How it stands with a peer.
#[derive(Serialize, ToSchema)]
pub(crate) struct PeerState {
    peer: String,
    /// `synced`, `syncing`, `behind` or `unreachable`.
    state: &'static str,
    /// How far the exchange of entries is, if one is still running.
    progress: Option<EntriesProgress>,
}

/// What came of synchronising.
#[derive(Serialize, ToSchema)]
pub(crate) struct Synced {
    /// Entries sent.
    pushed: u64,
    /// Entries received.
    pulled: u64,
    peers: Vec<PeerState>,
    /// What could not be done, as the doctor says it: a peer that could not be reached,
    /// entries that were refused, files that are not here. At most 100.
    warnings: Vec<CauseFound>,
    /// Whether these are all.
    warnings_complete: bool,
}

/// Synchronise now; answers when nothing more comes.
#[utoipa::path(post, path = "/api/v1/sync", request_body = SyncNow, responses((status = 200, body = Synced, description = "What came of it")))]
pub(crate) async fn sync(
    State(app): State<App>,
    JsonBody(now): JsonBody<SyncNow>,
) -> Answer<Synced> {
    let device = now.peer.as_deref().map(|peer| parse("peer", peer)).transpose()?;
    let answer = app.handle.request(Request::Sync { device, is_full: now.full }).await?;
    let Response::Synced(report) = answer else {
        return Err(ask::unexpected().into());
    };
    let peers = report.peers.into_iter();
    let peers = peers.map(|(peer, state)| PeerState {
        peer: peer.to_string(),
        state: state.word(),
        progress: report.running.get(&peer).copied().map(EntriesProgress::from),
    });
    Ok(Json(Synced {
        pushed: report.pushed,
        pulled: report.pulled,
        peers: peers.collect(),
        warnings: report.warnings.warnings.into_iter().map(CauseFound::from).collect(),
        warnings_complete: report.warnings.is_complete,
    }))
}
