use super::*;
use crate::request::Party;

/// The removal names what the remover knew, and who was away knows nothing of that.
#[test]
fn who_was_away_while_others_came_hears_of_the_removal_all_the_same() {
    let mut company = Company::new(3);
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    company.set_apart(1, true);
    let ticket = company.ticket(0, Some(space));
    company.accept(2, ticket).expect("joins the space");
    let agent = company.nodes[1].trust().agent();
    company.ask(0, Request::Revoke { space, party: Party::Agent(agent) }).expect("founded it");
    let is_member = |company: &Company| {
        company.nodes[1].trust().graph().spaces[&space].members.contains_key(&agent)
    };
    assert!(is_member(&company), "nobody reached it");
    company.set_apart(1, false);
    assert!(!is_member(&company));
}
