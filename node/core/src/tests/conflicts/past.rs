//! Looking back at a document that three share, and who may bring back what it was.

use super::*;
use crate::request::{At, ChangeInfo, EditKind, HISTORY_MAX, PastOf, PastRequest, PatchOp};

impl Company {
    fn past(
        &mut self,
        at: usize,
        (space, document): Place,
        of: PastOf,
    ) -> Result<Response, Failure> {
        self.ask(at, Request::Past(PastRequest { space, document, of }))
    }

    fn history(&mut self, at: usize, place: Place) -> Vec<ChangeInfo> {
        let of = PastOf::History { before: None, limit: HISTORY_MAX };
        let Ok(Response::History(view)) = self.past(at, place, of) else { panic!("no history") };
        assert_eq!((view.total, view.is_more), (view.changes.len(), false));
        view.changes
    }
}

fn moment(change: &str) -> At {
    change.parse().expect("a change")
}

#[test]
fn everybody_sees_who_changed_what_and_a_reader_brings_nothing_back() {
    let (mut company, place) = album();
    company.ask(1, set(place, "title", "Lake")).expect("is set");
    let tellers: Vec<_> = (0..3).map(|at| company.history(at, place)).collect();
    assert!(tellers.iter().all(|told| *told == tellers[0]));
    let [newest, first] = &tellers[0][..] else { panic!("two changes") };
    let author = newest.author.as_ref().expect("is known");
    assert_eq!((author.name.as_str(), newest.device_name.as_deref()), ("person 1", Some("device")));
    assert_eq!((first.device, newest.device), (company.devices[0], company.devices[1]));
    let [edit] = &newest.item.told.edits[..] else { panic!("one edit") };
    assert_eq!((edit.kind, edit.path.as_str()), (EditKind::Add, "/title"));
    assert_eq!((&edit.old, &edit.new), (&None, &Some(json!("Lake"))));

    let then = moment(&first.item.change[..8]);
    let Ok(Response::Document(view)) = company.past(2, place, PastOf::Value(then.clone())) else {
        panic!("a reader may look");
    };
    assert_eq!((view.value, view.heads), (json!({"id": "album"}), vec![first.item.change.clone()]));
    let refused = company.past(2, place, PastOf::Restore(then.clone())).expect_err("a reader");
    assert_eq!(refused.kind, FailureKind::NotAllowed);
    assert_eq!(company.history(0, place).len(), 2);
    company.past(0, place, PastOf::Restore(then)).expect("a writer may");
    for at in 0..3 {
        assert_eq!(company.value(at, place), json!({"id": "album"}));
        assert_eq!(company.history(at, place).len(), 3);
    }
}

#[test]
fn what_is_not_there_or_was_removed_is_said() {
    let (mut company, place) = album();
    let first = moment(&company.history(0, place)[0].item.change);
    let unknown = company.past(0, place, PastOf::Value(moment(&"f".repeat(64))));
    assert_eq!(unknown.expect_err("no such change").fix, "kith doc history SPACE DOC");
    let early = company.past(0, place, PastOf::Restore(At::Time(Timestamp(0))));
    assert_eq!(early.expect_err("too early").kind, FailureKind::NotFound);
    let elsewhere = (place.0, content_document(place.0, "none"));
    let none = company.past(0, elsewhere, PastOf::Value(first.clone())).expect_err("none");
    assert_eq!(none.kind, FailureKind::NotFound);

    let (space, document) = place;
    company.ask(0, Request::RemoveDocument { space, document }).expect("is removed");
    for at in 0..3 {
        let past = company.past(at, place, PastOf::Value(first.clone()));
        assert!(matches!(past, Ok(Response::Document(_))), "node {at} may still look");
    }
    let gone = company.past(0, place, PastOf::Restore(first)).expect_err("it stays removed");
    assert_eq!(gone.kind, FailureKind::NotFound);
    assert!(gone.message.contains("stays so") && gone.fix.contains("--at"), "{gone:?}");
}

#[test]
fn what_two_count_at_once_adds_up() {
    let (mut company, place) = album();
    let (space, document) = place;
    let count = |by| {
        let operations = vec![PatchOp::Increment { path: "/n".into(), by }];
        Request::Patch { space, document, operations }
    };
    company.at_once(vec![(0, count(2)), (1, count(3))]);
    for at in 0..3 {
        assert_eq!(company.value(at, place)["n"], json!(5));
        assert_eq!(company.conflicts_of(at, place), []);
    }
    let refused = company.ask(2, count(1)).expect_err("a reader");
    assert_eq!(refused.kind, FailureKind::NotAllowed);
}
