//! Who comes with the key of a program.
//!
//! Invariant: whoever shows a key gets what the key may, whatever else they show.

use axum::{
    extract::Request,
    http::{HeaderName, StatusCode},
};
use node_core::Mend;
use node_model::program::{KeyName, ProgramKey};
use node_runtime::audit::By;

use super::{Pass, only};
use crate::{
    audit,
    config::App,
    keys::{book::Verdict, pace::Pace, rule::Asked},
    problem::Problem,
};

/// Where programs show their key.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// A key that let a request in, and what it asked for.
#[derive(Clone)]
pub(crate) struct Shown {
    name: KeyName,
    hash: [u8; 32],
    asked: Asked,
}

impl Shown {
    /// What the key is called.
    pub(super) fn name(&self) -> KeyName {
        self.name
    }

    /// Whether the same request would be let in now.
    pub(super) async fn lets_in(&self, app: &App) -> Result<By, Problem> {
        decide(app, &self.hash, Some(&self.asked)).await.map(|(name, _)| By::Key(name))
    }
}

/// May the key of this request do that?
pub(super) async fn check(app: &App, request: &mut Request) -> Result<By, Problem> {
    let offered = only(request.headers(), &HEADER).and_then(|text| text.parse().ok());
    let hash = offered.map(|key: ProgramKey| key.hash()).ok_or_else(wrong)?;
    let asked = Asked::read(request.method().as_str(), request.uri().path());
    let (name, pace) = decide(app, &hash, asked.as_ref()).await?;
    if let Some(asked) = asked {
        request.extensions_mut().insert(Pass::Key(Shown { name, hash, asked }));
    }
    let left = app.rates.count_key(name, pace, app.handle.audit().now().monotonic);
    request.extensions_mut().insert(left);
    audit::came_by(By::Key(name));
    let fix = "wait as long as `Retry-After` says, or make a key that may ask more often: kith \
               doorway keys add NAME --per-minute N";
    left.check(&format!("the key {name}"), fix.to_owned())?;
    Ok(By::Key(name))
}

async fn decide(
    app: &App,
    hash: &[u8; 32],
    asked: Option<&Asked>,
) -> Result<(KeyName, Pace), Problem> {
    let now = app.handle.audit().now().wall;
    match app.config.keys.decide(hash, asked, now).await? {
        Verdict::Allowed(name, pace) => Ok((name, pace)),
        Verdict::NoRule(name) => {
            audit::came_by(By::Key(name));
            Err(no_rule(name, asked))
        }
        Verdict::Unknown => Err(wrong()),
    }
}

/// Also for one whose time is over: whoever has it learns no more than with any other text.
fn wrong() -> Problem {
    let detail = "this key does not open this doorway: it is none of its keys, or its time is over";
    let fix = "kith doorway keys list";
    Problem::new(StatusCode::UNAUTHORIZED, "wrong-key", detail, fix)
}

fn no_rule(name: KeyName, asked: Option<&Asked>) -> Problem {
    let rule = asked.and_then(Asked::rule);
    let fix = match rule {
        Some(rule) => {
            let (name, rule) = (name.to_string(), rule.to_string());
            Mend::AllowKey { name, rule }.to_string()
        }
        None => "kith doorway keys list".to_owned(),
    };
    let detail = match asked {
        Some(_) => {
            format!("no rule of the key {name} allows this; the node's owner may give it one")
        }
        None => "this address is not in its plain form, and no rule allows such a one".to_owned(),
    };
    Problem::new(StatusCode::FORBIDDEN, "no-rule", detail, fix)
}

pub(super) fn not_for_programs() -> Problem {
    let detail = "keys of programs open nothing but /api/v1, and there nothing that is for the \
                  node's own socket only; leave the header X-API-Key away here";
    let fix = "kith doorway keys list";
    Problem::new(StatusCode::FORBIDDEN, "not-for-keys", detail, fix)
}
