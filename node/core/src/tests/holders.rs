//! Who holds what, as a person is told.

use trust_core::{Layer, Terms};

use super::*;
use crate::request::{CustodyInfo, HolderInfo};

impl Company {
    fn custody(&mut self, at: usize, space: SpaceId) -> CustodyInfo {
        let answer = self.ask(at, Request::Custody { space: Some(space) });
        let Ok(Response::Custody(custody)) = answer else { panic!("no custody: {answer:?}") };
        let [one] = <[CustodyInfo; 1]>::try_from(custody).expect("one space");
        one
    }
}

/// Whose a holder is, whether it is connected and equal, and for how much it signed.
fn held(holder: &HolderInfo) -> (&str, bool, bool, Option<u64>) {
    let signed = holder.signed.map(|signed| signed.entries);
    (&holder.name, holder.is_connected, holder.is_equal, signed)
}

const LATER: Duration = Duration::from_secs(2);

#[test]
fn everybody_who_holds_a_space_is_named_with_what_they_signed_for() {
    let mut company = Company::new(3);
    let space = company.space(0);
    company.write(0, space, "first");
    let alone = company.custody(0, space);
    assert_eq!((alone.entries, alone.only_here, alone.places), (1, 1, 0));
    let shown: Vec<_> = alone.holders.iter().map(held).collect();
    assert_eq!(shown, [("person 0", true, true, Some(1))]);
    assert!(alone.holders[0].is_this);

    for guest in [1, 2] {
        let ticket = company.ticket(0, Some(space));
        company.accept(guest, ticket).expect("joins the space");
        company.say_site(guest, "mill");
    }
    company.wait(LATER);
    let shared = company.custody(0, space);
    assert_eq!((shared.entries, shared.only_here), (1, 0));
    assert_eq!(shared.places, 1, "both lie in the mill");
    assert_eq!(shared.holders.len(), 3);
    for holder in &shared.holders[1..] {
        assert_eq!(held(holder), (holder.name.as_str(), true, true, Some(1)));
        assert_eq!((holder.role, holder.is_keeper), (Role::Writer, false));
        assert_eq!(holder.layer, Some(Layer::Reciprocal));
        assert_eq!(holder.description.site.clone().map(String::from).as_deref(), Some("mill"));
        assert!(holder.last_sync.is_some() && !holder.addresses.is_empty(), "{holder:?}");
    }

    company.write(0, space, "second");
    let behind = company.custody(0, space);
    assert_eq!((behind.entries, behind.only_here, behind.places), (2, 0, 0), "nobody signed yet");
    let signed: Vec<_> = behind.holders.iter().filter_map(|it| it.signed).collect();
    let signed: Vec<u64> = signed.into_iter().map(|it| it.entries).collect();
    assert_eq!(signed, [2, 1, 1]);

    // What those have who were removed is nobody's backup any more.
    company.wait(LATER);
    assert_eq!(company.custody(0, space).only_here, 0);
    for guest in [1, 2] {
        let party = crate::request::Party::Agent(company.nodes[guest].trust().agent());
        company.ask(0, Request::Revoke { space, party }).expect("founded it");
    }
    let alone = company.custody(0, space);
    assert_eq!((alone.only_here, alone.places, alone.holders.len()), (2, 0, 1));
}

#[test]
fn a_keeper_is_named_and_whoever_may_not_hold_it_is_not() {
    let mut company = Company::new(3);
    let diary = company.space(0);
    company.write(0, diary, "first");
    for guest in [1, 2] {
        let ticket = company.ticket(0, None);
        company.accept(guest, ticket).expect("they meet");
    }
    for (one, other) in [(0, 1), (1, 0)] {
        let agent = company.nodes[other].trust().agent();
        let relate = Request::Relate { agent, terms: Terms::of(Layer::Reciprocal), lifetime: None };
        company.ask(one, relate).expect("says so");
    }
    company.wait(LATER);
    for at in [0, 1] {
        let custody = company.custody(at, diary);
        assert_eq!((custody.founder.as_str(), custody.places), ("person 0", 1));
        let mut names: Vec<_> =
            custody.holders.iter().map(|it| (it.name.as_str(), it.is_keeper)).collect();
        names.sort_unstable();
        assert_eq!(names, [("person 0", false), ("person 1", true)]);
        assert!(custody.holders.iter().all(|it| it.signed.is_some()), "{custody:?}");
    }
    let asked = company.ask(2, Request::Custody { space: Some(diary) });
    assert_eq!(asked.expect_err("not theirs").kind, FailureKind::NotFound);
    let Ok(Response::Custody(theirs)) = company.ask(2, Request::Custody { space: None }) else {
        panic!("no answer");
    };
    assert!(theirs.iter().all(|it| it.info.space != diary));
}
