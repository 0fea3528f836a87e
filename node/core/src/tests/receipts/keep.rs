//! A node that keeps a part of a space: what it gets, what goes out, and what nobody may
//! believe of it.

use sync_engine_core::rule::Rule;

use super::*;
use crate::{
    doctor::DoctorOf,
    request::{KeptBy, PartInfo, SpaceState, SpaceStatus},
};

impl Company {
    fn keep(&mut self, at: usize, space: SpaceId, named: Option<&[&str]>) -> Option<PartInfo> {
        let documents = named.map(|named| named.iter().map(|&name| name.to_owned()).collect());
        let part = documents.map(|documents| KeptBy { documents, ..KeptBy::default() });
        let kept = self.ask(at, Request::Keep { space, part });
        let Ok(Response::Space(info)) = kept else { panic!("not kept: {kept:?}") };
        info.part
    }

    fn status(&mut self, at: usize, space: SpaceId) -> SpaceStatus {
        let Ok(Response::Status(status)) = self.ask(at, Request::Status) else {
            panic!("no status");
        };
        let of_space = status.spaces.into_iter().find(|it| it.info.space == space);
        of_space.expect("is here")
    }

    fn assert_in_sync(&mut self, space: SpaceId) {
        for at in 0..self.nodes.len() {
            assert_eq!(self.status(at, space).state, SpaceState::Synced, "{at}");
            let Ok(Response::Findings(found)) =
                self.ask(at, Request::Doctor { of: DoctorOf::Space(space) })
            else {
                panic!("no findings");
            };
            assert_eq!(found.findings, [], "{at}");
        }
    }
}

/// A laptop with three documents, and a phone.
fn laptop_and_phone() -> (Company, SpaceId) {
    let mut company = Company::new(2);
    let space = company.space(0);
    ["cake", "bread", "soup"].into_iter().for_each(|name| company.write(0, space, name));
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    (company, space)
}

#[test]
fn a_phone_keeps_one_document_and_the_rest_follows_when_it_keeps_more() {
    let (mut company, space) = laptop_and_phone();
    assert!(company.has(1, space, "soup"), "everything comes unless somebody says otherwise");
    assert_eq!(company.status(1, space).info.part, None);

    let part = company.keep(1, space, Some(&["cake"])).expect("a part");
    assert_eq!(part.here, 1, "{part:?}");
    assert!(company.has(1, space, "soup"), "keeping less removes nothing");
    company.assert_in_sync(space);
    assert_eq!(company.status(0, space).partial_peers, 1);

    ["cake", "rice", "beans"].into_iter().for_each(|name| company.write(0, space, name));
    assert!(company.has(1, space, "cake") && !company.has(1, space, "rice"));
    company.assert_in_sync(space);

    // What is called by name can be chosen before it is here.
    let part = company.keep(1, space, Some(&["cake", "rice"])).expect("a part");
    assert_eq!((part.documents, part.here), (2, 1), "rice is one document, whatever it stands for");
    assert!(company.has(1, space, "rice") && !company.has(1, space, "beans"));
    assert_eq!(company.status(1, space).info.part.map(|part| part.here), Some(2));
    company.assert_in_sync(space);

    assert_eq!(company.keep(1, space, None), None);
    assert!(company.has(1, space, "beans"), "the rest follows");
    company.assert_in_sync(space);
    let digest = |node: &mut Node| node.sync_engine().head(space).expect("is here").digest;
    let digests: Vec<_> = company.nodes.iter_mut().map(digest).collect();
    assert_eq!(digests[0], digests[1]);
    assert_eq!(company.status(0, space).partial_peers, 0);
}

#[test]
fn what_only_this_device_has_goes_on_when_less_is_kept() {
    let mut company = Company::new(3);
    let space = company.space(0);
    company.write(0, space, "cake");
    for at in [1, 2] {
        let ticket = company.ticket(0, Some(space));
        company.accept(at, ticket).expect("joins the space");
    }
    company.set_apart(2, true);
    company.write(0, space, "soup");
    assert!(company.has(1, space, "soup") && !company.has(2, space, "soup"));
    // The laptop is gone before it signs that it has it.
    company.set_apart(0, true);
    company.keep(1, space, Some(&["cake"])).expect("a part");
    company.connect(1, 2, true);
    company.connect(2, 1, false);
    company.run();
    assert!(company.has(2, space, "soup"));
}

