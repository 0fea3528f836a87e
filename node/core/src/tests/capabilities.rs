//! What two nodes speak is what both do: with one that says nothing of it, nothing that is
//! optional; with one that shares no version, nothing at all.

use sync_engine_core::{
    reconcile::{Hello, PROTOCOL_OLDEST},
    rule::Rule,
};

use super::*;
use crate::{
    doctor::{Cause, DoctorOf},
    request::KeptBy,
};

impl Company {
    /// Whether a frame tells what is spoken, and one of the two knows no such thing.
    pub(super) fn is_unheard_of(
        &self,
        (at, other): (usize, usize),
        lane: Lane,
        frame: &[u8],
    ) -> bool {
        let is_early = self.early.is_some_and(|early| early == at || early == other);
        is_early && lane == Lane::Sync && matches!(Message::decode(frame), Ok(Message::Hello(_)))
    }

    /// A request, and what is said on the lanes of the sync engine until nobody says more.
    fn talk(&mut self, at: usize, request: Request) -> Vec<(usize, Message)> {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.inbox.push_back((at, Input::Request(id, request)));
        let mut said = vec![];
        while let Some((at, input)) = self.inbox.pop_front() {
            for effect in self.alone(at, input) {
                if let Effect::Net(NetCommand::Send { lane: Lane::Sync, frame, .. }) = &effect {
                    said.push((at, Message::decode(frame).expect("ours")));
                }
                self.carry(at, effect);
            }
        }
        said
    }

    fn speaks(&mut self, at: usize) -> Option<(u16, Vec<&'static str>)> {
        let Ok(Response::Peers(peers)) = self.ask(at, Request::Peers) else {
            panic!("no peers");
        };
        peers[0].agreement.map(|it| (it.version, it.capabilities.words()))
    }
}

fn couple(early: Option<usize>) -> (Company, SpaceId) {
    let mut company = Company::new(2);
    company.early = early;
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    company.write(0, space, "first");
    company.write(1, space, "second");
    assert!(company.has(1, space, "first") && company.has(0, space, "second"));
    (company, space)
}

fn by_rule(space: SpaceId) -> Request {
    let rule = Rule { kinds: ["recipe".into()].into(), ..Rule::default() };
    Request::Keep { space, part: Some(KeptBy { rule, ..KeptBy::default() }) }
}

fn is_choice(message: &Message) -> bool {
    matches!(message, Message::Choose { .. } | Message::Chosen { .. })
}

#[test]
fn both_speak_all_that_both_can() {
    let (mut company, space) = couple(None);
    for at in 0..2 {
        let all = vec!["pushes", "sketches", "rules", "shards", "hindrances"];
        assert_eq!(company.speaks(at), Some((PROTOCOL, all)));
        let said = company.talk(at, note(space, &format!("of {at}"), json!({})));
        let is_pull = |message: &Message| matches!(message, Message::Pull { .. });
        assert!(!said.iter().any(|(_, message)| is_pull(message)), "it went unasked: {said:?}");
        let said = company.talk(at, by_rule(space));
        let choices = said.iter().filter(|(_, message)| is_choice(message));
        let by: Vec<usize> = choices.map(|(by, _)| *by).collect();
        assert_eq!(by, [at, 1 - at], "a question and its answer: {said:?}");
    }
}

