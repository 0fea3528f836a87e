use node_model::{DeviceId, DocumentId, SpaceId, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{document::Meta, json::Pointer, patch::PatchOp};

struct Replica {
    document: Document,
    device: u8,
    made: Vec<(EntryId, Vec<u8>)>,
}

impl Replica {
    fn new(device: u8) -> Self {
        let writer = (DeviceId([device; 32]), [0; 16]);
        let document = Document::new(writer, SpaceId([1; 32]), DocumentId([2; 16]));
        Self { document, device, made: vec![] }
    }

    fn commit(&mut self) {
        let (hash, bytes) = self.document.commit(Timestamp(0)).expect("room").expect("a change");
        let mut entry = [self.device; 32];
        entry[..8].copy_from_slice(&(self.made.len() as u64).to_be_bytes());
        self.document.note_entry(hash, EntryId(entry));
        self.made.push((EntryId(entry), bytes));
    }

    fn fill(&mut self) {
        let meta = Meta { kind: "note".into(), app: None, path: None, source: None };
        self.document.fill(&meta, &json!({"list": []})).expect("a good document");
        self.commit();
    }

    fn set(&mut self, path: &str, value: &Value) {
        let pointer = Pointer::parse(path).expect("a pointer");
        self.document.set(&pointer, value).expect("it is there");
        self.commit();
    }

    fn bundle(&mut self) -> Bundled {
        let own = self.made.iter().map(|(entry, _)| *entry).collect();
        self.document.bundle(&own, vec![]).run().expect("there is something")
    }
}

fn edited(count: usize) -> Replica {
    let mut ada = Replica::new(1);
    ada.fill();
    for number in 0..count {
        ada.set("/list/-", &json!(number));
    }
    ada
}

const BUNDLE: EntryId = EntryId([99; 32]);

#[test]
fn a_bundle_brings_what_its_changes_bring_in_a_tenth_of_the_bytes() {
    let mut ada = edited(300);
    let bundled = ada.bundle();
    let singly: usize = ada.made.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bundled.body.len() * 10 < singly, "{} of {singly}", bundled.body.len());

    let mut ben = Replica::new(2);
    ben.document.apply([(BUNDLE, Body::Bundle(bundled.body))]);
    assert_eq!(ben.document.value(), ada.document.value());
    assert_eq!(ben.document.heads(), ada.document.heads());
    assert_eq!(ben.document.head_entries(), [BUNDLE]);
    assert_eq!(ben.document.changes_count(), 301);
    // And it goes on from there.
    ben.set("/list/-", &json!("ben"));
    ada.document.apply(ben.made.clone());
    assert_eq!(ben.document.value(), ada.document.value());
}

#[test]
fn bundles_of_several_authors_need_each_other_in_any_order() {
    let mut ada = edited(20);
    let mut ben = Replica::new(2);
    ben.document.apply(ada.made.clone());
    for number in 0..20 {
        ben.set("/list/-", &json!(format!("ben {number}")));
        ada.document.apply(ben.made.clone());
        ada.set("/list/0", &json!(1_000 + number));
        ben.document.apply(ada.made.clone());
    }
    let bundles = [
        (EntryId([90; 32]), Body::Bundle(ada.bundle().body)),
        (EntryId([91; 32]), Body::Bundle(ben.bundle().body)),
    ];
    for turn in 0..2 {
        let mut cyd = Replica::new(3);
        cyd.document.apply([bundles[turn].clone()]);
        assert!(cyd.document.waiting_count() > 0 || turn == 1 && cyd.document.heads().is_empty());
        cyd.document.apply([bundles[1 - turn].clone()]);
        assert!(cyd.document.waiting_count() == 0);
        assert_eq!(cyd.document.value(), ada.document.value());
        assert_eq!(cyd.document.heads(), ada.document.heads());
        assert!(cyd.document.refused().is_empty(), "{:?}", cyd.document.refused());
    }
}

#[test]
fn a_document_that_has_the_changes_only_notes_who_carries_them() {
    let mut ada = edited(50);
    let bundled = ada.bundle();
    let mut ben = Replica::new(2);
    ben.document.apply(ada.made[..30].to_vec());
    assert!(ben.document.catch_up([(BUNDLE, Body::Bundle(bundled.body))]));
    assert_eq!(ben.document.value(), ada.document.value());
    assert_eq!(ben.document.carriers().into_keys().collect::<Vec<_>>(), [BUNDLE]);
}

#[test]
fn a_spoilt_bundle_is_named_and_harms_nothing() {
    let mut ada = edited(30);
    let body = ada.bundle().body;
    let mut ben = Replica::new(2);
    let mut refused = 0;
    for at in (0..body.len()).step_by(7) {
        let mut spoilt = body.clone();
        spoilt[at] ^= 0x10;
        ben.document.apply([(BUNDLE, Body::Bundle(spoilt))]);
        refused += usize::from(ben.document.refused().contains_key(&BUNDLE));
    }
    // The checksum of a stored document covers all of it.
    assert_eq!(refused, body.len().div_ceil(7));
    assert_eq!(ben.document.changes_count(), 0);
    ben.document.apply([(BUNDLE, Body::Bundle(body))]);
    assert_eq!(ben.document.value(), ada.document.value());
    assert!(ben.document.refused().is_empty());
}

#[test]
fn changes_that_waited_for_a_bundle_are_taken() {
    let ada = edited(40);
    let early = ada.made[..39].iter().map(|(entry, _)| *entry).collect();
    let bundled = ada.document.bundle(&early, vec![]).run().expect("there is something");
    let late = ada.made[39..].to_vec();
    let mut ben = Replica::new(2);
    ben.document.apply(late);
    assert!(ben.document.waiting_count() > 0);
    ben.document.apply([(BUNDLE, Body::Bundle(bundled.body))]);
    assert!(ben.document.waiting_count() == 0);
    assert_eq!(ben.document.value(), ada.document.value());
}

#[test]
fn a_counter_beside_a_number_that_no_counter_reaches_is_bundled_and_reads_back() {
    let mut ada = edited(5);
    ada.set("/id", &json!(u64::MAX));
    for by in 1..6 {
        let operations = [PatchOp::Increment { path: "/n".into(), by }];
        for made in ada.document.make_counters(&operations).expect("it has room") {
            let entry = EntryId([200; 32]);
            ada.document.note_entry(made.change, entry);
            ada.made.push((entry, made.bytes));
        }
        ada.document.patch(&operations).expect("it counts");
        ada.commit();
    }
    let bundled = ada.bundle();
    assert_eq!(bundled.changes.len(), ada.made.len());
    let mut ben = Replica::new(2);
    ben.document.apply([(BUNDLE, Body::Bundle(bundled.body))]);
    assert!(ben.document.refused().is_empty(), "{:?}", ben.document.refused());
    assert_eq!(ben.document.value(), ada.document.value());
    assert_eq!(ben.document.value()["n"], json!(15));
}
