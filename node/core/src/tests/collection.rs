use super::*;
use crate::request::Party;

impl Company {
    /// Takes one out of hearing of all others, or brings it back.
    pub(super) fn set_apart(&mut self, one: usize, is_apart: bool) {
        self.apart = is_apart.then_some(one);
        for other in (0..self.nodes.len()).filter(|other| *other != one) {
            if is_apart {
                for (at, device) in [(one, self.devices[other]), (other, self.devices[one])] {
                    self.inbox.push_back((at, Input::Net(NetEvent::Disconnected { device })));
                }
            } else {
                self.connect(one, other, true);
                self.connect(other, one, false);
            }
        }
        self.run();
    }

    /// Time for a bundle, for receipts, and for what comes of them.
    fn wait_for_calm(&mut self) {
        for seconds in [4, 2, 11, 1, 1, 1] {
            self.wait(Duration::from_secs(seconds));
        }
    }

    fn collected(&mut self, at: usize) -> u64 {
        let Ok(Response::Status(status)) = self.ask(at, Request::Status) else {
            panic!("no status");
        };
        status.collection.entries
    }

    fn grow(&mut self, at: usize, space: SpaceId) {
        for number in 0..20 {
            let value = json!({"id": "first", "number": number});
            self.ask(at, note(space, "first", value)).expect("writes");
        }
    }
}

#[test]
fn what_bundles_stand_for_goes_once_every_admin_has_them() {
    let (mut company, space) = Company::of_three();
    let party = Party::Agent(company.nodes[1].trust().agent());
    company.ask(0, Request::Grant { space, party, role: Role::Admin }).expect("founded it");

    company.set_apart(1, true);
    company.grow(0, space);
    company.wait_for_calm();
    assert_eq!(company.collected(0), 0, "an admin may still name a place before the bundle");
    assert_eq!(company.collected(2), 0);

    company.set_apart(1, false);
    company.wait_for_calm();
    let collected = [0, 1, 2].map(|at| company.collected(at));
    assert_eq!(collected, [21, 1, 21], "who was away never had the others");
    company.grow(0, space);
    company.wait_for_calm();
    assert!(company.collected(1) >= 20, "it has what it needs, and heard it of the other admin");

    // A device that is not theirs any more is not waited for.
    company.set_apart(1, true);
    company.ask(0, Request::Revoke { space, party }).expect("is the senior one");
    company.grow(0, space);
    company.wait_for_calm();
    assert!(company.collected(0) >= 21 + 20 + 20);
}
