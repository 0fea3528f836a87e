use super::{visit::WAITING_BYTES_MAX, *};

const ADA: DeviceId = DeviceId([1; 32]);
const BEN: DeviceId = DeviceId([2; 32]);
const START: Duration = Duration::from_secs(100);

fn batch(id: u8, number: u64, lengths: &[usize]) -> Batch {
    let frame = |length: &usize| Frame { lane: Lane::Sync, bytes: vec![0; *length].into() };
    let (visit, wait) = (VisitId([id; 16]), Duration::from_secs(1));
    Batch { visit, number, wait, is_last: false, frames: lengths.iter().map(frame).collect() }
}

/// Brings a batch and says what comes of it at once.
fn bring(visits: &mut Visits, device: DeviceId, batch: Batch) -> Option<Result<Returned, Refused>> {
    visits.arrive(START, device, TurnId(7), batch);
    visits.poll_answer(START).map(|(turn, answer)| {
        assert_eq!(turn, TurnId(7));
        answer
    })
}

fn send(visits: &mut Visits, device: DeviceId, length: usize) -> Option<NetCommand> {
    let frame = vec![1; length].into();
    visits.command(NetCommand::Send { device, lane: Lane::Sync, frame })
}

fn admit(visits: &mut Visits, device: DeviceId) {
    let admit = NetCommand::Admit { device };
    assert_eq!(visits.command(admit.clone()), Some(admit), "the other transport hears it, too");
}

/// What the node is told now.
fn told(visits: &mut Visits) -> Vec<NetEvent> {
    std::iter::from_fn(|| visits.poll_event()).collect()
}

fn connected(device: DeviceId) -> NetEvent {
    NetEvent::Connected { device, address: ADDRESS.to_owned(), outbound: false }
}

fn directly(device: DeviceId) -> NetEvent {
    NetEvent::Connected { device, address: "/ip4/10.0.0.1/tcp/1".to_owned(), outbound: true }
}

fn direct_frame(device: DeviceId) -> NetEvent {
    NetEvent::Frame { device, lane: Lane::Sync, frame: vec![9].into() }
}

/// Visits with one of Ada, of whom the node knows.
fn visited() -> Visits {
    let mut visits = Visits::default();
    assert_eq!(bring(&mut visits, ADA, batch(1, 0, &[])), None);
    assert_eq!(told(&mut visits), [connected(ADA)]);
    visits
}

#[test]
fn a_visitor_is_connected_speaks_is_answered_and_goes() {
    let mut visits = visited();
    assert_eq!(send(&mut visits, ADA, 5), None);
    let (_, first) = visits.poll_answer(START).expect("there is a frame");
    assert_eq!(first.expect("taken").frames.len(), 1);
    assert_eq!(bring(&mut visits, ADA, batch(1, 1, &[3, 4])), None);
    let heard: Vec<_> = std::iter::from_fn(|| visits.poll_frame()).collect();
    assert_eq!(heard.len(), 2);
    assert_eq!(visits.poll_timeout(), Some(START + Duration::from_secs(1)));
    let (_, empty) = visits.poll_answer(START + Duration::from_secs(1)).expect("waited enough");
    assert_eq!(
        empty,
        Ok(Returned { number: 1, is_full: false, wants_blobs: false, frames: vec![] })
    );
    let last = Batch { is_last: true, ..batch(1, 2, &[]) };
    assert!(bring(&mut visits, ADA, last).is_some());
    assert_eq!(told(&mut visits), [NetEvent::Disconnected { device: ADA }]);
    assert!(send(&mut visits, ADA, 1).is_some(), "it is for the other transport again");
}

#[test]
fn a_visitor_is_told_once_that_blobs_are_wanted_and_ends_what_it_does_not_bring() {
    let mut visits = visited();
    let wanted =
        |job| NetCommand::Fetch { job, device: ADA, blobs: vec![BlobId([5; 32])], bytes_max: 9 };
    assert_eq!(visits.command(wanted(1)), None);
    assert_eq!(visits.command(wanted(2)), None);
    let (_, told_of_it) = visits.poll_answer(START).expect("it is news");
    assert!(told_of_it.expect("taken").wants_blobs);
    let errand = Errand { job: 1, blobs: vec![BlobId([5; 32])], bytes_max: 9 };
    assert_eq!(visits.begin_errand(ADA), Some(&errand));
    assert!(visits.begin_errand(BEN).is_none() && !visits.is_visiting(BEN));
    assert_eq!(bring(&mut visits, ADA, batch(1, 1, &[])), None, "no news any more");
    let ended = NetEvent::FetchEnded { job: 1, error: None };
    visits.on_net(ended.clone());
    assert_eq!(visits.begin_errand(ADA).map(|errand| errand.job), Some(2));
    assert!(visits.command(NetCommand::Disconnect { device: ADA }).is_some());
    let error = Some("the visit is over".to_owned());
    let unbrought = NetEvent::FetchEnded { job: 2, error };
    assert_eq!(told(&mut visits), [ended, unbrought, NetEvent::Disconnected { device: ADA }]);
    assert!(visits.command(wanted(3)).is_some(), "it is for the other transport again");
}

