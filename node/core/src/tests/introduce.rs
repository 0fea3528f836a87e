use super::*;
use trust_core::{exchange, pairing};

use crate::request::Party;

impl Company {
    /// Ada (0) founded a space and let Ben (1) in, then Dan (2) while Ben was away; now she
    /// is away herself.
    fn met_apart() -> (Self, SpaceId) {
        let mut company = Self::new(4);
        let space = company.space(0);
        company.write(0, space, "before");
        let ticket = company.ticket(0, Some(space));
        company.accept(1, ticket).expect("Ben joins");
        company.set_apart(1, true);
        let ticket = company.ticket(0, Some(space));
        company.accept(2, ticket).expect("Dan joins");
        company.write(2, space, "by Dan");
        company.write(1, space, "by Ben");
        company.lose(0);
        (company, space)
    }

    /// A node goes, and all others lose their connections with it.
    pub(super) fn lose(&mut self, at: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != at) {
            for (at, device) in [(at, self.devices[other]), (other, self.devices[at])] {
                self.inbox.push_back((at, Input::Net(NetEvent::Disconnected { device })));
            }
        }
        self.run();
    }

    fn meet(&mut self, one: usize, other: usize) {
        self.apart = None;
        self.connect(one, other, true);
        self.connect(other, one, false);
        self.run();
    }

    /// What a node says on the pairing lane to a device that connects and says `frames`.
    fn says_to(
        &mut self,
        at: usize,
        device: DeviceId,
        frames: &[pairing::Message],
    ) -> Vec<Vec<u8>> {
        let now = self.now();
        let address = "/ip4/10.0.0.9/tcp/1".to_owned();
        let connected = NetEvent::Connected { device, address, outbound: false };
        let frames = frames.iter().map(|message| {
            let frame = message.encode().into();
            NetEvent::Frame { device, lane: Lane::Pair, frame }
        });
        for event in std::iter::once(connected).chain(frames.collect::<Vec<_>>()) {
            self.nodes[at].handle(now, Input::Net(event));
            self.nodes[at].flush(now);
        }
        let mut said = vec![];
        while let Some(effect) = self.nodes[at].poll_effect() {
            if let Effect::Net(NetCommand::Send { device: to, frame, .. }) = effect
                && to == device
            {
                said.push(frame.to_vec());
            }
        }
        said
    }

    /// How Dan introduces himself to Ben.
    fn introduction(&self) -> Vec<serde_bytes::ByteBuf> {
        let said = self.nodes[2].trust().introduction_to(self.devices[1]);
        said.into_iter().map(|said| serde_bytes::ByteBuf::from(said.bytes())).collect()
    }
}

#[test]
fn who_was_let_in_meanwhile_introduces_themselves_and_they_synchronise() {
    for (one, other) in [(1, 2), (2, 1)] {
        let (mut company, space) = Company::met_apart();
        assert!(!company.has(1, space, "by Dan") && !company.has(2, space, "by Ben"));
        company.meet(one, other);
        assert!(company.has(1, space, "by Dan") && company.has(2, space, "by Ben"));
        let ben = company.nodes[1].trust();
        let dan = company.nodes[2].trust().agent();
        assert!(ben.graph().spaces[&space].members.contains_key(&dan));
        assert_eq!(ben.name_of(dan), "person 2");
    }
}

#[test]
fn a_stranger_hears_the_same_whatever_it_says_and_leaves_no_trace() {
    let (mut company, space) = Company::met_apart();
    let stranger = company.devices[3];
    let who = vec![pairing::Message::Who.encode()];
    let known = company.nodes[1].trust().attestation_count();
    // Nothing; the introduction of another device; a grant that no admin signed, in a space
    // that is here and in one that is not.
    let stolen = pairing::Message::Introduction { attestations: company.introduction() };
    let own: Vec<_> = {
        let trust = company.nodes[3].trust();
        let ids = trust.visible_to(trust.agent()).into_iter();
        let own = ids.filter_map(|id| trust.attestation(id));
        own.map(|said| serde_bytes::ByteBuf::from(said.bytes())).collect()
    };
    let made_up = |space: SpaceId| {
        let node = &company.nodes[3];
        let claim = trust_core::Claim::SpaceGrant {
            space,
            party: Party::Agent(node.trust().agent()),
            role: Role::Writer,
            after: vec![],
        };
        let statement = trust_core::Statement {
            claim,
            height: 1,
            prev: None,
            issued_at: Timestamp(1),
            expires_at: None,
        };
        let said = trust_core::Attestation::issue(
            node.trust().signer(),
            company.nodes[0].trust().agent(),
            statement,
        );
        let mut attestations = own.clone();
        attestations.push(serde_bytes::ByteBuf::from(said.bytes()));
        pairing::Message::Introduction { attestations }
    };
    let said = [vec![], vec![stolen], vec![made_up(space)], vec![made_up(SpaceId([7; 32]))]];
    for frames in said {
        assert_eq!(company.says_to(1, stranger, &frames), who);
        assert_eq!(company.nodes[1].trust().attestation_count(), known);
        company.lose(3);
    }
    // And who asks us who we are hears nothing, unless we know them.
    let asked = [pairing::Message::Who, pairing::Message::Who];
    assert_eq!(company.says_to(1, stranger, &asked), who);
}

