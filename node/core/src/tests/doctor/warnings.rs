//! What a synchronisation says that it could not do.

use super::*;
use crate::{doctor::WARNINGS_MAX, request::SyncReport};

impl Couple {
    /// What comes of synchronising, however long the first one has to wait.
    fn report(&mut self) -> SyncReport {
        // Disks that changed behind their node's back.
        self.sync(1);
        let id = RequestId(self.company.next_request);
        self.sync(0);
        self.company.wall += 60_000;
        self.company.inbox.push_back((0, Input::Timeout));
        self.company.run();
        let place = self.company.answers.iter().position(|it| (it.0, it.1) == (0, id));
        let answer = self.company.answers.remove(place.expect("it is answered")).2;
        let Ok(Response::Synced(report)) = answer else { panic!("does not sync: {answer:?}") };
        report
    }

    /// Its only warning.
    #[track_caller]
    fn warning(&mut self) -> Finding {
        let report = self.report();
        assert!(report.warnings.is_complete);
        let [warning] = report.warnings.warnings.as_slice() else {
            panic!("not one warning: {report:?}")
        };
        assert!(!warning.sentence.is_empty() && warning.next.contains("kith "), "{warning:?}");
        warning.clone()
    }
}

#[test]
fn who_is_in_sync_is_not_warned() {
    let mut couple = Couple::new();
    let space = couple.space;
    couple.company.write(1, space, "second");
    let report = couple.report();
    assert_eq!(report.warnings.warnings, []);
    assert!(report.warnings.is_complete);
}

#[test]
fn a_peer_that_cannot_be_reached_is_named_once() {
    let mut couple = Couple::new();
    // One line, however much is shared.
    let other = couple.company.space(0);
    let party = Party::Agent(couple.company.agent(1));
    couple.company.ask(0, Request::Grant { space: other, party, role: Role::Reader }).expect("can");
    couple.company.apart = Some(1);
    couple.disconnect();
    let warning = couple.warning();
    assert_eq!(warning.cause.word(), "no-path");
    assert_eq!(warning.subject.peer, Some(couple.company.devices[1]));
    assert!(warning.sentence.contains("nobody is there"), "{warning:?}");
    couple.company.apart = None;
    couple.connect();
    assert_eq!(couple.report().warnings.warnings, []);
}

#[test]
fn an_entry_that_was_refused_is_named_with_why() {
    let mut couple = Couple::new();
    let space = couple.space;
    let mut bytes = couple.garbage().bytes().to_vec();
    *bytes.last_mut().expect("not empty") ^= 1;
    let forged = VerifiedEntry::from_storage(bytes).expect("its form is right");
    couple.disks[1].slip_in(space, forged);
    let warning = couple.warning();
    assert_eq!(warning.cause.word(), "rejected-entry");
    assert!(warning.sentence.contains("changes of garden"), "{warning:?}");
    assert!(warning.sentence.contains("signature"), "{warning:?}");
    assert!(warning.next.contains("kith why"), "{warning:?}");
}

#[test]
fn documents_in_which_something_does_not_count_are_named_in_bounds() {
    let mut couple = Couple::new();
    let space = couple.space;
    let document = content_document(space, "first");
    let garbage = couple.garbage();
    couple.disks[1].slip_in(space, garbage);
    let warning = couple.warning();
    assert_eq!(
        (warning.cause.word(), warning.subject.document),
        ("rejected-entry", Some(document))
    );
    assert!(warning.sentence.contains("it is not a change of a document"), "{warning:?}");

    for number in 0..WARNINGS_MAX {
        let document = content_document(space, &number.to_string());
        let garbage = couple.garbage_in(document);
        couple.disks[1].slip_in(space, garbage);
    }
    let warnings = couple.report().warnings;
    assert_eq!((warnings.warnings.len(), warnings.is_complete), (WARNINGS_MAX, false));
}

#[test]
fn another_version_is_named_once() {
    let mut couple = Couple::new();
    let hello = Message::Hello(sync_engine_core::reconcile::Hello {
        lowest: PROTOCOL + 1,
        highest: PROTOCOL + 1,
        capabilities: vec![],
        asks: false,
    });
    let other = couple.company.space(0);
    let party = Party::Agent(couple.company.agent(1));
    couple.company.ask(0, Request::Grant { space: other, party, role: Role::Reader }).expect("can");
    couple.forge(&hello);
    // It is what the last word of the other one was: nobody greets it anew meanwhile.
    let now = couple.company.now();
    let peers = [(couple.company.devices[1], PeerSyncState::Behind)];
    let warnings = couple.company.nodes[0].warnings(now, &peers).warnings;
    let words: Vec<&str> = warnings.iter().map(|it| it.cause.word()).collect();
    assert_eq!(words, ["version-mismatch"]);
    assert!(warnings[0].next.contains("kith"), "{warnings:?}");
}
