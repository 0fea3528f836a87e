use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use node_core::{
    doctor::{DoctorOf, Finding},
    request::{Identity, OfferInfo, PeerInfo, SpaceInfo, SpaceStatus},
};

use super::{Page, PageError, conflicts, keeping, layout, search, words};
use crate::{ask, config::App, extract::Params, links};

/// Causes shown on the page; the others are counted.
const CAUSES_MAX: usize = 5;

/// This node, its people, its spaces.
#[utoipa::path(get, path = "/", responses((status = 200, body = String, content_type = "text/html", description = "A page")))]
pub(crate) async fn show(State(app): State<App>) -> Page {
    let mut status = ask::status(&app.handle).await?;
    // A circle is about people; it is shown once somebody put something into it.
    status.spaces.retain(|space| !space.info.is_circle || space.documents > 0);
    // What is kept for others stands with them.
    status.spaces.retain(|space| space.info.kept_for.is_none());
    status.spaces.sort_by_key(|space| space.info.is_home);
    let findings = ask::doctor(&app.handle, DoctorOf::Everything).await?.findings;
    let offers = ask::offers(&app.handle).await?;
    let relations = ask::relations(&app.handle).await?;
    let spaces: Vec<&SpaceInfo> = status.spaces.iter().map(|space| &space.info).collect();
    let waiting = conflicts::banner(&app, &spaces).await;
    let content = html! {
        h1 { (status.identity.name) }
        p.lead { "On " (status.identity.device_name) ". Everything you see here is on this device." }
        (search::field(""))
        (waiting)
        (not_up_to_date(&findings))
        section aria-labelledby="spaces" {
            h2 id="spaces" { "Spaces" }
            @if status.spaces.is_empty() {
                p { "There is no space yet. Make one with " code { "kith space new NAME" } "." }
            }
            ul.cards { @for space in &status.spaces { li { (space_card(space)) } } }
        }
        (offered(&offers))
        section aria-labelledby="people" {
            h2 id="people" { "People" }
            @if status.peers.is_empty() {
                p { "Nobody yet. To invite somebody, run " code { "kith ticket" } " and give them what it prints." }
            }
            ul.cards { @for peer in &status.peers { li { (peer_card(peer, &status.peers)) } } }
        }
        (keeping::section(&relations))
        section aria-labelledby="node" {
            h2 id="node" { "This node" }
            (node_details(&status.identity, app.handle.version()))
        }
    };
    let title = status.identity.name.clone();
    Ok(layout::page(&title, &[], &content))
}

/// What a person might wonder about, in the doctor's words.
fn not_up_to_date(findings: &[Finding]) -> Markup {
    let more = u64::try_from(findings.len().saturating_sub(CAUSES_MAX)).unwrap_or(u64::MAX);
    html! {
        @if !findings.is_empty() {
            section aria-labelledby="doctor" {
                h2 id="doctor" { "Not up to date" }
                ul { @for found in findings.iter().take(CAUSES_MAX) { li {
                    @if !found.space_name.is_empty() { strong { (found.space_name) } ": " }
                    (found.sentence) ". "
                    span.quiet { "Since " (words::moment(found.since)) "; " (found.next) }
                } } }
                p { a href="/doctor" {
                    @if more > 0 { "All of it, and " (words::count(more, "thing", "things")) " more" }
                    @else { "What this means, and what helps" }
                } }
            }
        }
    }
}

/// Spaces that connected people offer: one click away.
fn offered(offers: &[OfferInfo]) -> Markup {
    html! {
        @if !offers.is_empty() {
            section aria-labelledby="offers" {
                h2 id="offers" { "Offered to you" }
                p { "You may read these. Whoever is in such a space sees that you are. Once the node "
                    "of whoever offers it has let you in, it is among your spaces." }
                ul.cards { @for offer in offers { li { (offer_card(offer)) } } }
            }
        }
    }
}

fn offer_card(offer: &OfferInfo) -> Markup {
    html! {
        article.card {
            h3 { (name(&offer.name)) }
            p { "Offered by " (offer.of) }
            p.quiet { "Reach: " (offer.reach) }
            form method="post" action=(format!("/offers/{}", offer.space)) {
                button type="submit" { "Follow" }
            }
        }
    }
}

/// Ask to be let in to a space that is offered.
#[utoipa::path(post, path = "/offers/{space}", responses((status = 303, description = "To the first page")))]
pub(crate) async fn follow(
    State(app): State<App>,
    Params(space): Params<String>,
) -> Result<Redirect, PageError> {
    ask::follow(&app.handle, space).await?;
    Ok(Redirect::to("/"))
}

