//! Keys of programs: who may do what by this doorway.

use axum::{Extension, Json, extract::State, http::StatusCode};
use node_model::{
    Timestamp,
    program::{KeyName, ProgramKey},
};
use node_runtime::OsEntropy;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

use super::{Answer, Done, parse};
use crate::{
    access::{Audience, Pass},
    config::App,
    extract::{JsonBody, Params, Search},
    keys::{
        book::{self, Key, Who},
        pace::Pace,
        rule::Rule,
    },
    problem::Problem,
    routes::table,
};

/// Largest body: 50 rules of 512 bytes, and as much again.
const BYTES_MAX: usize = 64 * 1024;

/// What a key may do of which nothing is said.
const READ_ALL: &str = "GET /api/v1/**";

/// The longest life of a key that has an end: ten years. Who wants more wants no end.
const EXPIRES_SECONDS_MAX: u64 = 10 * 366 * 86_400;

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyInfo {
    name: String,
    /// What it may do: `METHOD PATH`, `*` for one part of a path, `**` for the rest.
    rules: Vec<String>,
    /// How many requests it may make in a minute.
    per_minute: u32,
    made_at: String,
    /// The key that made it, if one did.
    made_by: Option<String>,
    /// From when on it opens nothing.
    expires_at: Option<String>,
    /// Whether that time has come.
    expired: bool,
    /// The day on which it last opened something.
    last_used: Option<String>,
}

impl KeyInfo {
    fn of(name: KeyName, key: &Key, now: Timestamp) -> Self {
        Self {
            name: name.to_string(),
            rules: key.rules.iter().map(ToString::to_string).collect(),
            per_minute: key.pace.per_minute(),
            made_at: key.made_at.rfc3339(),
            made_by: key.made_by.map(|name| name.to_string()),
            expires_at: key.expires_at.map(Timestamp::rfc3339),
            expired: key.is_over(now),
            last_used: key.last_used_day.map(book::printed_day),
        }
    }
}

/// Keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedKeys {
    keys: Vec<KeyInfo>,
}

/// Which programs have a key, and what may they do?
#[utoipa::path(get, path = "/api/v1/doorway/keys", responses((status = 200, body = ListedKeys, description = "Keys, without their secrets")))]
pub(crate) async fn list(State(app): State<App>) -> Answer<ListedKeys> {
    let (book, now) = (app.config.keys.book().await?, now(&app));
    let keys = book.keys().iter().map(|(name, key)| KeyInfo::of(*name, key, now));
    Ok(Json(ListedKeys { keys: keys.collect() }))
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewKey {
    /// 1 to 32 of a to z, 0 to 9 and -.
    name: String,
    /// What it may do, such as `GET /api/v1/spaces/*`: one to 50 rules. It may read
    /// everything when left out: `GET /api/v1/**`.
    rules: Option<Vec<String>>,
    /// After how many seconds it opens nothing any more; it has no end when left out.
    expires_seconds: Option<u64>,
    /// How many requests it may make in a minute: 6,000 when left out, at most a million.
    per_minute: Option<u32>,
}

/// A new key.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeKey {
    /// Send it as `X-API-Key`. It is shown this once.
    key: String,
    #[serde(flatten)]
    info: KeyInfo,
}

/// Make a key.
#[utoipa::path(post, path = "/api/v1/doorway/keys", request_body = NewKey, responses((status = 201, body = MadeKey, description = "The key, shown this once")))]
pub(crate) async fn add(
    State(app): State<App>,
    pass: Option<Extension<Pass>>,
    JsonBody(new): JsonBody<NewKey, BYTES_MAX>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let name: KeyName = parse("name", &new.name)?;
    let rules = new.rules.unwrap_or_else(|| vec![READ_ALL.to_owned()]);
    let rules = rules.iter().take(book::RULES_MAX + 1).map(|text| read_rule(text));
    let rules = rules.collect::<Result<_, _>>()?;
    let (now, who) = (now(&app), who(pass));
    let secret = ProgramKey::random(&mut OsEntropy);
    let asked = new.per_minute.map(pace).transpose()?;
    let mut key = Key {
        hash: secret.hash(),
        rules,
        pace: asked.unwrap_or_default(),
        made_at: now,
        made_by: match who {
            Who::Owner => None,
            Who::Key(maker) => Some(maker),
        },
        expires_at: new.expires_seconds.map(|seconds| end(now, seconds)).transpose()?,
        last_used_day: None,
    };
    let added = app.config.keys.change(|book| {
        key.pace = asked.unwrap_or_else(|| book.usual_pace(who));
        let info = KeyInfo::of(name, &key, now);
        book.add(who, name, key).map(|()| info)
    });
    let info = added.await?;
    tracing::info!(%name, "made a key for a program");
    Ok((StatusCode::CREATED, Json(MadeKey { key: secret.expose(), info })))
}