#[test]
fn what_is_written_here_goes_out_and_is_kept() {
    let (mut company, space) = laptop_and_phone();
    company.keep(1, space, Some(&["cake"]));
    company.write(1, space, "photo");
    assert!(company.has(0, space, "photo"));
    assert_eq!(company.status(1, space).info.part.map(|part| part.here), Some(2));
    company.assert_in_sync(space);
    // An answer to it comes, too.
    company.write(0, space, "photo");
    company.assert_in_sync(space);
    let heads = [0, 1].map(|at| {
        let document = content_document(space, "photo");
        let read = company.ask(at, Request::ReadDocument { space, document });
        let Ok(Response::Document(view)) = read else { panic!("no document: {read:?}") };
        view.heads
    });
    assert_eq!(heads[0], heads[1]);
    // Choosing again does not lose it.
    let part = company.keep(1, space, Some(&["bread"])).expect("a part");
    assert_eq!(part.here, 2, "{part:?}");
}

#[test]
fn whoever_keeps_a_part_makes_nothing_safe() {
    let mut company = Company::new(3);
    let space = company.space(0);
    ["cake", "bread"].into_iter().for_each(|name| company.write(0, space, name));
    for guest in [1, 2] {
        let ticket = company.ticket(0, Some(space));
        company.accept(guest, ticket).expect("joins the space");
    }
    company.keep(2, space, Some(&["cake"]));
    company.wait(LATER);
    let (safe, _) = company.safe_entries(0, space);
    company.write(0, space, "cake");
    company.wait(LATER);
    company.assert_in_sync(space);
    // The phone holds the new entry, but says so of a part, which counts for nothing here.
    assert_eq!(company.durability(0, space, "cake"), Durability::Local);
    assert_eq!(company.safe_entries(0, space).0, safe);
    // The two others keep all that the phone keeps: for it this is safe.
    assert_eq!(company.durability(2, space, "cake"), Durability::Safe);
    assert_eq!(company.durability(2, space, "bread"), Durability::Local, "is not kept there");

    company.keep(2, space, None);
    company.wait(LATER);
    assert_eq!(company.durability(0, space, "cake"), Durability::Safe);
}

#[test]
fn a_choice_has_bounds() {
    let (mut company, space) = laptop_and_phone();
    let keep = |documents: Vec<String>| {
        let part = Some(KeptBy { documents, ..KeptBy::default() });
        Request::Keep { space, part }
    };
    let failure = company.ask(1, keep(vec!["x".to_owned(); 1_025])).expect_err("too many");
    assert_eq!(failure.kind, FailureKind::Invalid);
    let failure = company.ask(1, keep(vec![String::new()])).expect_err("no name");
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert_eq!(company.status(1, space).info.part, None, "nothing changed");
}

fn rule(kinds: &[&str], folders: &[&str]) -> Rule {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Rule { kinds: owned(kinds), folders: owned(folders), ..Rule::default() }
}

impl Company {
    fn put(&mut self, at: usize, space: SpaceId, (id, kind, path): (&str, &str, &str)) {
        let meta = Meta { kind: kind.into(), path: Some(path.into()), ..Meta::default() };
        let document = content_document(space, id);
        let documents = vec![WriteDocument { document, meta, value: json!({"id": id}) }];
        self.ask(at, Request::WriteDocuments { space, documents }).expect("writes");
    }

    fn keep_by(&mut self, at: usize, space: SpaceId, rule: Rule) -> PartInfo {
        let part = Some(KeptBy { rule, ..KeptBy::default() });
        let kept = self.ask(at, Request::Keep { space, part });
        assert!(matches!(kept, Ok(Response::Space(_))), "{kept:?}");
        // What the others say comes after the answer.
        self.status(at, space).info.part.expect("a part")
    }
}

