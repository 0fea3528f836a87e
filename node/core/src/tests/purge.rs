use node_model::DocumentId;
use trust_core::Rule;

use super::*;
use crate::{
    doctor::{Cause, DoctorOf, Finding, Refuser},
    pack::{PackRequest, PackResponse},
    request::{Party, WhyInfo},
};

/// Four nodes: a founder, a writer, a custodian and a writer who will be late; with a diary
/// that two of them wrote, and another document.
fn neighbours() -> (Company, SpaceId, DocumentId) {
    let mut company = Company::new(4);
    let space = company.space(0);
    for guest in [1, 3] {
        let ticket = company.ticket(0, Some(space));
        company.accept(guest, ticket).expect("joins the space");
    }
    let ticket = company.ticket(0, None);
    company.accept(2, ticket).expect("they relate");
    let party = Party::Agent(company.nodes[2].trust().agent());
    company.ask(0, Request::Grant { space, party, role: Role::Custodian }).expect("founded it");
    company.write(0, space, "diary");
    company.write(1, space, "other");
    company.ask(3, note(space, "diary", json!({"id": "diary", "text": "mine"}))).expect("writes");
    let diary = content_document(space, "diary");
    for at in 0..4 {
        assert_eq!(company.kept(at, space, diary), 2, "{at} has both changes");
    }
    (company, space, diary)
}

impl Company {
    fn kept(&mut self, at: usize, space: SpaceId, document: DocumentId) -> usize {
        self.nodes[at].sync_engine().stored(space, document).expect("the space").len()
    }

    fn digest(&mut self, at: usize, space: SpaceId) -> [u8; 32] {
        self.nodes[at].sync_engine().head(space).expect("the space").digest
    }

    fn purge(&mut self, at: usize, space: SpaceId, document: DocumentId) -> Result<(), Failure> {
        let names = vec![document.to_string()];
        self.ask(at, Request::Purge { space, names }).map(|_| ())
    }

    fn decisions(&mut self, at: usize, text: &str) -> Vec<WhyInfo> {
        match self.ask(at, Request::Why { text: text.to_owned() }) {
            Ok(Response::Why { decisions, .. }) => decisions,
            other => panic!("{other:?}"),
        }
    }

    fn findings(&mut self, at: usize) -> Vec<Finding> {
        match self.ask(at, Request::Doctor { of: DoctorOf::Everything }) {
            Ok(Response::Findings(findings)) => findings.findings,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_purge_reaches_writers_custodians_and_who_was_away() {
    let (mut company, space, diary) = neighbours();
    let refused = company.purge(1, space, diary).expect_err("is a writer");
    assert_eq!(refused.kind, FailureKind::NotAllowed);

    company.set_apart(3, true);
    company.ask(3, note(space, "diary", json!({"id": "diary", "text": "more"}))).expect("writes");
    company.purge(0, space, diary).expect("founded it");
    for at in 0..3 {
        assert_eq!(company.kept(at, space, diary), 0, "{at} has nothing of it");
        assert_eq!(company.digest(at, space), company.digest(0, space));
    }
    assert!(company.has(0, space, "other") && !company.has(0, space, "diary"));
    assert_eq!(company.kept(3, space, diary), 3);

    company.set_apart(3, false);
    company.wait(Duration::from_secs(11));
    for at in 0..4 {
        assert_eq!(company.kept(at, space, diary), 0, "{at} has nothing of it");
        assert_eq!(company.digest(at, space), company.digest(0, space));
        assert_eq!(company.findings(at), [], "{at} is well");
    }
    for at in [0, 3] {
        let again = company.ask(at, note(space, "diary", json!({"id": "diary"})));
        assert_eq!(again.expect_err("it is purged").kind, FailureKind::NotAllowed);
    }
    company.write(3, space, "another");
    assert!(company.has(0, space, "another"), "they go on");
}

#[test]
fn what_comes_back_is_refused_and_why_is_said() {
    let (mut company, space, diary) = neighbours();
    let entries = company.nodes[1].sync_engine().stored(space, diary).expect("the space");
    company.purge(0, space, diary).expect("founded it");
    let take = PackRequest::TakeEntries { space, entries };
    let taken = match company.ask(0, Request::Pack(take)) {
        Ok(Response::Pack(PackResponse::Taken(taken))) => taken,
        other => panic!("{other:?}"),
    };
    assert_eq!((taken.new, taken.refused.len()), (0, 2));
    assert!(taken.refused.iter().all(|(_, why)| why.contains("was purged for good")), "{taken:?}");
    assert_eq!(taken.purged, BTreeSet::from([diary]));
    assert_eq!(company.kept(0, space, diary), 0);

    let authors = BTreeSet::from([company.devices[0], company.devices[3]]);
    for text in [format!("garden/{diary}"), diary.to_string()] {
        let decisions = company.decisions(0, &text);
        let denied = decisions.iter().filter(|it| it.line.decision.rule == Rule::Purged);
        let denied: Vec<&WhyInfo> = denied.collect();
        assert!(denied.iter().all(|it| it.is_past && it.replay.is_ok()), "{denied:?}");
        let of: BTreeSet<_> = denied.iter().map(|it| it.line.question.device).collect();
        assert_eq!(of, authors, "whose entries were refused");
    }
    // Where nothing came back, it is said as well.
    let decisions = company.decisions(1, &diary.to_string());
    let mut denied = decisions.iter().filter(|it| it.line.decision.rule == Rule::Purged);
    assert!(denied.next().is_some_and(|it| !it.is_past && it.replay.is_ok()));
}

#[test]
fn the_doctor_says_what_keeps_a_peer_apart_that_has_not_heard_of_it() {
    let (mut company, space, diary) = neighbours();
    company.set_apart(3, true);
    company.purge(0, space, diary).expect("founded it");
    company.deaf = Some(3);
    company.set_apart(3, false);
    assert_eq!(company.kept(3, space, diary), 2, "it has not heard of it");
    assert_eq!(company.kept(0, space, diary), 0, "it cannot bring it back");
    let late = company.devices[3];
    let findings = company.findings(0);
    let found = findings.iter().find(|it| it.subject.peer == Some(late)).expect("they differ");
    let Cause::RejectedEntry { by: Refuser::Us, why: Some(why), .. } = &found.cause else {
        panic!("{found:?}");
    };
    assert!(why.contains("was purged for good"), "{why}");

    company.set_apart(3, true);
    company.deaf = None;
    company.set_apart(3, false);
    assert_eq!(company.kept(3, space, diary), 0);
    assert_eq!(company.findings(0), []);
}

#[test]
fn a_node_purges_at_its_next_start_what_it_could_not_before() {
    let (mut company, space, diary) = neighbours();
    let entries = company.nodes[1].sync_engine().stored(space, diary).expect("the space");
    company.purge(0, space, diary).expect("founded it");
    // As if the power had gone between the statement and the deletion.
    company.nodes[1].collection.purged.clear();
    company.nodes[1].unsorted.insert(space);
    let results = entry::read_batch(entries);
    let engine = company.nodes[1].sync_engine();
    engine.on_carried(space, results, &mut |_| true).expect("the space");
    company.ask(1, Request::Status).expect("answers");
    assert_eq!(company.kept(1, space, diary), 0);
    assert_eq!(company.digest(1, space), company.digest(0, space));
}