#[test]
fn with_who_says_nothing_of_it_nothing_optional_is_used() {
    for early in 0..2 {
        let (mut company, space) = couple(Some(early));
        for at in 0..2 {
            assert_eq!(company.speaks(at), Some((PROTOCOL, vec![])));
            let id = format!("of {at}");
            let said = company.talk(at, note(space, &id, json!({})));
            let pulls = said.iter().filter(|(_, message)| matches!(message, Message::Pull { .. }));
            let by: Vec<usize> = pulls.map(|(by, _)| *by).collect();
            assert_eq!(by, [1 - at], "nothing goes unasked: {said:?}");
            assert!(company.has(1 - at, space, &id));
        }
        for at in 0..2 {
            let said = company.talk(at, by_rule(space));
            assert!(!said.iter().any(|(_, message)| is_choice(message)), "{said:?}");
            let Ok(Response::Status(status)) = company.ask(at, Request::Status) else {
                panic!("no status");
            };
            let of_space = status.spaces.into_iter().find(|it| it.info.space == space);
            let part = of_space.expect("is here").info.part.expect("a part");
            assert_eq!(part.has_answer, Some(false), "nobody can say");
        }
        // Nor is it answered, should it ask all the same.
        let rule = Some(Rule { kinds: ["note".into()].into(), ..Rule::default() });
        let answers = company.hear(&Message::Choose { space, rule });
        assert_eq!(answers, Vec::<Vec<u8>>::new());
    }
}

#[test]
fn what_is_spoken_is_said_first_and_forgotten_with_the_connection() {
    let (mut company, _) = couple(None);
    let said = company.talk(0, Request::Sync { device: None, is_full: false });
    let first = said.iter().find(|(by, _)| *by == 0).map(|(_, message)| message);
    assert_eq!(first, Some(&Message::Hello(Hello::ours(false))));
    let device = company.devices[1];
    company.inbox.push_back((0, Input::Net(NetEvent::Disconnected { device })));
    company.run();
    assert_eq!(company.speaks(0), None);
}

#[test]
fn without_a_common_version_who_is_older_is_named() {
    for (lowest, highest, is_newer) in
        [(PROTOCOL + 1, PROTOCOL + 5, true), (0, PROTOCOL_OLDEST - 1, false)]
    {
        let (mut company, space) = couple(None);
        let hello = |lowest, highest| {
            Message::Hello(Hello { lowest, highest, capabilities: vec![1, 2, 3], asks: false })
        };
        company.hear(&hello(lowest, highest));
        // What it says further makes no difference.
        let answers = company.hear(&Message::Pull { space, after: 0 });
        assert_eq!(answers, Vec::<Vec<u8>>::new());
        let found = company.doctor(0, DoctorOf::Everything);
        let causes: Vec<&Cause> = found.iter().map(|found| &found.cause).collect();
        assert_eq!(causes, [&Cause::VersionMismatch { is_newer: Some(is_newer) }]);
        assert_eq!(found[0].next.starts_with("ask them"), !is_newer, "{found:?}");
        assert_eq!(company.speaks(0), None);
        // A wider range has one in common.
        company.hear(&hello(lowest.min(PROTOCOL), highest.max(PROTOCOL)));
        assert_eq!(company.speaks(0).map(|it| it.0), Some(PROTOCOL));
        company.ask(1, Request::Sync { device: None, is_full: false }).expect("syncs");
        assert_eq!(company.doctor(0, DoctorOf::Everything), []);
    }
}

#[test]
fn what_makes_no_sense_is_not_taken() {
    let (mut company, _) = couple(None);
    let before = company.speaks(0);
    for (lowest, highest, capabilities) in
        [(5, 4, vec![]), (4, 4, vec![2, 1]), (4, 4, vec![3, 3]), (4, 4, (0..=32).collect())]
    {
        company.hear(&Message::Hello(Hello { lowest, highest, capabilities, asks: false }));
        assert_eq!(company.speaks(0), before);
    }
}

#[test]
fn what_was_lost_of_the_beginning_is_said_again() {
    let (mut company, _) = couple(Some(1));
    let nothing_optional = |said: Option<(u16, Vec<&str>)>| said.is_some_and(|it| it.1.is_empty());
    assert!(nothing_optional(company.speaks(0)) && nothing_optional(company.speaks(1)));
    company.early = None;
    company.ask(0, Request::Sync { device: None, is_full: false }).expect("synchronises");
    let all = sync_engine_core::reconcile::Capability::ALL.map(|it| it.word()).to_vec();
    assert_eq!(company.speaks(0), Some((PROTOCOL_OLDEST, all.clone())));
    assert_eq!(company.speaks(1), Some((PROTOCOL_OLDEST, all)));
}
