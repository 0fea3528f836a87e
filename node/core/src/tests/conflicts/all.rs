//! All of mine, all of theirs; how much is left; and decisions that are taken back.

use super::*;

impl Company {
    fn settle_all(
        &mut self,
        at: usize,
        (space, of): (SpaceId, ConflictsOf),
        keep: KeepAll,
    ) -> Result<SettleReport, Failure> {
        let request = Request::Conflict(ConflictRequest::SettleAll { space, of, keep });
        let Response::Conflict(ConflictResponse::Settled(report)) = self.ask(at, request)? else {
            panic!("another answer");
        };
        Ok(report)
    }

    /// One look of a node at how much waits in a space.
    fn tally(&mut self, at: usize, space: SpaceId) -> ConflictTally {
        let request = Request::Conflict(ConflictRequest::Tally { space });
        let Ok(Response::Conflict(ConflictResponse::Tally(tally))) = self.ask(at, request) else {
            panic!("no tally");
        };
        tally
    }

    fn take_back(&mut self, at: usize, (space, document): Place) -> Result<(), Failure> {
        let read = self.ask(at, Request::ReadDocument { space, document })?;
        let Response::Document(view) = read else { panic!("no document") };
        let change = view.heads[0].clone();
        let request = ConflictRequest::TakeBack { space, document, change };
        self.ask(at, Request::Conflict(request)).map(drop)
    }
}

/// Documents about each of which two people contradict each other in two places.
fn many(count: usize) -> (Company, SpaceId, Vec<Place>) {
    let (mut company, (space, _)) = album();
    let mut places = Vec::new();
    for number in 0..count {
        let name = format!("d{number}");
        company.write(0, space, &name);
        let place = (space, content_document(space, &name));
        let said = ["a", "b"].into_iter().enumerate();
        let said = said.flat_map(|(at, it)| ["n", "m"].map(|key| (at, set(place, key, it))));
        company.at_once(said.collect());
        places.push(place);
    }
    (company, space, places)
}

#[test]
fn all_of_one_side_stays_in_a_document_and_in_a_space() {
    for (keep, expected) in [(KeepAll::Mine, "a"), (KeepAll::Theirs, "b")] {
        let (mut company, space, places) = many(3);
        let of = ConflictsOf::Document(places[0].1);
        let report = company.settle_all(0, (space, of), keep).expect("a writer may");
        let one = SettleReport { settled: 2, is_complete: true, ..SettleReport::default() };
        assert_eq!(report, one);
        assert_eq!(company.page(1, space, ConflictsOf::Document(places[0].1)).items, []);
        let all = company.settle_all(0, (space, ConflictsOf::After(None)), keep);
        let mut settled = all.expect("a writer may");
        while let Some(next) = settled.next {
            let of = ConflictsOf::After(Some(next));
            let more = company.settle_all(0, (space, of), keep).expect("a writer may");
            settled = SettleReport { settled: settled.settled + more.settled, ..more };
        }
        assert_eq!((settled.settled, settled.left), (4, vec![]));
        for at in 0..3 {
            for place in &places {
                let value = company.value(at, *place);
                assert_eq!((&value["n"], &value["m"]), (&json!(expected), &json!(expected)));
                assert_eq!(company.conflicts_of(at, *place), []);
            }
        }
    }
}

#[test]
fn what_is_not_clear_stays_open_and_is_named() {
    let (mut company, space, places) = many(2);
    let agent = company.nodes[2].trust().agent();
    let all = (space, ConflictsOf::After(None));
    let refused = company.settle_all(2, all, KeepAll::Mine).expect_err("a reader may not");
    assert_eq!(refused.kind, FailureKind::NotAllowed);
    let grant = Request::Grant { space, party: Party::Agent(agent), role: Role::Writer };
    company.ask(0, grant).expect("an admin may");
    let of = ConflictsOf::Document(places[0].1);
    for (keep, why) in [(KeepAll::Mine, "no side"), (KeepAll::Theirs, "2 sides")] {
        let report = company.settle_all(2, (space, of), keep).expect("a writer may");
        assert_eq!((report.settled, report.left.len()), (0, 2), "{report:?}");
        assert!(report.left.iter().all(|it| it.why.contains(why)), "{report:?}");
        assert_eq!(report.left[0].document, places[0].1);
    }
    assert_eq!(company.conflicts_of(0, places[0]).len(), 2);
}

