//! A page, a rack with a doorway, and what carries between them.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use data_plane_core::{
    batch::Batch,
    visits::{TurnId, Visits},
};
use node_core::{
    SpaceStorage,
    doorway::{DoorwayRequest, DoorwayResponse},
};
use node_model::{
    SpaceId, Timestamp,
    challenge::{Challenge, Token},
    sign::Signature,
};
use serde_json::Value;
use sync_engine_core::{
    LARGE_FROM_BYTES,
    store::{EntryStore, MemoryStore, StoreEpoch, StoreError},
};
use trust_core::ledger::MemoryLedger;

use super::super::*;

pub(super) const HOST: &str = "127.0.0.1:4718";
pub(super) const START: u64 = 1_795_000_000_000;

struct Memory;

impl SpaceStorage for Memory {
    fn open(&mut self, _: SpaceId, epoch: StoreEpoch) -> Result<Box<dyn EntryStore>, StoreError> {
        Ok(Box::new(MemoryStore::new(epoch)))
    }
}

/// A node with a doorway, as its runtime drives it.
pub(super) struct Rack {
    pub(super) node: Node,
    visits: Visits,
    answered: BTreeMap<u64, Result<Response, Failure>>,
    requests: u64,
    pub(super) codes: Vec<String>,
}

impl Rack {
    pub(super) fn new() -> Self {
        let mut entropy = ChaCha20Rng::from_seed([9; 32]);
        let keys = DeviceKeys::random(&mut entropy);
        let config = Config {
            agent_name: "Ada".to_owned(),
            device_name: "rack".to_owned(),
            sync_interval: SYNC_INTERVAL,
            bundle_from_changes: BUNDLE_FROM_CHANGES,
            large_from_bytes: LARGE_FROM_BYTES,
        };
        let (ledger, entropy) = (Box::new(MemoryLedger::default()), Box::new(entropy));
        let node = Node::open(config, keys, ledger, Box::new(Memory), entropy, at(0));
        let node = node.expect("memory does not fail");
        let (visits, answered) = (Visits::default(), BTreeMap::new());
        let mut rack = Self { node, visits, answered, requests: 0, codes: vec![] };
        let address = "/ip4/127.0.0.1/tcp/4001".to_owned();
        rack.settle(at(0), vec![Input::Net(NetEvent::Listening { address })]);
        rack
    }

    pub(super) fn settle(&mut self, now: Now, inputs: Vec<Input>) {
        let mut inputs = VecDeque::from(inputs);
        loop {
            while let Some(event) = self.visits.poll_event() {
                self.node.handle(now, Input::Net(event));
            }
            inputs.extend(self.visits.poll_frame().map(Input::Net));
            while let Some(input) = inputs.pop_front() {
                self.node.handle(now, input);
            }
            self.node.flush(now);
            while let Some(effect) = self.node.poll_effect() {
                match effect {
                    Effect::Net(command) => drop(self.visits.command(command)),
                    Effect::Verify { job, entries } => {
                        let results = entry::read_batch(entries);
                        inputs.push_back(Input::Verified { job, results });
                    }
                    Effect::Reply(RequestId(id), answer) => drop(self.answered.insert(id, answer)),
                    Effect::PairingCode { code, .. } => self.codes.push(code),
                    Effect::Load(order) => inputs.push_back(Input::Loaded(order.load().into())),
                    Effect::Bundle(order) => inputs.push_back(Input::Bundled(order.make().into())),
                    Effect::Changed { .. }
                    | Effect::Unlocked { .. }
                    | Effect::Purged { .. }
                    | Effect::Paired { .. }
                    | Effect::Search { .. }
                    | Effect::Denied(_) => {}
                }
            }
            if inputs.is_empty() && !self.visits.has_work() {
                return;
            }
        }
    }

    pub(super) fn ask(&mut self, now: Now, request: Request) -> Result<Response, Failure> {
        self.requests += 1;
        self.settle(now, vec![Input::Request(RequestId(self.requests), request)]);
        self.answered.remove(&self.requests).expect("answered at once")
    }

