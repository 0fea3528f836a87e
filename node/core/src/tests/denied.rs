//! What is told of a denial.

use super::*;
use crate::Denied;

fn told(company: &mut Company) -> Vec<Denied> {
    let mut told = vec![];
    while let Some(effect) = company.nodes[0].poll_effect() {
        if let Effect::Denied(denied) = effect {
            told.push(denied);
        }
    }
    told
}

#[test]
fn a_denied_ask_is_told_once_with_its_reason_and_how_often() {
    let mut company = Company::new(2);
    let (private, unknown) = (company.space(0), SpaceId([7; 32]));
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("they relate");
    for space in [private, private, unknown] {
        company.hear(&Message::Pull { space, after: 0 });
    }
    assert_eq!(told(&mut company), [], "not before the answer");
    company.wall += 1_001;
    let now = company.now();
    company.nodes[0].handle(now, Input::Timeout);
    let expected = Denied {
        device: company.devices[1],
        agent: Some(company.nodes[1].trust().agent()),
        what: "hold",
        space: Some(private),
        why: "not-a-member",
        times: 2,
    };
    assert_eq!(told(&mut company), [expected], "of what nobody knows there is no trace");
}

#[test]
fn a_refused_ticket_is_told() {
    let mut company = Company::new(2);
    let mut forged = company.ticket(0, None);
    forged.secret.0[0] ^= 1;
    let (device, now) = (company.devices[1], company.now());
    let accept = Request::Pair { ticket: forged, is_link: false };
    company.inbox.push_back((1, Input::Request(RequestId(99), accept)));
    let mut told = vec![];
    while let Some((at, input)) = company.inbox.pop_front() {
        company.nodes[at].handle(now, input);
        company.nodes[at].flush(now);
        while let Some(effect) = company.nodes[at].poll_effect() {
            if let Effect::Denied(denied) = &effect {
                told.push((at, denied.clone()));
            }
            company.carry(at, effect);
        }
    }
    let why: Vec<_> = told.iter().map(|(at, denied)| (*at, denied.device, denied.why)).collect();
    assert_eq!(why, [(0, device, "unknown-ticket")]);
    assert_eq!((told[0].1.what, told[0].1.agent, told[0].1.space), ("pair", None, None));
}
