//! How long a node takes to refuse a peer: a space that it knows, and one that nobody
//! knows, must not be told apart by that.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use data_plane_core::net::{Lane, NetCommand, NetEvent};
use node_core::{
    Config, Effect, Input, Node, Request, RequestId, Response, SpaceStorage,
    compaction::BUNDLE_FROM_CHANGES,
};
use node_model::{DeviceId, Now, SpaceId, Timestamp};
use node_runtime::OsEntropy;
use serde_json::{Value, json};
use sync_engine_core::{
    reconcile::Message,
    store::{EntryStore, MemoryStore, StoreEpoch, StoreError},
};
use trust_core::{
    Attestation, Layer, Reach, Terms, Trust,
    ledger::{Ledger, LedgerError, Record},
};

use crate::{
    cost::rounded,
    pair::Secrets,
    trust::{Villager, village},
};

/// Asks of each kind.
const ROUNDS: usize = 20_000;

const NOW: Timestamp = Timestamp(2_000);

/// Spaces in memory.
struct InMemory;

impl SpaceStorage for InMemory {
    fn open(&mut self, _: SpaceId, epoch: StoreEpoch) -> Result<Box<dyn EntryStore>, StoreError> {
        Ok(Box::new(MemoryStore::new(epoch)))
    }
}

/// A ledger that the node takes over from whoever prepared it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Ledger for Shared {
    fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = records.iter().cloned().collect();
        Ok(())
    }

    fn put(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(records.iter().cloned());
        Ok(())
    }

    fn all(&self) -> Result<Vec<Record>, LedgerError> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(records.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// Asks a node, as a related peer, for a space that it is not in and for spaces that do
/// not exist, in turn. Microseconds from the frame to the refusal.
///
/// # Panics
/// When the node answers anything but a refusal.
#[must_use]
pub fn refusals() -> Value {
    let (mut node, villagers) = acquainted(1);
    let peer = villagers[0].device();
    let found = Request::FoundSpace {
        name: "Secret".to_owned(),
        reach: Reach::Private,
        has_open_history: true,
    };
    node.handle(now(), Input::Request(RequestId(0), found));
    node.flush(now());
    let effects = std::iter::from_fn(|| node.poll_effect());
    let space = effects.filter_map(|effect| {
        let Effect::Reply(_, Ok(Response::Space(info))) = effect else { return None };
        Some(info.space)
    });
    let known = space.last().expect("it was founded");
    let (mut denied, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut other = [7; 32];
        other[..8].copy_from_slice(&(round as u64).to_be_bytes());
        // Which comes first in a round alternates: caches favour the second.
        let asks = [(known, &mut denied), (SpaceId(other), &mut unknown)];
        let [one, two] = asks;
        for (space, times) in if round % 2 == 0 { [one, two] } else { [two, one] } {
            times.push(refused(&mut node, peer, space));
        }
    }
    // What a first ask costs is not an answer to how the others compare.
    let first = json!({"denied": rounded(denied[0]), "unknown": rounded(unknown[0])});
    json!({"rounds": ROUNDS, "denied_us": quantiles(denied), "unknown_us": quantiles(unknown),
        "first_us": first})
}

/// A node, and so many people who are related to its agent, out of a village.
pub(crate) fn acquainted(people: usize) -> (Node, Vec<Villager>) {
    let secrets = Secrets::random();
    let ledger = Shared::default();
    let mut trust =
        Trust::open(secrets.keys(), Box::new(ledger.clone()), &mut OsEntropy, NOW, "ada", "laptop")
            .expect("memory does not fail");
    let (mut villagers, said) = village(trust.agent(), 1_000);
    let bytes = said.iter().map(Attestation::bytes);
    trust.welcome(bytes, NOW).expect("memory does not fail");
    villagers.truncate(people);
    for villager in &villagers {
        let terms = (Terms::of(Layer::Reciprocal), None);
        trust.relate(NOW, villager.agent(), terms, &[]).expect("memory does not fail");
    }
    drop(trust);
    let config = Config {
        agent_name: "ada".to_owned(),
        device_name: "laptop".to_owned(),
        sync_interval: Duration::from_secs(1_800),
        bundle_from_changes: BUNDLE_FROM_CHANGES,
        large_from_bytes: sync_engine_core::LARGE_FROM_BYTES,
    };
    let storage = Box::new(InMemory);
    let entropy = Box::new(OsEntropy);
    let node = Node::open(config, secrets.keys(), Box::new(ledger), storage, entropy, now());
    (node.expect("memory does not fail"), villagers)
}

pub(crate) fn now() -> Now {
    Now { monotonic: Duration::from_secs(1), wall: NOW }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn refused(node: &mut Node, peer: DeviceId, space: SpaceId) -> f64 {
    let frame = Message::Pull { space, after: 0 }.encode().into();
    let frame = NetEvent::Frame { device: peer, lane: Lane::Sync, frame };
    let start = std::time::Instant::now();
    node.handle(now(), Input::Net(frame));
    node.flush(now());
    let mut is_refused = false;
    while let Some(effect) = node.poll_effect() {
        if let Effect::Net(NetCommand::Send { lane: Lane::Sync, frame, .. }) = effect {
            let answer = Message::decode(&frame).expect("it is ours");
            is_refused = matches!(answer, Message::Denied { .. });
        }
    }
    let microseconds = start.elapsed().as_secs_f64() * 1e6;
    assert!(is_refused, "anything but a refusal");
    microseconds
}

fn quantiles(mut times: Vec<f64>) -> Value {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| rounded(times[times.len() * part / 100]);
    json!({"p10": at(10), "p50": at(50), "p90": at(90), "p99": at(99)})
}