#[test]
fn a_document_that_one_removed_is_settled_with_the_others() {
    for (keep, is_there) in [(KeepAll::Mine, false), (KeepAll::Theirs, true)] {
        let (mut company, place) = album();
        let (space, document) = place;
        company.at_once(vec![
            (0, Request::RemoveDocument { space, document }),
            (1, set(place, "title", "Beach")),
        ]);
        let all = (space, ConflictsOf::After(None));
        let report = company.settle_all(0, all, keep).expect("a writer may");
        assert_eq!((report.settled, report.left), (1, vec![]));
        let Ok(Response::Documents(there)) = company.ask(1, Request::Documents { space }) else {
            panic!("no documents");
        };
        assert_eq!(there.iter().any(|it| it.title == "Beach"), is_there, "{keep:?}");
        assert_eq!(company.page(1, space, ConflictsOf::After(None)).items, []);
    }
}

#[test]
fn a_space_is_counted_in_steps_and_then_as_it_changes() {
    let (mut company, space, places) = many(2);
    for count in 0..100 {
        company.write(0, space, &format!("quiet{count}"));
    }
    let mut steps = 1;
    let mut tally = company.tally(0, space);
    while tally.waiting > 0 {
        tally = company.tally(0, space);
        steps += 1;
    }
    // The album, the two and the hundred: 64 at a time.
    assert_eq!(steps, 2);
    let counted = |documents| ConflictTally { conflicts: 2 * documents, documents, waiting: 0 };
    assert_eq!(tally, counted(2));
    let listed = company.page(0, space, ConflictsOf::After(None));
    assert!(listed.items.len() == 2 && listed.next.is_some(), "{listed:?}");
    // What others settle counts as soon as it is here.
    let of = ConflictsOf::Document(places[0].1);
    company.settle_all(1, (space, of), KeepAll::Mine).expect("a writer may");
    assert_eq!(company.tally(0, space), counted(1));
    let one_more = (space, content_document(space, "quiet7"));
    company.at_once(vec![
        (0, set(one_more, "n", "a")),
        (0, set(one_more, "m", "a")),
        (1, set(one_more, "n", "b")),
        (1, set(one_more, "m", "b")),
    ]);
    assert_eq!(company.tally(0, space), counted(2));
    let all = (space, ConflictsOf::After(None));
    let report = company.settle_all(0, all, KeepAll::Theirs).expect("a writer may");
    // Counted, they are settled at once.
    assert_eq!((report.settled, report.next), (4, None), "{report:?}");
    assert_eq!(company.tally(0, space), counted(0));
}

#[test]
fn one_takes_back_what_one_decided_and_nothing_else() {
    let (mut company, place, conflict) = disputed();
    let shown = company.value(0, place);
    let edit = company.take_back(0, place).expect_err("that was no decision");
    assert_eq!(edit.kind, FailureKind::NotFound, "{edit}");
    company.resolve(0, place, conflict, Keep::Side(1)).expect("a writer may");
    assert_ne!(company.value(1, place), shown);
    for (at, kind) in [(1, FailureKind::Invalid), (2, FailureKind::NotAllowed)] {
        let refused = company.take_back(at, place).expect_err("it is not theirs");
        assert_eq!(refused.kind, kind, "{refused}");
    }
    company.take_back(0, place).expect("it is theirs");
    for at in 0..3 {
        assert_eq!(company.value(at, place), shown);
    }
}
