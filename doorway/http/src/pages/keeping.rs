//! What people keep for each other, sealed, and the one click that it takes.

use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use node_core::{
    Failure, FailureKind, Request,
    request::{Layer, RelationInfo, Terms},
};

use super::{PageError, words};
use crate::{
    ask,
    config::App,
    extract::{FormBody, Params},
};

/// Everybody whom we are related to, and what either keeps.
pub(super) fn section(relations: &[RelationInfo]) -> Markup {
    html! {
        @if !relations.is_empty() {
            section aria-labelledby="keeping" {
                h2 id="keeping" { "Kept for each other" }
                p { "Who keeps for you has sealed copies of all spaces that you make, and cannot read "
                    "them. If this device is lost, your 24 words (" code { "kith phrase show" }
                    ") and one of these people bring everything back." }
                ul.cards { @for relation in relations { li { (card(relation)) } } }
            }
        }
    }
}

fn card(relation: &RelationInfo) -> Markup {
    let (mine, theirs) = (relation.mine.as_ref(), relation.theirs.as_ref());
    let keeps = |keeper: Option<&Terms>, owner: Option<&Terms>| {
        keeper.is_some_and(|it| it.keeps_for_them) && owner.is_some_and(|it| it.lets_them_keep)
    };
    let (we_keep, they_keep) = (keeps(mine, theirs), keeps(theirs, mine));
    let is_said = mine.is_some_and(|it| it.keeps_for_them && it.lets_them_keep);
    let is_asked = theirs.is_some_and(|it| it.keeps_for_them && it.lets_them_keep);
    let quota = mine.map_or(0, |it| it.quota_bytes);
    let name = if relation.name.is_empty() { "Somebody" } else { &relation.name };
    html! {
        article.card {
            h3 { (name) }
            p.state { @if they_keep { "Keeps sealed copies for you" } @else { "Keeps nothing for you" } }
            @if we_keep {
                p { "You keep " (words::bytes(relation.kept_bytes)) " for them, of up to "
                    (words::bytes(quota)) }
            } @else { p { "You keep nothing for them" } }
            @if is_said && !is_asked {
                p.note { "You offered it. It begins once they say so too." }
            } @else if is_asked && !is_said {
                p.note { "They would like to." }
            }
            @if let Some(end) = relation.expires_at {
                p.quiet { "Your relationship ends " (words::moment(end)) }
            } @else {
                form method="post" action=(format!("/people/{}/keep", relation.agent)) {
                    @if is_said { button type="submit" name="keep" value="no" { "Stop keeping" } }
                    @else { button type="submit" name="keep" value="yes" { "Keep for each other" } }
                }
            }
        }
    }
}

/// The one choice of the form.
#[derive(serde::Deserialize, utoipa::ToSchema)]
pub(crate) struct Keeping {
    /// `yes` or `no`.
    keep: String,
}

/// Say that we keep copies for each other, or do not any more.
#[utoipa::path(post, path = "/people/{agent}/keep", responses((status = 303, description = "To the first page")))]
pub(crate) async fn choose(
    State(app): State<App>,
    Params(agent): Params<String>,
    FormBody(Keeping { keep }): FormBody<Keeping>,
) -> Result<Redirect, PageError> {
    let agent = ask::agent(&app.handle, &agent).await?;
    let relations = ask::relations(&app.handle).await?;
    let before = relations.into_iter().find(|relation| relation.agent == agent);
    // What ends by itself would go on for ever if it were said anew without an end.
    if before.as_ref().is_some_and(|relation| relation.expires_at.is_some()) {
        let message = "this relationship ends by itself; say until when it holds from now on";
        let fix = "kith relation add NAME --expires TIME";
        return Err(Failure::new(FailureKind::Conflict, message, fix).into());
    }
    let said = before.and_then(|relation| relation.mine);
    let terms = said.unwrap_or_else(|| Terms::of(Layer::Reciprocal));
    let keeps = keep == "yes";
    let terms = Terms { keeps_for_them: keeps, lets_them_keep: keeps, ..terms };
    ask::done(&app.handle, Request::Relate { agent, terms, lifetime: None }).await?;
    Ok(Redirect::to("/"))
}

#[cfg(test)]
mod tests {
    use node_model::AgentId;

    use super::*;

    fn relation(mine: Option<Terms>, theirs: Option<Terms>) -> RelationInfo {
        RelationInfo {
            agent: AgentId([1; 32]),
            name: "<b>Bea".into(),
            devices: vec![],
            layer: None,
            kept_bytes: 2_000_000,
            expires_at: None,
            vouches: vec![],
            mine,
            theirs,
        }
    }

    #[test]
    fn a_card_says_who_keeps_and_what_a_click_does() {
        assert_eq!(section(&[]).into_string(), "");
        let (on, off) = (Terms::of(Layer::Reciprocal), Terms::of_pairing());
        let shown = |mine: &Terms, theirs: &Terms| {
            section(&[relation(Some(mine.clone()), Some(theirs.clone()))]).into_string()
        };
        let none = shown(&off, &off);
        assert!(none.contains("&lt;b&gt;Bea") && none.contains("Keeps nothing for you"), "{none}");
        assert!(none.contains("value=\"yes\""), "{none}");
        let offered = shown(&on, &off);
        assert!(offered.contains("once they say so") && offered.contains("value=\"no\""));
        assert!(shown(&off, &on).contains("They would like to"));
        let both = shown(&on, &on);
        assert!(both.contains("Keeps sealed copies for you") && both.contains("2.0 MB"), "{both}");
    }
}
