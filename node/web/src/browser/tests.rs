//! A browser and a doorway of the same core, with nothing between them but their bytes.

mod scene;

use data_encoding::HEXLOWER;
use node_core::{
    doorway::{DoorwayRequest, DoorwayResponse},
    request::{Reach, Role},
};
use node_model::{
    SpaceId,
    challenge::{Challenge, Token},
};
use serde_json::Value;

use self::scene::{HOST, Page, Rack, at, carry, text, visit};
use super::*;

/// A page that joined a space of the rack by a ticket, over nothing but the doorway.
fn joined() -> (Page, Rack, SpaceId) {
    let (mut page, mut rack) = (Page::open(1), Rack::new());
    let name = "Family".to_owned();
    let founded = Request::FoundSpace { name, reach: Reach::Private, has_open_history: true };
    let Ok(Response::Space(space)) = rack.ask(at(1), founded) else { panic!("founded") };
    let ticket = Request::IssueTicket {
        grant: Some((space.space, Role::Writer)),
        is_for_own_device: false,
        lifetime: Duration::from_secs(900),
    };
    let Ok(Response::Ticket(ticket)) = rack.ask(at(1), ticket) else { panic!("issued") };
    let question = page.ask(2, json!({"ask": "pair", "ticket": ticket.to_string()}));
    assert_eq!(page.effect("dial").0["device"], json!(rack.node.trust().device()));
    visit(&mut page, &mut rack, 2);
    carry(&mut page, &mut rack, 2);
    let code = page.reply(question);
    assert_eq!(rack.codes, [text(&code["ok"], "code")], "both show the same");
    let device = code["ok"]["device"].clone();
    let question = page.ask(3, json!({"ask": "confirm", "device": device, "is_same": true}));
    carry(&mut page, &mut rack, 3);
    assert_eq!(text(&page.reply(question)["ok"], "name"), "Ada");
    carry(&mut page, &mut rack, 4);
    (page, rack, space.space)
}

fn family(page: &mut Page, seconds: u64) -> Value {
    let status = page.asks(seconds, json!({"ask": "status"}));
    let mut spaces = status["spaces"].as_array().expect("a list").iter();
    spaces.find(|it| it["name"] == "Family").expect("joined").clone()
}

fn values(rack: &mut Rack, space: SpaceId) -> Vec<Value> {
    let Ok(Response::Documents(documents)) = rack.ask(at(50), Request::Documents { space }) else {
        panic!("readable")
    };
    let read = documents.into_iter().map(|summary| {
        let request = Request::ReadDocument { space, document: summary.document };
        let Ok(Response::Document(view)) = rack.ask(at(50), request) else { panic!("readable") };
        view.value
    });
    read.collect()
}

#[test]
fn a_browser_joins_by_a_ticket_and_both_write_what_the_other_one_reads() {
    let (mut page, mut rack, space) = joined();
    assert_eq!(family(&mut page, 4)["state"], "synced", "what came before it was paired counts");
    let note = json!({"ask": "create", "space": space, "title": "From a tab", "value": {"n": 1}});
    let written = page.asks(5, note);
    assert!(page.has("nudge"), "a batch waits that has nothing to say");
    carry(&mut page, &mut rack, 5);
    assert_eq!(values(&mut rack, space), [json!({"title": "From a tab", "n": 1})]);

    let document = text(&written, "doc").parse().expect("an id");
    let (path, value) = ("n".to_owned(), json!(2));
    rack.ask(at(6), Request::SetValue { space, document, path, value }).expect("written");
    carry(&mut page, &mut rack, 6);
    let read = page.asks(7, json!({"ask": "read", "space": space, "doc": document}));
    assert_eq!((&read["value"]["n"], text(&read, "title")), (&json!(2), "From a tab"));
    let family = family(&mut page, 7);
    assert_eq!((text(&family, "state"), text(&family, "role")), ("synced", "writer"));
}

#[test]
fn what_is_written_without_a_doorway_is_there_after_a_reload_and_goes_out_later() {
    let (mut page, mut rack, space) = joined();
    page.call(5, "lost", json!({"why": "no network"}), vec![]);
    assert!(page.has("over"));
    let note = |n: u64| json!({"ask": "create", "space": space, "value": {"n": n}});
    for n in 0..20 {
        page.asks(6, note(n));
    }
    page.open_again(7);
    let docs = page.asks(7, json!({"ask": "docs", "space": space}));
    assert_eq!(docs["docs"].as_array().map(Vec::len), Some(20));
    page.asks(8, note(20));
    assert_eq!(values(&mut rack, space), Vec::<Value>::new());
    visit(&mut page, &mut rack, 9);
    carry(&mut page, &mut rack, 9);
    assert_eq!(values(&mut rack, space).len(), 21);
}

