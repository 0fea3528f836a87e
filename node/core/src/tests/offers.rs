use trust_core::{Layer, Party, Terms};

use super::*;
use crate::{
    doctor::DoctorOf,
    request::{OfferInfo, OfferRequest},
};

impl Company {
    fn space_of(&mut self, at: usize, name: &str, reach: Reach) -> SpaceId {
        let found = Request::FoundSpace { name: name.into(), reach, has_open_history: true };
        let Ok(Response::Space(info)) = self.ask(at, found) else { panic!("does not found") };
        info.space
    }

    fn offers(&mut self, at: usize) -> Vec<OfferInfo> {
        let Ok(Response::Offers(offers)) = self.ask(at, Request::Offer(OfferRequest::List)) else {
            panic!("no offers");
        };
        offers
    }

    fn offered(&mut self, at: usize) -> Vec<SpaceId> {
        self.offers(at).into_iter().map(|offer| offer.space).collect()
    }

    fn follow(&mut self, at: usize, text: &str) -> Result<Response, Failure> {
        self.ask(at, Request::Offer(OfferRequest::Follow { text: text.to_owned() }))
    }

    /// Node 1 asks node 0 to be let in, whatever was offered.
    fn hear_follow(&mut self, space: SpaceId) {
        let frame = trust_core::exchange::Message::Follow { space }.encode().into();
        let device = self.devices[1];
        let frame = NetEvent::Frame { device, lane: Lane::Trust, frame };
        self.inbox.push_back((0, Input::Net(frame)));
        self.run();
    }

    fn relate(&mut self, one: usize, other: usize, layer: Layer) {
        for (at, with) in [(one, other), (other, one)] {
            let agent = self.nodes[with].trust().agent();
            let terms = Terms::of(layer);
            self.ask(at, Request::Relate { agent, terms, lifetime: None }).expect("says so");
        }
    }

    fn part(&mut self, at: usize, with: usize) {
        let agent = self.nodes[with].trust().agent();
        self.ask(at, Request::Part { agent }).expect("parts");
    }

    fn role(&self, at: usize, space: SpaceId, of: usize) -> Option<Role> {
        let facts = self.nodes[at].trust().graph().spaces.get(&space)?;
        facts.members.get(&self.nodes[of].trust().agent()).map(|member| member.role)
    }

    fn keys(&self, at: usize, space: SpaceId) -> usize {
        self.nodes[at].trust().keyring().epochs(space).count()
    }
}

/// Two who are related as closely as that, and a space that reaches so far.
fn neighbours(layer: Layer, reach: Reach) -> (Company, SpaceId) {
    let mut company = Company::new(2);
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("they relate");
    company.relate(0, 1, layer);
    let space = company.space_of(0, "orchard", reach);
    company.write(0, space, "first");
    (company, space)
}

#[test]
fn a_space_is_offered_to_whom_it_reaches_and_to_nobody_else() {
    for reach in Reach::ALL {
        for layer in Layer::ALL {
            let (mut company, space) = neighbours(*layer, *reach);
            let expected = trust_core::decision::reaches(*reach, *layer);
            let offers = company.offers(1);
            assert_eq!(!offers.is_empty(), expected, "{reach} {layer}: {offers:?}");
            assert_eq!(company.follow(1, "orchard").is_ok(), expected, "{reach} {layer}");
            assert_eq!(company.has(1, space, "first"), expected, "{reach} {layer}");
            assert_eq!(company.offers(0), [], "it is theirs");
        }
    }
}

#[test]
fn what_is_offered_and_not_followed_is_no_trouble() {
    let (mut company, space) = neighbours(Layer::Reciprocal, Reach::Local);
    assert_eq!(company.offered(1), [space]);
    for at in 0..2 {
        assert_eq!(company.doctor(at, DoctorOf::Everything), [], "of node {at}");
    }
    company.follow(1, "orchard").expect("asks");
    for at in 0..2 {
        assert_eq!(company.doctor(at, DoctorOf::Everything), [], "of node {at}");
    }
}

#[test]
fn who_follows_reads_and_does_not_write_until_the_reach_ends() {
    let (mut company, space) = neighbours(Layer::Reciprocal, Reach::Local);
    let [offer] = &company.offers(1)[..] else { panic!("one offer") };
    assert_eq!((offer.space, offer.name.as_str(), offer.reach), (space, "orchard", Reach::Local));
    assert_eq!((offer.of.as_str(), offer.device), ("person 0", company.devices[0]));
    company.follow(1, "orchard").expect("asks");
    assert_eq!(company.role(0, space, 1), Some(Role::Reader));
    assert_eq!(company.offers(1), [], "who is in needs no offer");
    company.write(0, space, "second");
    assert!(company.has(1, space, "first") && company.has(1, space, "second"));
    let set = Request::RemoveDocument { space, document: content_document(space, "first") };
    assert_eq!(company.ask(1, set).expect_err("a reader").kind, FailureKind::NotAllowed);

    let keys = company.keys(0, space);
    company.relate(0, 1, Layer::Gift);
    assert_eq!(company.role(0, space, 1), None, "farther than the space reaches");
    assert_eq!(company.keys(0, space), keys + 1, "the keys were changed");
    company.write(0, space, "third");
    assert!(company.has(1, space, "second"), "what was received stays");
    assert!(!company.has(1, space, "third"));
    assert_eq!(company.keys(1, space), keys, "the new key is not theirs");

    company.relate(0, 1, Layer::Reciprocal);
    assert_eq!(company.offered(1), [space], "close again");
    company.follow(1, &space.to_string()).expect("asks");
    assert!(company.has(1, space, "third"));
    company.part(1, 0);
    assert_eq!(company.role(0, space, 1), None, "either side ends it");
}

