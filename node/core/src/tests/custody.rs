//! What people who are related keep for each other, sealed, without being let in.

use node_model::sign::Signer;
use trust_core::{
    Layer, Terms,
    keyring::{DeviceKeys, Standing},
};

use super::*;
use crate::doctor::{Cause, DoctorOf};

impl Company {
    fn says_of(&mut self, at: usize, with: usize, terms: Terms) {
        let agent = self.nodes[with].trust().agent();
        self.ask(at, Request::Relate { agent, terms, lifetime: None }).expect("says so");
    }

    /// Both say that they keep copies for each other.
    fn keep_for_each_other(&mut self, one: usize, other: usize) {
        self.says_of(one, other, Terms::of(Layer::Reciprocal));
        self.says_of(other, one, Terms::of(Layer::Reciprocal));
    }

    fn entries(&mut self, at: usize, space: SpaceId) -> Option<u64> {
        self.nodes[at].sync_engine().head(space).map(|head| head.entries)
    }

    fn standing(&mut self, at: usize, space: SpaceId) -> Option<Role> {
        let Ok(Response::Spaces(spaces)) = self.ask(at, Request::Spaces) else {
            panic!("not the answer");
        };
        spaces.into_iter().find(|info| info.space == space)?.role
    }

    /// A new device of the agent of a node, who has nothing but the recovery phrase.
    fn come_back(&mut self, as_node: usize) -> usize {
        let index = as_node as u8;
        let old = DeviceKeys::random(&mut ChaCha8Rng::seed_from_u64(u64::from(index)));
        let secret = old.root().expect("it began there").secret();
        let standing = Standing::Root { root: Signer::from_secret(secret), is_restored: true };
        let new = DeviceKeys::new(&[100 + index; 32], &[200 + index; 32], standing);
        let entropy = ChaCha8Rng::seed_from_u64(u64::from(index) + 1_000);
        self.nodes.push(node_with(index, new, Box::new(InMemory), entropy));
        self.devices.push(self.nodes[self.nodes.len() - 1].trust().device());
        self.nodes.len() - 1
    }
}

/// Ada (0) and her sister (1) have met. Ada has a diary.
fn sisters() -> (Company, SpaceId) {
    let mut company = Company::new(2);
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("they meet");
    let diary = company.space(0);
    company.write(0, diary, "first");
    (company, diary)
}

#[test]
fn who_has_only_met_keeps_nothing_until_both_say_so() {
    let (mut company, diary) = sisters();
    assert_eq!(company.standing(1, diary), None);
    company.says_of(0, 1, Terms::of(Layer::Reciprocal));
    assert_eq!(company.standing(1, diary), None, "one side is not enough");
    company.says_of(1, 0, Terms { keeps_for_them: false, ..Terms::of(Layer::Reciprocal) });
    assert_eq!(company.standing(1, diary), None, "she does not want to");
    assert_eq!(company.entries(1, diary), None);
    company.says_of(1, 0, Terms::of(Layer::Reciprocal));
    assert_eq!(company.standing(1, diary), Some(Role::Custodian));
    assert_eq!(company.entries(1, diary), company.entries(0, diary));
}

#[test]
fn a_keeper_has_what_was_and_comes_and_can_read_none_of_it() {
    let (mut company, diary) = sisters();
    company.keep_for_each_other(0, 1);
    company.write(0, diary, "second");
    assert_eq!(company.entries(1, diary), Some(2));
    let read = Request::ReadDocument { space: diary, document: content_document(diary, "first") };
    assert_eq!(company.ask(1, read).expect_err("sealed").kind, FailureKind::NotAllowed);
    let Ok(Response::Members(members)) = company.ask(0, Request::Members { space: diary }) else {
        panic!("not the answer");
    };
    let keepers: Vec<bool> = members.iter().map(|member| member.is_keeper).collect();
    assert_eq!(keepers, [false, true], "it is shown");
    // Her own space is kept by Ada, too, and what either founds from now on.
    let Ok(Response::Spaces(spaces)) = company.ask(0, Request::Spaces) else {
        panic!("not the answer");
    };
    assert!(spaces.iter().any(|info| info.name == "(sealed, of person 1)"), "{spaces:?}");
    let album = company.space(1);
    company.write(1, album, "picture");
    assert_eq!(company.entries(0, album), Some(1));
}

/// There is nothing to remove them from, and it is said what ends it.
#[test]
fn who_keeps_is_no_member_to_be_removed() {
    let (mut company, diary) = sisters();
    company.keep_for_each_other(0, 1);
    let party = trust_core::Party::Agent(company.nodes[1].trust().agent());
    let at_founder = company.ask(0, Request::Revoke { space: diary, party }).expect_err("no");
    assert_eq!(at_founder.fix, "kith relation add 'person 1' --let-keep false");
    let at_keeper = company.ask(1, Request::Revoke { space: diary, party }).expect_err("no");
    assert_eq!(at_keeper.fix, "kith relation add 'person 0' --keep false");
    assert_eq!(company.standing(1, diary), Some(Role::Custodian));
}

