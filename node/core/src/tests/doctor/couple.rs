//! Two nodes that share a space, and what a test does to them.

use sync_engine_core::entry::{
    Draft, EntryKind, VerifiedEntry,
    covers::{Covers, Run},
};

use node_model::DocumentId;

use super::{super::*, store::Disk};
use crate::doctor::{DoctorOf, Finding};

/// Two that are connected and share a space, equal; and their disks.
pub(super) struct Couple {
    pub(super) company: Company,
    pub(super) disks: [Disk; 2],
    pub(super) space: SpaceId,
}

impl Couple {
    pub(super) fn new() -> Self {
        let mut company = Company::new(2);
        let disks = [Disk::default(), Disk::default()];
        for (index, disk) in (0..).zip(&disks) {
            company.nodes[usize::from(index)] = node_on(index, Box::new(disk.clone()));
        }
        let space = company.space(0);
        company.write(0, space, "first");
        let ticket = company.ticket(0, Some(space));
        company.accept(1, ticket).expect("pairs");
        assert!(company.has(1, space, "first"));
        let couple = Self { company, disks, space };
        couple.assert_well()
    }

    #[track_caller]
    pub(super) fn assert_well(mut self) -> Self {
        for at in 0..2 {
            assert_eq!(self.company.doctor(at, DoctorOf::Everything), []);
        }
        self
    }

    pub(super) fn sync(&mut self, at: usize) {
        // Not answered as long as somebody lags behind.
        let id = RequestId(self.company.next_request);
        self.company.next_request += 1;
        let request = Request::Sync { device: None, is_full: false };
        self.company.inbox.push_back((at, Input::Request(id, request)));
        self.company.run();
    }

    pub(super) fn disconnect(&mut self) {
        for at in 0..2 {
            let device = self.company.devices[1 - at];
            self.company.inbox.push_back((at, Input::Net(NetEvent::Disconnected { device })));
        }
        self.company.run();
    }

    pub(super) fn connect(&mut self) {
        for at in 0..2 {
            self.company.connect(at, 1 - at, at == 0);
        }
        self.company.run();
    }

    /// A frame of the second one that it did not say itself.
    pub(super) fn forge(&mut self, message: &Message) {
        self.forge_bytes(message.encode());
    }

    pub(super) fn forge_bytes(&mut self, frame: Vec<u8>) {
        let (device, lane) = (self.company.devices[1], Lane::Sync);
        let input = Input::Net(NetEvent::Frame { device, lane, frame: frame.into() });
        self.company.inbox.push_back((0, input));
        self.company.run();
    }

    /// The only finding of the first one, about the space and the second one.
    #[track_caller]
    pub(super) fn only(&mut self) -> Finding {
        let found = self.company.doctor(0, DoctorOf::Everything);
        let [finding] = found.as_slice() else { panic!("not one cause: {found:?}") };
        assert_eq!(finding.subject.space, Some(self.space), "{finding:?}");
        assert_eq!(finding.subject.peer, Some(self.company.devices[1]), "{finding:?}");
        assert!(!finding.sentence.is_empty() && !finding.next.is_empty(), "{finding:?}");
        finding.clone()
    }

    /// An entry as the second one would make it, of a body that is no change.
    pub(super) fn garbage(&mut self) -> VerifiedEntry {
        self.garbage_in(content_document(self.space, "first"))
    }

    pub(super) fn garbage_in(&mut self, document: DocumentId) -> VerifiedEntry {
        let node = &mut self.company.nodes[1];
        let tip = node.sync_engine().tips(self.space).expect("is here");
        let tip = tip.get(&node.trust().device()).copied();
        let draft = Draft {
            space: self.space,
            document,
            kind: EntryKind::Change,
            run: Run([9; 8]),
            sequence: tip.map_or(0, |tip| tip.sequence + 1),
            prev: tip.map(|tip| tip.id),
            deps: vec![],
            covers: Covers::default(),
            blobs: vec![],
        };
        let keys = node.trust().keyring().epochs(self.space).last();
        let (epoch, _, keys) = keys.expect("it was given keys");
        let mut entropy = ChaCha8Rng::seed_from_u64(99);
        let signer = node.trust().signer();
        draft.seal(&mut entropy, signer, (epoch, &keys.entries), b"no change").expect("small")
    }
}

impl Company {
    pub(in crate::tests) fn doctor(&mut self, at: usize, of: DoctorOf) -> Vec<Finding> {
        let Ok(Response::Findings(answer)) = self.ask(at, Request::Doctor { of }) else {
            panic!("no findings");
        };
        assert!(answer.is_complete);
        answer.findings
    }

    /// What a node wants done about an input, while nobody does it.
    pub(in super::super) fn alone(&mut self, at: usize, input: Input) -> Vec<Effect> {
        let now = self.now();
        self.nodes[at].handle(now, input);
        self.nodes[at].flush(now);
        std::iter::from_fn(|| self.nodes[at].poll_effect()).collect()
    }

    pub(super) fn agent(&self, at: usize) -> node_model::AgentId {
        self.nodes[at].trust().agent()
    }
}
