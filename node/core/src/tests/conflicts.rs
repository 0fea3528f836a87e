//! What people say at the same time, and what they decide about it.

mod all;
mod leaving;
mod past;

use node_model::DocumentId;
use serde_json::Value;

use super::*;
use crate::request::{
    ConflictId, ConflictInfo, ConflictKind, ConflictPage, ConflictRequest, ConflictResponse,
    ConflictTally, ConflictsOf, Keep, KeepAll, Party, SettleReport,
};

impl Company {
    /// Nodes do something before they hear of each other.
    fn at_once(&mut self, requests: Vec<(usize, Request)>) {
        for (at, request) in requests {
            let id = RequestId(self.next_request);
            self.next_request += 1;
            self.inbox.push_back((at, Input::Request(id, request)));
        }
        self.run();
        for (at, _, answer) in std::mem::take(&mut self.answers) {
            answer.unwrap_or_else(|failure| panic!("node {at}: {failure}"));
        }
    }

    fn page(&mut self, at: usize, space: SpaceId, of: ConflictsOf) -> ConflictPage {
        let list = Request::Conflict(ConflictRequest::List { space, of });
        let Ok(Response::Conflict(ConflictResponse::Page(page))) = self.ask(at, list) else {
            panic!("no conflicts");
        };
        page
    }

    fn conflicts_of(&mut self, at: usize, (space, document): Place) -> Vec<ConflictInfo> {
        let page = self.page(at, space, ConflictsOf::Document(document));
        assert!(page.is_complete && page.next.is_none());
        page.items
    }

    fn resolve(
        &mut self,
        at: usize,
        (space, document): Place,
        conflict: ConflictId,
        keep: Keep,
    ) -> Result<DocumentId, Failure> {
        let settle = ConflictRequest::Settle { space, document, conflict, keep };
        let request = Request::Conflict(settle);
        let Response::Written(written) = self.ask(at, request)? else { panic!("another answer") };
        Ok(written[0].0)
    }

    fn value(&mut self, at: usize, (space, document): Place) -> Value {
        let Ok(Response::Document(view)) = self.ask(at, Request::ReadDocument { space, document })
        else {
            panic!("no document");
        };
        view.value
    }
}

type Place = (SpaceId, DocumentId);

fn set((space, document): Place, path: &str, value: &str) -> Request {
    Request::SetValue { space, document, path: path.into(), value: json!(value) }
}

/// Two writers and a reader of one document.
fn album() -> (Company, Place) {
    let mut company = Company::new(3);
    let space = company.space(0);
    company.write(0, space, "album");
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("pairs");
    let issue = Request::IssueTicket {
        grant: Some((space, Role::Reader)),
        is_for_own_device: false,
        lifetime: Duration::from_secs(60),
    };
    let Ok(Response::Ticket(ticket)) = company.ask(0, issue) else { panic!("no ticket") };
    company.accept(2, ticket).expect("pairs");
    (company, (space, content_document(space, "album")))
}

fn disputed() -> (Company, Place, ConflictId) {
    let (mut company, place) = album();
    company.at_once(vec![(0, set(place, "title", "Lake")), (1, set(place, "title", "Beach"))]);
    let conflict = company.conflicts_of(0, place)[0].conflict;
    (company, place, conflict)
}

#[test]
fn all_see_one_conflict_each_from_their_side_and_one_settles_it() {
    let (mut company, place, conflict) = disputed();
    let mut told = Vec::new();
    for at in 0..3 {
        let mut found = company.conflicts_of(at, place);
        assert_eq!(found.len(), 1);
        for side in &mut found[0].sides {
            let value = side.value.clone().expect("a value");
            let writer = usize::from(value == "Beach");
            assert_eq!(side.is_mine, at == writer, "{value} at {at}");
            assert_eq!(side.by.len(), 1);
            assert_eq!(side.by[0].name, format!("person {writer}"));
            assert!(side.at.is_some());
            side.is_mine = false;
        }
        assert_eq!((found[0].place.as_str(), found[0].kind), ("/title", ConflictKind::Overwritten));
        told.push(found);
    }
    assert!(told[0] == told[1] && told[1] == told[2]);
    // Nothing else waits for it.
    company.write(1, place.0, "another");
    assert!(company.has(0, place.0, "another"));

    company.resolve(0, place, conflict, Keep::Theirs).expect("a writer may");
    for at in 0..3 {
        assert_eq!(company.conflicts_of(at, place), []);
        assert_eq!(company.value(at, place)["title"], "Beach");
    }
    let again = company.resolve(1, place, conflict, Keep::Shown).expect_err("is settled");
    assert_eq!(again.kind, FailureKind::NotFound);
}

