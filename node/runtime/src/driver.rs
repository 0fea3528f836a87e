//! The node's loop, on a thread of its own: SQLite may block it, nothing else.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::mpsc::SyncSender,
    time::Duration,
};

use data_plane_core::{
    batch::{Batch, Returned},
    net::{NetCommand, NetEvent},
    visits::{Errand, Refused, TurnId, Visits},
};
use data_plane_store::exchange::provide::{APART, Questions};
use node_core::{
    Effect, Failure, Input, Node, Request, RequestId, Response, request::SearchRequest,
};
use node_model::{BlobId, DeviceId};
use sync_engine_core::{LoadOrder, entry};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    audit::AuditLog,
    clock::Clock,
    handle::NodeEvent,
    search::{Inbox, PeerQuestion},
    visit::{Stay, Stays},
};

/// Inputs handled between two commits: group commit without starving anybody.
const INPUTS_A_FLUSH_MAX: usize = 256;

/// Frames of visitors handled between two commits. Only what is sent after the commit shows
/// how much they are answered with: 16 pages with a largest entry each are 170 MB.
const FRAMES_A_FLUSH_MAX: usize = 16;

/// Commands that may wait for the network before it is read no more. Not few:
/// two nodes that owe each other pages of many spaces must both go on reading,
/// and a peer has one request under way for each space.
const OUTBOX_MAX: usize = 1_024;

/// Verdicts that may wait: more batches than this are never under way, since
/// each session verifies a few at a time.
pub(crate) const VERDICTS_MAX: usize = 1_024;

/// A call from a [`crate::Handle`].
pub(crate) enum Call {
    Request {
        request: Box<Request>,
        answer: oneshot::Sender<Result<Response, Failure>>,
    },
    BlobsHeld(Vec<(BlobId, u64)>),
    Visit {
        device: DeviceId,
        batch: Batch,
        answer: oneshot::Sender<Result<Returned, Refused>>,
    },
    /// What the node wants of a visitor first; nothing is said of whoever does not visit.
    Errand {
        device: DeviceId,
        answer: oneshot::Sender<Option<Option<Errand>>>,
    },
    Stay {
        device: DeviceId,
        answer: oneshot::Sender<Option<Stay>>,
    },
    /// Has a visitor's batch answered now; the answer says whether one waited.
    Hurry {
        device: DeviceId,
        answer: oneshot::Sender<bool>,
    },
    Stop {
        stopped: oneshot::Sender<()>,
    },
}

/// The channels of a driver.
pub(crate) struct Channels {
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) commands: mpsc::Sender<NetCommand>,
    pub(crate) arrivals: mpsc::Receiver<NetEvent>,
    pub(crate) events: broadcast::Sender<NodeEvent>,
    pub(crate) search: Inbox,
    /// Where questions of peers are answered.
    pub(crate) librarian: mpsc::Sender<PeerQuestion>,
    pub(crate) audit: AuditLog,
    /// Of visitors, to the node.
    pub(crate) questions: Questions,
    /// Where work is done beside the loop, and what came of it.
    pub(crate) workers: tokio::runtime::Handle,
    pub(crate) loader: SyncSender<LoadOrder>,
    pub(crate) verdicts: mpsc::Sender<Input>,
    pub(crate) verified: mpsc::Receiver<Input>,
}

/// Runs a node until it is told to stop.
pub(crate) async fn run(mut node: Node, clock: Clock, channels: Channels) {
    let mut driver = Driver {
        clock,
        loader: channels.loader,
        verdicts: channels.verdicts,
        events: channels.events,
        search: channels.search,
        librarian: channels.librarian,
        audit: channels.audit,
        workers: channels.workers,
        answers: BTreeMap::new(),
        next_request: 0,
        outbox: VecDeque::new(),
        questions: channels.questions,
        visits: Visits::default(),
        stays: Stays::default(),
        turns: BTreeMap::new(),
    };
    let mut inboxes = Inboxes {
        calls: channels.calls,
        verified: channels.verified,
        arrivals: channels.arrivals,
        commands: channels.commands,
    };
    driver.drain(&mut node);
    loop {
        let due = node.poll_timeout().into_iter().chain(driver.visits.poll_timeout()).min();
        let due = due.map(|at| clock.instant(at));
        let is_idle = !driver.visits.has_work();
        let Some(arrival) = inboxes.next(&mut driver.outbox, due, is_idle).await else {
            node.write_down_decisions();
            driver.drain(&mut node);
            return;
        };
        let mut stopped = driver.take(&mut node, arrival);
        for _ in 1..INPUTS_A_FLUSH_MAX {
            match inboxes.ready(driver.outbox.len() < OUTBOX_MAX) {
                Some(arrival) => stopped = stopped.or(driver.take(&mut node, arrival)),
                None => break,
            }
        }
        driver.hear_visitors(&mut node);
        node.flush(clock.now());
        driver.drain(&mut node);
        driver.answer_visitors();
        if let Some(stopped) = stopped {
            node.write_down_decisions();
            driver.drain(&mut node);
            // The asker may have gone; there is nobody else to tell.
            let _ = stopped.send(());
            return;
        }
    }
}

