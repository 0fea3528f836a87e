use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use node_core::{
    FailureKind, Request, Response,
    pack::{PackRequest, PackResponse},
    request::{DescriptionChange, Party, Role},
};
use node_model::SpaceId;
use serde_bytes::ByteBuf;
use tokio::sync::Notify;

use super::*;
use crate::{
    Network,
    folder::{KeptFolder, carrier_of},
    handle::unexpected,
    pack::tests::{Apart, apart, found, has, without_network, write},
    testing::{TestNode, test_node},
};

/// Patient enough for a busy machine, except with what hangs.
const QUICK: Pace = Pace {
    answer_max: Duration::from_millis(20),
    give_up: Duration::from_millis(200),
    calm: Duration::from_millis(1),
    back_off_max: Duration::from_millis(40),
};

const EVERY: Duration = Duration::from_millis(5);

/// A ledger elsewhere, in a few lines: the statements that somebody put there.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<BTreeSet<Vec<u8>>>>);

impl Shelf {
    fn carrier(&self) -> Carrier {
        let shelf = self.clone();
        Carrier {
            every: EVERY,
            call: Box::new(move |node, _| Box::pin(bring(node, shelf.clone()))),
        }
    }
}

async fn bring(node: Handle, shelf: Shelf) -> Result<Called, Failure> {
    let there = shelf.0.lock().expect("nobody panics").clone();
    let attestations = there.iter().map(|bytes| ByteBuf::from(bytes.as_slice())).collect();
    node.ask_pack(PackRequest::TakeAttestations { attestations }).await?;
    let Response::Spaces(spaces) = node.request(Request::Spaces).await? else {
        return Err(unexpected());
    };
    for space in spaces.iter().filter(|it| it.role.is_some()) {
        let seal = PackRequest::Seal { space: space.space };
        let PackResponse::Plan(plan) = node.ask_pack(seal).await? else {
            return Err(unexpected());
        };
        let lacking = plan.attestations.into_iter().map(|(_, bytes)| bytes);
        shelf.0.lock().expect("nobody panics").extend(lacking);
    }
    Ok(Called::default())
}

fn folder(path: &Path) -> Carrier {
    carrier_of(path.to_owned(), None, EVERY)
}

async fn call(carrier: &Carrier, node: &TestNode) -> Called {
    let (progress, _) = watch::channel(Progress::default());
    (carrier.call)(node.handle.clone(), progress).await.expect("it answers")
}

async fn role(node: &TestNode, space: SpaceId) -> Option<Role> {
    let Ok(Response::Spaces(spaces)) = node.handle.request(Request::Spaces).await else {
        panic!("no spaces");
    };
    spaces.into_iter().find(|it| it.space == space).and_then(|it| it.role)
}

async fn statements(node: &TestNode) -> usize {
    let Ok(Response::Status(status)) = node.handle.request(Request::Status).await else {
        panic!("no status");
    };
    status.attestations
}

/// What every adapter must do, between two nodes that met once: what one says the other hears of,
/// whoever called first and however often; and what is known is not said again.
async fn conformance(ours: Carrier, theirs: Carrier, Apart { ada, ben, .. }: &Apart) {
    let Ok(Response::Identity(identity)) = ben.handle.request(Request::Identity).await else {
        panic!("no identity");
    };
    let party = Party::Agent(identity.agent);
    call(&theirs, ben).await;
    let space = found(ada).await;
    let grant = Request::Grant { space, party, role: Role::Reader };
    ada.handle.request(grant).await.expect("admits");
    assert_eq!(role(ben, space).await, None, "nothing came by itself");
    call(&ours, ada).await;
    call(&theirs, ben).await;
    assert_eq!(role(ben, space).await, Some(Role::Reader));

    for _ in 0..2 {
        call(&ours, ada).await;
        call(&theirs, ben).await;
    }
    let known = (statements(ada).await, statements(ben).await);
    call(&ours, ada).await;
    call(&theirs, ben).await;
    assert_eq!((statements(ada).await, statements(ben).await), known, "nothing is new");

    let site = Some("mill".to_owned());
    let change = DescriptionChange { class: None, site, region: None };
    let describe = Request::DescribeDevice { device: identity.device, change };
    ben.handle.request(describe).await.expect("it is theirs");
    call(&theirs, ben).await;
    call(&ours, ada).await;
    assert_eq!(statements(ada).await, known.0 + 1, "the other way, too");
}

