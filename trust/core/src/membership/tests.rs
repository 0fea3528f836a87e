use node_model::SpaceId;

use super::*;
use crate::{
    attestation::Prefix,
    graph::{Graph, WriteLimit},
    tests_people::Person,
    words::Reach,
};

/// Ada founded; Bo and Cy are admins by her, Di is a writer by Bo.
struct Village {
    ada: Person,
    bo: Person,
    cy: Person,
    di: Person,
    space: SpaceId,
    founding: Attestation,
    to_bo: Attestation,
    to_cy: Attestation,
    to_di: Attestation,
}

fn village() -> Village {
    let [mut ada, mut bo, cy, di] = [1, 2, 3, 4].map(Person::new);
    let (space, founding) = ada.found(Reach::Private);
    let to_bo = ada.grant(space, bo.agent(), Role::Admin, &[]);
    let to_cy = ada.grant(space, cy.agent(), Role::Admin, &[&to_bo]);
    let to_di = bo.grant(space, di.agent(), Role::Writer, &[&to_cy]);
    Village { ada, bo, cy, di, space, founding, to_bo, to_cy, to_di }
}

fn resolve(founding: &Attestation, statements: &[&Attestation]) -> Membership {
    let said: Vec<_> =
        statements.iter().map(|statement| Said { statement, is_void: false }).collect();
    Membership::resolve(founding, &said)
}

impl Village {
    fn with(&self, more: &[&Attestation]) -> Membership {
        let mut all = vec![&self.to_bo, &self.to_cy, &self.to_di];
        all.extend(more);
        resolve(&self.founding, &all)
    }
}

fn roles(membership: &Membership) -> BTreeMap<AgentId, Role> {
    let roles = membership.members.iter().filter_map(|(party, standing)| match party {
        Party::Agent(agent) => Some((*agent, standing.role)),
        Party::Group(_) => None,
    });
    roles.collect()
}

#[test]
fn admins_admit_admins_and_a_grant_by_anybody_else_counts_nothing() {
    let mut v = village();
    let eve = Person::new(9).agent();
    let by_writer = v.di.grant(v.space, eve, Role::Admin, &[&v.to_di]);
    let unknowing = v.bo.grant(v.space, eve, Role::Reader, &[]);
    let members = roles(&v.with(&[&by_writer, &unknowing]));
    assert_eq!(members[&v.ada.agent()], Role::Admin);
    assert_eq!(members[&v.cy.agent()], Role::Admin);
    assert_eq!(members[&v.di.agent()], Role::Writer);
    // Bo's grant does not know that Bo is an admin.
    assert!(!members.contains_key(&eve));
}

#[test]
fn a_statement_waits_for_what_its_issuer_knew() {
    let mut v = village();
    let eve = Person::new(9).agent();
    let late = v.bo.grant(v.space, eve, Role::Reader, &[&v.to_di]);
    let later = v.cy.grant(v.space, eve, Role::Writer, &[&late]);
    let without = resolve(&v.founding, &[&v.to_bo, &v.to_cy, &v.to_di, &later]);
    assert!(!roles(&without).contains_key(&eve));
    assert_eq!(roles(&v.with(&[&later, &late]))[&eve], Role::Writer);
}

#[test]
fn a_removal_beats_a_concurrent_grant_and_a_later_grant_admits_again() {
    let mut v = village();
    let di = v.di.agent();
    let removal = v.ada.revoke(v.space, di, vec![], &[&v.to_di]);
    let concurrent = v.cy.grant(v.space, di, Role::Reader, &[&v.to_di]);
    assert!(!roles(&v.with(&[&removal, &concurrent])).contains_key(&di));
    let later = v.cy.grant(v.space, di, Role::Reader, &[&removal, &concurrent]);
    assert_eq!(roles(&v.with(&[&removal, &concurrent, &later]))[&di], Role::Reader);
}

#[test]
fn two_admins_who_remove_each_other_leave_the_senior() {
    let mut v = village();
    let (bo, cy) = (v.bo.agent(), v.cy.agent());
    let (senior, junior) = if v.to_bo.id < v.to_cy.id { (bo, cy) } else { (cy, bo) };
    let by_bo = v.bo.revoke(v.space, cy, vec![], &[&v.to_di]);
    let by_cy = v.cy.revoke(v.space, bo, vec![], &[&v.to_di]);
    for order in [[&by_bo, &by_cy], [&by_cy, &by_bo]] {
        let members = roles(&v.with(&order));
        assert!(members.contains_key(&senior) && !members.contains_key(&junior));
    }
    // Nor can the founder be removed, or a removed admin undo it with old hands.
    let of_ada = v.bo.revoke(v.space, v.ada.agent(), vec![], &[&v.to_di]);
    assert!(roles(&v.with(&[&of_ada])).contains_key(&v.ada.agent()));
    let of_bo = v.ada.revoke(v.space, bo, vec![], &[&v.to_di]);
    let revenge = v.bo.revoke(v.space, v.di.agent(), vec![], &[&v.to_di]);
    let friend = v.bo.grant(v.space, Person::new(9).agent(), Role::Admin, &[&v.to_di]);
    let members = roles(&v.with(&[&of_bo, &revenge, &friend]));
    assert_eq!(members.keys().copied().collect::<BTreeSet<_>>(), {
        BTreeSet::from([v.ada.agent(), cy, v.di.agent()])
    });
}

#[test]
fn what_a_removed_admin_did_before_stays() {
    let mut v = village();
    let removal = v.ada.revoke(v.space, v.bo.agent(), vec![], &[&v.to_di]);
    assert_eq!(roles(&v.with(&[&removal]))[&v.di.agent()], Role::Writer);
    let unknowing = v.ada.revoke(v.space, v.bo.agent(), vec![], &[&v.to_cy]);
    let members = roles(&v.with(&[&unknowing]));
    assert!(!members.contains_key(&v.di.agent()), "the removal does not know of Bo's grant");
}

