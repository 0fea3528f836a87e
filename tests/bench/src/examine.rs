//! How long the loop stands still while the doctor looks by itself.

use std::time::Duration;

use data_plane_core::net::NetEvent;
use node_core::{
    Effect, Input, Node, Request, RequestId, Response,
    request::{Party, Reach, Role},
};
use node_model::{DeviceId, Now, SpaceId};
use serde_json::{Value, json};

use crate::{
    ask,
    cost::{Meter, quantiles},
};

/// Spaces, and people who share all of them: a large community.
const SPACES: usize = 40;
const PEOPLE: usize = 40;

/// How often it looks.
const ROUNDS: u64 = 20;

/// Lets the doctor of a node look at all pairs of a space and a peer, once while nobody is
/// connected and once while everybody is and nobody has said anything.
///
/// # Panics
/// When the node refuses what its founder may do.
#[must_use]
pub fn looks() -> Value {
    let (mut node, villagers) = ask::acquainted(PEOPLE);
    let everybody = found(&mut node, "everybody");
    for villager in &villagers {
        grant(&mut node, everybody, Party::Agent(villager.agent()));
    }
    for number in 1..SPACES {
        let space = found(&mut node, &format!("space {number}"));
        grant(&mut node, space, Party::Group(everybody));
    }
    let devices: Vec<DeviceId> = villagers.iter().map(|it| it.device()).collect();
    let away = look(&mut node, Duration::from_secs(100));
    for device in &devices {
        let address = "/ip4/10.0.0.1/tcp/1".to_owned();
        let connected = NetEvent::Connected { device: *device, address, outbound: false };
        handle(&mut node, Input::Net(connected), ask::now());
    }
    let connected = look(&mut node, Duration::from_secs(1_000_000));
    json!({"pairs": SPACES * devices.len(), "away_ms": away, "connected_ms": connected})
}

fn look(node: &mut Node, from: Duration) -> Value {
    let times = (0..ROUNDS).map(|round| {
        // Something happens, and five seconds later it looks; what else was due is done.
        let mut now = ask::now();
        now.monotonic = from + Duration::from_secs(60 * round);
        handle(node, Input::BlobsHeld(Vec::new()), now);
        now.monotonic += Duration::from_millis(4_500);
        handle(node, Input::Timeout, now);
        now.monotonic += Duration::from_millis(500);
        let meter = Meter::start_clock();
        node.handle(now, Input::Timeout);
        let milliseconds = meter.seconds() * 1_000.0;
        flush(node, now);
        milliseconds
    });
    quantiles(times.collect())
}

fn found(node: &mut Node, name: &str) -> SpaceId {
    let (name, reach) = (name.to_owned(), Reach::Private);
    let found = Request::FoundSpace { name, reach, has_open_history: true };
    let effects = handle(node, Input::Request(RequestId(0), found), ask::now());
    let mut spaces = effects.into_iter().filter_map(|effect| {
        let Effect::Reply(_, Ok(Response::Space(info))) = effect else { return None };
        Some(info.space)
    });
    spaces.next().expect("it was founded")
}

fn grant(node: &mut Node, space: SpaceId, party: Party) {
    let grant = Request::Grant { space, party, role: Role::Reader };
    let effects = handle(node, Input::Request(RequestId(0), grant), ask::now());
    let is_done = effects.iter().any(|effect| matches!(effect, Effect::Reply(_, Ok(_))));
    assert!(is_done, "a founder may grant: {effects:?}");
}

fn handle(node: &mut Node, input: Input, now: Now) -> Vec<Effect> {
    node.handle(now, input);
    flush(node, now)
}

fn flush(node: &mut Node, now: Now) -> Vec<Effect> {
    node.flush(now);
    std::iter::from_fn(|| node.poll_effect()).collect()
}