    pub(super) fn doorway(&mut self, now: Now, request: DoorwayRequest) -> Option<DoorwayResponse> {
        let Ok(Response::Doorway(answer)) = self.ask(now, Request::Doorway(request)) else {
            return None;
        };
        Some(answer)
    }

    /// A token for whoever signed that, with whose it is.
    pub(super) fn token(
        &mut self,
        now: Now,
        signed: &Value,
        challenge: Challenge,
    ) -> Option<Token> {
        let device = text(signed, "device").parse().expect("an id");
        let answered = challenge.verify(device, &signature(signed)).expect("its signature");
        let given = self.doorway(now, DoorwayRequest::Redeem { answered })?;
        let DoorwayResponse::Token { token, .. } = given else { panic!("{given:?}") };
        Some(token)
    }

    pub(super) fn exchange(&mut self, now: Now, device: DeviceId, batch: &[u8]) -> Vec<u8> {
        let batch = Batch::decode(batch).expect("a batch");
        self.visits.arrive(now.monotonic, device, TurnId(1), batch);
        self.settle(now, vec![]);
        // As if nobody had anything to say for as long as the visitor waits.
        let later = now.monotonic + Duration::from_secs(60);
        let (_, answer) = self.visits.poll_answer(later).expect("waited long enough");
        answer.expect("in order").encode()
    }
}

/// A page with a node in it, and what it keeps.
pub(super) struct Page {
    pub(super) browser: Browser,
    pub(super) records: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) keys: Option<Vec<u8>>,
    pub(super) device: Option<DeviceId>,
    /// What to keep if a load breaks the core, of each load.
    pub(super) marks: Vec<(Vec<u8>, Vec<u8>)>,
    /// Effects that nobody looked at, with their pieces.
    pub(super) effects: Vec<(Value, Vec<u8>)>,
    questions: u64,
}

pub(super) fn at(seconds: u64) -> Now {
    let after = Duration::from_secs(seconds);
    Now { monotonic: after, wall: Timestamp(START).plus(after) }
}

pub(super) fn text<'a>(json: &'a Value, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}"))
}

pub(super) fn signature(json: &Value) -> Signature {
    let bytes = HEXLOWER.decode(text(json, "signature").as_bytes()).expect("hexadecimal");
    Signature(bytes.try_into().expect("64 bytes"))
}

impl Page {
    pub(super) fn new() -> Self {
        let browser = Browser::default();
        let (records, effects) = (BTreeMap::new(), vec![]);
        let (keys, device) = (None, None);
        Self { browser, records, keys, device, marks: vec![], effects, questions: 0 }
    }

    pub(super) fn open(seconds: u64) -> Self {
        let mut page = Self::new();
        page.open_again(seconds);
        page
    }

    /// As after a reload: nothing is left but what was kept.
    pub(super) fn open_again(&mut self, seconds: u64) {
        self.browser = Browser::default();
        self.effects.clear();
        let mut pieces = vec![vec![u8::try_from(seconds % 251).expect("small"); SEED_BYTES]];
        pieces.extend(self.keys.clone());
        let records = self.records.clone();
        pieces.extend(records.into_iter().flat_map(|(key, value)| [key, value]));
        let has_keys = self.keys.is_some();
        let names = json!({"agent_name": "Bo", "device_name": "tab", "has_keys": has_keys});
        self.call(seconds, "open", names, pieces);
        let (opened, _) = self.effect("opened");
        self.device = Some(text(&opened, "node").parse().expect("an id"));
    }

    pub(super) fn call(&mut self, seconds: u64, what: &str, mut json: Value, pieces: Vec<Vec<u8>>) {
        json["do"] = what.into();
        let ms = seconds * 1_000;
        json["now"] = json!({"wall_ms": START + ms, "ms": ms});
        let done = self.browser.call(&Message { json, pieces }.encode());
        let Message { json, pieces } = Message::decode(&done).expect("a message");
        let piece = |number: &Value| -> Vec<u8> {
            let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
            pieces[number.expect("a number")].clone()
        };
        let mut loads = 0;
        for effect in json["effects"].as_array().expect("a list") {
            match text(effect, "do") {
                "keep" => {
                    assert!(self.keys.is_some(), "records without keys are worth nothing");
                    for put in effect["puts"].as_array().expect("a list") {
                        self.records.insert(piece(&put[0]), piece(&put[1]));
                    }
                    for key in effect["deletes"].as_array().expect("a list") {
                        self.records.remove(&piece(key));
                    }
                }
                "load" => {
                    self.marks.push((piece(&effect["mark"][0]), piece(&effect["mark"][1])));
                    loads += 1;
                }
                "keys" => self.keys = Some(piece(&effect["piece"])),
                "exchange" => self.effects.push((effect.clone(), piece(&effect["piece"]))),
                _ => self.effects.push((effect.clone(), vec![])),
            }
        }
        (0..loads).for_each(|_| self.call(seconds, "load", json!({}), vec![]));
    }

