mod keep;

use node_model::BlobId;

use super::*;
use crate::request::{DescriptionChange, DocumentView, Durability};

impl Company {
    /// Three that share a space of the first one, with one document.
    pub(super) fn of_three() -> (Self, SpaceId) {
        let mut company = Self::new(3);
        let space = company.space(0);
        company.write(0, space, "first");
        for guest in [1, 2] {
            let ticket = company.ticket(0, Some(space));
            company.accept(guest, ticket).expect("joins the space");
        }
        (company, space)
    }

    /// Lets time pass, and timers fire.
    pub(super) fn wait(&mut self, time: Duration) {
        self.wall += u64::try_from(time.as_millis()).expect("short");
        for at in 0..self.nodes.len() {
            self.inbox.push_back((at, Input::Timeout));
        }
        self.run();
    }

    pub(super) fn say_site(&mut self, at: usize, site: &str) {
        let change = DescriptionChange { class: None, site: Some(site.to_owned()), region: None };
        let device = self.devices[at];
        self.ask(at, Request::DescribeDevice { device, change }).expect("it is theirs");
    }

    fn durability(&mut self, at: usize, space: SpaceId, name: &str) -> Durability {
        let document = content_document(space, name);
        let read = self.ask(at, Request::ReadDocument { space, document });
        let Ok(Response::Document(DocumentView { durability: Some(found), .. })) = read else {
            panic!("no document: {read:?}");
        };
        found
    }

    fn safe_entries(&mut self, at: usize, space: SpaceId) -> (u64, u64) {
        let Ok(Response::Status(status)) = self.ask(at, Request::Status) else {
            panic!("no status");
        };
        let space = status.spaces.iter().find(|it| it.info.space == space).expect("is here");
        (space.safe_entries, space.entries)
    }
}

const LATER: Duration = Duration::from_secs(2);

#[test]
fn a_write_is_safe_once_two_places_signed_that_they_hold_it() {
    let mut company = Company::new(3);
    let space = company.space(0);
    company.write(0, space, "first");
    assert_eq!(company.durability(0, space, "first"), Durability::Local);

    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "first"), Durability::Local, "one is not enough");

    let ticket = company.ticket(0, Some(space));
    company.accept(2, ticket).expect("joins the space");
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "first"), Durability::Safe);
    let (safe, all) = company.safe_entries(0, space);
    assert_eq!(safe, all);

    company.write(0, space, "second");
    assert_eq!(company.durability(0, space, "second"), Durability::Local, "nobody signed yet");
    assert_eq!(company.durability(0, space, "first"), Durability::Safe);
    assert_eq!(company.safe_entries(0, space), (all, all + 1));
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "second"), Durability::Safe);
}

#[test]
fn what_refers_to_a_file_is_safe_once_two_places_have_the_file() {
    let (mut company, space) = Company::of_three();
    let blob = BlobId([7; 32]);
    let film = note(space, "film", json!({"blob": blob.to_string()}));
    company.inbox.push_back((0, Input::BlobsHeld(vec![(blob, 1)])));
    company.ask(0, film).expect("writes");
    company.write(0, space, "letter");
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "letter"), Durability::Safe);
    assert_eq!(company.durability(0, space, "film"), Durability::Local, "nobody has the file");
    let (safe, all) = company.safe_entries(0, space);
    assert_eq!((safe, all), (0, 3));

    for (guest, expected) in [(1, Durability::Local), (2, Durability::Safe)] {
        company.inbox.push_back((guest, Input::BlobsHeld(vec![(blob, 1)])));
        company.wait(LATER);
        company.wait(LATER);
        assert_eq!(company.durability(0, space, "film"), expected);
    }
    assert_eq!(company.safe_entries(0, space), (all, all));

    // What needs another file waits for that, and nothing else does.
    let other = json!({"blob": BlobId([8; 32]).to_string()});
    company.ask(0, note(space, "another", other)).expect("writes");
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "another"), Durability::Local);
    assert_eq!(company.durability(0, space, "film"), Durability::Safe);
    assert_eq!(company.safe_entries(0, space), (all, all + 1));
}

#[test]
fn copies_in_one_house_are_one_place() {
    let (mut company, space) = Company::of_three();
    for guest in [1, 2] {
        company.say_site(guest, "house");
    }
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "first"), Durability::Local);
    company.say_site(2, "mill");
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "first"), Durability::Safe);
}

#[test]
fn who_is_removed_keeps_nothing_safe() {
    let (mut company, space) = Company::of_three();
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "first"), Durability::Safe);
    let agent = company.nodes[2].trust().agent();
    let party = crate::request::Party::Agent(agent);
    company.ask(0, Request::Revoke { space, party }).expect("founded it");
    assert_eq!(company.durability(0, space, "first"), Durability::Local);
}
