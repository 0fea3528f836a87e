use super::*;
use crate::net::circuit_address;

const ADA: DeviceId = DeviceId([1; 32]);
const BOB: DeviceId = DeviceId([2; 32]);
const SPACE: SpaceId = SpaceId([3; 32]);
const BLOB: BlobId = BlobId([4; 32]);

fn effects(plane: &mut DataPlane) -> Vec<NetCommand> {
    std::iter::from_fn(|| plane.poll_effect()).collect()
}

fn sharing(plane: &mut DataPlane, device: DeviceId) {
    sharing_at(plane, device, Nearness::Elsewhere);
}

fn sharing_at(plane: &mut DataPlane, device: DeviceId, nearness: Nearness) {
    let spaces = BTreeSet::from([SPACE]);
    plane.command(Duration::ZERO, Command::Share { device, spaces, is_admitted: true, nearness });
}

fn connected(plane: &mut DataPlane, device: DeviceId) {
    let address = "/ip4/127.0.0.1/tcp/1".to_owned();
    plane.on_net(Duration::ZERO, NetEvent::Connected { device, address, outbound: true });
}

#[test]
fn a_blob_is_fetched_from_who_shares_the_space_and_then_from_the_next() {
    let mut plane = DataPlane::default();
    for device in [ADA, BOB] {
        sharing(&mut plane, device);
        connected(&mut plane, device);
    }
    effects(&mut plane);
    plane.command(Duration::ZERO, Command::Refer { space: SPACE, blobs: BTreeSet::from([BLOB]) });
    let fetch =
        |job, device| NetCommand::Fetch { job, device, blobs: vec![BLOB], bytes_max: u64::MAX };
    assert_eq!(effects(&mut plane), [fetch(0, ADA)]);
    let one = BTreeMap::from([(SPACE, 1)]);
    assert_eq!((plane.wanted_by_space(), plane.fetching_from(ADA)), (one.clone(), one));
    assert_eq!(plane.fetching_from(BOB), BTreeMap::new());
    plane.on_net(Duration::ZERO, NetEvent::BlobRefused { job: 0, blob: BLOB });
    plane.on_net(Duration::ZERO, NetEvent::FetchEnded { job: 0, error: None });
    assert_eq!(effects(&mut plane), [fetch(1, BOB)]);
    plane.on_net(Duration::ZERO, NetEvent::BlobFetched { job: 1, blob: BLOB, bytes: 9 });
    plane.on_net(Duration::ZERO, NetEvent::FetchEnded { job: 1, error: None });
    assert_eq!(effects(&mut plane), []);
    assert_eq!((plane.wanted_count(), plane.wanted_by_space()), (0, BTreeMap::new()));
}

#[test]
fn the_nearest_is_asked_first_and_the_others_for_what_it_lacks() {
    let mut plane = DataPlane::default();
    let cy = DeviceId([5; 32]);
    let nearness = [Nearness::Elsewhere, Nearness::SameRegion, Nearness::SameSite];
    for (device, nearness) in [ADA, BOB, cy].into_iter().zip(nearness) {
        sharing_at(&mut plane, device, nearness);
        connected(&mut plane, device);
    }
    effects(&mut plane);
    plane.command(Duration::ZERO, Command::Refer { space: SPACE, blobs: BTreeSet::from([BLOB]) });
    let fetch =
        |job, device| NetCommand::Fetch { job, device, blobs: vec![BLOB], bytes_max: u64::MAX };
    for (job, device) in [(0, cy), (1, BOB), (2, ADA)] {
        assert_eq!(effects(&mut plane), [fetch(job, device)]);
        plane.on_net(Duration::ZERO, NetEvent::BlobRefused { job, blob: BLOB });
        plane.on_net(Duration::ZERO, NetEvent::FetchEnded { job, error: None });
    }
    assert_eq!(effects(&mut plane), []);
    // Ada has moved in.
    sharing_at(&mut plane, ADA, Nearness::SameSite);
    sharing_at(&mut plane, cy, Nearness::Elsewhere);
    effects(&mut plane);
    plane.on_net(Duration::ZERO, NetEvent::FetchEnded { job: 3, error: None });
    plane.command(Duration::ZERO, Command::FetchAgain);
    assert_eq!(effects(&mut plane), [fetch(4, ADA)]);
}