enum Arrival {
    Call(Call),
    Input(Input),
    Nothing,
}

struct Inboxes {
    calls: mpsc::Receiver<Call>,
    verified: mpsc::Receiver<Input>,
    arrivals: mpsc::Receiver<NetEvent>,
    commands: mpsc::Sender<NetCommand>,
}

impl Inboxes {
    /// Waits for the next arrival. Local work comes first; the network is read
    /// only while not too much waits to be sent.
    async fn next(
        &mut self,
        outbox: &mut VecDeque<NetCommand>,
        due: Option<std::time::Instant>,
        is_idle: bool,
    ) -> Option<Arrival> {
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let has_outgoing = !outbox.is_empty();
        let reads_network = outbox.len() < OUTBOX_MAX;
        tokio::select! {
            biased;
            Some(input) = self.verified.recv() => Some(Arrival::Input(input)),
            permit = self.commands.reserve(), if has_outgoing => {
                // A transport that is gone takes its commands with it.
                let command = outbox.pop_front();
                if let (Ok(permit), Some(command)) = (permit, command) {
                    permit.send(command);
                }
                Some(Arrival::Nothing)
            }
            call = self.calls.recv() => call.map(Arrival::Call),
            Some(event) = self.arrivals.recv(), if reads_network => {
                Some(Arrival::Input(Input::Net(event)))
            }
            () = std::future::ready(()), if !is_idle => Some(Arrival::Nothing),
            () = wait => Some(Arrival::Input(Input::Timeout)),
        }
    }

    /// What has arrived already.
    fn ready(&mut self, reads_network: bool) -> Option<Arrival> {
        if let Ok(input) = self.verified.try_recv() {
            return Some(Arrival::Input(input));
        }
        if let Ok(call) = self.calls.try_recv() {
            return Some(Arrival::Call(call));
        }
        if reads_network && let Ok(event) = self.arrivals.try_recv() {
            return Some(Arrival::Input(Input::Net(event)));
        }
        None
    }
}

struct Driver {
    clock: Clock,
    loader: SyncSender<LoadOrder>,
    verdicts: mpsc::Sender<Input>,
    events: broadcast::Sender<NodeEvent>,
    search: Inbox,
    librarian: mpsc::Sender<PeerQuestion>,
    audit: AuditLog,
    workers: tokio::runtime::Handle,
    answers: BTreeMap<RequestId, oneshot::Sender<Result<Response, Failure>>>,
    next_request: u64,
    outbox: VecDeque<NetCommand>,
    questions: Questions,
    visits: Visits,
    stays: Stays,
    turns: BTreeMap<TurnId, oneshot::Sender<Result<Returned, Refused>>>,
}

impl Driver {
    fn take(&mut self, node: &mut Node, arrival: Arrival) -> Option<oneshot::Sender<()>> {
        let input = match arrival {
            Arrival::Nothing => return None,
            Arrival::Input(Input::Net(event)) => {
                self.visits.on_net(event);
                self.tell_events(node);
                return None;
            }
            Arrival::Input(input) => input,
            Arrival::Call(Call::Visit { device, batch, answer }) => {
                let turn = TurnId(self.next_id().0);
                self.turns.insert(turn, answer);
                self.visits.arrive(self.clock.now().monotonic, device, turn, batch);
                self.tell_events(node);
                return None;
            }
            Arrival::Call(Call::Errand { device, answer }) => {
                let errand = self.visits.begin_errand(device).cloned();
                // Who hung up asks again.
                let _ = answer.send(self.visits.is_visiting(device).then_some(errand));
                return None;
            }
            Arrival::Call(Call::Stay { device, answer }) => {
                let is_visiting = self.visits.is_visiting(device);
                let _ = answer.send(is_visiting.then(|| self.stays.of(device)));
                return None;
            }
            Arrival::Call(Call::Hurry { device, answer }) => {
                let _ = answer.send(self.visits.hurry(self.clock.now().monotonic, device));
                return None;
            }
            Arrival::Call(Call::Stop { stopped }) => return Some(stopped),
            Arrival::Call(Call::BlobsHeld(blobs)) => Input::BlobsHeld(blobs),
            Arrival::Call(Call::Request { request, answer }) => {
                let id = self.next_id();
                self.answers.insert(id, answer);
                Input::Request(id, *request)
            }
        };
        node.handle(self.clock.now(), input);
        None
    }

