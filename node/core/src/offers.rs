//! Spaces that reach people who were not let in: offered to whom they reach, and followed by
//! whom that pleases.
//!
//! Who follows becomes a reader like any other, so that keys, entries and what happens at the end
//! are those of members. That they came by the reach is noted here: once the space does not reach
//! them any more they are removed, and its keys change.
//!
//! Invariant: whoever comes in this way was offered the space by the one decision function at that
//! very moment. Only the founder's nodes offer, since only there reach is measured.
//!
//! Non-goals: offers of people who are not connected; following through a member who is not the
//! founder.

use data_plane_core::net::Lane;
use node_model::{AgentId, DeviceId, Now, SpaceId};
use trust_core::{
    Action, Party, Reach, Role, Rule,
    exchange::{Message, OFFERS_MAX, Offer},
};

use crate::{
    failure::{Failure, FailureKind},
    node::Node,
    request::Response,
    serve::PREFIX_MIN,
};

/// Beginning of the notes that remember who came into which space by its reach: how often, and
/// whether they are there by that.
const FOLLOWER_NOTE: &str = "follower/";

/// How often one person may come into one space by its reach. Each time costs a grant, a removal
/// and keys, for everybody in it.
const FOLLOWS_PER_AGENT_MAX: u32 = 4;

/// How often all together may. A founder's statements about a space count up to
/// `trust_core::membership::ISSUER_STATEMENTS_MAX`; a grant and a removal for each of these is
/// half of that, and the rest is for what the founder says on purpose.
const FOLLOWS_PER_SPACE_MAX: u32 = 256;

/// A question about spaces that connected people offer us to read.
#[derive(Clone, Debug)]
pub enum OfferRequest {
    /// All of them.
    List,
    /// Asks to be let in as a reader of one; answers with it as soon as that is on its way.
    Follow {
        /// Its id, a unique beginning of it, or its name.
        text: String,
    },
}

/// A space that somebody offers us to read, though we are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferInfo {
    /// Which.
    pub space: SpaceId,
    /// What they call it.
    pub name: String,
    /// How far it travels.
    pub reach: Reach,
    /// By which rule it is offered.
    pub rule: Rule,
    /// Who says to have founded it.
    pub agent: AgentId,
    /// What they want to be called.
    pub of: String,
    /// Which of their devices offers it.
    pub device: DeviceId,
}

impl Node {
    /// Tells a peer which spaces reach it, when that has changed.
    pub(crate) fn tell_offers(&mut self, device: DeviceId, agent: AgentId) {
        let offers: Vec<Offer> =
            self.offered_to(device, agent).into_iter().take(OFFERS_MAX).collect();
        let acquaintance = self.acquaintances.entry(device).or_default();
        if acquaintance.offered != offers {
            acquaintance.offered.clone_from(&offers);
            self.send(device, Lane::Trust, Message::Offers { offers }.encode());
        }
    }

    fn offered_to(&self, device: DeviceId, agent: AgentId) -> Vec<Offer> {
        let graph = self.trust.graph();
        let welcome = self.trust.reaching(device).into_iter().filter_map(|space| {
            let facts = graph.spaces.get(&space)?;
            let was_removed = facts.membership.former.contains_key(&Party::Agent(agent));
            let (count, is_by_reach) = self.follower(space, agent);
            let is_welcome = (!was_removed || is_by_reach)
                && count < FOLLOWS_PER_AGENT_MAX
                && self.follows_of(space) < FOLLOWS_PER_SPACE_MAX;
            let name = self.trust.label_of(space).filter(|_| is_welcome)?;
            Some(Offer { space, name, reach: facts.reach })
        });
        welcome.collect()
    }

    /// Lets in who asks for what is offered to them.
    pub(crate) fn let_follow(&mut self, now: Now, device: DeviceId, space: SpaceId) {
        let Some(agent) = self.trust.agent_of(device) else { return };
        if !self.offered_to(device, agent).iter().any(|offer| offer.space == space) {
            tracing::warn!(%device, "asks for a space that was not offered");
            return;
        }
        self.note_decision(now, device, Action::Hold(space));
        let (count, _) = self.follower(space, agent);
        // First: a reader of whom nothing is noted would stay whatever happens.
        let noted = self.trust.put_note(&note(space, agent), &(count + 1, true));
        let admitted = noted
            .map_err(Failure::from)
            .and_then(|()| self.admit(now, space, Party::Agent(agent), Role::Reader));
        match admitted {
            Ok(()) => self.trust_changed(now),
            Err(error) => tracing::warn!(%device, %error, "could not let in a follower"),
        }
    }

