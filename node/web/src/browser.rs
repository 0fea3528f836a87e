//! Drives the node: calls in, effects out.

mod doorway;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use data_plane_core::net::{NetCommand, NetEvent};
use node_core::{
    Config, Effect, Failure, Input, Node, Request, RequestId, Response,
    compaction::BUNDLE_FROM_CHANGES, request::SearchRequest,
};
use node_model::{DeviceId, DocumentId, Now, random_bytes};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::json;
use sync_engine_core::{LoadOrder, entry};
use trust_core::{keyring::DeviceKeys, ledger::Record};

use self::doorway::{Knock, Visit};
use crate::{
    ask::{self, Ask},
    call::{Call, Timed},
    keys,
    message::{BadMessage, Message},
    outbox::Outbox,
    records::{self, Loaded, Shelf},
};

/// How often to compare even if nothing was heard; the same as elsewhere.
const SYNC_INTERVAL: Duration = Duration::from_secs(30 * 60);

/// Inputs handled between two commits, as in the loop of other nodes.
const INPUTS_A_FLUSH_MAX: usize = 256;

/// Every document is loaded in a call of its own: nothing catches a panic here, and if one stops
/// the instance, the script knows at which document.
const LOADED_APART_FROM_BYTES: u64 = 1;

/// Bytes of a seed.
const SEED_BYTES: usize = 32;

/// A node in a browser, from its opening on.
#[derive(Default)]
pub struct Browser {
    running: Option<Running>,
}

/// Who waits for an answer of the node.
enum Asker {
    /// The page, with its own number.
    Page(u64),
    /// The driver, at once.
    Driver,
    /// Nobody.
    Nobody,
}

struct Running {
    node: Node,
    shelf: Shelf,
    entropy: ChaCha20Rng,
    device: DeviceId,
    knock: Option<Knock>,
    visit: Option<Visit>,
    /// Devices to which more is open than pairing.
    admitted: BTreeSet<DeviceId>,
    /// Devices that the node wants to reach.
    dialled: BTreeSet<DeviceId>,
    next_request: u64,
    asked: BTreeMap<RequestId, Asker>,
    /// What the driver asked was answered with.
    answered: Option<Result<Response, Failure>>,
    inputs: VecDeque<Input>,
    /// Documents that the script is to have loaded.
    orders: VecDeque<LoadOrder>,
    outbox: Outbox,
}

impl Browser {
    /// Takes a call, and says what is to be done.
    #[must_use]
    pub fn call(&mut self, message: &[u8]) -> Vec<u8> {
        let read = Message::decode(message).and_then(|message| {
            let timed: Timed = serde_json::from_value(message.json).map_err(|_| BadMessage)?;
            Ok((timed, message.pieces))
        });
        let done = match read {
            Ok((Timed { now, call }, pieces)) => self.take(now.into(), call, pieces),
            Err(BadMessage) => failed("the script said something that makes no sense"),
        };
        done.encode()
    }

    fn take(&mut self, now: Now, call: Call, pieces: Vec<Vec<u8>>) -> Message {
        if let Call::Open { agent_name, device_name, has_keys } = call {
            if self.running.is_some() {
                return failed("it is open");
            }
            return match Running::open(now, (agent_name, device_name), has_keys, pieces) {
                Ok(mut running) => {
                    let done = running.finish(now);
                    self.running = Some(running);
                    done
                }
                Err(why) => failed(&why),
            };
        }
        let Some(running) = &mut self.running else { return failed("it is not open") };
        running.handle(now, call, pieces);
        running.finish(now)
    }
}

fn failed(why: &str) -> Message {
    let mut outbox = Outbox::default();
    outbox.push(json!({"do": "failed", "why": why}));
    outbox.finish(vec![], None)
}