#[test]
fn a_relationship_that_expires_ends_the_reach() {
    // What was said before holds again once something closer has expired.
    let (mut company, space) = neighbours(Layer::Gift, Reach::Local);
    let agent = company.nodes[0].trust().agent();
    let relate = Request::Relate { agent, terms: Terms::of(Layer::Reciprocal), lifetime: None };
    company.ask(1, relate).expect("says so");
    let agent = company.nodes[1].trust().agent();
    let lifetime = Some(Duration::from_secs(60));
    let relate = Request::Relate { agent, terms: Terms::of(Layer::Reciprocal), lifetime };
    company.ask(0, relate).expect("says so");
    company.follow(1, "orchard").expect("asks");
    assert_eq!(company.role(0, space, 1), Some(Role::Reader));
    company.wall += 2_000_000;
    company.inbox.push_back((0, Input::Timeout));
    company.run();
    assert_eq!(company.role(0, space, 1), None);
}

#[test]
fn what_a_person_says_of_a_follower_holds_whatever_the_reach() {
    let (mut company, space) = neighbours(Layer::Reciprocal, Reach::Local);
    let party = Party::Agent(company.nodes[1].trust().agent());
    company.follow(1, "orchard").expect("asks");
    company.ask(0, Request::Grant { space, party, role: Role::Writer }).expect("admits");
    company.relate(0, 1, Layer::Gift);
    assert_eq!(company.role(0, space, 1), Some(Role::Writer));

    company.relate(0, 1, Layer::Reciprocal);
    company.ask(0, Request::Revoke { space, party }).expect("removes");
    assert_eq!(company.offered(1), [], "who was removed is not offered it");
    company.hear_follow(space);
    assert_eq!(company.role(0, space, 1), None, "nor let in for asking all the same");
}

#[test]
fn who_leaves_may_come_again_but_not_without_end() {
    let (mut company, space) = neighbours(Layer::Reciprocal, Reach::Local);
    let party = Party::Agent(company.nodes[1].trust().agent());
    for _ in 0..4 {
        company.follow(1, "orchard").expect("asks");
        assert_eq!(company.role(0, space, 1), Some(Role::Reader));
        company.ask(1, Request::Revoke { space, party }).expect("leaves");
        assert_eq!(company.role(0, space, 1), None);
    }
    assert_eq!(company.offered(1), [], "four times are enough");
}

#[test]
fn a_space_that_nobody_offers_cannot_be_followed() {
    let (mut company, private) = neighbours(Layer::Sovereign, Reach::Private);
    for text in [private.to_string().as_str(), "orchard", "nothing"] {
        assert_eq!(company.follow(1, text).expect_err("is refused").kind, FailureKind::NotFound);
    }
    for space in [private, SpaceId([9; 32])] {
        company.hear_follow(space);
        assert_eq!(company.role(0, space, 1), None);
    }
    let one = company.space_of(0, "twin", Reach::Commons);
    let other = company.space_of(0, "twin", Reach::Commons);
    assert_eq!(company.follow(1, "twin").expect_err("which?").kind, FailureKind::Invalid);
    company.follow(1, &other.to_string()).expect("by its id");
    assert_eq!((company.role(0, one, 1), company.role(0, other, 1)), (None, Some(Role::Reader)));
}

#[test]
fn an_offer_that_was_withdrawn_is_not_followed() {
    let (mut company, space) = neighbours(Layer::Reciprocal, Reach::Local);
    assert_eq!(company.offered(1), [space]);
    company.relate(0, 1, Layer::Invested);
    assert_eq!(company.offered(1), [], "what is offered is what the reach covers now");
    assert_eq!(company.follow(1, "orchard").expect_err("gone").kind, FailureKind::NotFound);
    company.hear_follow(space);
    assert_eq!(company.role(0, space, 1), None, "one that was on its way is not let in either");
    assert!(!company.has(1, space, "first"));
}

#[test]
fn who_offers_the_space_of_somebody_else_stands_in_nobodys_way() {
    let mut company = Company::new(3);
    for (host, guest) in [(0, 1), (1, 2)] {
        let ticket = company.ticket(host, None);
        company.accept(guest, ticket).expect("they relate");
    }
    let space = company.space_of(0, "orchard", Reach::Local);
    let lie = trust_core::exchange::Offer { space, name: "orchard".into(), reach: Reach::Local };
    let frame = trust_core::exchange::Message::Offers { offers: vec![lie] }.encode().into();
    let device = company.devices[2];
    let frame = NetEvent::Frame { device, lane: Lane::Trust, frame };
    company.inbox.push_back((1, Input::Net(frame)));
    company.run();
    assert_eq!(company.offered(1), [space, space]);
    company.follow(1, "orchard").expect("asks both");
    assert_eq!(company.role(0, space, 1), Some(Role::Reader));
    assert_eq!(company.offered(1), []);
}
