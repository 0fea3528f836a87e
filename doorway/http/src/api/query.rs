//! Questions about what the documents of a space say.

use axum::{Json, extract::State, http::StatusCode};
use node_core::request::{BadCondition, CONDITIONS_MAX, Condition, Pointer, Sums, Tally};
use node_runtime::query::{Query, TallyPage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Answer, documents::Lines};
use crate::{
    ask,
    config::App,
    extract::{JsonBody, Params},
    problem::Problem,
};

/// Most documents in one answer.
const PAGE_MAX: usize = 1_000;

/// Which documents.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Only of this type.
    r#type: Option<String>,
    /// Only of this app.
    app: Option<String>,
    /// Only those that say all of this, at most 16: each a JSON Pointer or a key of the root,
    /// one of `=` `!=` `<` `<=` `>` `>=` `~`, and a JSON value, or a text without quotes. `~`: a
    /// text has this text in it, in whatever case; a list has this element. What is not there
    /// counts as null, and values of two kinds are neither smaller nor larger.
    #[serde(default)]
    #[schema(example = json!(["rating>=4", "/author/name=Ada", "tags~travel"]))]
    r#where: Vec<String>,
    /// At most so many: 1 to 1,000, which it is unless said.
    limit: Option<usize>,
    /// Only those after this document: the `next` of an answer.
    after: Option<String>,
}

impl Asked {
    fn query(&self) -> Result<Query, Problem> {
        if self.r#where.len() > CONDITIONS_MAX {
            return Err(Problem::invalid(format!("at most {CONDITIONS_MAX} conditions")));
        }
        let conditions = self.r#where.iter().map(|text| text.parse());
        let conditions: Result<Vec<Condition>, BadCondition> = conditions.collect();
        let after = self.after.as_deref().map(|after| super::parse("after", after)).transpose()?;
        Ok(Query {
            kind: self.r#type.clone(),
            app: self.app.clone(),
            conditions: conditions.map_err(|error| {
                let fix = "kith doc list SPACE --where 'rating>=4'";
                Problem::new(StatusCode::BAD_REQUEST, "invalid", error.to_string(), fix)
            })?,
            after,
        })
    }
}

/// Which documents say so?
///
/// An answer takes five seconds at most, so one may have fewer documents than asked for, and
/// say all the same where the next one goes on.
#[utoipa::path(post, path = "/api/v1/spaces/{space}/query", request_body = Asked, responses((status = 200, body = Lines, description = "By id")))]
pub(crate) async fn query(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(asked): JsonBody<Asked>,
) -> Answer<Lines> {
    let query = asked.query()?;
    let space = ask::space(&app.handle, &space).await?.space;
    let limit = asked.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let page = app.handle.query(space, &query, limit).await?;
    Ok(Json(page.into()))
}

/// What to add up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToTally {
    /// Only of this type.
    r#type: Option<String>,
    /// Only of this app.
    app: Option<String>,
    /// Only those that say all of this, as for `query`.
    #[serde(default)]
    r#where: Vec<String>,
    /// A JSON Pointer, or a key of the root: documents are told apart by the value there, and
    /// one with a list counts for each element.
    by: Option<String>,
    /// A JSON Pointer, or a key of the root: numbers there are added up.
    of: Option<String>,
    /// Only those after this document: the `next` of an answer.
    after: Option<String>,
}

/// What documents add up to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sum {
    documents: u64,
    /// How many of them have a number.
    numbers: u64,
    /// As a double.
    sum: f64,
    least: Option<f64>,
    most: Option<f64>,
}

impl From<Sums> for Sum {
    fn from(sums: Sums) -> Self {
        let Sums { documents, numbers, sum, least, most } = sums;
        Self { documents, numbers, sum, least, most }
    }
}

/// What documents of one value add up to.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupSum {
    value: Value,
    #[serde(flatten)]
    sum: Sum,
}

/// What all of them add up to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Total {
    #[serde(flatten)]
    all: Sum,
    /// Most documents first; at most 1,000.
    groups: Vec<GroupSum>,
    /// Those of other values.
    others: Sum,
    /// Where to go on, as `after`, if the five seconds of an answer were not enough; the sums
    /// are those up to there.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How many documents say so, and what do their numbers add up to?
#[utoipa::path(post, path = "/api/v1/spaces/{space}/tally", request_body = ToTally, responses((status = 200, body = Total, description = "All together, and by value")))]
pub(crate) async fn tally(
    State(app): State<App>,
    Params(space): Params<String>,
    JsonBody(asked): JsonBody<ToTally>,
) -> Answer<Total> {
    let ToTally { r#type, app: of_app, r#where, by, of, after } = asked;
    let which = Asked { r#type, app: of_app, r#where, limit: None, after };
    let (query, by, of) = (which.query()?, place(by)?, place(of)?);
    let space = ask::space(&app.handle, &space).await?.space;
    let TallyPage { tallied, next } = app.handle.tally(space, &query, Tally::new(by, of)).await?;
    let groups = tallied.groups.into_iter();
    Ok(Json(Total {
        all: tallied.all.into(),
        groups: groups.map(|(value, sums)| GroupSum { value, sum: sums.into() }).collect(),
        others: tallied.others.into(),
        next: next.map(|next| next.to_string()),
    }))
}

fn place(text: Option<String>) -> Result<Option<Pointer>, Problem> {
    let place = text.map(|text| Pointer::parse(&text)).transpose();
    place.map_err(|error| Problem::invalid(error.to_string()))
}