#[test]
fn everybody_may_leave() {
    let mut v = village();
    for person in [v.di.agent(), v.ada.agent()] {
        let mut who = [&mut v.ada, &mut v.bo, &mut v.cy, &mut v.di];
        let who = who.iter_mut().find(|it| it.agent() == person).expect("one of them");
        let leaving = who.revoke(v.space, person, vec![], &[&v.to_di]);
        assert!(!roles(&v.with(&[&leaving])).contains_key(&person));
    }
}

#[test]
fn of_two_removals_the_smaller_pin_holds() {
    let mut v = village();
    let (di, device) = (v.di.agent(), v.di.id());
    let pin = |sequence| EntryPin { device, sequence, entry: Prefix([1; 16]) };
    let by_bo = v.bo.revoke(v.space, di, vec![pin(9)], &[&v.to_di]);
    let by_cy = v.cy.revoke(v.space, di, vec![pin(4)], &[&v.to_di]);
    let membership = v.with(&[&by_bo, &by_cy]);
    assert_eq!(membership.former[&Party::Agent(di)].pins[&device].sequence, 4);
    let nothing = v.ada.revoke(v.space, di, vec![], &[&v.to_di]);
    let membership = v.with(&[&by_bo, &by_cy, &nothing]);
    assert!(membership.former[&Party::Agent(di)].pins.is_empty());
}

#[test]
fn a_limit_includes_what_the_removal_names() {
    let limit = WriteLimit::UpTo(4, Prefix([1; 16]));
    assert!(limit.includes(3, Prefix([7; 16])) && limit.includes(4, Prefix([1; 16])));
    assert!(!limit.includes(4, Prefix([7; 16])) && !limit.includes(5, Prefix([1; 16])));
}

/// All sets of up to five statements out of a pool of conflicting ones, in every
/// order of arrival, at a node that derives after each arrival: always one state,
/// and never a member whom a senior removed.
#[test]
fn every_order_of_five_statements_gives_one_state() {
    let mut v = village();
    let (bo, cy, di) = (v.bo.agent(), v.cy.agent(), v.di.agent());
    let known = [&v.to_di];
    let pool = [
        v.bo.revoke(v.space, cy, vec![], &known),
        v.cy.revoke(v.space, bo, vec![], &known),
        v.ada.revoke(v.space, di, vec![], &known),
        v.bo.grant(v.space, di, Role::Admin, &known),
        v.cy.grant(v.space, di, Role::Reader, &known),
        v.ada.revoke(v.space, bo, vec![], &known),
        v.di.revoke(v.space, di, vec![], &known),
        v.cy.revoke(v.space, di, vec![], &known),
    ];
    let mut sets = 0;
    let mut orders_seen = 0;
    for mask in 0u32..1 << pool.len() {
        if mask.count_ones() > 5 {
            continue;
        }
        let chosen: Vec<&Attestation> =
            (0..pool.len()).filter(|i| mask >> i & 1 == 1).map(|i| &pool[i]).collect();
        let expected = v.with(&chosen);
        sets += 1;
        for_each_order(&mut chosen.clone(), 0, &mut |order| {
            orders_seen += 1;
            assert_eq!(v.with(order), expected);
        });
        if mask >> 5 & 1 == 1 {
            assert!(!roles(&expected).contains_key(&bo), "Ada removed Bo");
        }
        if mask >> 2 & 1 == 1 {
            assert!(!roles(&expected).contains_key(&di), "Ada removed Di");
        }
        assert!(roles(&expected).contains_key(&v.ada.agent()));
    }
    assert_eq!((sets, orders_seen), (219, 8_801));
}

fn for_each_order<'a>(
    list: &mut Vec<&'a Attestation>,
    at: usize,
    visit: &mut dyn FnMut(&[&'a Attestation]),
) {
    if at == list.len() {
        return visit(list);
    }
    for other in at..list.len() {
        list.swap(at, other);
        for_each_order(list, at + 1, visit);
        list.swap(at, other);
    }
}

#[test]
fn a_group_brings_its_readers_and_cycles_bring_nobody() {
    let mut v = village();
    let (family, family_founding) = v.bo.found(Reach::Private);
    let eve = Person::new(9).agent();
    let to_eve = v.bo.grant(family, eve, Role::Reader, &[]);
    let grant = |space, group, role, after: &[&Attestation]| Claim::SpaceGrant {
        space,
        party: Party::Group(group),
        role,
        after: after.iter().map(|known| known.id).collect(),
    };
    let in_space = v.ada.say(grant(v.space, family, Role::Reader, &[&v.to_di]));
    let cycle = v.bo.say(grant(family, v.space, Role::Reader, &[&to_eve]));
    let too_much = v.ada.say(grant(v.space, family, Role::Writer, &[&in_space]));
    let links = [v.ada.link(), v.bo.link(), v.cy.link(), v.di.link()];
    let all = [
        &v.founding,
        &v.to_bo,
        &v.to_cy,
        &v.to_di,
        &family_founding,
        &to_eve,
        &in_space,
        &cycle,
        &too_much,
    ];
    let all = all.into_iter().chain(&links);
    let graph = Graph::derive(all, node_model::Timestamp(5));
    let members = &graph.spaces[&v.space].members;
    assert_eq!((members[&eve].role, members[&eve].via), (Role::Reader, Some(family)));
    assert_eq!(members[&v.bo.agent()].role, Role::Admin, "in by himself too");
    let in_family = &graph.spaces[&family].members;
    assert_eq!(in_family[&v.ada.agent()].role, Role::Reader);
}