#[test]
fn a_phone_keeps_what_a_rule_chooses_also_what_comes_later() {
    let mut company = Company::new(2);
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    company.keep(1, space, Some(&[]));
    for document in [
        ("cake", "recipe", "food/sweet/cake.md"),
        ("bread", "recipe", "bread.md"),
        ("list", "note", "food/list.md"),
    ] {
        company.put(0, space, document);
    }
    assert!(!company.has(1, space, "cake"), "nothing is chosen yet");
    let part = company.keep_by(1, space, rule(&["recipe"], &["food"]));
    assert_eq!((part.here, part.has_answer), (1, Some(true)), "{part:?}");
    assert!(company.has(1, space, "cake"));
    company.assert_in_sync(space);

    company.put(0, space, ("tart", "recipe", "food/tart.md"));
    company.put(0, space, ("poem", "text", "poem.md"));
    assert!(company.has(1, space, "tart") && !company.has(1, space, "poem"));
    company.assert_in_sync(space);

    // Another choice stays with what it says.
    let part = company.keep_by(1, space, rule(&["text"], &[]));
    let here = part.here;
    company.put(0, space, ("cider", "recipe", "food/cider.md"));
    assert!(!company.has(1, space, "cider"));
    company.put(0, space, ("letter", "text", "letter.md"));
    assert_eq!(company.status(1, space).info.part.map(|part| part.here), Some(here + 1));

    // What fits only once it changes.
    let since = Some(company.now().wall.plus(LATER));
    company.keep_by(1, space, Rule { since, ..Rule::default() });
    assert!(!company.has(1, space, "bread"));
    company.wait(2 * LATER);
    company.ask(0, note(space, "bread", json!({"id": "bread", "salt": 2}))).expect("writes");
    assert!(company.has(1, space, "bread"));
    company.assert_in_sync(space);
}

#[test]
fn who_cannot_read_is_not_told_what_somebody_chooses() {
    let mut company = Company::new(2);
    let space = company.space(0);
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("they relate");
    let party = crate::request::Party::Agent(company.nodes[1].trust().agent());
    company.ask(0, Request::Grant { space, party, role: Role::Custodian }).expect("founded it");
    company.put(0, space, ("cake", "recipe", "food/cake.md"));
    let part = company.keep_by(0, space, rule(&["recipe"], &[]));
    assert_eq!((part.here, part.has_answer), (1, Some(false)), "its own are kept");
    let part = Some(KeptBy { rule: rule(&["recipe"], &[]), ..KeptBy::default() });
    let failure = company.ask(1, Request::Keep { space, part }).expect_err("cannot read");
    assert_eq!(failure.kind, FailureKind::NotAllowed);

    // Even if it asks.
    let asked = Message::Choose { space, rule: Some(rule(&["recipe"], &[])) };
    assert_eq!(company.hear(&asked), Vec::<Vec<u8>>::new());
    // Until it may: the answer comes by itself, for the question may have come first.
    let grant = Request::Grant { space, party, role: Role::Reader };
    let effects = company.alone(0, Input::Request(RequestId(1_000), grant));
    let ids = content_document(space, "cake").0.to_vec().into();
    let answer = Message::Chosen { space, documents: ids }.encode();
    let is_answer = |effect: &Effect| {
        let Effect::Net(NetCommand::Send { lane, frame, .. }) = effect else { return false };
        *lane == Lane::Sync && frame[..] == answer[..]
    };
    assert_eq!(effects.iter().filter(|effect| is_answer(effect)).count(), 1);
    assert_eq!(company.hear(&asked).len(), 1, "and again to whoever asks");
}

/// An answer would say what was there before they came.
#[test]
fn who_may_not_read_what_was_before_is_not_told_what_fits() {
    let mut company = Company::new(2);
    let found = Request::FoundSpace {
        name: "diary".into(),
        reach: Reach::Private,
        has_open_history: false,
    };
    let Ok(Response::Space(info)) = company.ask(0, found) else { panic!("does not found") };
    let space = info.space;
    company.put(0, space, ("divorce", "note", "secret/divorce.md"));
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    let asked = Message::Choose { space, rule: Some(rule(&[], &["secret"])) };
    assert_eq!(company.hear(&asked), Vec::<Vec<u8>>::new());
}

#[test]
fn a_rule_is_told_again_after_a_pause() {
    let mut company = Company::new(2);
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    company.keep_by(1, space, rule(&["recipe"], &[]));
    company.put(0, space, ("cake", "recipe", "cake.md"));
    assert!(company.has(1, space, "cake"));
    company.set_apart(1, true);
    assert_eq!(company.status(1, space).info.part.and_then(|part| part.has_answer), Some(false));
    company.put(0, space, ("tart", "recipe", "tart.md"));
    company.set_apart(1, false);
    assert_eq!(company.status(1, space).info.part.and_then(|part| part.has_answer), Some(true));
    assert!(company.has(1, space, "tart"));
    company.put(0, space, ("pie", "recipe", "pie.md"));
    assert!(company.has(1, space, "pie"));
}
