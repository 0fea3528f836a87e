//! Documents that mean harm, against a document as it is used.
//!
//! Each is applied within its limits, or refused and named; afterwards the
//! document takes a good change, and so does another one.

use node_model::{DeviceId, DocumentId, EntryId, SpaceId, Timestamp};
use serde_json::{Value, json};

use super::{Document, Meta, Refusal, crafted, weigh::OPERATIONS_MAX};
use crate::json::Pointer;

fn empty(device: u8) -> Document {
    Document::new((DeviceId([device; 32]), [0; 16]), SpaceId([1; 32]), DocumentId([2; 16]))
}

fn id(number: usize) -> EntryId {
    EntryId(*blake3::hash(&number.to_be_bytes()).as_bytes())
}

/// A good change, and one that builds on it, by another device.
fn good_changes() -> [(EntryId, Vec<u8>); 2] {
    let mut ada = empty(1);
    ada.fill(&Meta::default(), &json!({"title": "Good"})).expect("it is JSON");
    let first = (EntryId([1; 32]), committed(&mut ada));
    let mut ben = empty(2);
    ben.apply([first.clone()]);
    set(&mut ben, "later", &json!("Also good"));
    [first, (EntryId([2; 32]), committed(&mut ben))]
}

fn set(document: &mut Document, key: &str, value: &Value) {
    let pointer = Pointer::parse(key).expect("it is a key");
    document.set(&pointer, value).expect("it can be set");
}

fn committed(document: &mut Document) -> Vec<u8> {
    let committed = document.commit(Timestamp(1_000)).expect("it has room");
    committed.expect("something changed").1
}

/// Reads all that a node reads of a document.
fn read_all(document: &mut Document) -> usize {
    let _ = (document.value(), document.meta(), document.summary(DocumentId([2; 16])));
    let _ = (document.heads(), document.head_entries());
    let page = document.history(None, usize::MAX).expect("it starts with the newest");
    page.items.iter().map(|item| item.operations).sum()
}

fn is_full(document: &Document, entry: &EntryId) -> bool {
    matches!(document.refused().get(entry), Some(Refusal::DocumentFull(_)))
}

#[test]
fn no_crafted_document_harms_the_next_change() {
    let [first, later] = good_changes();
    for crafted in crafted::all() {
        let name = &crafted.name;
        let mut document = empty(3);
        document.apply([first.clone()]);
        let hostile = crafted.changes.into_iter().enumerate();
        document.apply(hostile.map(|(at, bytes)| (id(at), bytes)));
        let operations = read_all(&mut document);
        assert!(operations as u64 <= OPERATIONS_MAX, "{name}: {operations} operations");
        document.apply([later.clone()]);
        if !is_full(&document, &later.0) {
            assert_eq!(document.refused().get(&later.0), None, "{name}");
            assert_eq!(document.value().get("later"), Some(&json!("Also good")), "{name}");
            set(&mut document, "ours", &json!(true));
            assert!(document.commit(Timestamp(2_000)).is_ok(), "{name}");
        }
        let mut other = empty(4);
        other.apply([first.clone(), later.clone()]);
        assert_eq!(other.value(), json!({"title": "Good", "later": "Also good"}), "{name}");
    }
}