#[test]
fn a_stranger_may_introduce_itself_once_in_a_connection() {
    let (mut company, _) = Company::met_apart();
    let dan = company.devices[2];
    let nothing = pairing::Message::Introduction { attestations: vec![] };
    let good = pairing::Message::Introduction { attestations: company.introduction() };
    let said = company.says_to(1, dan, &[nothing, good.clone()]);
    assert_eq!(said, [pairing::Message::Who.encode()]);
    company.lose(1);
    let said = company.says_to(1, dan, &[good]);
    assert!(said.len() > 1, "it is greeted");
}

/// Ada says what she has of Dan's, and while her word is on its way Dan introduces himself.
#[test]
fn what_came_by_another_way_is_not_waited_for() {
    let (mut company, _) = Company::met_apart();
    let [ada, ben, dan] = [0, 1, 2].map(|at| company.devices[at]);
    let said: Vec<_> = {
        let trust = company.nodes[0].trust();
        let of_ben = trust.agent_of(ben).expect("she let him in");
        let ids = trust.visible_to(of_ben);
        ids.into_iter().filter_map(|id| trust.attestation(id)).cloned().collect()
    };
    let known = |company: &Company| {
        let trust = company.nodes[1].trust();
        said.iter().filter(|said| trust.attestation(said.id).is_some()).count()
    };
    let now = company.now();
    let address = "/ip4/10.0.0.1/tcp/1".to_owned();
    let connected = NetEvent::Connected { device: ada, address, outbound: false };
    company.nodes[1].handle(now, Input::Net(connected));
    let hear = |company: &mut Company, message: &exchange::Message| {
        let frame = message.encode().into();
        let frame = NetEvent::Frame { device: ada, lane: Lane::Trust, frame };
        company.nodes[1].handle(now, Input::Net(frame));
        company.nodes[1].flush(now);
    };
    let ids: Vec<_> = said.iter().map(|said| said.id).collect();
    hear(&mut company, &exchange::Message::have(&ids));
    assert!(!company.nodes[1].is_acquainted(ada) && known(&company) < said.len());

    let introduction = pairing::Message::Introduction { attestations: company.introduction() };
    company.says_to(1, dan, &[introduction]);
    let rest = said.iter().filter(|said| company.nodes[1].trust().attestation(said.id).is_none());
    let rest: Vec<_> = rest.map(|said| serde_bytes::ByteBuf::from(said.bytes())).collect();
    hear(&mut company, &exchange::Message::Attestations { attestations: rest });
    assert_eq!(known(&company), said.len());
    assert!(company.nodes[1].is_acquainted(ada));
}

/// Dan knows Ben and has said what he has before Ben knew him: Ben asks, and is told.
#[test]
fn whoever_was_a_stranger_is_asked_what_it_has_once_it_is_known() {
    let (mut company, _) = Company::met_apart();
    let dan = company.devices[2];
    let introduction = pairing::Message::Introduction { attestations: company.introduction() };
    let again = exchange::Message::Again.encode();
    let mut said = company.says_to(1, dan, std::slice::from_ref(&introduction));
    assert!(!said.contains(&again), "it may say so by itself");
    company.wall += 1_000;
    let frames_in = |effects: Vec<Effect>| -> Vec<Vec<u8>> {
        let frames = effects.into_iter().filter_map(|effect| {
            let Effect::Net(NetCommand::Send { frame, .. }) = effect else { return None };
            Some(frame.to_vec())
        });
        frames.collect()
    };
    said.extend(frames_in(company.alone(1, Input::Timeout)));
    assert!(said.contains(&again));
    assert!(!company.nodes[1].is_acquainted(dan));

    let have = |frames: &[Vec<u8>]| {
        let is_have = |frame: &&Vec<u8>| {
            let message = exchange::Message::decode(frame);
            matches!(message, Ok(exchange::Message::Have { .. }))
        };
        frames.iter().filter(is_have).count()
    };
    assert_eq!(have(&said), 1);
    for count in [1, 0] {
        let frame = again.clone().into();
        let frame = NetEvent::Frame { device: dan, lane: Lane::Trust, frame };
        let said = frames_in(company.alone(1, Input::Net(frame)));
        assert_eq!(have(&said), count, "what Ben has, once more");
    }
}