/// Spaces that are kept for somebody have room together, others have their own.
#[test]
fn where_room_is_limited_no_more_is_asked_for_than_fits() {
    let mut plane = DataPlane::default();
    for device in [ADA, BOB] {
        sharing(&mut plane, device);
        connected(&mut plane, device);
    }
    effects(&mut plane);
    let [small, large] = [BlobId([5; 32]), BlobId([6; 32])];
    let room =
        |bytes| Command::Limit { rooms: vec![Room { spaces: BTreeSet::from([SPACE]), bytes }] };
    plane.command(Duration::ZERO, room(100));
    let blobs = BTreeSet::from([BLOB, small, large]);
    plane.command(Duration::ZERO, Command::Refer { space: SPACE, blobs });
    let fetch = |job, device, blobs: &[BlobId], bytes_max| NetCommand::Fetch {
        job,
        device,
        blobs: blobs.to_vec(),
        bytes_max,
    };
    // Not from Bob at the same time: both together would take more.
    assert_eq!(effects(&mut plane), [fetch(0, ADA, &[BLOB, small, large], 100)]);
    assert!(!plane.lacks_room(SPACE), "nobody knows yet");
    plane.on_net(Duration::ZERO, NetEvent::BlobFetched { job: 0, blob: BLOB, bytes: 60 });
    plane.on_net(Duration::ZERO, NetEvent::NoRoom { job: 0, blob: large, bytes: 900 });
    plane.on_net(Duration::ZERO, NetEvent::FetchEnded { job: 0, error: None });
    assert_eq!(effects(&mut plane), [fetch(1, ADA, &[small], 40)], "the rest of the room");
    assert!(plane.lacks_room(SPACE) && !plane.lacks_room(SpaceId([9; 32])));
    plane.on_net(Duration::ZERO, NetEvent::BlobFetched { job: 1, blob: small, bytes: 40 });
    plane.on_net(Duration::ZERO, NetEvent::FetchEnded { job: 1, error: None });
    assert_eq!(effects(&mut plane), [], "it is full");
    assert_eq!(plane.held_bytes(SPACE), 100);
    plane.command(Duration::ZERO, room(900));
    assert_eq!(effects(&mut plane), [fetch(2, BOB, &[large], 900)], "Ada said how large it is");
    plane.on_net(Duration::ZERO, NetEvent::BlobFetched { job: 2, blob: large, bytes: 900 });
    plane.on_net(Duration::ZERO, NetEvent::FetchEnded { job: 2, error: None });
    assert!(!plane.lacks_room(SPACE));
    plane.command(Duration::ZERO, Command::Release { space: SPACE, blobs: [large].into() });
    assert_eq!(plane.held_bytes(SPACE), 100);
}

#[test]
fn what_one_is_in_has_room_whatever_is_kept_for_others() {
    let mut plane = DataPlane::default();
    let mine = SpaceId([7; 32]);
    let spaces = BTreeSet::from([SPACE, mine]);
    let nearness = Nearness::Elsewhere;
    let share = Command::Share { device: ADA, spaces, is_admitted: true, nearness };
    plane.command(Duration::ZERO, share);
    connected(&mut plane, ADA);
    effects(&mut plane);
    let rooms = vec![Room { spaces: BTreeSet::from([SPACE]), bytes: 0 }];
    plane.command(Duration::ZERO, Command::Limit { rooms });
    for space in [SPACE, mine] {
        plane.command(Duration::ZERO, Command::Refer { space, blobs: BTreeSet::from([BLOB]) });
    }
    let bytes_max = u64::MAX;
    let fetch = NetCommand::Fetch { job: 0, device: ADA, blobs: vec![BLOB], bytes_max };
    assert_eq!(effects(&mut plane), [fetch]);
}

