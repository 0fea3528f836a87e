use serde_json::json;

use super::*;
use crate::{json::Pointer, patch::PatchOp};

const SPACE: SpaceId = SpaceId([1; 32]);
const DOCUMENT: DocumentId = DocumentId([2; 16]);

/// A replica of one document, and the changes that it made.
pub(super) struct Replica {
    pub(super) document: Document,
    device: u8,
    pub(super) made: Vec<(EntryId, Vec<u8>)>,
}

impl Replica {
    pub(super) fn new(device: u8) -> Self {
        let document = Document::new((DeviceId([device; 32]), [0; 16]), SPACE, DOCUMENT);
        Self { document, device, made: vec![] }
    }

    /// Ends a change, and says its hash.
    pub(super) fn commit(&mut self, seconds: u64) -> String {
        let committed = self.document.commit(Timestamp(seconds * 1_000)).expect("it has room");
        let (hash, bytes) = committed.expect("something changed");
        self.carry(hash, bytes);
        hash.to_string()
    }

    pub(super) fn carry(&mut self, hash: ChangeHash, bytes: Vec<u8>) {
        let entry = EntryId([self.device * 16 + self.made.len() as u8; 32]);
        self.document.note_entry(hash, entry);
        self.made.push((entry, bytes));
    }

    pub(super) fn edit(
        &mut self,
        edit: impl FnOnce(&mut Document) -> Result<(), DocumentError>,
    ) -> String {
        edit(&mut self.document).expect("a good edit");
        self.commit(0)
    }

    pub(super) fn set(&mut self, seconds: u64, path: &str, value: &Value) -> String {
        let pointer = Pointer::parse(path).expect("a pointer");
        self.document.set(&pointer, value).expect("a good edit");
        self.commit(seconds)
    }

    pub(super) fn take(&mut self, other: &Self) {
        self.document.apply(other.made.clone());
    }

    /// What it held at a moment.
    pub(super) fn at(&mut self, moment: &str) -> Value {
        let moment = moment.parse().expect("a moment");
        self.document.value_at(&moment).expect("there is such a moment").value
    }
}

pub(super) fn filled(value: &Value) -> Replica {
    let mut replica = Replica::new(1);
    let path = Some("a/b.json".into());
    let meta = Meta { kind: "note".into(), app: None, path, source: Some(vec![9]) };
    replica.edit(|document| document.fill(&meta, value));
    replica
}

#[test]
fn a_document_says_whose_it_is_of_the_apps() {
    let mut replica = Replica::new(1);
    let meta = Meta { kind: "note".into(), app: Some("recipes".into()), ..Meta::default() };
    replica.edit(|document| document.fill(&meta, &json!({})));
    assert_eq!(replica.document.meta(), meta);
    assert_eq!(replica.document.summary(DOCUMENT).app, "recipes");
    let mut nobodys = filled(&json!({}));
    assert_eq!(nobodys.document.summary(DOCUMENT).app, "kith");
}

#[test]
fn every_json_value_reads_back_with_unknown_fields() {
    let value = json!({
        "text": "ünïcode 🌱\u{0}", "empty": "", "null": null, "yes": true, "large": u64::MAX,
        "negative": i64::MIN, "float": 1.5, "zero": 0.0, "list": [1, [], {}, [null, "x"]],
        "map": {"x_unknown": {"deep": [1, 2, 3]}, "a/b": 1, "~": 2}, "id": "note-1",
    });
    let mut replica = filled(&value);
    assert_eq!(replica.document.value(), value);
    let meta = replica.document.meta();
    assert_eq!((meta.kind.as_str(), meta.path.as_deref()), ("note", Some("a/b.json")));
    assert_eq!((meta.app, meta.source), (None, Some(vec![9])));
    assert_eq!(replica.document.summary(DOCUMENT).content_id.as_deref(), Some("note-1"));
}

#[test]
fn edits_of_different_places_both_stay() {
    let mut ada = filled(&json!({"a": 1, "b": {"c": [1, 2, 3]}}));
    let mut ben = Replica::new(2);
    ben.take(&ada);
    let pointer = |text: &str| Pointer::parse(text).expect("a pointer");
    ada.edit(|document| document.set(&pointer("/b/c/0"), &json!(10)));
    ben.edit(|document| document.set(&pointer("/b/c/-"), &json!(4)));
    ben.edit(|document| document.set(&pointer("new"), &json!("x")));
    ada.take(&ben);
    ben.take(&ada);
    assert_eq!(ada.document.value(), json!({"a": 1, "b": {"c": [10, 2, 3, 4]}, "new": "x"}));
    assert_eq!(ada.document.value(), ben.document.value());
    assert_eq!(ada.document.heads(), ben.document.heads());
}

#[test]
fn edits_of_the_same_place_have_one_winner_everywhere() {
    let mut ada = filled(&json!({"a": "start"}));
    let mut ben = Replica::new(2);
    ben.take(&ada);
    let pointer = Pointer::parse("a").expect("a pointer");
    ada.edit(|document| document.set(&pointer, &json!("ada")));
    ben.edit(|document| document.set(&pointer, &json!("ben")));
    ada.take(&ben);
    ben.take(&ada);
    assert_eq!(ada.document.value(), ben.document.value());
    assert_eq!(ada.document.history(None, 9).expect("it is whole").total, 3);
}

#[test]
fn order_and_repetition_of_arrivals_do_not_matter() {
    let mut ada = filled(&json!({"n": 0}));
    for n in 1..10 {
        ada.edit(|document| document.set(&Pointer::parse("n")?, &json!(n)));
    }
    let mut backwards = Replica::new(2);
    for change in ada.made.iter().rev().chain(&ada.made) {
        backwards.document.apply(vec![change.clone()]);
    }
    assert_eq!(backwards.document.value(), json!({"n": 9}));
}