#[test]
fn blobs_that_a_visitor_does_not_bring_are_left_to_others() {
    let mut visits = visited();
    let wanted = NetCommand::Fetch {
        job: 1,
        device: ADA,
        blobs: vec![BlobId([5; 32])],
        bytes_max: u64::MAX,
    };
    assert_eq!(visits.command(wanted.clone()), None);
    assert!(visits.poll_answer(START).is_some(), "it is news");
    assert!(visits.poll_timeout().is_some_and(|due| due <= START), "to begin to wait");
    visits.on_timeout(START);
    assert_eq!(visits.poll_timeout(), Some(START + IDLE_MAX));
    visits.on_timeout(START + IDLE_MAX / 2);
    assert_eq!(told(&mut visits), []);
    visits.arrive(START + IDLE_MAX / 2, ADA, TurnId(7), batch(1, 1, &[]));
    visits.on_timeout(START + IDLE_MAX);
    let error = Some("it brings no blobs".to_owned());
    assert_eq!(told(&mut visits), [NetEvent::FetchEnded { job: 1, error }]);
    // Once it has begun it may take as long as it takes.
    assert_eq!(visits.command(wanted), None);
    assert!(visits.begin_errand(ADA).is_some());
    visits.on_timeout(START + IDLE_MAX * 2);
    assert_eq!(told(&mut visits), []);
}

#[test]
fn what_is_not_of_this_visit_ends_it() {
    for wrong in [batch(1, 0, &[1]), batch(1, 2, &[1]), batch(2, 1, &[1])] {
        let mut visits = visited();
        assert_eq!(send(&mut visits, ADA, 1), None);
        assert!(visits.poll_answer(START).is_some());
        let is_other = wrong.visit != VisitId([1; 16]);
        assert_eq!(bring(&mut visits, ADA, wrong), Some(Err(Refused::Over)));
        assert_eq!(visits.poll_frame(), None);
        // Whoever does not know the visit's name cannot end it.
        assert_eq!(told(&mut visits).is_empty(), is_other);
    }
    let mut visits = visited();
    assert_eq!(bring(&mut visits, BEN, batch(1, 1, &[1])), Some(Err(Refused::Over)));
    assert_eq!(bring(&mut visits, ADA, batch(1, 1, &[1])), Some(Err(Refused::Busy)));
}

#[test]
fn a_new_visit_takes_the_place_of_the_old_one() {
    let mut visits = visited();
    visits.arrive(START, ADA, TurnId(8), batch(2, 0, &[]));
    let (turn, old) = visits.poll_answer(START).expect("the old one is over");
    assert_eq!((turn, old.map(|it| it.frames.len())), (TurnId(7), Ok(0)));
    // What the node says before it knows was meant for the old one.
    assert_eq!(send(&mut visits, ADA, 1), None);
    assert_eq!(told(&mut visits), [NetEvent::Disconnected { device: ADA }, connected(ADA)]);
    assert_eq!(visits.poll_answer(START), None);
    assert_eq!(send(&mut visits, ADA, 2), None);
    let (turn, answer) = visits.poll_answer(START).expect("a frame");
    assert_eq!((turn, answer.expect("taken").frames[0].bytes.len()), (TurnId(8), 2));
}

#[test]
fn frames_wait_while_much_is_to_be_fetched() {
    let mut visits = visited();
    assert_eq!(send(&mut visits, ADA, 1), None);
    assert!(visits.poll_answer(START).is_some());
    assert_eq!(bring(&mut visits, ADA, batch(1, 1, &[1, 1, 1])), None);
    assert!(visits.poll_frame().is_some());
    for _ in 0..2 {
        assert_eq!(send(&mut visits, ADA, WAITING_BYTES_MAX / 2), None);
    }
    assert_eq!(visits.poll_frame(), None);
    let (_, answer) = visits.poll_answer(START).expect("much");
    let answer = answer.expect("taken");
    assert_eq!((answer.is_full, answer.frames.len()), (true, 1));
    assert!(visits.poll_frame().is_some(), "there is room again");
    // Nobody sends more in spite of that.
    assert_eq!(bring(&mut visits, ADA, batch(1, 2, &[1])), Some(Err(Refused::Over)));
    assert_eq!(told(&mut visits), [NetEvent::Disconnected { device: ADA }]);
}

