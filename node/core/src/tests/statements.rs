//! Statements that could not be kept when they came.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use trust_core::{
    exchange::Message,
    ledger::{Ledger, LedgerError, MemoryLedger, Record},
};

use super::*;
use crate::request::DescriptionChange;

/// A ledger whose disk can be full.
#[derive(Clone, Default)]
struct Paper {
    records: Arc<Mutex<MemoryLedger>>,
    is_full: Arc<AtomicBool>,
}

impl Paper {
    fn room(&self) -> Result<(), LedgerError> {
        if self.is_full.load(Ordering::Relaxed) { Err(LedgerError::Full) } else { Ok(()) }
    }
}

impl Ledger for Paper {
    fn put(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        self.room().and_then(|()| self.records.lock().expect("no thread died").put(records))
    }

    fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        self.room().and_then(|()| self.records.lock().expect("no thread died").replace(records))
    }

    fn all(&self) -> Result<Vec<Record>, LedgerError> {
        self.records.lock().expect("no thread died").all()
    }
}

/// What could not be kept is asked for again soon, not with the next comparison in half an hour:
/// until then what is sealed with a key that was in it is here and cannot be read.
#[test]
fn what_could_not_be_kept_comes_again_soon() {
    let mut company = Company::new(2);
    let paper = Paper::default();
    let mut entropy = ChaCha8Rng::seed_from_u64(1);
    let keys = DeviceKeys::random(&mut entropy);
    let stores = (Box::new(paper.clone()) as Box<dyn Ledger>, Box::new(InMemory) as Box<_>);
    company.nodes[1] = node_of(1, keys, stores, entropy);
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("pairs");

    let known = |company: &Company| {
        let of_ben = company.nodes[0].trust().agent_of(company.devices[1]).expect("they met");
        let said = company.nodes[0].trust().visible_to(of_ben);
        said.iter().all(|id| company.nodes[1].trust().attestation(*id).is_some())
    };
    assert!(known(&company));
    paper.is_full.store(true, Ordering::Relaxed);
    let device = company.devices[0];
    let change = DescriptionChange { class: None, site: Some("attic".into()), region: None };
    company.ask(0, Request::DescribeDevice { device, change }).expect("it is hers");
    assert!(!known(&company));
    company.wait(Duration::from_secs(10));
    assert!(!known(&company), "the disk is full still");
    paper.is_full.store(false, Ordering::Relaxed);
    company.wait(Duration::from_secs(10));
    assert!(known(&company));
    assert!(company.nodes[1].is_acquainted(device));
}

/// Each says what it has when they meet, and again when it was asked to: what is on its way then
/// is not sent twice.
#[test]
fn what_is_on_its_way_is_not_sent_again() {
    let mut company = Company::new(2);
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("pairs");
    let device = company.devices[1];
    let sent = |company: &mut Company| {
        let frame = Message::Have { ids: vec![].into() }.encode().into();
        let frame = NetEvent::Frame { device, lane: Lane::Trust, frame };
        let effects = company.alone(0, Input::Net(frame)).into_iter();
        let counts = effects.filter_map(|effect| {
            let Effect::Net(NetCommand::Send { frame, .. }) = effect else { return None };
            let Ok(Message::Attestations { attestations }) = Message::decode(&frame) else {
                return None;
            };
            Some(attestations.len())
        });
        counts.sum::<usize>()
    };
    company.wall += 10_000;
    let all = sent(&mut company);
    assert!(all > 0);
    assert_eq!(sent(&mut company), 0);
    company.wall += 5_000;
    assert_eq!(sent(&mut company), all, "they were lost, or could not be kept");
}