#[test]
fn a_document_that_stopped_the_page_is_left_alone_and_the_others_are_not() {
    let mut page = Page::open(1);
    let space = page.asks(2, json!({"ask": "found", "name": "Notes"}))["space"].clone();
    let create = |n: u64| json!({"ask": "create", "space": space, "value": {"n": n}});
    let [bad, good] = [1, 2].map(|n| page.asks(3, create(n))["doc"].clone());
    let read = |page: &mut Page, doc: &Value| {
        page.asks(4, json!({"ask": "read", "space": space, "doc": doc}))
    };
    let value = |page: &mut Page, doc: &Value| read(page, doc)["value"].clone();
    page.open_again(4);
    page.marks.clear();
    assert_eq!(value(&mut page, &bad), json!({"n": 1}));
    let [(mark, version)] = page.marks.as_slice() else { panic!("a call of its own loads it") };
    let (mark, version) = (mark.clone(), version.clone());
    // As the script does when that call breaks the instance.
    page.records.insert(mark.clone(), version);
    page.open_again(5);
    assert_eq!((value(&mut page, &bad), value(&mut page, &good)), (json!({}), json!({"n": 2})));
    assert_eq!([&bad, &good].map(|doc| read(&mut page, doc)["refused"].clone()), [1, 0]);
    let write = json!({"ask": "set", "space": space, "doc": bad, "path": "/n", "value": 3});
    let question = page.ask(6, write);
    let refused = page.reply(question)["error"]["message"].clone();
    assert!(refused.as_str().is_some_and(|why| why.contains("left alone")), "{refused}");
    // Another version tries again.
    page.records.insert(mark, b"older".to_vec());
    page.open_again(7);
    assert_eq!(value(&mut page, &bad), json!({"n": 1}));
}

#[test]
fn a_doorway_of_strangers_or_an_impostor_is_not_visited() {
    let (mut page, mut rack, _) = joined();
    page.call(5, "lost", json!({"why": "no network"}), vec![]);
    page.effects.clear();
    let other = Page::open(40).device;
    let challenge = "00".repeat(32);
    page.call(6, "knock", json!({"node": other, "host": HOST, "challenge": challenge}), vec![]);
    assert!(page.has("refused") && !page.has("signed"));
    page.effects.clear();

    let node = rack.node.trust().device();
    page.call(6, "knock", json!({"node": node, "host": HOST, "challenge": challenge}), vec![]);
    let (signed, _) = page.effect("signed");
    for signature in [text(&signed, "signature"), "", "zz"] {
        page.call(6, "enter", json!({"node": node, "signature": signature}), vec![]);
        assert!(page.has("refused") && !page.has("entered") && !page.has("exchange"));
        page.effects.clear();
    }
    // It proved nothing, so it is asked anew.
    visit(&mut page, &mut rack, 7);
}

#[test]
fn a_guest_may_come_only_while_a_ticket_is_open() {
    let mut rack = Rack::new();
    let stranger = Page::open(1);
    let device = stranger.device.expect("open");
    let signer = keys::restore(&stranger.keys.expect("kept")).expect("ours").device;
    let come = |rack: &mut Rack, seconds: u64| -> Option<Token> {
        let challenged = rack.doorway(at(seconds), DoorwayRequest::Challenge { device });
        let Some(DoorwayResponse::Challenge { nonce, node, .. }) = challenged else { return None };
        let challenge = Challenge::new(nonce, node, HOST).expect("a good host");
        let signature = HEXLOWER.encode(&challenge.sign(&signer).0);
        rack.token(at(seconds), &json!({"device": device, "signature": signature}), challenge)
    };
    assert!(come(&mut rack, 2).is_none());
    let lifetime = Duration::from_secs(60);
    let ticket = Request::IssueTicket { grant: None, is_for_own_device: false, lifetime };
    rack.ask(at(3), ticket).expect("issued");
    let token = come(&mut rack, 4).expect("it may pair");
    let check = |rack: &mut Rack, seconds, request| {
        let answer = rack.doorway(at(seconds), request);
        let Some(DoorwayResponse::Holder(holder)) = answer else { panic!("{answer:?}") };
        holder
    };
    let visitor = || DoorwayRequest::CheckVisitor { token: token.clone() };
    assert_eq!(check(&mut rack, 5, visitor()), Some(device));
    assert_eq!(check(&mut rack, 63, visitor()), None, "the ticket is over");
    assert!(come(&mut rack, 64).is_none());
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut page = Page::new();
    page.call(1, "tick", json!({}), vec![]);
    assert!(page.has("failed"), "it is not open");
    for (has_keys, pieces) in [(false, vec![]), (true, vec![vec![1; 32], b"no keys".to_vec()])] {
        let mut page = Page::new();
        let names = json!({"agent_name": "Bo", "device_name": "tab", "has_keys": has_keys});
        page.call(1, "open", names, pieces);
        assert!(page.has("failed") && page.records.is_empty());
    }
    let mut page = Page::open(1);
    let before = page.records.clone();
    page.call(2, "returned", json!({}), vec![b"nothing was sent".to_vec()]);
    page.call(2, "lost", json!({"why": "no visit"}), vec![]);
    page.call(2, "open", json!({"agent_name": "", "device_name": "", "has_keys": false}), vec![]);
    assert!(page.has("failed"), "it is open");
    let question = page.ask(3, json!({"ask": "pair", "ticket": "kith1nonsense"}));
    assert_eq!(page.reply(question)["error"]["code"], "invalid");
    let nowhere = SpaceId([1; 32]);
    let question = page.ask(3, json!({"ask": "docs", "space": nowhere}));
    assert_eq!(page.reply(question)["error"]["code"], "not-found");
    assert_eq!(Browser::default().call(b"garbage"), page.browser.call(b"garbage"));
    assert_eq!(page.records, before);
}

#[test]
fn an_answer_that_is_none_ends_the_visit() {
    let (mut page, mut rack, _) = joined();
    page.effect("exchange");
    page.call(5, "returned", json!({}), vec![b"<html>captive portal</html>".to_vec()]);
    assert!(page.has("over") && !page.has("exchange"));
    visit(&mut page, &mut rack, 6);
    carry(&mut page, &mut rack, 6);
}
