//! How far a running exchange of entries is, step by step.

use super::*;
use crate::{
    doctor::{Cause, DoctorOf},
    request::EntryProgress,
};

/// More than fit into a page.
const NOTES: u64 = 1_200;

/// What a node says of a space and its only peer, in the middle of things.
fn glimpse(company: &mut Company, at: usize, space: SpaceId) -> [Option<EntryProgress>; 3] {
    let mut answers = vec![];
    let doctor = Request::Doctor { of: DoctorOf::Space(space) };
    for (id, request) in [(1_000_000, Request::Status), (1_000_001, doctor)] {
        let mut effects = company.alone(at, Input::Request(RequestId(id), request));
        // A large space is listed a few documents at a time.
        while effects.is_empty() {
            effects = company.alone(at, Input::Timeout);
        }
        for effect in effects {
            let Effect::Reply(_, answer) = effect else { panic!("{effect:?}") };
            answers.push(answer.expect("answers"));
        }
    }
    let [Response::Status(status), Response::Findings(found)] = answers.as_slice() else {
        panic!("not the answers: {answers:?}");
    };
    let of_space = status.spaces.iter().find(|it| it.info.space == space).expect("is here");
    let causes = found.findings.iter().map(|found| &found.cause);
    let mut transfers = causes.filter_map(|cause| {
        let Cause::Transferring { progress, .. } = cause else { return None };
        *progress
    });
    let by_doctor = transfers.next();
    [of_space.progress, status.peers[0].progress, by_doctor]
}

#[test]
fn a_first_sync_says_how_many_entries_are_here_of_how_many() {
    let mut company = Company::new(2);
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    for at in 0..2 {
        let device = company.devices[1 - at];
        company.inbox.push_back((at, Input::Net(NetEvent::Disconnected { device })));
    }
    company.run();
    let documents = (0..NOTES).map(|number| WriteDocument {
        document: content_document(space, &number.to_string()),
        meta: Meta { kind: "note".into(), ..Meta::default() },
        value: json!({"number": number}),
    });
    let documents = documents.collect();
    company.ask(0, Request::WriteDocuments { space, documents }).expect("writes");
    assert_eq!(glimpse(&mut company, 1, space), [None; 3], "nothing is under way");

    for at in 0..2 {
        company.connect(at, 1 - at, at == 0);
    }
    let mut seen = vec![];
    while let Some((at, input)) = company.inbox.pop_front() {
        for effect in company.alone(at, input) {
            company.carry(at, effect);
        }
        let [of_space, of_peer, by_doctor] = glimpse(&mut company, 1, space);
        assert_eq!((of_space, by_doctor), (of_peer, of_peer));
        seen.extend(of_space);
    }
    seen.dedup();
    let first = EntryProgress { here: 0, wanted: NOTES, is_at_least: false };
    assert_eq!(seen.first(), Some(&first), "{seen:?}");
    assert!(seen.iter().any(|it| it.here > 0 && it.here < NOTES), "{seen:?}");
    assert!(seen.iter().all(|it| it.wanted == NOTES && !it.is_at_least), "{seen:?}");
    assert!(seen.is_sorted_by_key(|it| it.here), "{seen:?}");
    assert_eq!(glimpse(&mut company, 1, space), [None; 3], "it is over");
}

#[test]
fn a_sync_that_loses_patience_says_how_far_it_is() {
    let mut company = Company::new(2);
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    // It hears of something new and asks for it, and nobody answers.
    let documents = (0..NOTES).map(|number| WriteDocument {
        document: content_document(space, &number.to_string()),
        meta: Meta::default(),
        value: json!({}),
    });
    let documents = documents.collect();
    let write = Request::WriteDocuments { space, documents };
    let told = company.alone(0, Input::Request(RequestId(1_000), write));
    for effect in told {
        let Effect::Net(NetCommand::Send { lane, frame, .. }) = effect else { continue };
        let device = company.devices[0];
        company.alone(1, Input::Net(NetEvent::Frame { device, lane, frame }));
    }
    let wanted = Some(EntryProgress { here: 0, wanted: NOTES, is_at_least: false });
    assert_eq!(glimpse(&mut company, 1, space)[1], wanted);
    let sync = Request::Sync { device: None, is_full: false };
    company.alone(1, Input::Request(RequestId(2_000), sync));
    company.wall += 60_000;
    let effects = company.alone(1, Input::Timeout);
    let report = effects.into_iter().find_map(|effect| {
        let Effect::Reply(RequestId(2_000), Ok(Response::Synced(report))) = effect else {
            return None;
        };
        Some(report)
    });
    let report = report.expect("it waits no longer");
    let device = company.devices[0];
    assert_eq!(report.peers, [(device, PeerSyncState::Syncing)]);
    assert_eq!(report.running.get(&device).copied(), wanted);
}
