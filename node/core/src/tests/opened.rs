//! A node of a test, on memory unless said.

use trust_core::ledger::{Ledger, MemoryLedger};

use super::*;
use crate::compaction::BUNDLE_FROM_CHANGES;

pub(super) fn node(index: u8) -> Node {
    node_on(index, Box::new(InMemory))
}

pub(super) fn node_on(index: u8, storage: Box<dyn SpaceStorage>) -> Node {
    let mut entropy = ChaCha8Rng::seed_from_u64(u64::from(index));
    let keys = DeviceKeys::random(&mut entropy);
    node_with(index, keys, storage, entropy)
}

pub(super) fn node_with(
    index: u8,
    keys: DeviceKeys,
    storage: Box<dyn SpaceStorage>,
    entropy: ChaCha8Rng,
) -> Node {
    node_of(index, keys, (Box::new(MemoryLedger::default()), storage), entropy)
}

pub(super) fn node_of(
    index: u8,
    keys: DeviceKeys,
    (ledger, storage): (Box<dyn Ledger>, Box<dyn SpaceStorage>),
    entropy: ChaCha8Rng,
) -> Node {
    let config = Config {
        agent_name: format!("person {index}"),
        device_name: "device".into(),
        sync_interval: Duration::from_secs(1_800),
        bundle_from_changes: BUNDLE_FROM_CHANGES,
        large_from_bytes: sync_engine_core::LARGE_FROM_BYTES,
    };
    let now = Now { monotonic: Duration::ZERO, wall: Timestamp(1_000) };
    Node::open(config, keys, ledger, storage, Box::new(entropy), now).expect("memory does not fail")
}