    /// Removes readers whom their space does not reach any more. Says whether there were any.
    pub(crate) fn part_with_followers(&mut self, now: Now) -> bool {
        let keys: Vec<String> =
            self.trust.note_keys(FOLLOWER_NOTE).map(ToOwned::to_owned).collect();
        let mut is_any = false;
        for (space, agent) in keys.iter().filter_map(|key| named(key)) {
            let members = self.trust.graph().spaces.get(&space).map(|facts| &facts.members);
            let is_reader = members
                .and_then(|members| members.get(&agent))
                .is_some_and(|member| member.role == Role::Reader && member.via.is_none());
            let (_, is_by_reach) = self.follower(space, agent);
            if is_reader && is_by_reach && !self.trust.reaches(space, agent) {
                match self.dismiss(now, space, Party::Agent(agent)) {
                    Ok(()) => is_any = true,
                    Err(error) => tracing::warn!(%space, %error, "could not part with a follower"),
                }
            }
        }
        is_any
    }

    /// From now on the reach has nothing to do with whether somebody is in a space.
    pub(crate) fn forget_follower(&mut self, space: SpaceId, party: Party) -> Result<(), Failure> {
        if let Party::Agent(agent) = party
            && let (count, true) = self.follower(space, agent)
        {
            self.trust.put_note(&note(space, agent), &(count, false))?;
        }
        Ok(())
    }

    /// How often somebody came by the reach, and whether they are in the space by it.
    fn follower(&self, space: SpaceId, agent: AgentId) -> (u32, bool) {
        self.trust.note(&note(space, agent)).unwrap_or_default()
    }

    fn follows_of(&self, space: SpaceId) -> u32 {
        let prefix = format!("{FOLLOWER_NOTE}{space}/");
        let notes = self.trust.note_keys(&prefix);
        notes.filter_map(|key| self.trust.note::<(u32, bool)>(key)).map(|(count, _)| count).sum()
    }

    pub(crate) fn serve_offer(&mut self, request: OfferRequest) -> Result<Response, Failure> {
        match request {
            OfferRequest::List => Ok(Response::Offers(self.offers())),
            OfferRequest::Follow { text } => self.follow(&text),
        }
    }

    /// What connected people offer us, and we are not in.
    fn offers(&self) -> Vec<OfferInfo> {
        let mut found: Vec<OfferInfo> = Vec::new();
        for (device, acquaintance) in &self.acquaintances {
            let Some(agent) = self.trust.agent_of(*device) else { continue };
            for offer in &acquaintance.offers {
                let is_known = found.iter().any(|it| it.space == offer.space && it.agent == agent);
                if self.trust.role_in(offer.space).is_none() && !is_known {
                    found.push(self.offer_info(offer, agent, *device));
                }
            }
        }
        found.sort_by(|one, other| (&one.name, one.space).cmp(&(&other.name, other.space)));
        found
    }

    fn offer_info(&self, offer: &Offer, agent: AgentId, device: DeviceId) -> OfferInfo {
        OfferInfo {
            space: offer.space,
            name: offer.name.clone(),
            reach: offer.reach,
            rule: match offer.reach {
                Reach::Commons => Rule::Commons,
                Reach::Private
                | Reach::Invited
                | Reach::Local
                | Reach::Neighborhood
                | Reach::Municipal
                | Reach::Bioregional
                | Reach::Regional => Rule::WithinReach,
            },
            agent,
            of: self.trust.name_of(agent),
            device,
        }
    }

    fn follow(&mut self, text: &str) -> Result<Response, Failure> {
        let offers = self.offers();
        let id = text.parse::<SpaceId>().ok();
        let named = |it: &&OfferInfo| id.map_or(it.name == text, |id| it.space == id);
        let begins =
            |it: &&OfferInfo| text.len() >= PREFIX_MIN && it.space.to_string().starts_with(text);
        let found: Vec<&OfferInfo> = offers.iter().filter(named).collect();
        let found = if found.is_empty() { offers.iter().filter(begins).collect() } else { found };
        let Some(first) = found.first() else {
            let message = format!("nobody who is connected offers a space {text:?}");
            return Err(Failure::new(FailureKind::NotFound, message, "kith space offers"));
        };
        // Whoever claims the space of somebody else cannot let anybody in, and must not be in
        // the way either: all who offer it are asked.
        if found.iter().any(|it| it.space != first.space) {
            let message = format!("{} spaces called {text:?} are offered; use the id", found.len());
            return Err(Failure::new(FailureKind::Invalid, message, "kith space offers"));
        }
        for offer in &found {
            let follow = Message::Follow { space: offer.space };
            self.send(offer.device, Lane::Trust, follow.encode());
        }
        Ok(Response::Offers(found.into_iter().cloned().collect()))
    }
}

fn note(space: SpaceId, agent: AgentId) -> String {
    format!("{FOLLOWER_NOTE}{space}/{agent}")
}

fn named(key: &str) -> Option<(SpaceId, AgentId)> {
    let (space, agent) = key.strip_prefix(FOLLOWER_NOTE)?.split_once('/')?;
    Some((space.parse().ok()?, agent.parse().ok()?))
}