#[tokio::test]
async fn a_ledger_in_memory_conforms() {
    let shelf = Shelf::default();
    conformance(shelf.carrier(), shelf.carrier(), &apart(Role::Writer).await).await;
}

#[tokio::test]
async fn a_folder_conforms_as_a_ledger() {
    let apart = apart(Role::Writer).await;
    let path = apart.stick.path();
    conformance(folder(path), folder(path), &apart).await;
}

/// An adapter whose calls hang while they are told to, and count.
#[derive(Clone, Default)]
struct Moody {
    hangs: Arc<AtomicBool>,
    wakes: Arc<Notify>,
    under_way: Arc<AtomicUsize>,
    shelf: Shelf,
}

/// One call: ends with it, however that goes.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Moody {
    fn hanging() -> Self {
        let moody = Self::default();
        moody.hangs.store(true, Ordering::SeqCst);
        moody
    }

    fn carrier(&self) -> Carrier {
        let moody = self.clone();
        let call = move |node, _: ProgressSender| -> Call {
            let moody = moody.clone();
            Box::pin(async move {
                let before = moody.under_way.fetch_add(1, Ordering::SeqCst);
                let _under_way = UnderWay(Arc::clone(&moody.under_way));
                assert_eq!(before, 0, "one call at a time");
                if moody.hangs.load(Ordering::SeqCst) {
                    moody.wakes.notified().await;
                }
                bring(node, moody.shelf).await
            })
        };
        Carrier { every: EVERY, call: Box::new(call) }
    }
}

/// Runs an adapter beside a node.
fn begin(carrier: Carrier, node: &TestNode) -> watch::Receiver<CarrierStatus> {
    let (status, shown) = watch::channel(CarrierStatus::default());
    tokio::spawn(run(carrier, node.handle.downgrade(), (Clock::start(), QUICK), status));
    shown
}

#[tokio::test]
async fn a_ledger_that_hangs_delays_nothing_and_what_was_missed_follows() {
    let Apart { ada, ben, stick, .. } = apart(Role::Writer).await;
    let moody = Moody::hanging();
    let mut shown = begin(moody.carrier(), &ada);
    let hangs = |it: &CarrierStatus| matches!(it.state, CarrierState::NotAnswering { .. });
    shown.wait_for(hangs).await.expect("it runs");
    let since = shown.borrow().state.clone();

    // Meanwhile everything else goes its way.
    let space = found(&ada).await;
    write(&ada, space, "while it hangs").await;
    assert!(has(&ada, space, "while it hangs").await);
    let (progress, _) = watch::channel(Progress::default());
    let synced = ada.handle.sync_folder(stick.path().to_owned(), None, false, progress).await;
    assert!(synced.expect("another way is open").spaces.iter().any(|it| it.pushed > 0));
    assert_eq!(shown.borrow().state, since, "it hangs for as long as it hangs");

    let Ok(Response::Identity(identity)) = ben.handle.request(Request::Identity).await else {
        panic!("no identity");
    };
    let grant = Request::Grant { space, party: Party::Agent(identity.agent), role: Role::Reader };
    ada.handle.request(grant).await.expect("admits");
    moody.hangs.store(false, Ordering::SeqCst);
    moody.wakes.notify_waiters();
    let is_synced = |it: &CarrierStatus| it.state == CarrierState::Synced;
    shown.wait_for(is_synced).await.expect("it answers again");
    assert!(shown.borrow().last_sync.is_some());
    call(&moody.shelf.carrier(), &ben).await;
    assert_eq!(role(&ben, space).await, Some(Role::Reader), "what was missed followed");

    ada.started.stop().await;
}

#[tokio::test]
async fn what_is_written_here_goes_out_before_the_next_look() {
    let ada = test_node("Ada", Network::None).await;
    let called = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&called);
    let call = move |_, _: ProgressSender| -> Call {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Called::default()) })
    };
    let every = Duration::from_secs(60 * 60);
    let mut shown = begin(Carrier { every, call: Box::new(call) }, &ada);
    let is_synced = |it: &CarrierStatus| it.state == CarrierState::Synced;
    shown.wait_for(is_synced).await.expect("it is called at once");
    let space = found(&ada).await;
    write(&ada, space, "news").await;
    while called.load(Ordering::SeqCst) < 2 {
        shown.changed().await.expect("it runs");
    }
}

