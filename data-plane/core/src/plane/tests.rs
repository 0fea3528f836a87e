use super::*;

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
    let fetch = |job, device| NetCommand::Fetch { job, device, blobs: vec![BLOB] };
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
    let fetch = |job, device| NetCommand::Fetch { job, device, blobs: vec![BLOB] };
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
    plane.command(Duration::ZERO, Command::Hold { blobs: vec![BLOB] });
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
    plane.command(Duration::ZERO, Command::Hold { blobs: vec![BLOB] });
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