#[test]
fn who_asks_for_more_than_it_fetches_is_sent_away() {
    let mut visits = visited();
    let piece = OUTGOING_BYTES_MAX / 16;
    for _ in 0..16 {
        assert_eq!(send(&mut visits, ADA, piece), None);
    }
    assert_eq!(told(&mut visits), []);
    assert_eq!(send(&mut visits, ADA, 1), None);
    assert_eq!(told(&mut visits), [NetEvent::Disconnected { device: ADA }]);
}

#[test]
fn guests_leave_room_for_those_who_are_admitted() {
    let mut visits = Visits::default();
    for number in 0..GUESTS_MAX {
        let guest = DeviceId([100 + number as u8; 32]);
        assert_eq!(bring(&mut visits, guest, batch(1, 0, &[])), None);
    }
    assert_eq!(bring(&mut visits, BEN, batch(1, 0, &[])), Some(Err(Refused::Full)));
    admit(&mut visits, ADA);
    assert_eq!(bring(&mut visits, ADA, batch(1, 0, &[])), None);
    admit(&mut visits, DeviceId([100; 32]));
    assert_eq!(bring(&mut visits, BEN, batch(2, 0, &[])), None, "a guest is none any more");
    let forbid = NetCommand::Forbid { device: ADA };
    assert_eq!(visits.command(forbid.clone()), Some(forbid));
    assert!(visits.poll_answer(START).is_some(), "its visit is over");
    assert_eq!(bring(&mut visits, ADA, batch(3, 0, &[])), Some(Err(Refused::Full)));
}

#[test]
fn visits_are_few_and_end_when_nothing_is_heard() {
    let mut visits = Visits::default();
    for number in 0..VISITS_MAX {
        let device = DeviceId([number as u8; 32]);
        admit(&mut visits, device);
        assert_eq!(bring(&mut visits, device, batch(1, 0, &[])), None);
    }
    let late = DeviceId([99; 32]);
    admit(&mut visits, late);
    assert_eq!(bring(&mut visits, late, batch(1, 0, &[])), Some(Err(Refused::Full)));
    assert_eq!(told(&mut visits).len(), VISITS_MAX);
    let answered = START + Duration::from_secs(1);
    for _ in 0..VISITS_MAX {
        assert!(visits.poll_answer(answered).is_some());
    }
    assert_eq!(visits.poll_timeout(), Some(START + IDLE_MAX));
    visits.on_timeout(START + IDLE_MAX - Duration::from_millis(1));
    assert_eq!(told(&mut visits), []);
    visits.on_timeout(START + IDLE_MAX);
    assert_eq!(told(&mut visits).len(), VISITS_MAX);
    assert_eq!(visits.poll_timeout(), None);
}

#[test]
fn a_visit_takes_the_place_of_a_connection() {
    let mut visits = Visits::default();
    visits.on_net(directly(ADA));
    visits.on_net(direct_frame(ADA));
    assert_eq!(told(&mut visits), [directly(ADA), direct_frame(ADA)]);
    assert_eq!(bring(&mut visits, ADA, batch(1, 0, &[])), None);
    assert_eq!(visits.poll_command(), Some(NetCommand::Disconnect { device: ADA }));
    visits.on_net(direct_frame(ADA));
    visits.on_net(NetEvent::Disconnected { device: ADA });
    assert_eq!(told(&mut visits), [NetEvent::Disconnected { device: ADA }, connected(ADA)]);
    // Nor does one begin in the meantime.
    visits.on_net(directly(ADA));
    assert_eq!((told(&mut visits), visits.poll_command().is_some()), (vec![], true));
    visits.on_net(directly(BEN));
    assert_eq!((told(&mut visits), visits.poll_command()), (vec![directly(BEN)], None));
    let forbid = NetCommand::Forbid { device: ADA };
    assert_eq!(visits.command(forbid.clone()), Some(forbid));
    assert_eq!(told(&mut visits), [NetEvent::Disconnected { device: ADA }]);
    visits.on_net(directly(ADA));
    assert_eq!(told(&mut visits), [directly(ADA)]);
}

#[test]
fn a_batch_is_answered_early_for_whoever_has_something_to_say() {
    let mut visits = visited();
    assert!(visits.poll_answer(START).is_none(), "it waits");
    assert!(!visits.hurry(START, BEN));
    assert!(visits.hurry(START, ADA));
    let (_, answer) = visits.poll_answer(START).expect("it waits no more");
    assert_eq!(answer.expect("taken").frames, []);
    assert!(!visits.hurry(START, ADA), "no batch waits");
}