/// Whether somebody knows that they lock themselves out.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Sure {
    /// A key may take away itself, if this is true.
    yes: Option<bool>,
}

/// What is left of a key.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevokedKey {
    /// Always true.
    done: bool,
    /// Keys that it made, which are still good.
    made: Vec<String>,
}

/// Take a key away. It opens nothing from the next request on.
#[utoipa::path(delete, path = "/api/v1/doorway/keys/{key}", params(Sure), responses((status = 200, body = RevokedKey, description = "Taken away")))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Params(name): Params<String>,
    Search(sure): Search<Sure>,
    pass: Option<Extension<Pass>>,
) -> Answer<RevokedKey> {
    let name: KeyName = parse("key", &name)?;
    let (who, is_sure) = (who(pass), sure.yes == Some(true));
    let made = app.config.keys.change(|book| book.revoke(who, name, is_sure)).await?;
    tracing::info!(%name, "took the key of a program away");
    Ok(Json(RevokedKey { done: true, made: made.iter().map(ToString::to_string).collect() }))
}

/// A rule of a key.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangedRule {
    /// Such as `GET /api/v1/spaces/*`.
    rule: String,
    /// A key may take from itself what it would need to undo that, if this is true.
    yes: Option<bool>,
}

/// Let a key do more.
#[utoipa::path(post, path = "/api/v1/doorway/keys/{key}/allow", request_body = ChangedRule, responses((status = 200, body = Done, description = "Allowed")))]
pub(crate) async fn allow(
    State(app): State<App>,
    Params(name): Params<String>,
    pass: Option<Extension<Pass>>,
    JsonBody(change): JsonBody<ChangedRule, BYTES_MAX>,
) -> Answer<Done> {
    let (name, rule) = (parse("key", &name)?, read_rule(&change.rule)?);
    app.config.keys.change(|book| book.allow(who(pass), name, rule)).await?;
    Ok(Done::YES)
}

/// Take from a key what a rule says.
#[utoipa::path(post, path = "/api/v1/doorway/keys/{key}/deny", request_body = ChangedRule, responses((status = 200, body = Done, description = "It can do nothing of that")))]
pub(crate) async fn deny(
    State(app): State<App>,
    Params(name): Params<String>,
    pass: Option<Extension<Pass>>,
    JsonBody(change): JsonBody<ChangedRule, BYTES_MAX>,
) -> Answer<Done> {
    let (name, rule): (_, Rule) = (parse("key", &name)?, parse("rule", &change.rule)?);
    let is_sure = change.yes == Some(true);
    app.config.keys.change(|book| book.deny(who(pass), name, &rule, is_sure)).await?;
    Ok(Done::YES)
}

fn who(pass: Option<Extension<Pass>>) -> Who {
    pass.and_then(|Extension(pass)| pass.key()).map_or(Who::Owner, Who::Key)
}

fn now(app: &App) -> Timestamp {
    app.handle.audit().now().wall
}

fn end(now: Timestamp, seconds: u64) -> Result<Timestamp, Problem> {
    if !(1..=EXPIRES_SECONDS_MAX).contains(&seconds) {
        let detail = format!("expires_seconds: 1 to {EXPIRES_SECONDS_MAX}, not {seconds}");
        return Err(Problem::invalid(detail));
    }
    Ok(now.plus(Duration::from_secs(seconds)))
}

fn pace(per_minute: u32) -> Result<Pace, Problem> {
    let bad = format!("per_minute: 1 to {}, not {per_minute}", Pace::highest());
    Pace::new(per_minute).ok_or_else(|| Problem::invalid(bad))
}

/// A rule that no address fits is a slip of the pen.
fn read_rule(text: &str) -> Result<Rule, Problem> {
    let rule: Rule = parse("rule", text)?;
    let is_open = |audience| matches!(audience, Audience::Programs | Audience::Anyone);
    let mut routes = table().into_iter().filter(|route| is_open(route.audience));
    let is_useful = routes.any(|route| {
        let whole = Rule::of_route(route.method.as_str(), route.path);
        whole.is_some_and(|whole| whole.overlaps(&rule))
    });
    let useless = format!("rule: no address that programs may use fits {rule}");
    if is_useful { Ok(rule) } else { Err(Problem::invalid(useless)) }
}
