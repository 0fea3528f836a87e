use std::time::Duration;

use axum::{Json, extract::State};
use node_core::{
    Failure, Request,
    request::{Label, Layer, RelationInfo, Terms, WhyInfo},
};
use node_model::AgentId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Done, devices::Described, parse};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
};

/// What one side says a relationship consists of.
#[derive(Serialize, ToSchema)]
pub(crate) struct Side {
    layer: &'static str,
    /// This side keeps copies for the other.
    keeps_for_them: bool,
    /// The other may keep copies for this side.
    lets_them_keep: bool,
    /// The other may ask for this side's recovery in an emergency.
    emergency: bool,
    /// How much this side keeps for the other.
    quota_bytes: u64,
    /// What the other is to this side, in its words.
    kind: Option<String>,
}

impl From<Terms> for Side {
    fn from(terms: Terms) -> Self {
        Self {
            layer: terms.layer.word(),
            keeps_for_them: terms.keeps_for_them,
            lets_them_keep: terms.lets_them_keep,
            emergency: terms.is_emergency_contact,
            quota_bytes: terms.quota_bytes,
            kind: terms.kind.map(String::from),
        }
    }
}

/// Somebody stands for something.
#[derive(Serialize, ToSchema)]
pub(crate) struct Vouch {
    by: String,
    name: String,
    text: String,
}

/// A relationship, or one side of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Relation {
    agent: String,
    name: String,
    devices: Vec<String>,
    /// What they say of these devices.
    described: Vec<Described>,
    /// How close, once both said so: the more distant of what both say.
    layer: Option<&'static str>,
    /// `mutual`, `offered` (only we said so) or `asked` (only they did).
    state: &'static str,
    /// How urgent it is to serve them.
    priority: Option<&'static str>,
    mine: Option<Side>,
    theirs: Option<Side>,
    /// How many bytes we keep for them now, entries and files.
    kept_bytes: u64,
    expires_at: Option<String>,
    vouches: Vec<Vouch>,
}

impl From<RelationInfo> for Relation {
    fn from(info: RelationInfo) -> Self {
        let state = match (&info.mine, &info.theirs) {
            (Some(_), Some(_)) => "mutual",
            (Some(_), None) => "offered",
            (None, _) => "asked",
        };
        let vouches = info.vouches.into_iter().map(|vouch| Vouch {
            by: vouch.by.to_string(),
            name: vouch.name,
            text: vouch.text,
        });
        Self {
            agent: info.agent.to_string(),
            name: info.name,
            devices: info.devices.iter().map(|(device, _)| device.to_string()).collect(),
            described: info.devices.into_iter().map(Described::from).collect(),
            layer: info.layer.map(|layer| layer.word()),
            state,
            priority: info.layer.map(Layer::priority),
            mine: info.mine.map(Side::from),
            theirs: info.theirs.map(Side::from),
            kept_bytes: info.kept_bytes,
            expires_at: info.expires_at.map(|at| at.rfc3339()),
            vouches: vouches.collect(),
        }
    }
}

/// Relationships.
#[derive(Serialize, ToSchema)]
pub(crate) struct Relations {
    relations: Vec<Relation>,
}

/// Whom are we related to?
#[utoipa::path(get, path = "/api/v1/relations", responses((status = 200, body = Relations, description = "Relationships")))]
pub(crate) async fn relations(State(app): State<App>) -> Answer<Relations> {
    let relations = ask::relations(&app.handle).await?;
    Ok(Json(Relations { relations: relations.into_iter().map(Relation::from).collect() }))
}

/// Our side of a relationship.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewRelation {
    /// An agent's id, a device's id, or a name that only one person has.
    agent: String,
    /// `sovereign`, `reciprocal`, `invested` or `gift`.
    layer: String,
    /// Whether we keep copies for them; the layer's default unless said.
    keeps_for_them: Option<bool>,
    /// Whether they may keep copies for us; the layer's default unless said.
    lets_them_keep: Option<bool>,
    /// Whether they may ask for our recovery in an emergency.
    emergency: Option<bool>,
    /// How much we keep for them; the layer's default unless said.
    quota_bytes: Option<u64>,
    /// After how many seconds it ends by itself.
    expires_in: Option<u64>,
    /// What they are to us, in our words, such as `sister`: at most 64 bytes. They see it,
    /// nobody else does. Empty takes it back; what was said stays unless said.
    kind: Option<String>,
}

