//! Requests that wait for what is loaded beside the loop.

use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sync_engine_core::{BundleOrder, LoadOrder};

use super::*;

/// Text that does not become small.
fn long_text() -> String {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    (0..20_000).fold(String::new(), |mut text, _| {
        write!(text, "{:08x}", random.next_u32()).expect("a string has room");
        text
    })
}

/// What a node did when it was told something.
struct Told {
    answered: Vec<RequestId>,
    loads: Vec<LoadOrder>,
    bundles: Vec<Box<BundleOrder>>,
}

impl Company {
    /// What a node does at once when it is told something.
    fn tell(&mut self, at: usize, input: Input) -> (Vec<RequestId>, Vec<LoadOrder>) {
        let Told { answered, loads, .. } = self.tell_all(at, input);
        (answered, loads)
    }

    fn tell_all(&mut self, at: usize, input: Input) -> Told {
        let now = self.now();
        self.nodes[at].handle(now, input);
        self.nodes[at].flush(now);
        let (mut answered, mut loads, mut bundles) = (vec![], vec![], vec![]);
        while let Some(effect) = self.nodes[at].poll_effect() {
            match effect {
                Effect::Load(order) => loads.push(order),
                Effect::Bundle(order) => bundles.push(order),
                Effect::Reply(id, ref answer) => {
                    assert!(answer.is_ok(), "{answer:?}");
                    answered.push(id);
                    self.carry(at, effect);
                }
                Effect::Net(_)
                | Effect::Verify { .. }
                | Effect::Changed { .. }
                | Effect::Unlocked { .. }
                | Effect::Purged { .. }
                | Effect::PairingCode { .. }
                | Effect::Paired { .. }
                | Effect::Search { .. }
                | Effect::Denied(_) => self.carry(at, effect),
            }
        }
        Told { answered, loads, bundles }
    }

    fn answer(&mut self, id: RequestId) -> Response {
        let place = self.answers.iter().position(|(_, answered, _)| *answered == id);
        self.answers.remove(place.expect("it is answered")).2.expect("it is there")
    }
}

const LARGE: RequestId = RequestId(1_000);
const SMALL: RequestId = RequestId(1_001);

fn read(space: SpaceId, id: &str) -> Request {
    Request::ReadDocument { space, document: content_document(space, id) }
}

/// Two nodes; what the first one wrote the second one has, and did not load.
fn with_a_book() -> (Company, SpaceId) {
    let mut company = Company::new(2);
    let space = company.space(0);
    let book = json!({"id": "book", "text": long_text()});
    company.ask(0, note(space, "book", book)).expect("writes");
    company.write(0, space, "note");
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    (company, space)
}

#[test]
fn who_reads_a_large_document_keeps_nobody_else_waiting() {
    let (mut company, space) = with_a_book();
    let (answered, orders) = company.tell(1, Input::Request(LARGE, read(space, "book")));
    assert_eq!((answered.as_slice(), orders.len()), (&[][..], 1));
    assert!(orders[0].bytes() > 64 * 1024);
    let (answered, again) = company.tell(1, Input::Request(SMALL, read(space, "note")));
    assert_eq!((answered.as_slice(), again.len()), (&[SMALL][..], 0));
    // Whoever asks for the same waits for the same.
    let other = RequestId(1_002);
    let (answered, again) = company.tell(1, Input::Request(other, read(space, "book")));
    assert_eq!((answered.len(), again.len()), (0, 0));

    // What arrives meanwhile is in it.
    let more = json!({"id": "book", "text": long_text(), "pages": 7});
    company.ask(0, note(space, "book", more)).expect("writes");
    let order = orders.into_iter().next().expect("one");
    let (answered, again) = company.tell(1, Input::Loaded(Box::new(order.load())));
    assert_eq!((answered.as_slice(), again.len()), (&[LARGE, other][..], 0));
    let Response::Document(view) = company.answer(LARGE) else { panic!("no document") };
    assert_eq!(view.value["pages"], 7);
    // And it stays.
    let (answered, again) = company.tell(1, Input::Request(LARGE, read(space, "book")));
    assert_eq!((answered.as_slice(), again.len()), (&[LARGE][..], 0));
}