    fn next_id(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// What happened on any transport, visits included.
    fn tell_events(&mut self, node: &mut Node) {
        while let Some(event) = self.visits.poll_event() {
            if let NetEvent::Disconnected { device } = &event {
                self.stays.end(*device);
            }
            node.handle(self.clock.now(), Input::Net(event));
        }
        self.outbox.extend(std::iter::from_fn(|| self.visits.poll_command()));
    }

    /// Takes some of what visitors brought. What it is answered with decides whether more of
    /// it is taken.
    fn hear_visitors(&mut self, node: &mut Node) {
        self.visits.on_timeout(self.clock.now().monotonic);
        self.tell_events(node);
        for _ in 0..FRAMES_A_FLUSH_MAX {
            let Some(frame) = self.visits.poll_frame() else { return };
            node.handle(self.clock.now(), Input::Net(frame));
        }
    }

    /// Only what is durable: after the flush.
    fn answer_visitors(&mut self) {
        while let Some((turn, answer)) = self.visits.poll_answer(self.clock.now().monotonic) {
            if let Some(visitor) = self.turns.remove(&turn) {
                // Who hung up finds the visit over.
                let _ = visitor.send(answer);
            }
        }
    }

    fn work(&mut self, job: impl FnOnce() -> Input + Send + 'static) {
        let done = self.verdicts.clone();
        self.workers.spawn_blocking(move || {
            // The loop may have ended; then nobody waits for it.
            let _ = done.blocking_send(job());
        });
    }

    fn drain(&mut self, node: &mut Node) {
        while let Some(effect) = node.poll_effect() {
            match effect {
                Effect::Net(NetCommand::Answer { request, allowed }) if request >= APART => {
                    self.questions.answer(request, allowed);
                }
                Effect::Net(command) => self.outbox.extend(self.visits.command(command)),
                Effect::Verify { job, entries } => {
                    self.work(move || Input::Verified { job, results: entry::read_batch(entries) });
                }
                // A panic, which was logged, took the thread along: nothing large is loaded.
                Effect::Load(order) => drop(self.loader.send(order)),
                Effect::Bundle(order) => {
                    self.work(move || Input::Bundled(Box::new(order.make())));
                }
                Effect::Reply(id, answer) => {
                    if let Some(asker) = self.answers.remove(&id) {
                        // Whoever asked may have gone meanwhile.
                        let _ = asker.send(answer);
                    }
                }
                Effect::Changed { space, documents } => {
                    self.search.note(space);
                    let documents = documents.into_iter().collect();
                    self.tell(NodeEvent::Changed { space, documents });
                }
                Effect::Unlocked { space } => self.search.note(space),
                Effect::Purged { space } => self.search.note_purge(space),
                Effect::PairingCode { device, code } => {
                    self.tell(NodeEvent::PairingCode { device, code });
                }
                Effect::Paired { device, name } => self.tell(NodeEvent::Paired { device, name }),
                Effect::Search { device, agent, question, text, spaces, limit } => {
                    let asked = PeerQuestion { device, agent, question, text, spaces, limit };
                    if self.librarian.try_send(asked).is_err() {
                        tracing::debug!(%device, "too many questions of peers wait");
                        // Nobody waits for the reply, but the peer for an answer.
                        let none = SearchRequest::Answer {
                            device,
                            question,
                            hits: vec![],
                            is_complete: false,
                        };
                        let id = self.next_id();
                        let answer = Input::Request(id, Request::Search(none));
                        node.handle(self.clock.now(), answer);
                    }
                }
                Effect::Denied(denied) => self.audit.write(denied.into()),
            }
        }
    }

    fn tell(&self, event: NodeEvent) {
        // Without listeners nobody needs to know.
        let _ = self.events.send(event);
    }
}

/// Stands in for the network of a node that has none: every dial fails.
pub(crate) async fn no_network(
    mut commands: mpsc::Receiver<NetCommand>,
    events: mpsc::Sender<NetEvent>,
) {
    while let Some(command) = commands.recv().await {
        if let NetCommand::Dial { device, .. } = command {
            let reason = "this command runs without a network".to_owned();
            if events.send(NetEvent::DialFailed { device, reason }).await.is_err() {
                return;
            }
        }
    }
}

/// How long a stopping node may take to finish what it is doing.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(5);