#[test]
fn a_removed_document_stays_removed_whatever_arrives_later() {
    let mut ada = filled(&json!({"n": 0}));
    ada.document.bury(EntryId([99; 32]), &[]);
    let mut ben = Replica::new(2);
    ben.take(&ada);
    ben.edit(|document| document.set(&Pointer::parse("n")?, &json!(1)));
    ada.take(&ben);
    assert!(ada.document.is_removed());
}

#[test]
fn what_cannot_be_held_is_refused() {
    let mut replica = filled(&json!({"list": [1], "map": {}}));
    let document = &mut replica.document;
    let mut set = |path: &str, value: &Value| {
        Pointer::parse(path).and_then(|pointer| document.set(&pointer, value))
    };
    let deep = (0..json::DEPTH_MAX).fold(json!(1), |inner, _| json!([inner]));
    assert!(matches!(set("x", &deep), Err(DocumentError::TooDeep)));
    assert!(matches!(set("/list/7", &json!(1)), Err(DocumentError::NoSuchPlace)));
    assert!(matches!(set("/none/below", &json!(1)), Err(DocumentError::NoSuchPlace)));
    assert!(matches!(set("/list/x", &json!(1)), Err(DocumentError::NoSuchPlace)));
    assert!(matches!(set("", &json!({})), Err(DocumentError::WholeDocument)));
    assert!(matches!(set("/@kith/type", &json!("x")), Err(DocumentError::Reserved)));
    assert!(matches!(set("/~2", &json!(1)), Err(DocumentError::BadPointer)));
}

#[test]
fn garbage_is_refused_and_named_and_the_rest_goes_on() {
    let ada = filled(&json!({"n": 1}));
    let mut ben = Replica::new(2);
    let garbage = EntryId([77; 32]);
    let mut changes = vec![(garbage, vec![1, 2, 3])];
    changes.extend(ada.made.clone());
    ben.document.apply(changes);
    assert_eq!(ben.document.value(), json!({"n": 1}));
    assert_eq!(ben.document.refused(), &BTreeMap::from([(garbage, Refusal::Malformed)]));
}

#[test]
fn json_patch_works_as_in_rfc_6902() {
    let mut replica = filled(&json!({"a": 1, "list": ["x", "z"], "o": {"k": "v"}}));
    let operations: Vec<PatchOp> = serde_json::from_value(json!([
        {"op": "test", "path": "/a", "value": 1},
        {"op": "replace", "path": "/a", "value": 2},
        {"op": "add", "path": "/list/1", "value": "y"},
        {"op": "copy", "from": "/o", "path": "/p"},
        {"op": "move", "from": "/o/k", "path": "/moved"},
        {"op": "remove", "path": "/list/0"},
    ]))
    .expect("a patch");
    replica.edit(|document| document.patch(&operations));
    let expected = json!({"a": 2, "list": ["y", "z"], "o": {}, "p": {"k": "v"}, "moved": "v"});
    assert_eq!(replica.document.value(), expected);
    let wrong = PatchOp::Test { path: "/a".into(), value: json!(1) };
    assert!(matches!(replica.document.patch(&[wrong]), Err(DocumentError::TestFailed)));
}

#[test]
fn an_update_touches_only_what_changed() {
    let mut ada = filled(&json!({"same": "text", "n": 1, "gone": true, "list": [1, 2]}));
    let mut ben = Replica::new(2);
    ben.take(&ada);
    let meta = ada.document.meta();
    let new = json!({"same": "text", "n": 2, "list": [1, 2]});
    ada.edit(|document| document.update(&meta, &new));
    ben.edit(|document| document.set(&Pointer::parse("same")?, &json!("ben's")));
    ada.take(&ben);
    assert_eq!(ada.document.value(), json!({"same": "ben's", "n": 2, "list": [1, 2]}));
    assert!(ada.document.update(&meta, &ada.document.value()).is_ok());
    assert!(
        ada.document.commit(Timestamp(0)).expect("it has room").is_none(),
        "nothing changed, nothing is written"
    );
}

#[test]
fn a_patch_that_would_fill_the_memory_ends_before_it_does() {
    let patch = |document: &mut Document, operations: Value| {
        let operations: Vec<PatchOp> = serde_json::from_value(operations).expect("a patch");
        document.patch(&operations)
    };
    // Each doubles the document: 2^40 values.
    let doubled: Value =
        (0..40).map(|n| json!({"op": "copy", "from": "", "path": format!("/{n}")})).collect();
    let copied: Value =
        (0..20).map(|n| json!({"op": "copy", "from": "/text", "path": format!("/{n}")})).collect();
    let text = "x".repeat(1 << 20);
    for operations in [doubled, copied] {
        let mut document = filled(&json!({"n": 1, "text": text})).document;
        let refused = patch(&mut document, operations).expect_err("it is too much");
        assert!(matches!(refused, DocumentError::Refused(Refusal::TooHeavy(_))), "{refused}");
    }
    let looked_at: Value = vec![json!({"op": "test", "path": "/text", "value": text}); 60].into();
    let mut document = filled(&json!({"n": 1, "text": text})).document;
    let refused = patch(&mut document, looked_at).expect_err("it takes too long");
    assert!(matches!(refused, DocumentError::ReadsTooMuch), "{refused}");
    // What was there is not counted with what is written.
    let replaced: Value =
        (0..20).map(|n| json!({"op": "replace", "path": "/n", "value": n})).collect();
    let mut document = filled(&json!({"n": 1, "text": text})).document;
    patch(&mut document, replaced).expect("it is little");
}