    /// The first effect of a kind, once.
    pub(super) fn effect(&mut self, what: &str) -> (Value, Vec<u8>) {
        let found = self.effects.iter().position(|(effect, _)| effect["do"] == what);
        let found = found.unwrap_or_else(|| panic!("no {what} among {:?}", self.effects));
        self.effects.remove(found)
    }

    pub(super) fn has(&self, what: &str) -> bool {
        self.effects.iter().any(|(effect, _)| effect["do"] == what)
    }

    pub(super) fn ask(&mut self, seconds: u64, ask: Value) -> u64 {
        self.questions += 1;
        let question = self.questions;
        self.call(seconds, "ask", json!({"id": question, "ask": ask}), vec![]);
        question
    }

    pub(super) fn reply(&mut self, question: u64) -> Value {
        let is_it =
            |(effect, _): &(Value, Vec<u8>)| effect["do"] == "reply" && effect["id"] == question;
        let found = self.effects.iter().position(is_it);
        let found = found.unwrap_or_else(|| panic!("no reply among {:?}", self.effects));
        self.effects.remove(found).0
    }

    pub(super) fn asks(&mut self, seconds: u64, ask: Value) -> Value {
        let question = self.ask(seconds, ask);
        let reply = self.reply(question);
        assert!(reply["error"].is_null(), "{reply}");
        reply["ok"].clone()
    }
}

/// Both prove who they are; then the visit begins.
pub(super) fn visit(page: &mut Page, rack: &mut Rack, seconds: u64) {
    let (now, device) = (at(seconds), page.device.expect("open"));
    let challenged = rack.doorway(now, DoorwayRequest::Challenge { device });
    let Some(DoorwayResponse::Challenge { nonce, node, .. }) = challenged else { panic!("none") };
    let knock = json!({"node": node, "host": HOST, "challenge": nonce.to_string()});
    page.call(seconds, "knock", knock, vec![]);
    let (signed, _) = page.effect("signed");
    let challenge = Challenge::new(nonce, node, HOST).expect("a good host");
    let token = rack.token(now, &signed, challenge).expect("it may come");
    let asked_back = text(&signed, "challenge").parse().expect("a challenge");
    let challenge = Challenge::new(asked_back, device, text(&signed, "host")).expect("plain");
    let proof = rack.doorway(now, DoorwayRequest::Answer { challenge });
    let Some(DoorwayResponse::Answer { signature, .. }) = proof else { panic!("it must prove it") };
    let holder = rack.doorway(now, DoorwayRequest::CheckVisitor { token });
    assert!(matches!(holder, Some(DoorwayResponse::Holder(Some(holder))) if holder == device));
    let signature = HEXLOWER.encode(&signature.0);
    page.call(seconds, "enter", json!({"node": node, "signature": signature}), vec![]);
    assert!(page.has("entered"), "{:?}", page.effects);
}

/// Carries batches until both are silent.
pub(super) fn carry(page: &mut Page, rack: &mut Rack, seconds: u64) {
    let device = page.device.expect("open");
    let mut silent = 0;
    while silent < 3 {
        let (_, batch) = page.effect("exchange");
        let returned = rack.exchange(at(seconds), device, &batch);
        let is_silent = |bytes: usize| bytes < 100;
        silent = if is_silent(batch.len()) && is_silent(returned.len()) { silent + 1 } else { 0 };
        page.call(seconds, "returned", json!({}), vec![returned]);
    }
}