/// Say that we are related; it holds once they say so too.
#[utoipa::path(post, path = "/api/v1/relations", request_body = NewRelation, responses((status = 200, body = Relation, description = "Said")))]
pub(crate) async fn relate(
    State(app): State<App>,
    JsonBody(new): JsonBody<NewRelation>,
) -> Answer<Relation> {
    let agent = ask::agent(&app.handle, &new.agent).await?;
    let defaults = Terms::of(parse("layer", &new.layer)?);
    let terms = Terms {
        layer: defaults.layer,
        keeps_for_them: new.keeps_for_them.unwrap_or(defaults.keeps_for_them),
        lets_them_keep: new.lets_them_keep.unwrap_or(defaults.lets_them_keep),
        is_emergency_contact: new.emergency.unwrap_or(defaults.is_emergency_contact),
        quota_bytes: new.quota_bytes.unwrap_or(defaults.quota_bytes),
        kind: match new.kind.as_deref().map(str::trim) {
            None => kind_of(&app, agent).await?,
            Some("") => None,
            Some(kind) => Some(parse("kind", kind)?),
        },
    };
    let lifetime = new.expires_in.map(Duration::from_secs);
    ask::done(&app.handle, Request::Relate { agent, terms, lifetime }).await?;
    let relations = ask::relations(&app.handle).await?;
    let said = relations.into_iter().find(|relation| relation.agent == agent);
    Ok(Json(said.ok_or_else(ask::unexpected)?.into()))
}

/// What we said that somebody is to us.
async fn kind_of(app: &App, agent: AgentId) -> Result<Option<Label>, Failure> {
    let relations = ask::relations(&app.handle).await?;
    let said = relations.into_iter().find(|relation| relation.agent == agent);
    Ok(said.and_then(|relation| relation.mine).and_then(|mine| mine.kind))
}

/// End a relationship.
#[utoipa::path(delete, path = "/api/v1/relations/{agent}", responses((status = 200, body = Done, description = "Ended")))]
pub(crate) async fn part(State(app): State<App>, Params(agent): Params<String>) -> Answer<Done> {
    let agent = ask::agent(&app.handle, &agent).await?;
    ask::done(&app.handle, Request::Part { agent }).await?;
    Ok(Done::YES)
}

/// What to stand for.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewVouch {
    text: String,
}

/// Stand for something about somebody.
#[utoipa::path(post, path = "/api/v1/relations/{agent}/vouches", request_body = NewVouch, responses((status = 200, body = Done, description = "Said")))]
pub(crate) async fn vouch(
    State(app): State<App>,
    Params(agent): Params<String>,
    JsonBody(new): JsonBody<NewVouch>,
) -> Answer<Done> {
    let agent = ask::agent(&app.handle, &agent).await?;
    ask::done(&app.handle, Request::Vouch { agent, text: new.text }).await?;
    Ok(Done::YES)
}

/// A statement that a decision rests on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Evidence {
    id: String,
    words: String,
}

/// A decision.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decided {
    /// `allowed`, `sealed` (the bytes without the keys) or `denied`.
    verdict: &'static str,
    /// The rule's stable name.
    rule: &'static str,
    /// `connect`, `hold`, `write`, `administer` or `keep`.
    action: &'static str,
    /// In plain words.
    words: String,
    /// The statements that it rests on.
    because: Vec<String>,
    /// What they say.
    evidence: Vec<Evidence>,
    /// Which device asked.
    device: String,
    /// About which space.
    space: Option<String>,
    /// When it was decided first.
    at: String,
    /// Whether it was written down before this question.
    journalled: bool,
    /// Hash of all that is needed to come to it again.
    inputs: String,
    /// Whether these statements give the same answer again, or why not.
    replay: String,
}

impl From<WhyInfo> for Decided {
    fn from(info: WhyInfo) -> Self {
        let WhyInfo { line, explanation, is_past, replay } = info;
        let evidence = explanation.evidence.into_iter();
        Self {
            verdict: line.decision.verdict.word(),
            rule: line.decision.rule.word(),
            action: line.question.action.word(),
            words: explanation.sentence,
            because: line.decision.because.iter().map(ToString::to_string).collect(),
            evidence: evidence.map(|(id, words)| Evidence { id: id.to_string(), words }).collect(),
            device: line.question.device.to_string(),
            space: line.question.action.space().map(|space| space.to_string()),
            at: line.at.rfc3339(),
            journalled: is_past,
            inputs: node_model::AttestationId(line.inputs).to_string(),
            replay: replay.map_or_else(|why| why, |()| "same".to_owned()),
        }
    }
}

/// Decisions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decisions {
    decisions: Vec<Decided>,
    /// Whether each line of the journal follows the one before it.
    intact: bool,
}

/// Why is it here, was it sent, was it denied?
#[utoipa::path(get, path = "/api/v1/why/{id}", responses((status = 200, body = Decisions, description = "Decisions")))]
pub(crate) async fn why(State(app): State<App>, Params(id): Params<String>) -> Answer<Decisions> {
    let (decisions, intact) = ask::why(&app.handle, &id).await?;
    Ok(Json(Decisions { decisions: decisions.into_iter().map(Decided::from).collect(), intact }))
}