#[test]
fn of_those_that_are_due_the_nearest_is_dialled_first() {
    let mut plane = DataPlane::default();
    for (device, nearness) in [(ADA, Nearness::SameRegion), (BOB, Nearness::SameSite)] {
        sharing_at(&mut plane, device, nearness);
        let addresses = vec!["/ip4/127.0.0.1/tcp/1".to_owned()];
        plane.command(Duration::ZERO, Command::Know { device, addresses });
    }
    effects(&mut plane);
    plane.command(Duration::ZERO, Command::Seek { devices: BTreeSet::from([ADA, BOB]) });
    let addresses = vec!["/ip4/127.0.0.1/tcp/1".to_owned()];
    let dial = |device| NetCommand::Dial { device, addresses: addresses.clone() };
    assert_eq!(effects(&mut plane), [dial(BOB), dial(ADA)]);
}

#[test]
fn only_who_shares_the_space_is_provided_with_its_blobs() {
    let mut plane = DataPlane::default();
    sharing(&mut plane, ADA);
    plane.command(Duration::ZERO, Command::Hold { blobs: vec![(BLOB, 1)] });
    plane.command(Duration::ZERO, Command::Refer { space: SPACE, blobs: BTreeSet::from([BLOB]) });
    effects(&mut plane);
    let unknown = BlobId([9; 32]);
    for (device, expected) in [(ADA, [true, false]), (BOB, [false, false])] {
        let blobs = vec![BLOB, unknown];
        plane.on_net(Duration::ZERO, NetEvent::BlobsRequested { request: 7, device, blobs });
        let allowed = expected.to_vec();
        assert_eq!(effects(&mut plane), [NetCommand::Answer { request: 7, allowed }]);
    }
}