#[test]
fn it_ends_with_either_side_and_not_for_what_one_is_in() {
    let (mut company, diary) = sisters();
    company.keep_for_each_other(0, 1);
    let album = company.space(0);
    let ticket = company.ticket(0, Some(album));
    company.accept(1, ticket).expect("joins");
    assert_eq!(company.standing(1, album), Some(Role::Writer), "a member is a member");
    company.write(1, album, "by her");
    let theirs = company.nodes[0].trust().agent();
    company.says_of(1, 0, Terms { keeps_for_them: false, ..Terms::of(Layer::Reciprocal) });
    company.write(0, diary, "second");
    company.write(0, album, "by Ada");
    assert_eq!(company.standing(1, diary), None);
    assert_eq!(company.entries(1, diary), Some(1), "what she had before");
    assert!(company.has(1, album, "by Ada"));

    company.keep_for_each_other(0, 1);
    assert_eq!(company.entries(1, diary), Some(2), "she keeps it again");
    company.ask(1, Request::Part { agent: theirs }).expect("parts");
    company.write(0, diary, "third");
    assert_eq!(company.standing(1, diary), None);
    assert_eq!(company.entries(1, diary), Some(2));
}

#[test]
fn who_was_removed_from_a_space_does_not_keep_it_either() {
    let (mut company, _) = sisters();
    let album = company.space(0);
    let ticket = company.ticket(0, Some(album));
    company.accept(1, ticket).expect("joins");
    company.keep_for_each_other(0, 1);
    let party = trust_core::Party::Agent(company.nodes[1].trust().agent());
    company.ask(0, Request::Revoke { space: album, party }).expect("may");
    company.write(0, album, "without her");
    assert_eq!((company.standing(1, album), company.entries(1, album)), (None, Some(0)));
}

#[test]
fn whoever_lost_everything_but_the_phrase_gets_it_all_back_from_a_keeper() {
    let (mut company, diary) = sisters();
    company.keep_for_each_other(0, 1);
    company.write(0, diary, "second");
    let home = company.nodes[0].trust().home_space();
    // The laptop is stolen: nobody hears of it again.
    company.apart = Some(0);
    company.lose(0);
    let new = company.come_back(0);
    assert_eq!(company.nodes[new].trust().home_space(), None, "hers is somewhere");
    let ticket = company.ticket(1, None);
    company.accept(new, ticket).expect("her sister knows her");
    assert!(company.has(new, diary, "first") && company.has(new, diary, "second"));
    assert_eq!(company.standing(new, diary), Some(Role::Admin));
    assert_eq!(company.nodes[new].trust().home_space(), home);
    // She goes on, and takes the thief's keys out of what follows.
    company.write(new, diary, "third");
    assert_eq!(company.entries(1, diary), Some(3));
    let stolen = company.devices[0];
    company.ask(new, Request::RevokeDevice { device: stolen }).expect("may");
    company.write(new, diary, "fourth");
    assert_eq!(company.entries(1, diary), Some(4));
    let epochs = company.nodes[new].trust().keyring().epochs(diary).count();
    assert_eq!(epochs, 2, "new keys since");
}

#[test]
fn a_keeper_takes_no_more_than_was_agreed() {
    let (mut company, diary) = sisters();
    let little = Terms { quota_bytes: 2_000, ..Terms::of(Layer::Reciprocal) };
    company.keep_for_each_other(0, 1);
    company.says_of(1, 0, little);
    for number in 0..20 {
        company.write(0, diary, &format!("day {number}"));
    }
    let kept = company.nodes[1].sync_engine().stored_bytes(diary);
    assert!((1_000..=2_000).contains(&kept), "{kept} bytes");
    assert!(company.entries(1, diary) < company.entries(0, diary));
    let found = company.doctor(1, DoctorOf::Everything);
    let causes: Vec<&Cause> = found.iter().map(|it| &it.cause).collect();
    assert_eq!(causes, [&Cause::Quota]);
    assert_eq!(found[0].next, "keep more for them: kith relation add 'person 0' --quota-gb 1");
    let Ok(Response::Relations(relations)) = company.ask(1, Request::Relations) else {
        panic!("not the answer");
    };
    assert_eq!(relations[0].kept_bytes, kept);
    // What she is in has nothing to do with it.
    let album = company.space(0);
    let ticket = company.ticket(0, Some(album));
    company.accept(1, ticket).expect("joins");
    company.write(0, album, "picture");
    assert!(company.has(1, album, "picture"));

    company.says_of(1, 0, Terms::of(Layer::Reciprocal));
    assert_eq!(company.entries(1, diary), company.entries(0, diary));
    assert_eq!(company.doctor(1, DoctorOf::Everything), []);
}
