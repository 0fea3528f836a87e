//! Conflicts that are left to the admins.

use super::*;

impl Company {
    fn leave(&mut self, at: usize, (space, document): Place, id: ConflictId, why: &str) {
        let (conflict, why) = (id, why.to_owned());
        let request = ConflictRequest::Escalate { space, document, conflict, why };
        let answer = self.ask(at, Request::Conflict(request));
        assert!(matches!(answer, Ok(Response::Written(_))), "{answer:?}");
    }

    fn withdraw(&mut self, at: usize, (space, document): Place, id: ConflictId) -> Option<Failure> {
        let request = ConflictRequest::Withdraw { space, document, conflict: id };
        self.ask(at, Request::Conflict(request)).err()
    }
}

#[test]
fn what_a_writer_leaves_to_the_admins_only_they_settle() {
    let (mut company, place, conflict) = disputed();
    company.leave(1, place, conflict, "both are good");
    for at in 0..3 {
        let [found] = &company.conflicts_of(at, place)[..] else { panic!("one conflict") };
        assert_eq!(found.conflict, conflict, "the same as before");
        let [asked] = &found.asked[..] else { panic!("one asked") };
        assert_eq!((&*asked.why, asked.is_mine), ("both are good", at == 1));
        assert_eq!(asked.by[0].name, "person 1");
    }
    let refused = company.resolve(1, place, conflict, Keep::Mine).expect_err("is the admin's");
    assert_eq!(refused.kind, FailureKind::NotAllowed);
    assert!(refused.fix.contains("kith conflicts withdraw"), "{refused:?}");
    company.resolve(0, place, conflict, Keep::Theirs).expect("the admin decides");
    for at in 0..3 {
        assert!(company.conflicts_of(at, place).is_empty());
        assert_eq!(company.value(at, place)["title"], "Beach");
    }
}

#[test]
fn all_at_once_leaves_it_open_and_who_asked_takes_it_back() {
    let (mut company, place, conflict) = disputed();
    let (space, document) = place;
    company.leave(1, place, conflict, "");
    let of = ConflictsOf::Document(document);
    let all = ConflictRequest::SettleAll { space, of, keep: KeepAll::Mine };
    let answer = company.ask(0, Request::Conflict(all));
    let Ok(Response::Conflict(ConflictResponse::Settled(report))) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!((report.settled, report.left.len()), (0, 1));
    assert!(report.left[0].why.contains("admins"), "{report:?}");
    let of_reader = company.withdraw(2, place, conflict).expect("a reader writes nothing");
    assert_eq!(of_reader.kind, FailureKind::NotAllowed);
    assert_eq!(company.withdraw(1, place, conflict), None);
    let twice = company.withdraw(1, place, conflict).expect("nobody asks any more");
    assert_eq!(twice.kind, FailureKind::NotFound);
    company.resolve(1, place, conflict, Keep::Mine).expect("whoever may write");
}