impl Running {
    fn open(
        now: Now,
        (agent_name, device_name): (String, String),
        has_keys: bool,
        pieces: Vec<Vec<u8>>,
    ) -> Result<Self, String> {
        let (mut pieces, mut outbox) = (pieces.into_iter(), Outbox::default());
        let seed: Option<[u8; SEED_BYTES]> = pieces.next().and_then(|seed| seed.try_into().ok());
        let seed = seed.ok_or("there is no seed")?;
        let mut entropy = ChaCha20Rng::from_seed(seed);
        let part = |number| {
            let mut stream = ChaCha20Rng::from_seed(seed);
            stream.set_stream(number);
            stream
        };
        #[cfg(target_arch = "wasm32")]
        crate::chance::draw_from(part(2));
        let keys = if has_keys {
            let keys = pieces.next().and_then(|bytes| keys::restore(&bytes));
            keys.ok_or("the keys in this browser cannot be read")?
        } else {
            let keys = DeviceKeys::random(&mut entropy);
            let piece = outbox.piece(keys::save(&keys).ok_or("new keys have a root")?);
            outbox.push(json!({"do": "keys", "piece": piece}));
            keys
        };
        let loaded = Loaded::sort(pairs(pieces)).ok_or("what this browser keeps cannot be read")?;
        let shelf = Shelf::default();
        let left_alone = loaded.left_alone.clone();
        let (ledger, spaces) = loaded.stores(&shelf);
        let config = Config {
            agent_name,
            device_name,
            sync_interval: SYNC_INTERVAL,
            bundle_from_changes: BUNDLE_FROM_CHANGES,
            large_from_bytes: LOADED_APART_FROM_BYTES,
        };
        let device = keys.device.device();
        let (ledger, spaces, chance) = (Box::new(ledger), Box::new(spaces), Box::new(part(1)));
        let mut node = Node::open(config, keys, ledger, spaces, chance, now)
            .map_err(|error| error.to_string())?;
        left_alone.into_iter().for_each(|(space, document)| node.leave_alone(space, document));
        let mut running = Self {
            node,
            shelf,
            entropy,
            device,
            knock: None,
            visit: None,
            admitted: BTreeSet::new(),
            dialled: BTreeSet::new(),
            next_request: 0,
            asked: BTreeMap::new(),
            answered: None,
            inputs: VecDeque::new(),
            orders: VecDeque::new(),
            outbox,
        };
        // A browser fetches files by its doorway when a person wants to see one.
        running.inputs.push_back(Input::BlobsHeld(vec![]));
        running.settle(now);
        if let Some(Ok(Response::Identity(identity))) = running.ask(now, Request::Identity) {
            running.outbox.push(json!({
                "do": "opened", "node": identity.device, "agent": identity.agent,
                "name": identity.name, "device_name": identity.device_name,
            }));
        }
        Ok(running)
    }

    fn handle(&mut self, now: Now, call: Call, pieces: Vec<Vec<u8>>) {
        match call {
            Call::Open { .. } => {}
            Call::Ask { id, ask } => self.ask_for_page(id, ask),
            Call::Knock { node, host, challenge } => self.knock(now, node, &host, &challenge),
            Call::Enter { node, signature } => self.enter(now, node, &signature),
            Call::Returned => self.returned(&pieces.concat()),
            Call::Lost { why } => self.lost(&why),
            Call::Unreachable { device, why: reason } => {
                if self.dialled.remove(&device) {
                    self.inputs.push_back(Input::Net(NetEvent::DialFailed { device, reason }));
                }
            }
            Call::Load => {
                if let Some(order) = self.orders.pop_front() {
                    let mut loaded = order.load();
                    loaded.read_through();
                    self.inputs.push_back(Input::Loaded(Box::new(loaded)));
                }
            }
            Call::Tick => self.inputs.push_back(Input::Timeout),
        }
        self.settle(now);
    }

    fn ask_for_page(&mut self, id: u64, ask: Ask) {
        let new_id = DocumentId(random_bytes(&mut self.entropy));
        match ask.request(new_id) {
            Ok(request) => self.request(Asker::Page(id), request),
            Err(failure) => self.reply(id, Err(failure)),
        }
    }

    fn request(&mut self, asker: Asker, request: Request) {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.asked.insert(id, asker);
        self.inputs.push_back(Input::Request(id, request));
    }

    /// Asks what the node answers at once.
    fn ask(&mut self, now: Now, request: Request) -> Option<Result<Response, Failure>> {
        self.request(Asker::Driver, request);
        self.settle(now);
        self.answered.take()
    }