#[tokio::test]
async fn a_ledger_that_fails_says_since_when_and_why_and_comes_back() {
    let ada = test_node("Ada", Network::None).await;
    let is_absent = Arc::new(AtomicBool::new(true));
    let (absent, times) = (Arc::clone(&is_absent), AtomicUsize::new(0));
    let call = move |_, _: ProgressSender| -> Call {
        let fails = absent.load(Ordering::SeqCst);
        let message = format!("no conductor, {}", times.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            let failure = Failure::new(FailureKind::NotFound, message, "start it");
            if fails { Err(failure) } else { Ok(Called { left_out: 3 }) }
        })
    };
    let mut shown = begin(Carrier { every: EVERY, call: Box::new(call) }, &ada);
    let failing = |it: &CarrierStatus| match &it.state {
        CarrierState::Failing { since, failure } => Some((*since, failure.message.clone())),
        CarrierState::Waiting | CarrierState::Synced | CarrierState::NotAnswering { .. } => None,
    };
    let first = shown.wait_for(|it| failing(it).is_some()).await.expect("it runs").clone();
    let (since, first) = failing(&first).expect("it fails");
    let is_next = |it: &CarrierStatus| failing(it).is_some_and(|(_, message)| message != first);
    let next = shown.wait_for(is_next).await.expect("it tries again").clone();
    assert_eq!(failing(&next).map(|(since, _)| since), Some(since), "since the first time");
    is_absent.store(false, Ordering::SeqCst);
    let is_synced = |it: &CarrierStatus| it.state == CarrierState::Synced;
    assert_eq!(shown.wait_for(is_synced).await.expect("it runs").left_out, 3);
}

#[tokio::test]
async fn folders_are_kept_until_they_are_not_and_by_the_next_process_too() {
    let Apart { ada, ben, space, stick } = apart(Role::Writer).await;
    let place = stick.path().to_owned();
    let hour = Duration::from_secs(60 * 60);
    ada.handle.keep_folder(place.clone(), Some(space), hour).await.expect("keeps");
    let [KeptFolder { status, .. }] = &ada.handle.kept_folders().await[..] else {
        panic!("one folder");
    };
    assert_eq!(status.state, CarrierState::Waiting, "nobody asked for tasks");
    let folders = std::fs::read(ada.folder.path().join("folders")).expect("a list");
    let name = place.to_str().expect("plain").as_bytes();
    assert!(!folders.windows(name.len()).any(|it| it == name), "it is sealed");

    // Ben's change goes out by itself, and Ada looks once a second.
    ben.handle.begin_keeping().await;
    ben.handle.keep_folder(place.clone(), None, hour).await.expect("keeps");
    write(&ben, space, "of Ben").await;
    let second = Duration::from_secs(1);
    ada.handle.keep_folder(place.clone(), Some(space), second).await.expect("keeps");
    let mut events = ada.handle.events();
    ada.handle.begin_keeping().await;
    while !has(&ada, space, "of Ben").await {
        events.recv().await.expect("it runs");
    }

    let ada = without_network("Ada", ada).await;
    let [KeptFolder { folder, every, .. }] = &ada.handle.kept_folders().await[..] else {
        panic!("one folder");
    };
    assert_eq!((folder, *every), (&place, second), "the next process knows");
    ada.handle.forget_folder(&place).await.expect("it was kept");
    assert_eq!(ada.handle.kept_folders().await, []);
    let again = ada.handle.forget_folder(&place).await.expect_err("it is not kept");
    assert_eq!(again.kind, FailureKind::NotFound);
    for wrong in [Duration::from_millis(999), Duration::from_secs(31 * 24 * 60 * 60)] {
        let kept = ada.handle.keep_folder(place.clone(), None, wrong).await;
        assert_eq!(kept.expect_err("no rhythm").kind, FailureKind::Invalid);
    }
    ben.started.stop().await;

    ada.handle.keep_folder(place, None, hour).await.expect("keeps");
    let list = ada.folder.path().join("folders");
    std::fs::write(&list, [std::fs::read(&list).expect("a list"), vec![0]].concat())
        .expect("writes");
    let ada = without_network("Ada", ada).await;
    assert_eq!(ada.handle.kept_folders().await, [], "it starts all the same");
}