#[test]
fn each_way_to_settle_a_conflict_gives_what_it_says() {
    for (keep, title, beside) in
        [(Keep::Mine, json!("Lake"), Value::Null), (Keep::Undo, Value::Null, Value::Null)]
    {
        let (mut company, place, conflict) = disputed();
        company.resolve(0, place, conflict, keep).expect("a writer may");
        let value = company.value(1, place);
        assert_eq!((&value["title"], &value["title (2)"]), (&title, &beside), "{keep:?}");
    }
    for keep in [Keep::Shown, Keep::Side(0), Keep::Side(1), Keep::Both] {
        let (mut company, place, conflict) = disputed();
        let sides = company.conflicts_of(0, place).remove(0).sides;
        let [shown, lost] = [0, 1].map(|at| sides[at].value.clone().expect("a value"));
        company.resolve(0, place, conflict, keep).expect("a writer may");
        let (title, beside) = match keep {
            Keep::Both => (shown, lost),
            Keep::Side(1) => (lost, Value::Null),
            Keep::Shown | Keep::Mine | Keep::Theirs | Keep::Undo | Keep::Side(_) => {
                (shown, Value::Null)
            }
        };
        let value = company.value(1, place);
        assert_eq!((&value["title"], &value["title (2)"]), (&title, &beside), "{keep:?}");
        assert_eq!(company.conflicts_of(1, place), []);
    }
}

#[test]
fn what_cannot_be_decided_is_refused_and_changes_nothing() {
    let (mut company, place, conflict) = disputed();
    let before = company.value(0, place);
    let unknown = "00".repeat(10).parse().expect("an id");
    for (at, conflict, keep, kind) in [
        (0, conflict, Keep::Side(2), FailureKind::Invalid),
        (0, unknown, Keep::Shown, FailureKind::NotFound),
        (0, unknown, Keep::Mine, FailureKind::NotFound),
        (2, conflict, Keep::Shown, FailureKind::NotAllowed),
        (2, conflict, Keep::Mine, FailureKind::NotAllowed),
    ] {
        let failure = company.resolve(at, place, conflict, keep).expect_err("is refused");
        assert_eq!(failure.kind, kind, "{at} {keep:?}: {failure}");
    }
    // Both sides are somebody else's once the reader may write.
    let agent = company.nodes[2].trust().agent();
    let grant = Request::Grant { space: place.0, party: Party::Agent(agent), role: Role::Writer };
    company.ask(0, grant).expect("an admin may");
    for keep in [Keep::Mine, Keep::Theirs] {
        let failure = company.resolve(2, place, conflict, keep).expect_err("is not clear");
        assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
        assert!(failure.message.contains("by its number"), "{failure}");
    }
    assert_eq!(company.value(1, place), before);
    assert_eq!(company.conflicts_of(1, place).len(), 1);
    let stranger = SpaceId([9; 32]);
    let of = ConflictsOf::After(None);
    let failure = company.ask(0, Request::Conflict(ConflictRequest::List { space: stranger, of }));
    assert_eq!(failure.expect_err("is not there").kind, FailureKind::NotFound);
}

#[test]
fn a_removed_document_that_somebody_changed_is_found_and_restored() {
    let (mut company, place) = album();
    let (space, document) = place;
    company.at_once(vec![
        (0, Request::RemoveDocument { space, document }),
        (1, set(place, "title", "Beach")),
    ]);
    let text = document.to_string()[..8].to_owned();
    for (includes_removed, is_found) in [(false, false), (true, true)] {
        let find = Request::FindDocument { space, text: text.clone(), includes_removed };
        assert_eq!(company.ask(1, find).is_ok(), is_found);
    }
    let found = company.page(1, space, ConflictsOf::After(None)).items;
    assert_eq!(found, company.conflicts_of(1, place));
    let [shown, other] = &found[0].sides[..] else { panic!("{found:?}") };
    assert_eq!(found[0].kind, ConflictKind::RemovedDocument);
    assert_eq!((&shown.value, shown.is_mine, other.is_mine), (&None, false, true));
    let restored = company.resolve(1, place, found[0].conflict, Keep::Mine).expect("restores");
    assert_ne!(restored, document);
    for at in 0..3 {
        assert_eq!(company.value(at, (space, restored))["title"], "Beach");
        assert_eq!(company.page(at, space, ConflictsOf::After(None)).items, []);
    }
}

#[test]
fn a_space_is_looked_through_in_steps() {
    let (mut company, (space, _)) = album();
    let mut expected = Vec::new();
    for count in 0..150 {
        company.write(0, space, &format!("d{count}"));
    }
    for count in [3, 80, 81, 149] {
        let place = (space, content_document(space, &format!("d{count}")));
        company.at_once(vec![(0, set(place, "n", "a")), (1, set(place, "n", "b"))]);
        expected.push(place.1);
    }
    expected.sort();
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = company.page(2, space, ConflictsOf::After(after));
        assert!(page.items.len() <= 1 && page.is_complete);
        found.extend(page.items.iter().map(|it| it.document));
        pages += 1;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, expected);
    assert!((4..=8).contains(&pages), "{pages}");
}
