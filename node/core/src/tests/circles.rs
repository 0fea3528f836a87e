use trust_core::{Action, Party, Question};

use super::*;
use crate::request::{CircleInfo, CircleRequest};

impl Company {
    fn circle(&mut self, at: usize, name: &str) -> SpaceId {
        let found = Request::Circle(CircleRequest::Found { name: name.into() });
        let Ok(Response::Space(info)) = self.ask(at, found) else { panic!("does not found") };
        assert!(info.is_circle);
        info.space
    }

    fn circles(&mut self, at: usize) -> Vec<CircleInfo> {
        let Ok(Response::Circles(circles)) = self.ask(at, Request::Circle(CircleRequest::List))
        else {
            panic!("no circles");
        };
        circles
    }

    fn let_in(&mut self, space: SpaceId, party: Party, role: Role) {
        self.ask(0, Request::Grant { space, party, role }).expect("is let in");
    }

    fn person(&self, at: usize) -> Party {
        Party::Agent(self.nodes[at].trust().agent())
    }

    /// Whether the node `at` would send the space to the device of `to`.
    fn would_send(&self, at: usize, space: SpaceId, to: usize) -> bool {
        let question = Question { device: self.devices[to], action: Action::Hold(space) };
        self.nodes[at].trust().decide(question).is_allowed()
    }
}

/// Person 0 is related to all others, who are related to nobody else.
fn star(count: u8) -> Company {
    let mut company = Company::new(count);
    for guest in 1..count {
        let ticket = company.ticket(0, None);
        company.accept(guest.into(), ticket).expect("they relate");
    }
    company
}

#[test]
fn who_joins_or_leaves_a_circle_joins_or_leaves_its_spaces_at_every_node() {
    let mut company = star(4);
    let [family, album] = [company.circle(0, "family"), company.space(0)];
    company.write(0, album, "first");
    let (ben, cem, dia) = (company.person(1), company.person(2), company.person(3));
    company.let_in(album, dia, Role::Writer);
    company.let_in(family, ben, Role::Reader);
    company.let_in(album, Party::Group(family), Role::Reader);
    assert!(company.has(1, album, "first") && !company.has(2, album, "first"));
    // Whoever comes into the circle later comes into its spaces.
    company.let_in(family, cem, Role::Reader);
    assert!(company.has(2, album, "first"));
    for at in 0..4 {
        assert!((0..4).all(|to| company.would_send(at, album, to)), "at {at}");
    }
    company.ask(0, Request::Revoke { space: family, party: ben }).expect("removes");
    company.write(3, album, "second");
    assert!(company.has(2, album, "second") && company.has(0, album, "second"));
    assert!(company.has(1, album, "first"), "what was received stays");
    assert!(!company.has(1, album, "second"));
    for at in [0, 2, 3] {
        assert!(!company.would_send(at, album, 1), "at {at}");
        assert!(company.would_send(at, album, 2), "at {at}");
    }
}

#[test]
fn a_circle_says_who_is_in_it_and_what_it_opens() {
    let mut company = star(3);
    let [family, album] = [company.circle(0, "family"), company.space(0)];
    let ben = company.person(1);
    company.let_in(family, ben, Role::Reader);
    company.let_in(album, Party::Group(family), Role::Reader);
    for at in [0, 1] {
        let [circle] = &company.circles(at)[..] else { panic!("one circle") };
        assert_eq!((circle.info.space, circle.info.name.as_str()), (family, "family"));
        let mut names: Vec<&str> = circle.members.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["person 0", "person 1"]);
        assert_eq!(circle.spaces, [(album, "garden".to_owned(), Role::Reader)]);
    }
    assert_eq!(company.circles(2).len(), 0, "who is not in it is told nothing");
    let writes = Request::Grant { space: album, party: Party::Group(family), role: Role::Writer };
    assert_eq!(company.ask(0, writes).expect_err("reads only").kind, FailureKind::Invalid);
}

#[test]
fn a_circle_is_found_as_one_and_a_space_is_none() {
    let mut company = star(2);
    let garden = company.space(0);
    let circle = company.circle(0, "garden");
    let find = |text: &str| Request::Circle(CircleRequest::Find { text: text.to_owned() });
    for text in ["garden", &circle.to_string(), &circle.to_string()[..12]] {
        let Ok(Response::Space(found)) = company.ask(0, find(text)) else { panic!("{text}") };
        assert_eq!(found.space, circle);
    }
    let none = company.ask(0, find(&garden.to_string())).expect_err("it is a space");
    assert_eq!(none.kind, FailureKind::NotFound);
    // By its name a space goes before a circle.
    let Ok(Response::Space(found)) = company.ask(0, Request::FindSpace { text: "garden".into() })
    else {
        panic!("no space");
    };
    assert_eq!((found.space, found.is_circle), (garden, false));
    for name in ["", "  ", "garden", &"x".repeat(257)] {
        let found = Request::Circle(CircleRequest::Found { name: name.to_owned() });
        let refused = company.ask(0, found).expect_err("no name for another one");
        assert_eq!(refused.kind, FailureKind::Invalid, "{name:?}");
    }
}
