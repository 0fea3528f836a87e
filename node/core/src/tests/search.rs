//! Words that are looked for at others.

use super::*;
use crate::{
    request::{FoundHit, Party, PeerFound, SearchRequest},
    search::Message,
};

fn hit(space: SpaceId, name: &str) -> FoundHit {
    FoundHit {
        space,
        document: content_document(space, name),
        kind: "note".into(),
        title: name.into(),
        snippet: String::new(),
        score: 1.0,
    }
}

impl Company {
    /// Asks, without waiting for the answer.
    fn look_for(&mut self, at: usize, text: &str, space: Option<SpaceId>) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let ask = SearchRequest::Ask { text: text.to_owned(), space, limit: 10 };
        self.inbox.push_back((at, Input::Request(id, Request::Search(ask))));
        self.run();
        id
    }

    fn found(&mut self, at: usize, id: RequestId) -> Option<Result<Vec<PeerFound>, Failure>> {
        let place = self.answers.iter().position(|it| (it.0, it.1) == (at, id))?;
        Some(self.answers.remove(place).2.map(|answer| {
            let Response::PeersFound(found) = answer else { panic!("not the answer: {answer:?}") };
            found
        }))
    }

    /// Whoever was asked first answers with this.
    fn tell_found(&mut self, hits: Vec<FoundHit>) -> Asked {
        let asked = self.questions.remove(0);
        let Asked { at, device, question, .. } = asked;
        let answer = SearchRequest::Answer { device, question, hits, is_complete: true };
        self.ask(at, Request::Search(answer)).expect("is taken");
        asked
    }

    fn devices_found(found: &[PeerFound]) -> Vec<(&str, Option<usize>)> {
        found.iter().map(|it| (it.name.as_str(), it.hits.as_ref().map(Vec::len))).collect()
    }
}

/// Ada (0) shares an album with Ben (1) and a diary with nobody; Cy (2) has only met her.
fn neighbours() -> (Company, SpaceId, SpaceId) {
    let mut company = Company::new(3);
    let (album, diary) = (company.space(0), company.space(0));
    let ticket = company.ticket(0, Some(album));
    company.accept(1, ticket).expect("joins the space");
    let ticket = company.ticket(0, None);
    company.accept(2, ticket).expect("they meet");
    (company, album, diary)
}

#[test]
fn who_reads_the_same_is_asked_and_told_of_nothing_else() {
    let (mut company, album, diary) = neighbours();
    let id = company.look_for(1, "rain", None);
    assert_eq!(company.questions.len(), 1, "{:?}", company.questions);
    assert!(company.found(1, id).is_none(), "it waits for the answer");
    let asked = company.tell_found(vec![hit(album, "beds"), hit(diary, "secret")]);
    assert_eq!((asked.at, asked.text.as_str()), (0, "rain"));
    assert_eq!(asked.spaces, BTreeSet::from([album]));
    let found = company.found(1, id).expect("everybody answered").expect("may ask");
    assert_eq!(Company::devices_found(&found), [("person 0", Some(1))]);
    assert_eq!(found[0].hits.as_deref(), Some(&[hit(album, "beds")][..]));

    // Ada asks Ben about the album, nobody about her diary, and Cy asks nobody at all.
    let id = company.look_for(0, "rain", None);
    let asked = company.tell_found(vec![]);
    assert_eq!((asked.at, asked.spaces), (1, BTreeSet::from([album])));
    let found = company.found(0, id).expect("everybody answered").expect("may ask");
    assert_eq!(Company::devices_found(&found), [("person 1", Some(0))]);
    for (at, space) in [(0, Some(diary)), (2, None)] {
        let id = company.look_for(at, "rain", space);
        assert_eq!(company.found(at, id).expect("nobody to wait for").expect("may ask"), []);
    }
    let id = company.look_for(1, "rain", Some(diary));
    let refused = company.found(1, id).expect("at once").expect_err("not theirs");
    assert_eq!(refused.kind, FailureKind::NotFound);
    assert!(company.questions.is_empty());
}

#[test]
fn an_answer_that_is_late_or_nobodys_changes_nothing() {
    let (mut company, album, _) = neighbours();
    let id = company.look_for(1, "rain", Some(album));
    company.wait(Duration::from_secs(4));
    assert!(company.found(1, id).is_none(), "there is time");
    company.wait(Duration::from_secs(4));
    let found = company.found(1, id).expect("time is over").expect("may ask");
    assert_eq!(Company::devices_found(&found), [("person 0", None)]);
    company.tell_found(vec![hit(album, "beds")]);
    assert!(company.found(1, id).is_none());

    // Ben invents questions that nobody asked, and asks more than is answered at a time.
    let ben = company.devices[1];
    let odd = Message::Found { id: 99, hits: vec![hit(album, "beds")], is_complete: true };
    let ask = |id| Message::Ask { id, text: "rain".into(), space: None, limit: 10 };
    let frames = [odd].into_iter().chain((0..20).map(ask)).chain([ask(3)]);
    for message in frames.collect::<Vec<_>>() {
        let frame = message.encode().into();
        let frame = NetEvent::Frame { device: ben, lane: Lane::Search, frame };
        company.inbox.push_back((0, Input::Net(frame)));
    }
    company.run();
    assert_eq!(company.questions.len(), 4);
    // Whoever is removed meanwhile is told nothing of it any more.
    let party = Party::Agent(company.nodes[1].trust().agent());
    company.ask(0, Request::Revoke { space: album, party }).expect("founded it");
    let told = company.tell_found(vec![hit(album, "beds")]);
    assert_eq!((told.at, told.device), (0, ben));
    let id = company.look_for(1, "rain", None);
    let found = company.found(1, id).expect("at once").expect("may ask");
    assert_eq!(Company::devices_found(&found), [("person 0", Some(0))]);
}

#[test]
fn whoever_goes_away_is_not_waited_for() {
    let (mut company, album, _) = neighbours();
    let id = company.look_for(1, "rain", Some(album));
    let ada = company.devices[0];
    company.inbox.push_back((1, Input::Net(NetEvent::Disconnected { device: ada })));
    company.run();
    let found = company.found(1, id).expect("nobody is left").expect("may ask");
    assert_eq!(Company::devices_found(&found), [("person 0", None)]);
}