    /// Handles everything, with what follows from it.
    fn settle(&mut self, now: Now) {
        loop {
            for _ in 0..INPUTS_A_FLUSH_MAX {
                let Some(input) = self.inputs.pop_front() else { break };
                self.node.handle(now, input);
            }
            self.node.flush(now);
            while let Some(effect) = self.node.poll_effect() {
                self.carry_out(effect);
            }
            if self.inputs.is_empty() {
                return;
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Net(command) => self.network(command),
            Effect::Verify { job, entries } => {
                let results = entry::read_batch(entries);
                self.inputs.push_back(Input::Verified { job, results });
            }
            Effect::Load(order) => {
                let (key, value) = records::left_alone(order.place());
                let mark = [self.outbox.piece(key), self.outbox.piece(value)];
                self.outbox.push(json!({"do": "load", "mark": mark}));
                self.orders.push_back(order);
            }
            Effect::Bundle(order) => {
                self.inputs.push_back(Input::Bundled(Box::new(order.make())));
            }
            Effect::Reply(id, answer) => match self.asked.remove(&id) {
                Some(Asker::Page(id)) => self.reply(id, answer),
                Some(Asker::Driver) => self.answered = Some(answer),
                Some(Asker::Nobody) | None => {}
            },
            Effect::Changed { space, documents } => {
                self.outbox.push(json!({"do": "changed", "space": space, "documents": documents}));
            }
            Effect::Unlocked { space } | Effect::Purged { space } => {
                self.outbox.push(json!({"do": "changed", "space": space, "documents": []}));
            }
            Effect::Search { device, question, .. } => {
                // There is no index here.
                let (hits, is_complete) = (vec![], false);
                let answer = SearchRequest::Answer { device, question, hits, is_complete };
                self.request(Asker::Nobody, Request::Search(answer));
            }
            Effect::PairingCode { .. } | Effect::Paired { .. } | Effect::Denied(_) => {}
        }
    }

    fn network(&mut self, command: NetCommand) {
        match command {
            NetCommand::Dial { device, addresses: _ } => {
                if !self.visits(device) && self.dialled.insert(device) {
                    self.outbox.push(json!({"do": "dial", "device": device}));
                }
            }
            NetCommand::Send { device, lane, frame } => self.send(device, lane, frame),
            NetCommand::Admit { device } => {
                self.admitted.insert(device);
                self.hear_held(device);
            }
            NetCommand::Forbid { device } => {
                self.admitted.remove(&device);
                self.part_from(device);
            }
            NetCommand::Disconnect { device } => self.part_from(device),
            NetCommand::Fetch { job, .. } => {
                let error = Some("a browser keeps no files".to_owned());
                self.inputs.push_back(Input::Net(NetEvent::FetchEnded { job, error }));
            }
            // Nobody can ask a browser for a blob.
            NetCommand::Answer { .. } => {}
        }
    }

    fn reply(&mut self, id: u64, answer: Result<Response, Failure>) {
        let answer = answer.map_err(|failure| ask::failure(&failure)).map(ask::answer);
        self.outbox.push(match answer {
            Ok(ok) => json!({"do": "reply", "id": id, "ok": ok}),
            Err(error) => json!({"do": "reply", "id": id, "error": error}),
        });
    }

    fn finish(&mut self, now: Now) -> Message {
        self.exchange();
        let wake = self.node.poll_timeout();
        // Rounded up: an early call would only be made again.
        let wake = wake.map(|at| at.max(now.monotonic).as_nanos().div_ceil(1_000_000));
        let wake = wake.and_then(|ms| u64::try_from(ms).ok());
        std::mem::take(&mut self.outbox).finish(self.shelf.take(), wake)
    }
}

/// Keys and values, one after the other; a key without a value is left out.
fn pairs(mut pieces: impl Iterator<Item = Vec<u8>>) -> Vec<Record> {
    std::iter::from_fn(|| Some((pieces.next()?, pieces.next()?))).collect()
}

#[cfg(test)]
mod tests;
