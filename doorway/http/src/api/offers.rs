//! Spaces that connected people offer: to whom they reach.

use axum::{Json, extract::State};
use node_core::request::OfferInfo;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::{ask, config::App, extract::Params, problem::Problem};

/// A space that somebody offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Offer {
    space: String,
    name: String,
    reach: &'static str,
    /// Who founded it.
    agent: String,
    /// What they want to be called.
    of: String,
    /// Which rule offers it, as `kith why` names it.
    rule: &'static str,
}

impl From<OfferInfo> for Offer {
    fn from(info: OfferInfo) -> Self {
        Self {
            space: info.space.to_string(),
            name: info.name,
            reach: info.reach.word(),
            agent: info.agent.to_string(),
            of: info.of,
            rule: info.rule.word(),
        }
    }
}

/// Spaces that are offered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Offers {
    offers: Vec<Offer>,
}

/// Which spaces may we read that we are not in?
#[utoipa::path(get, path = "/api/v1/offers", responses((status = 200, body = Offers, description = "Those of connected people")))]
pub(crate) async fn list(State(app): State<App>) -> Answer<Offers> {
    let offers = ask::offers(&app.handle).await?;
    Ok(Json(Offers { offers: offers.into_iter().map(Offer::from).collect() }))
}

/// Ask to be let in as a reader of a space that is offered.
#[utoipa::path(post, path = "/api/v1/offers/{space}", responses((status = 200, body = Offer, description = "Asked; it is in the list of spaces once its founder's node has answered")))]
pub(crate) async fn follow(
    State(app): State<App>,
    Params(space): Params<String>,
) -> Result<Json<Offer>, Problem> {
    Ok(Json(ask::follow(&app.handle, space).await?.into()))
}