#[test]
fn a_space_is_listed_a_little_at_a_time() {
    let (mut company, space) = with_a_book();
    (0..40).for_each(|number| company.write(0, space, &format!("note {number}")));
    let (answered, orders) = company.tell(1, Input::Request(LARGE, Request::Documents { space }));
    assert_eq!(answered, []);
    let (answered, _) = company.tell(1, Input::Request(SMALL, read(space, "note")));
    assert_eq!(answered, [SMALL], "others go on");
    let mut loads: Vec<LoadOrder> = orders;
    for _ in 0..8 {
        if company.nodes[1].poll_timeout().is_some_and(|due| due <= company.now().monotonic) {
            loads.extend(company.tell(1, Input::Timeout).1);
        }
    }
    let order = loads.pop().expect("the book is large");
    assert!(loads.is_empty());
    let (answered, _) = company.tell(1, Input::Loaded(Box::new(order.load())));
    assert_eq!(answered, [LARGE]);
    let Response::Documents(listed) = company.answer(LARGE) else { panic!("no list") };
    assert_eq!(listed.len(), 42);
}

/// Else the loop would load it again: the order for who was there first makes room.
#[test]
fn who_waits_for_what_was_loaded_is_served_before_the_next_is_ordered() {
    let mut company = Company::new(2);
    let space = company.space(0);
    for id in ["one", "two"] {
        let value = json!({"id": id, "zeros": vec![0; 90_000]});
        company.ask(0, note(space, id, value)).expect("writes");
    }
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    let (_, mut loads) = company.tell(1, Input::Request(LARGE, Request::Documents { space }));
    for (number, id) in [(0, "one"), (1, "two")] {
        let (answered, more) = company.tell(1, Input::Request(RequestId(number), read(space, id)));
        assert_eq!(answered, []);
        loads.extend(more);
    }
    let order = loads.pop().expect("both are large");
    let (answered, next) = company.tell(1, Input::Loaded(Box::new(order.load())));
    let [RequestId(first)] = answered.as_slice() else { panic!("the list waits for the other") };
    assert_eq!(next.len(), 1);
    let id = if *first == 0 { "one" } else { "two" };
    let (answered, _) = company.tell(1, Input::Request(SMALL, read(space, id)));
    assert_eq!(answered, [], "it was served from what was loaded, which is not here any more");
}

#[test]
fn who_writes_while_a_large_document_is_bundled_is_not_kept_waiting() {
    let mut company = Company::new(1);
    let space = company.space(0);
    let book = |page: u64| json!({"id": "book", "text": long_text(), "page": page});
    (0..9).for_each(|page| drop(company.ask(0, note(space, "book", book(page))).expect("writes")));
    company.wall += 5_000;
    let mut told = company.tell_all(0, Input::Timeout);
    let order = told.bundles.pop().expect("nine changes are worth a bundle");
    assert!(order.is_large());

    company.ask(0, note(space, "book", book(9))).expect("writes");
    company.wall += 5_000;
    assert!(company.tell_all(0, Input::Timeout).bundles.is_empty(), "one at a time");
    let is_idle = |company: &Company| {
        company.nodes[0].poll_timeout().is_none_or(|due| due > company.now().monotonic)
    };
    assert!(is_idle(&company), "the loop does not spin until it is made");
    let told = company.tell_all(0, Input::Bundled(Box::new(order.make())));
    assert!(told.bundles.is_empty());
    let Ok(Response::Status(status)) = company.ask(0, Request::Status) else { panic!("no status") };
    let counts = status.compaction;
    assert_eq!((counts.bundles, counts.entries, counts.waiting), (1, 9, 1));
    let held = status.spaces.iter().find(|held| held.info.space == space).expect("is there");
    assert_eq!(held.entries, 2, "the bundle, and what was written meanwhile");
}