fn space_card(space: &SpaceStatus) -> Markup {
    let info = &space.info;
    let members = u64::try_from(info.members).unwrap_or(u64::MAX);
    let blobs = u64::try_from(space.blobs).unwrap_or(u64::MAX);
    let missing = u64::try_from(space.blobs_missing).unwrap_or(u64::MAX);
    html! {
        article.card {
            h3 { a href=(links::space(info.space)) { (name(&info.name)) } }
            p { (words::count(space.documents, "document", "documents")) ", "
                (words::count(blobs, "file", "files")) ", "
                (words::count(members, "person", "people")) }
            p.state { (words::space_state(space.state)) }
            @if let Some(progress) = space.progress { p { (progress) " here" } }
            @if missing > 0 {
                p.note { (words::count(missing, "file has", "files have")) " not arrived yet" }
            }
            p.quiet {
                @if info.is_home { "Yours alone: your progress and notes" }
                @else { "For " (words::reach(info.reach)) "; " (words::role(info.role)) }
            }
        }
    }
}

/// What a space is called; one whose key we lack has no name.
pub(crate) fn name(name: &str) -> &str {
    if name.is_empty() { "A locked space" } else { name }
}

fn peer_card(peer: &PeerInfo, peers: &[PeerInfo]) -> Markup {
    let called = |peer: &PeerInfo| {
        if peer.name.is_empty() { "Somebody".to_owned() } else { peer.name.clone() }
    };
    let name = called(peer);
    let through = peer.circuit.map(|device| {
        peers
            .iter()
            .find(|other| other.device == device)
            .map_or_else(|| "another".to_owned(), called)
    });
    html! {
        article.card {
            h3 { (name) }
            p.state { (words::peer_state(peer.state)) }
            @if let Some(through) = through {
                p.quiet { "Only through " (through) ", who passes on what cannot be read there" }
            }
            @if let Some(at) = peer.last_sync { p { "Last synced " (words::moment(at)) } }
            p.quiet { (words::layer(peer.layer)) }
            (words::id(&peer.device.to_string()))
        }
    }
}

fn node_details(identity: &Identity, version: &str) -> Markup {
    html! {
        dl.facts {
            dt { "Device" } dd { (identity.device_name) }
            dt { "Node" } dd { (words::id(&identity.device.to_string())) }
            dt { "Person" } dd { (words::id(&identity.agent.to_string())) }
            dt { "Addresses" }
            dd {
                @if identity.listen.is_empty() { "none: this node does not listen" }
                ul.plain { @for address in &identity.listen { li { code { (address) } } } }
            }
            dt { "Version" } dd { (version) }
        }
    }
}

#[cfg(test)]
mod tests {
    use node_core::request::{EntryProgress, Reach, Role, Rule, SpaceState};
    use node_model::{AgentId, DeviceId, SpaceId};

    use super::*;

    #[test]
    fn a_card_says_how_far_a_sync_is() {
        let info = SpaceInfo {
            space: SpaceId([7; 32]),
            name: "album".into(),
            reach: Reach::Private,
            role: Some(Role::Reader),
            members: 2,
            is_home: false,
            kept_for: None,
            is_circle: false,
            part: None,
        };
        let progress = Some(EntryProgress { here: 23, wanted: 4_700, is_at_least: false });
        let mut status = SpaceStatus {
            info,
            documents: 3,
            entries: 23,
            safe_entries: 0,
            bytes: 9,
            blobs: 0,
            blobs_missing: 0,
            state: SpaceState::Syncing,
            progress,
            partial_peers: 0,
        };
        let page = space_card(&status).into_string();
        assert!(page.contains("23 of 4,700 entries here"), "{page}");
        status.progress = None;
        assert!(!space_card(&status).into_string().contains("entries here"));
    }

    #[test]
    fn an_offer_is_shown_as_text_with_a_way_to_follow_it() {
        assert_eq!(offered(&[]).into_string(), "");
        let space = SpaceId([7; 32]);
        let offer = OfferInfo {
            space,
            name: "<b>orchard".into(),
            reach: Reach::Local,
            rule: Rule::WithinReach,
            agent: AgentId([1; 32]),
            of: "<i>Ada".into(),
            device: DeviceId([2; 32]),
        };
        let page = offered(&[offer]).into_string();
        assert!(page.contains("&lt;b&gt;orchard") && page.contains("&lt;i&gt;Ada"), "{page}");
        assert!(page.contains(&format!("action=\"/offers/{space}\"")), "{page}");
    }
}