#[test]
fn failed_dials_are_repeated_ever_more_rarely() {
    let mut plane = DataPlane::default();
    let addresses = vec!["/ip4/127.0.0.1/tcp/1".to_owned()];
    plane.command(Duration::ZERO, Command::Know { device: ADA, addresses });
    plane.command(Duration::ZERO, Command::Seek { devices: BTreeSet::from([ADA]) });
    let mut now = Duration::ZERO;
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(effects(&mut plane).len(), 1);
        let reason = "refused".to_owned();
        plane.on_net(now, NetEvent::DialFailed { device: ADA, reason });
        let due = plane.poll_timeout().expect("tries again");
        waits.push((due - now).as_secs());
        now = due;
        plane.on_timeout(now);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn addresses_that_come_during_a_dial_are_tried_before_giving_up() {
    let mut plane = DataPlane::default();
    let know = |address: &str| Command::Know { device: ADA, addresses: vec![address.to_owned()] };
    plane.command(Duration::ZERO, Command::Seek { devices: BTreeSet::from([ADA]) });
    plane.command(Duration::ZERO, know("/ip4/127.0.0.1/tcp/1"));
    plane.command(Duration::ZERO, know("/ip4/127.0.0.1/tcp/2"));
    let failed = || NetEvent::DialFailed { device: ADA, reason: "refused".to_owned() };
    plane.on_net(Duration::ZERO, failed());
    assert_eq!(plane.poll_event(), None);
    assert_eq!(effects(&mut plane).len(), 2);
    plane.on_net(Duration::ZERO, failed());
    assert!(matches!(plane.poll_event(), Some(Event::Unreachable { .. })));
}

#[test]
fn what_no_space_refers_to_is_neither_fetched_nor_given() {
    let mut plane = DataPlane::default();
    sharing(&mut plane, ADA);
    connected(&mut plane, ADA);
    let (other, blobs) = (SpaceId([5; 32]), BTreeSet::from([BLOB]));
    for space in [SPACE, other] {
        plane.command(Duration::ZERO, Command::Refer { space, blobs: blobs.clone() });
    }
    plane.command(Duration::ZERO, Command::Hold { blobs: vec![(BLOB, 1)] });
    effects(&mut plane);
    let answer = |plane: &mut DataPlane| {
        let asked = NetEvent::BlobsRequested { request: 1, device: ADA, blobs: vec![BLOB] };
        plane.on_net(Duration::ZERO, asked);
        effects(plane)
    };
    let allowed = |is_allowed| [NetCommand::Answer { request: 1, allowed: vec![is_allowed] }];
    plane.command(Duration::ZERO, Command::Release { space: other, blobs: blobs.clone() });
    assert_eq!(answer(&mut plane), allowed(true), "one space refers to it");
    plane.command(Duration::ZERO, Command::Release { space: SPACE, blobs });
    assert_eq!(answer(&mut plane), allowed(false));
    assert_eq!(plane.blob_of(SPACE, BLOB), None);
    let missing = BTreeSet::from([BlobId([6; 32])]);
    plane.command(Duration::ZERO, Command::Refer { space: SPACE, blobs: missing.clone() });
    assert_eq!(plane.wanted_count(), 1);
    plane.command(Duration::ZERO, Command::Release { space: SPACE, blobs: missing });
    assert_eq!(plane.wanted_count(), 0);
}

#[test]
fn once_somebody_is_connected_those_are_dialled_whom_it_may_pass_on() {
    let mut plane = DataPlane::default();
    plane.command(Duration::ZERO, Command::Seek { devices: BTreeSet::from([ADA]) });
    let addresses = vec![circuit_address(BOB)];
    plane.command(Duration::ZERO, Command::Know { device: ADA, addresses: addresses.clone() });
    let dial = || NetCommand::Dial { device: ADA, addresses: addresses.clone() };
    assert_eq!(effects(&mut plane), [dial()]);
    let reason = "nobody passes it on".to_owned();
    plane.on_net(Duration::ZERO, NetEvent::DialFailed { device: ADA, reason });
    assert_eq!(effects(&mut plane), []);
    connected(&mut plane, BOB);
    assert_eq!(effects(&mut plane), [dial()]);
}

#[test]
fn who_is_connected_by_a_circuit_is_tried_directly_now_and_then() {
    let mut plane = DataPlane::default();
    let addresses = vec!["/ip4/127.0.0.1/tcp/1".to_owned()];
    plane.command(Duration::ZERO, Command::Know { device: ADA, addresses });
    plane.command(Duration::ZERO, Command::Seek { devices: BTreeSet::from([ADA]) });
    assert_eq!(effects(&mut plane).len(), 1);
    let address = circuit_address(BOB);
    plane.on_net(Duration::ZERO, NetEvent::Connected { device: ADA, address, outbound: false });
    let facts = plane.peer(ADA).expect("it is known");
    assert_eq!((facts.is_connected, facts.circuit), (true, Some(BOB)));
    let due = plane.poll_timeout().expect("a direct way is looked for");
    assert_eq!(due, STRAIGHTEN_EVERY);
    plane.on_timeout(due);
    assert_eq!(effects(&mut plane).len(), 1);
    let reason = "refused".to_owned();
    plane.on_net(due, NetEvent::DialFailed { device: ADA, reason });
    assert_eq!(plane.peer(ADA).and_then(|facts| facts.last_failure.clone()), None);
    // It comes near.
    let addresses = vec!["/ip4/10.0.0.1/tcp/1".to_owned()];
    plane.command(due, Command::Know { device: ADA, addresses });
    assert_eq!(effects(&mut plane).len(), 1);
    // Both begin anew.
    plane.on_net(due, NetEvent::Disconnected { device: ADA });
    let soon = plane.poll_timeout().expect("it is dialled again");
    assert_eq!(soon, due + REDIAL_MIN);
    let address = "/ip4/10.0.0.1/tcp/1".to_owned();
    plane.on_net(soon, NetEvent::Connected { device: ADA, address, outbound: true });
    assert_eq!((plane.poll_timeout(), plane.peer(ADA).and_then(|it| it.circuit)), (None, None));
}
